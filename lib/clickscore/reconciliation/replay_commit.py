"""Rejected clicks become scored ones: between two replays, each is in exactly one of the two tables.

No commit changes two tables. A replay first marks the records in ``rejected_clicks``, then appends their clicks to
``scored_clicks``, in a transaction. Where there are marks without clicks, the next replay looks whether the table has
seen that transaction. If it has, the clicks had come, and the marks stay. If it has not, an append of nothing takes a
later one, after which those clicks will never come, not even from a replay that was only asleep; then the marks are
taken back.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.errors import ReplayError
from clickscore.reasons import ERASED_VISITOR
from clickscore.reconciliation.rescoring import RECORD, WAS, changes
from clickscore.retries import Result, persistently
from clickscore.storage.commit_settings import USER_METADATA, commit_settings
from clickscore.storage.schemas import IS_REPLAY, KEPT, REPLAYED
from clickscore.storage.table import Table
from clickscore.storage.transactions import newest_transaction

CONFLICT_LIMIT_S = 120.0
"""How long a commit is tried. A change of ``rejected_clicks`` takes a second or two, and fails if the stream appends to
the table within them: Delta has no weaker isolation to offer. A few attempts find a gap between two micro-batches."""
WITHDRAWN = "withdrawn"
CLICKS, WITHDRAWAL = 1, 2
"""Transactions of a replay in ``scored_clicks``: its clicks, and that they will not come any more."""


@dataclass(frozen=True)
class Resolution:
    """Moves records from one table to the other.

    Attributes:
        spark: the session.
        rejected: ``rejected_clicks``.
        scored: ``scored_clicks``.
        app: names the transactions; from the id of ``rejected``, which stays, whatever stream writes the table.
        tell: prints a line on the console.
    """

    spark: SparkSession
    rejected: Table
    scored: Table
    app: str
    tell: Callable[[str], None]

    @classmethod
    def of(cls, spark: SparkSession, rejected: Table, scored: Table, tell: Callable[[str], None]) -> "Resolution":
        """Return the one between two tables that exist."""
        table_id = rejected.delta(spark).detail().select("id").collect()[0][0]
        return cls(spark, rejected, scored, f"clickscore-replay-{table_id}", tell)

    def unsettled(self) -> list[int]:
        """Return the replays that have marked records, but have no clicks in ``scored_clicks``."""
        rejected = self.rejected.read(self.spark)
        if not self._has_columns(rejected):
            return []
        marks = rejected.where("replay_id IS NOT NULL").select("replay_id").distinct()
        clicks = self.scored.read(self.spark).where(IS_REPLAY).select((-F.col("batch_id")).alias("replay_id"))
        return sorted(row[0] for row in marks.join(clicks.distinct(), "replay_id", "left_anti").collect())

    def add_columns(self) -> None:
        """Add the columns of ``schemas.REPLAYED`` to ``rejected_clicks``, unless they are there."""
        if not self._has_columns(self.rejected.read(self.spark)):
            columns = ", ".join(f"{field.name} {field.dataType.simpleString()} COMMENT '{field.metadata['comment']}'"
                                for field in REPLAYED)  # fmt: skip
            add = f"ALTER TABLE {self.rejected.sql_name} ADD COLUMNS ({columns})"
            self._persistently(partial(self.spark.sql, add))

    def mark(self, verdicts: DataFrame, now: datetime, about: dict[str, str]) -> int | None:
        """Mark the records that pass, and write down why the others are rejected now, in one commit.

        Args:
            verdicts: from ``resubmission.judged``; must not be computed again.
            now: when.
            about: what else the commit says.

        Returns:
            The id of the replay; None if there was nothing to change.

        Raises:
            ReplayError: if other writers have always been faster.
        """
        news = changes(verdicts)
        oldest, newest = news.agg(F.min(f"{WAS}.batch_id"), F.max(f"{WAS}.batch_id")).collect()[0]
        if oldest is None:
            return None
        self.add_columns()
        replay_id = self._next_id()
        while True:
            with self._commit({"replay": str(replay_id), "app": self.app, **about}, replay_id):
                is_new = self._persistently(partial(self._merge, news, oldest, newest, replay_id, now))
            if is_new:
                return replay_id
            replay_id += 1

    def _merge(self, news: DataFrame, oldest: int, newest: int, replay_id: int, now: datetime) -> bool:
        """Change the records; Delta does not, and tells nothing, if another replay has had this id."""
        # The bounds spare Delta the files of other micro-batches.
        nearby = F.col("record.batch_id").between(oldest, newest)
        is_open = F.col("record.replay_id").isNull()
        is_meant = F.struct(*[f"record.{name}" for name in RECORD]).eqNullSafe(F.col(f"news.{WAS}"))
        kept = {field.name for field in KEPT.values()} & set(self.rejected.columns(self.spark))
        forgotten = {name: f"CASE WHEN news.reason <> '{ERASED_VISITOR}' THEN record.{name} END" for name in kept}
        marks = {"replay_id": F.lit(replay_id), "resolved_at": F.lit(now)}
        done = (
            self.rejected.delta(self.spark)
            .alias("record")
            .merge(news.alias("news"), nearby & is_open & is_meant)
            .whenMatchedUpdate("news.reason IS NULL", marks)
            .whenMatchedUpdate(set={**{name: f"news.{name}" for name in ("raw", "reason", "detail")}, **forgotten})
            .execute()
        )
        return bool(done.collect())

    def append(self, clicks: DataFrame, replay_id: int, about: dict[str, str]) -> None:
        """Append the clicks of a replay to ``scored_clicks``, unless that was done, or the replay was withdrawn."""
        self._append(clicks, replay_id, CLICKS, about)

    def settle(self, replay_id: int) -> bool:
        """Make sure that a replay has both its marks and its clicks, or neither.

        Returns:
            Whether it has them.
        """
        if self._has_clicks(replay_id):
            return True
        newest = newest_transaction(self.spark, self.scored, self._app_of(replay_id))
        none = self.scored.read(self.spark).limit(0)
        if newest in (CLICKS, None):  # of a withdrawal by clickscore 0.2.0, or where Delta cannot be asked
            self._append(none, replay_id, CLICKS, {WITHDRAWN: "true"})  # without effect if there was one
            if not self._says_withdrawn(replay_id):
                return True  # its clicks were there; somebody has deleted them since
        elif newest != WITHDRAWAL:
            self._append(none, replay_id, WITHDRAWAL, {WITHDRAWN: "true"})
            if self._has_clicks(replay_id):  # they came in between
                return True
        nothing = {name: F.lit(None) for name in REPLAYED.names}
        self._persistently(lambda: self.rejected.delta(self.spark).update(F.col("replay_id") == replay_id, nothing))
        return False

    def _append(self, clicks: DataFrame, replay_id: int, transaction: int, about: dict[str, str]) -> None:
        about = {"replay": str(replay_id), "app": self.app, **about}
        self._persistently(partial(self.scored.append_once, clicks, self._app_of(replay_id), transaction, about))

    def _app_of(self, replay_id: int) -> str:
        return f"{self.app}-{replay_id}"

    def _has_clicks(self, replay_id: int) -> bool:
        return not self.scored.read(self.spark).where(F.col("batch_id") == -replay_id).isEmpty()

    def _says_withdrawn(self, replay_id: int) -> bool:
        said = partial(F.get_json_object, "userMetadata")
        is_mine = (said("$.app") == self.app) & (said("$.replay") == str(replay_id))
        of_withdrawal = is_mine & said(f"$.{WITHDRAWN}").isNotNull()
        return not self.scored.delta(self.spark).history().where(of_withdrawal).isEmpty()

    def _has_columns(self, rejected: DataFrame) -> bool:
        return set(REPLAYED.names) <= set(rejected.columns)

    def _next_id(self) -> int:
        used = self.rejected.read(self.spark).agg(F.max("replay_id")).collect()[0][0]
        # These tables may have had other rejected clicks before.
        lowest = self.scored.read(self.spark).where(IS_REPLAY).agg(F.min("batch_id")).collect()[0][0]
        return 1 + max(used or 0, -(lowest or 0), 0)

    def _commit(self, about: dict[str, object], version: int) -> AbstractContextManager[None]:
        """Say about the next commit what a MERGE has no options for."""
        prefix = "spark.databricks.delta"
        settings = {
            USER_METADATA: json.dumps(about),
            f"{prefix}.write.txnAppId": self.app,
            f"{prefix}.write.txnVersion": str(version),
            # If the store says that the commit has failed and it has not, Delta is to find that out.
            f"{prefix}.commit.idempotencyCheck.enabled": "true",
            # The verdicts are at hand.
            f"{prefix}.merge.materializeSource": "none",
        }
        return commit_settings(self.spark, settings)

    def _persistently(self, commit: Callable[[], Result]) -> Result:
        remedy = "fix the cause, or wait until fewer clicks are rejected,"
        return persistently(commit, self.tell, ReplayError, CONFLICT_LIMIT_S, remedy)
