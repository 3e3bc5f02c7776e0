"""Access on request: everything that the tables hold about some visitors, as one JSON file."""

import json
import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from rich.console import Console

from clickscore.config.run import Config
from clickscore.console import counted
from clickscore.erasure import wiring
from clickscore.erasure.visitor_outcomes import all_holders
from clickscore.erasure.visitor_rows import NUMBER
from clickscore.errors import ConfigError
from clickscore.reconciliation.audit_report import say
from clickscore.storage.schemas import MICROSECOND_FORMAT, quoted

OWNER_ONLY = 0o600


def run(
    config: Config, make_session: Callable[[], SparkSession], console: Console, given: dict[str, str], file: Path
) -> None:
    """Write all rows of some visitors, by visitor and table, into one file that its owner alone may read.

    Args:
        config: the run.
        make_session: builds the session.
        console: where the counts go.
        given: id of a visitor to where it was given.
        file: the file; it must not exist.

    Raises:
        WiringError: if checkpoint or tables do not fit, or the file exists or cannot be written.
    """
    if file.exists():
        raise ConfigError("--export", [f"{file} exists; name a file that does not, as nothing is overwritten"])
    spark = make_session()
    site = wiring.check(spark, config, given, changes=False)
    held: list[dict[str, list[object]]] = [{} for _ in site.visitors.ids]
    for holder in all_holders(spark, config, site.contract, site.visitors):
        count = 0
        for number, row in as_json(holder.find(holder.table.read(spark))).toLocalIterator():
            held[number].setdefault(holder.name, []).append(json.loads(row))
            count += 1
        say(console, f"{holder.name}: {counted(count, 'row')}")
    visitors = [
        {"visitor": visitor, "tables": tables} for visitor, tables in zip(site.visitors.ids, held, strict=True)
    ]  # fmt: skip
    whole = {"exported_at": datetime.now(timezone.utc).isoformat(), "visitors": visitors}
    _write(file, json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    say(console, f"{file}: what is held about {counted(len(visitors), 'visitor')}; it is personal data, keep it safe")


def as_json(found: DataFrame) -> DataFrame:
    """Return rows as ``NUMBER`` and one JSON text each; bytes become text, and times have a zone and microseconds."""
    binary = [field.name for field in found.schema.fields if isinstance(field.dataType, T.BinaryType)]
    columns = [
        (F.col(quoted(name)).cast("string") if name in binary else F.col(quoted(name))).alias(name)
        for name in found.columns
        if name != NUMBER
    ]
    return found.select(NUMBER, F.to_json(F.struct(*columns), {"timestampFormat": MICROSECOND_FORMAT}))


def _write(file: Path, text: str) -> None:
    try:
        with os.fdopen(
            os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w", encoding="utf-8"
        ) as opened:
            opened.write(text)
    except OSError as error:
        raise ConfigError("--export", [f"{file} cannot be written: {error.strerror}"]) from None
