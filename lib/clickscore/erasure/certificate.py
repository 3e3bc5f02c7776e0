"""The end of an erasure: old files go, every live one is looked into, and a certificate says what was found."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore import __version__
from clickscore.config.run import Config
from clickscore.console import counted, warn
from clickscore.erasure import wiring
from clickscore.erasure.leftovers import Leftovers, look, named_rows
from clickscore.erasure.unreached import FILES_PROPERTY, kept_until, unreached
from clickscore.erasure.visitor_outcomes import all_holders
from clickscore.erasure.visitor_rows import Holder
from clickscore.errors import ConfigError, ErasureError, TableError, gist
from clickscore.reconciliation.audit_report import say
from clickscore.retries import retrying
from clickscore.spark_errors import SPARK_ERRORS
from clickscore.storage.erasures import DONE, PLANNED, Erasures
from clickscore.storage.maintenance import CONFLICT_LIMIT_S, vacuum


def run(
    config: Config, make_session: Callable[[], SparkSession], console: Console, given: dict[str, str],
    file: Path | None,
) -> bool:  # fmt: skip
    """Delete the files that only older versions need, look for the ids in all others, and certify that there is none.

    Args:
        config: the run.
        make_session: builds the session.
        console: where the certificate goes.
        given: id of a visitor to where it was given.
        file: where it goes as JSON as well.

    Returns:
        Whether nothing is left; otherwise there is no certificate, and it is said what is left, and until when.

    Raises:
        WiringError: if keys, checkpoint or tables do not fit, or there is no folder for the file.
        ErasureError: if a request is planned and not done.
    """
    if file and not file.parent.is_dir():
        raise ConfigError("--certificate", [f"there is no folder {file.parent}; create it, or name another file"])
    key = wiring.need_ledger_key(config)
    spark = make_session()
    site = wiring.check(spark, config, given, changes=True)
    ledger, hashes = site.ledger(spark, key), site.visitors.hashes(key)
    if unfinished := [each.erasure_id for each in ledger.unfinished() if each.visitors & set(hashes)]:
        raise ErasureError(
            f"{ledger.table.name}: request {unfinished[0]} is planned and not done, so nothing can be certified yet. "
            f"Run jobs/erase_visitors.py --apply with the same ids first."
        )
    requests = _requests(ledger, hashes)
    if not requests:
        asked = "this visitor" if len(hashes) == 1 else f"any of these {len(hashes):,} visitors"
        say(console, f"{ledger.table.name} has no request for {asked}.")
        return True
    tables = all_holders(spark, config, site.contract, site.visitors)
    erased_at = max(request["done_at"] for request in requests).astimezone(timezone.utc)
    field = site.contract.click.field(site.contract.visitor)
    # A number stands for many things in a row; where it is that of a visitor, the rows are those that an erasure finds.
    is_number = pa.types.is_integer(field.type)

    def left_of(holder: Holder) -> Leftovers:
        named = partial(named_rows, spellings=site.visitors.spellings, own=holder.own)
        _tidy(spark, holder, console)
        return look(spark, holder.table, holder.find if is_number else named, erased_at, is_by_field=is_number)

    kept = {holder.name: left_of(holder) for holder in tables}
    if not all(left.is_none for left in kept.values()):
        _say_left(spark, console, tables, kept, erased_at)
        return False
    certificate = {
        "clickscore": __version__, "stream": site.stream, "certified_at": datetime.now(timezone.utc),
        "requests": requests, "tables": [{"table": name, **asdict(left)} for name, left in kept.items()],
        "not_reached": [
            *_other_places(field.name, is_number),
            *unreached(spark, config, [each.table for each in tables], erased_at, is_finished=True),
        ],
    }  # fmt: skip
    text = json.dumps(certificate, indent=2, default=_as_text)
    say(console, f"Nothing is left of {counted(len(hashes), 'visitor')}.\n{text}")
    if file:
        file.write_text(f"{text}\n", encoding="utf-8")
    return True


def _other_places(visitor: str, is_number: bool) -> Iterator[str]:
    """Yield where nobody has looked for a visitor."""
    if is_number:
        yield f"texts and fields other than {visitor}: the id is a number, which may stand for anything there"


def _requests(ledger: Erasures, hashes: list[str]) -> list[dict[str, Any]]:
    """Return what the ledger says of the requests for some visitors, one entry for each table of a request."""
    rows = ledger.read()
    mine = rows.where((F.col("event") == PLANNED) & F.col("visitor_hash").isin(hashes))
    planned = mine.groupBy("erasure_id", "reference", "key_id", "table_name").agg(
        F.sum("rows").alias("rows"), F.sort_array(F.collect_set("visitor_hash")).alias("visitors"),
        F.max("version").alias("version_before"), F.max("written_at").alias("planned_at"),
    )  # fmt: skip
    done = rows.where(F.col("event") == DONE).select(
        "erasure_id", "table_name", F.col("version").alias("version_erased"), F.col("written_at").alias("done_at")
    )
    found = planned.join(done, ["erasure_id", "table_name"]).orderBy("erasure_id", "table_name").collect()
    return [row.asDict() for row in found]


def _tidy(spark: SparkSession, holder: Holder, console: Console) -> None:
    """Write rows anew where deletion vectors hide some, and delete the files that are old enough."""
    patiently = retrying(partial(warn, console), CONFLICT_LIMIT_S)
    try:
        patiently(spark.sql, f"REORG TABLE {holder.table.sql_name} APPLY (PURGE)")
        patiently(vacuum, spark, holder.table, None)
    except SPARK_ERRORS as error:
        raise TableError(f"{holder.table.name} cannot be vacuumed: {gist(error)}") from error


def _say_left(
    spark: SparkSession, console: Console, tables: list[Holder], kept: dict[str, Leftovers], erased_at: datetime
) -> None:
    for holder in tables:
        left, name = kept[holder.name], holder.table.name
        if left.old_files:
            until = kept_until(spark, holder.table, FILES_PROPERTY, erased_at)
            files = counted(left.old_files, "file of older versions stays", "files of older versions stay")
            say(console, f"{name}: {files} until {until:%Y-%m-%d %H:%M} UTC "
                f"({FILES_PROPERTY}), or an hour or two longer; run --finish again then")  # fmt: skip
        if left.rows:
            rows = counted(left.rows, "row in a live file names", "rows in live files name")
            say(console, f"{name}: {rows} an erased visitor. Either the click came after the erasure: run --apply "
                f"again. Or a row of another visitor mentions the id: look for it yourself")  # fmt: skip
    say(console, "There is no certificate yet.", "bold red")


def _as_text(value: object) -> str:
    return value.astimezone(timezone.utc).isoformat() if isinstance(value, datetime) else str(value)
