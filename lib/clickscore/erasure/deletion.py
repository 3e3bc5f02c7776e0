"""The deletion of planned rows, in one commit of each table, beside a stream that appends to it."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial, reduce
from itertools import chain, repeat

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.erasure.visitor_rows import NUMBER, Holder
from clickscore.errors import ErasureError
from clickscore.retries import retrying
from clickscore.spark_errors import SPARK_ERRORS, transient_cause
from clickscore.storage.commit_settings import USER_METADATA, commit_settings
from clickscore.storage.erasures import Erasures, Request, name_of, newest_version
from clickscore.storage.pause import paused
from clickscore.storage.schemas import REPLAY_ID, quoted
from clickscore.storage.table import Table

CONFLICT_LIMIT_S = 300.0
"""How long a commit is tried. It fails where the table gets new rows within the seconds that it takes; the stream makes
room for that when it is asked, a backfill does not."""


def delete(
    spark: SparkSession, holder: Holder, request: Request, ledger: Erasures, hashes: DataFrame,
    checkpoint: str, tell: Callable[[str], None],
) -> None:  # fmt: skip
    """Take out of a table what is planned and still there, and write down that it is done.

    Rows of the visitors that came after the plan stay: the audit would not know why they are missing. So does a
    rejected row that a replay has resolved since, whose click came after the plan; the next erasure takes both.

    Args:
        spark: the session.
        holder: the table.
        request: what was asked for.
        ledger: with the plan.
        hashes: ``NUMBER`` and ``visitor_hash`` of the visitors.
        checkpoint: of the stream that appends to the table.
        tell: prints a line on the console.

    Raises:
        ErasureError: if other writers have always been faster.
    """
    planned = ledger.planned(request.erasure_id, holder.name)
    bounds: tuple[int, int] | None = None
    if not holder.known_by:
        [bounds] = planned.agg(F.min("batch_id"), F.max("batch_id")).collect()

    def find() -> tuple[int, DataFrame]:
        """Return the version that was looked at, and what is to go from it."""
        version = newest_version(spark, holder.table)
        rows = holder.table.read(spark, version)
        if holder.known_by:
            mine = holder.known_by(rows).join(F.broadcast(planned), list(holder.counted_by), "left_semi")
        else:
            nearby = rows.where(F.col("batch_id").between(*bounds)) if bounds else rows
            found = holder.find(nearby).join(F.broadcast(hashes), NUMBER)
            is_planned = _is_planned(REPLAY_ID in holder.counted_by and REPLAY_ID in found.columns)
            mine = found.alias("row").join(F.broadcast(planned.alias("planned")), is_planned, "left_semi")
        names = [name for name in holder.identity if name in mine.columns]
        return version, mine.select(*map(quoted, names)).distinct().localCheckpoint()

    first = find()  # a look may take minutes; the stream waits at most for the commit

    def merge() -> None:
        version, gone = first
        while True:
            if not gone.isEmpty():
                _merge(spark, holder, gone, request, bounds)
            if REPLAY_ID not in holder.counted_by or not _has_replay_since(spark, holder.table, version):
                return
            version, gone = find()

    carry_out(spark, holder.table, merge, request, ledger, checkpoint, tell, "with the same ids")


def _has_replay_since(spark: SparkSession, table: Table, version: int) -> bool:
    """Tell whether a replay has changed rows of a table since a version of it, so that they are no longer the same."""
    commits = newest_version(spark, table) - version
    is_replay = F.get_json_object("userMetadata", "$.replay").isNotNull()
    return commits > 0 and not table.delta(spark).history(commits).where(is_replay).isEmpty()


def _is_planned(has_replays: bool) -> Column:
    same = [F.col(f"row.{name}") == F.col(f"planned.{name}") for name in ("visitor_hash", "source", "batch_id")]
    if has_replays:
        replay = F.col(f"row.{REPLAY_ID}")
        same.append(replay.isNull() | (replay == F.col(f"planned.{REPLAY_ID}")))
    return reduce(Column.__and__, same)


def carry_out(
    spark: SparkSession, table: Table, remove: Callable[[], None], request: Request, ledger: Erasures, checkpoint: str,
    tell: Callable[[str], None], how: str,
) -> None:  # fmt: skip
    """Take the planned rows out of a table, again and again until no other writer is faster, and write down the end.

    Args:
        spark: the session.
        table: the table.
        remove: takes the rows out; is safe to be called twice.
        request: what was planned.
        ledger: with the plan.
        checkpoint: of the stream that appends to the table.
        tell: prints a line on the console.
        how: how to start the job again.

    Raises:
        ErasureError: if other writers have always been faster.
    """
    try:
        # Mostly, nobody appends in these seconds; the stream is asked to wait only where it does.
        rooms = chain([nullcontext], repeat(partial(paused, spark, checkpoint, tell)))
        retrying(tell, CONFLICT_LIMIT_S)(_within, rooms, remove)
    except SPARK_ERRORS as error:
        if cause := transient_cause(error):
            raise ErasureError(
                f"{table.name}: {cause}: still failing after {CONFLICT_LIMIT_S:.0f} s. Request "
                f"{request.erasure_id} is planned and not done: fix the cause, or wait until the jobs that "
                f"append to the table have ended, and start again {how}."
            ) from error
        raise
    ledger.finish(request, name_of(table), version_of(spark, table, request.erasure_id))


def _within(rooms: Iterator[Callable[[], AbstractContextManager[None]]], commit: Callable[[], None]) -> None:
    with next(rooms)():
        commit()


def version_of(spark: SparkSession, table: Table, erasure_id: int) -> int | None:
    """Return the version of a table in which an erasure has taken rows out; None where it had nothing left to do."""
    is_mine = F.get_json_object("userMetadata", "$.erasure") == str(erasure_id)
    [[version]] = table.delta(spark).history().where(is_mine).agg(F.max("version")).collect()
    return None if version is None else int(version)


def _merge(
    spark: SparkSession, holder: Holder, gone: DataFrame, request: Request, batches: tuple[int, int] | None
) -> None:
    # A MERGE, as the log of the table keeps the condition of a DELETE for a month, and the ids would stand in it.
    same = [f"row.{quoted(name)} <=> gone.{quoted(name)}" for name in gone.columns if name != REPLAY_ID]
    if REPLAY_ID in holder.counted_by and REPLAY_ID in holder.table.columns(spark):
        # A replay may have resolved the row since, or have taken that back.
        resolved = f" OR row.{REPLAY_ID} <=> gone.{REPLAY_ID}" if REPLAY_ID in gone.columns else ""
        same.append(f"(row.{REPLAY_ID} IS NULL{resolved})")
    # The bounds spare Delta the files of other micro-batches.
    nearby = [f"row.batch_id BETWEEN {batches[0]} AND {batches[1]}"] if batches else []
    condition = " AND ".join([*nearby, *same])
    prefix = "spark.databricks.delta.merge"
    settings = {
        USER_METADATA: json.dumps({"erasure": request.erasure_id}),
        # Rows are written anew without those that go: what a deletion vector hides would stay in the file.
        f"{prefix}.deletionVectors.persistent": "false",
        # The rows are at hand.
        f"{prefix}.materializeSource": "none",
    }
    with commit_settings(spark, settings):
        merge = holder.table.delta(spark).alias("row").merge(gone.alias("gone"), condition)
        merge.whenMatchedDelete().execute()
