"""The rows that are too old: in which tables of a run they are, and which rows of a table are to go."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clickscore.config.fields import interval_text
from clickscore.config.run import Config
from clickscore.outcomes.joined import NAME as OUTCOMES
from clickscore.reasons import UNREADABLE_FILE
from clickscore.storage.erasures import name_of
from clickscore.storage.schemas import IS_BACKFILL, IS_REPLAY, REPLAY_ID, quoted
from clickscore.storage.table import Table


@dataclass(frozen=True)
class Rule:
    """For how long a table keeps its rows.

    Attributes:
        key: in the section ``retention``.
        table: the table.
        time: column from whose time on a row is kept.
        kept_ms: for how long; None for good.
        is_counted: whether the audit counts the rows of the table, by source and micro-batch.
    """

    key: str
    table: Table
    time: str
    kept_ms: int | None
    is_counted: bool = True

    @property
    def name(self) -> str:
        """Name of the table, as the ledger has it."""
        return name_of(self.table)

    def is_old(self, older_than: datetime) -> Column:
        """Tell of a row whether it is to go; a file that was rejected as a whole has no record, and stays."""
        is_old = F.col(quoted(self.time)) < F.lit(older_than)
        return is_old & (F.col("reason") != UNREADABLE_FILE) if self.key == "rejected" else is_old


def rules(config: Config) -> list[Rule]:
    """Return the rules of all tables that may have one, also those that keep their rows for good."""
    kept = config.retention.intervals if config.retention else {}
    scored, rejected = Table(config.output.scored), Table(config.output.rejected)
    return [
        Rule("scored", scored, config.click.time, kept.get("scored")),
        Rule("rejected", rejected, "received_at", kept.get("rejected")),
        Rule("outcomes", scored.beside(OUTCOMES), "until", kept.get("outcomes"), is_counted=False),
    ]


def too_far_behind(rule: Rule, batch_id: int, behind: timedelta) -> str | None:
    """Return why rows of a table would go as soon as they are written; None if they stay for a while.

    Args:
        rule: of the table.
        batch_id: the newest micro-batch.
        behind: how old its newest record was when it was done.
    """
    if rule.kept_ms is None or behind < timedelta(milliseconds=rule.kept_ms):
        return None
    return (
        f"retention.{rule.key}: expected more than the stream is behind, found {interval_text(rule.kept_ms)} with "
        f"micro-batch {batch_id} {behind} behind its source; wait until the stream has caught up, or keep rows longer"
    )


def count_old(rule: Rule, rows: DataFrame, older_than: datetime, last_done: int) -> DataFrame:
    """Count the rows that are to go.

    Args:
        rule: of their table.
        rows: of one version of it.
        older_than: rows from before it go.
        last_done: the last micro-batch that is done.

    Returns:
        ``table_name, older_than, source, batch_id, replay_id, file, rows``; source, micro-batch and replay are null
        where the audit counts nothing.
    """
    old, nothing = rows.where(rule.is_old(older_than)), F.lit(None)
    if rule.is_counted:
        old = old.where(F.col("batch_id") <= last_done)
    has_replays = rule.key == "rejected" and REPLAY_ID in rows.columns
    return old.groupBy(
        F.lit(rule.name).alias("table_name"), F.lit(older_than).alias("older_than"),
        (F.col("source") if rule.is_counted else nothing).cast("string").alias("source"),
        (F.col("batch_id") if rule.is_counted else nothing).cast("bigint").alias("batch_id"),
        (F.col(REPLAY_ID) if has_replays else nothing).cast("bigint").alias("replay_id"),
        F.col("_metadata.file_path").alias("file"),
    ).agg(F.count(F.lit(1)).alias("rows"))  # fmt: skip


def as_planned(counts: DataFrame) -> DataFrame:
    """Add up what ``count_old`` has counted, over the files."""
    names = [name for name in counts.columns if name not in ("file", "rows")]
    return counts.groupBy(*names).agg(F.sum("rows").alias("rows"))


def planned_rows(rule: Rule, planned: DataFrame, columns: Collection[str]) -> Column:
    """Return the condition that the planned rows of a table meet, and none that came later.

    Micro-batches, replays and chunks of backfills count on, and each writes its rows in one commit. So no row that was
    not there when the plan was made is between the first and the last of each. A rejected row that a later replay has
    resolved stays: it tells where the replay's click is from.

    Args:
        rule: of the table.
        planned: its rows of the ledger.
        columns: of the table, as it is now.
    """
    ends = planned.agg(F.min(F.unix_micros("older_than")), F.max("replay_id"))
    [[micros, last_replay]] = ends.collect()
    is_old = rule.is_old(datetime.fromtimestamp(micros / 1e6, timezone.utc))
    if not rule.is_counted:
        return is_old
    if rule.key == "rejected" and REPLAY_ID in columns:
        is_old &= F.col(REPLAY_ID).isNull() | (F.col(REPLAY_ID) <= F.lit(last_replay))
    kinds = planned.groupBy(F.expr(IS_REPLAY).alias("is_replay"), F.expr(IS_BACKFILL).alias("is_backfill"))
    spans = kinds.agg(F.min("batch_id"), F.max("batch_id")).collect()
    return is_old & reduce(Column.__or__, [F.col("batch_id").between(first, last) for _, _, first, last in spans])
