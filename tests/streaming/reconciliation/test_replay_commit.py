"""Records move between two real tables: crashes at each point, a replay that was only asleep, a stream beside it."""

import json
import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

import deltalake
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from tests.support.histories import forget_history
from tests.support.kills import KilledError, killed_after

from clickscore.errors import ReplayError
from clickscore.reconciliation import replay_commit
from clickscore.reconciliation.replay_commit import Resolution
from clickscore.reconciliation.rescoring import RECORD
from clickscore.storage.schemas import rejected_clicks, scored_clicks
from clickscore.storage.table import STREAM_PROPERTY, Table, of_batch
from clickscore.storage.transactions import last_batch
from clickscore.stream.definition import Definition

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
ABOUT = {"model": "m", "version": "1"}


@dataclass
class Site:
    """Both tables of a stream, with two records that pass and one that does not."""

    spark: SparkSession
    home: Path
    click: T.StructType
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scored, self.rejected = Table(f"{self.home}/scored"), Table(f"{self.home}/rejected")
        bound = {STREAM_PROPERTY: "stream"}
        self.scored.create(self.spark, scored_clicks(self.click), ["batch_id"], bound)
        self.rejected.create(self.spark, rejected_clicks(), ["batch_id"], bound)
        self.reject(self.spark, 0, "good", "good", "bad")

    def reject(self, spark: SparkSession, batch_id: int, *raws: str) -> None:
        """Append as the stream does."""
        rows = [(raw, "wrong_type", "once", "file", None, NOW, batch_id) for raw in raws]
        self.rejected.append(spark.createDataFrame(rows, rejected_clicks()), of_batch("stream", batch_id))

    def resolution(self) -> Resolution:
        return Resolution.of(self.spark, self.rejected, self.scored, self.told.append)

    def verdicts(self) -> DataFrame:
        """All that is called good passes."""
        is_bad = F.col("raw") != "good"
        outcome = F.struct(
            F.when(is_bad, F.lit("empty_record")).alias("reason"), F.when(is_bad, F.lit("anew")).alias("detail")
        )
        value = F.col("raw").cast("binary").alias("value")
        records = self.rejected.read(self.spark).select(
            value, F.struct(*RECORD).alias("_was"), outcome.alias("_outcome")
        )
        return records.distinct().localCheckpoint()

    def clicks(self, replay_id: int) -> DataFrame:
        """One for each record that carries the mark, as the job makes them."""
        values = {"id": "raw", "batch_id": F.lit(-replay_id).cast("bigint")}
        values |= {"at": F.lit(NOW), "visitor": "raw", "model_name": F.lit("m"), "model_version": F.lit("1"),
                   "scored_at": F.lit(NOW)}  # fmt: skip
        marked = self.rejected.read(self.spark).where(F.col("replay_id") == replay_id)
        columns = [
            (F.col(value) if isinstance(value := values.get(f.name, F.lit(None)), str) else value)
            .cast(f.dataType).alias(f.name) for f in scored_clicks(self.click)
        ]  # fmt: skip
        return marked.select(*columns)

    def table(self, name: str) -> pd.DataFrame:
        return deltalake.DeltaTable(f"{self.home}/{name}").to_pandas()

    @property
    def versions(self) -> list[int]:
        return [deltalake.DeltaTable(f"{self.home}/{name}").version() for name in ("scored", "rejected")]

    @property
    def marks(self) -> list[float | None]:
        """Replay ids of the good records, by their order."""
        rejected = self.table("rejected")
        found = rejected[rejected["raw"] == "good"]["replay_id"]
        return sorted(found.astype(object).where(found.notna(), None), key=str)


@pytest.fixture
def site(spark: SparkSession, tmp_path: Path, definition: Definition) -> Site:
    return Site(spark, tmp_path / "site", definition.layout.click)


def test_marks_and_clicks_come_and_a_second_time_changes_nothing(site: Site) -> None:
    first = site.resolution()
    assert first.mark(site.verdicts(), NOW, ABOUT) == 1
    rejected = site.table("rejected")
    bad = rejected[rejected["raw"] == "bad"].iloc[0]
    assert (bad["reason"], bad["detail"], pd.isna(bad["replay_id"])) == ("empty_record", "anew", True)
    assert set(rejected[rejected["raw"] == "good"]["reason"]) == {"wrong_type"}
    clicks = site.clicks(1).localCheckpoint()
    first.append(clicks, 1, ABOUT)
    assert first.settle(1)
    done = site.versions
    first.append(clicks, 1, ABOUT)  # as if the reply had been lost
    assert first.unsettled() == []
    assert first.settle(1)
    assert site.versions == done
    assert site.marks == [1, 1]
    assert site.table("scored")["batch_id"].tolist() == [-1, -1]
    newest = deltalake.DeltaTable(f"{site.home}/rejected").history(1)[0]
    assert json.loads(newest["userMetadata"]) == {"replay": "1", "app": first.app, **ABOUT}
    assert site.spark.conf.get("spark.databricks.delta.write.txnAppId", None) is None
    # What the stream asks of the tables' histories is answered as before.
    assert (last_batch(site.spark, site.rejected, "stream"), last_batch(site.spark, site.scored, "stream")) == (0, -1)
    assert site.rejected.stream(site.spark) == "stream"
    # Somebody deletes the clicks by and by: their records do not come back.
    site.scored.delta(site.spark).delete("batch_id < 0")
    assert first.unsettled() == [1]
    assert first.settle(1)
    assert site.marks == [1, 1]


def test_marks_without_clicks_are_taken_back_and_a_replay_that_was_asleep_is_shut_out(site: Site) -> None:
    asleep = site.resolution()
    asleep.mark(site.verdicts(), NOW, ABOUT)
    late_clicks = site.clicks(1).localCheckpoint()
    # Another replay starts: for it, the first one is dead.
    other = site.resolution()
    assert other.unsettled() == [1]
    assert not other.settle(1)
    assert site.marks == [None, None]
    assert site.table("rejected")["resolved_at"].isna().all()
    asleep.append(late_clicks, 1, ABOUT)
    assert not asleep.settle(1)
    assert site.table("scored").empty
    # The id is used up, the records are open: the next replay has the next id.
    assert other.mark(site.verdicts(), NOW, ABOUT) == 2
    other.append(site.clicks(2), 2, ABOUT)
    assert other.settle(2)
    assert site.marks == [2, 2]
    assert site.table("scored")["batch_id"].tolist() == [-2, -2]


def test_crash_while_marks_are_taken_back_is_made_good_also_when_the_history_is_gone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = site.resolution()
    first.mark(site.verdicts(), NOW, ABOUT)
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        killed_after(patch, Resolution, "_append")
        first.settle(1)
    assert site.marks == [1, 1]
    forget_history(site.spark, site.scored)
    other = site.resolution()
    assert other.unsettled() == [1]
    assert not other.settle(1)
    assert site.marks == [None, None]
    assert other.unsettled() == []


@pytest.mark.parametrize("can_ask", [True, False])
def test_withdrawal_of_an_earlier_version_is_finished_also_where_delta_cannot_be_asked(
    site: Site, monkeypatch: pytest.MonkeyPatch, can_ask: bool
) -> None:
    first = site.resolution()
    first.mark(site.verdicts(), NOW, ABOUT)
    # As 0.2.0 did, and here it ended.
    site.scored.append_once(site.clicks(1).limit(0), f"{first.app}-1", replay_commit.CLICKS,
                            {"replay": "1", "app": first.app, replay_commit.WITHDRAWN: "true"})  # fmt: skip
    if not can_ask:
        monkeypatch.setattr(replay_commit, "newest_transaction", lambda *_: None)
    assert not first.settle(1)
    assert site.marks == [None, None]


def test_replay_is_withdrawn_or_not_where_delta_cannot_be_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_commit, "newest_transaction", lambda *_: None)
    first = site.resolution()
    first.mark(site.verdicts(), NOW, ABOUT)
    assert not first.settle(1)
    assert site.marks == [None, None]
    first.mark(site.verdicts(), NOW, ABOUT)
    first.append(site.clicks(2), 2, ABOUT)
    site.scored.delta(site.spark).delete("batch_id < 0")
    forget_history(site.spark, site.scored)
    assert first.settle(2)
    assert site.marks == [2, 2]


def test_clicks_that_were_deleted_are_not_taken_for_a_replay_that_never_came_when_the_history_is_gone(
    site: Site,
) -> None:
    first = site.resolution()
    first.mark(site.verdicts(), NOW, ABOUT)
    first.append(site.clicks(1), 1, ABOUT)
    site.scored.delta(site.spark).delete("batch_id < 0")
    forget_history(site.spark, site.scored)
    assert site.resolution().settle(1)
    assert site.marks == [1, 1]


def test_stream_is_never_disturbed_and_the_marks_come_between_two_of_its_appends(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    enough, appended = threading.Event(), []

    def stream() -> None:
        session = site.spark.newSession()  # as another process has; the replay's settings are not for its commits
        while not enough.is_set():
            appended.append(len(appended) + 1)
            site.reject(session, appended[-1], "good")

    def tell(text: str) -> None:
        site.told.append(text)
        enough.set()

    verdicts = site.verdicts()
    replay = replace(site.resolution(), tell=tell)
    replay.add_columns()  # what is in flight then fails, and the stream tries again
    beside = threading.Thread(target=stream)
    beside.start()
    with monkeypatch.context() as patch:
        patch.setattr(replay_commit, "CONFLICT_LIMIT_S", 0)
        with pytest.raises(ReplayError, match=r"DELTA_CONCURRENT_APPEND.*still failing after 0 s"):
            replay.mark(verdicts, NOW, ABOUT)
    assert site.told == []
    assert replay.mark(verdicts, NOW, ABOUT) == 1
    beside.join()
    assert "attempt 1 failed, the next one is in" in site.told[0]
    assert site.marks == [1, 1] + [None] * len(appended)
    assert last_batch(site.spark, site.rejected, "stream") == len(appended)
