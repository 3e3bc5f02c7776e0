"""One checkpoint reads one source: the same place by another name is the same, and any other source is refused."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from clickscore.config.source import DeltaSource, FolderSource, KafkaSource, Source
from clickscore.errors import CheckpointError, StreamError
from clickscore.sources.identity import FOLDER, remember, settle
from clickscore.storage.checkpoint import read_checkpoint
from clickscore.storage.fence import Fence

Keep = Callable[[Source], None]


def folder(path: Path) -> FolderSource:
    return FolderSource(kind="folder", path=str(path))


def settled(spark: SparkSession, home: Path, source: Source) -> Source:
    return settle(spark, source, read_checkpoint(spark, str(home / "checkpoint")))


def log(home: Path, *files: str) -> None:
    """Write what Spark logs of a folder; what clickscore itself keeps is not there, as in an earlier version."""
    entries = home / "checkpoint" / "sources" / "0"
    entries.mkdir(parents=True)
    lines = [json.dumps({"path": file, "timestamp": 1, "batchId": 0}) for file in files]
    (entries / "0").write_text("\n".join(["v1", *lines]))
    plan(home, {"logOffset": 0})


def plan(home: Path, end: object) -> None:
    offsets = home / "checkpoint" / "offsets"
    offsets.mkdir(parents=True)
    (offsets / "0").write_text("\n".join(["v1", json.dumps({"batchTimestampMs": 1}), json.dumps(end)]))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "a b.jsonl").touch()
    (tmp_path / "link").symlink_to("landing")
    return tmp_path


@pytest.fixture
def keep(spark: SparkSession, home: Path) -> Keep:
    def keep(source: Source) -> None:
        checkpoint = str(home / "checkpoint")
        remember(spark, settled(spark, home, source), checkpoint, Fence.acquire(spark, checkpoint, "run 1"))

    return keep


def test_new_stream_reads_the_folder_that_a_link_leads_to(spark: SparkSession, home: Path, keep: Keep) -> None:
    keep(folder(home / "link"))
    for name in ("link", "landing", "link/../landing"):
        assert settled(spark, home, folder(home / name)) == FolderSource(kind="folder", path=f"file:{home}/landing")


def test_copy_of_a_folder_is_another_folder(spark: SparkSession, home: Path, keep: Keep) -> None:
    keep(folder(home / "landing"))
    shutil.copytree(home / "landing", home / "copy")
    with pytest.raises(CheckpointError, match=r"source.path: the checkpoint .* has read file:.*landing, the config"):
        settled(spark, home, folder(home / "copy"))


def test_folder_that_was_moved_is_refused_until_a_link_leads_to_it(spark: SparkSession, home: Path, keep: Keep) -> None:
    keep(folder(home / "landing"))
    (home / "landing").rename(home / "moved")
    with pytest.raises(CheckpointError, match=rf"leave a link where it was \(ln -s {home}/moved {home}/landing\)"):
        settled(spark, home, folder(home / "moved"))
    (home / "landing").symlink_to("moved")
    assert settled(spark, home, folder(home / "moved")) == FolderSource(kind="folder", path=f"file:{home}/landing")


@pytest.mark.parametrize("logged", ["landing", "link"])
@pytest.mark.parametrize("configured", ["landing", "link"])
def test_checkpoint_of_an_earlier_version_keeps_the_name_in_its_log(
    spark: SparkSession, home: Path, logged: str, configured: str
) -> None:
    log(home, f"file:{home}/{logged}/a%20b.jsonl", f"file://{home}/{logged}/2026/b.jsonl")
    source = settled(spark, home, folder(home / configured))
    assert source == FolderSource(kind="folder", path=f"file:{home}/{logged}")


def test_checkpoint_of_an_earlier_version_refuses_a_folder_that_its_log_does_not_know(
    spark: SparkSession, home: Path
) -> None:
    log(home, f"file:{home}/landing/a.jsonl", f"file:{home}/elsewhere/a%20b.jsonl")
    with pytest.raises(CheckpointError, match=r"has read .*/elsewhere/a b.jsonl, the configuration names"):
        settled(spark, home, folder(home / "landing"))


def test_files_that_another_folder_has_of_those_that_were_read_are_counted(spark: SparkSession, home: Path) -> None:
    log(home, *[f"file:{home}/landing/{name}.jsonl" for name in ("2026/a%20b", "gone", "changed")])
    there = home / "moved place"
    for name, changed_s in (("2026/a b.jsonl", 0.001), ("changed.jsonl", 7), ("new.jsonl", 0.001)):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_text("{}")
        os.utime(there / name, (changed_s, changed_s))
    identity = home / "checkpoint" / FOLDER
    identity.mkdir()
    (identity / "part-0.txt").write_text(json.dumps({"kind": "folder", "name": f"file:{home}/landing"}))
    shutil.rmtree(home / "landing")
    counted = rf"Of 3 files that were read, 1 is in file:{there}, as old as then\..* \(ln -s '{there}' {home}/landing\)"
    with pytest.raises(CheckpointError, match=counted):
        settled(spark, home, folder(there))
    with pytest.raises(CheckpointError, match=f"Of 3 files that were read, 0 are in file:{home}/nowhere, as old"):
        settled(spark, home, folder(home / "nowhere"))


def test_checkpoint_without_anything_takes_any_source(spark: SparkSession, home: Path) -> None:
    topics = KafkaSource(kind="kafka", bootstrap_servers="broker:9092", topics=["clicks"])
    assert settled(spark, home, topics) == topics
    assert settled(spark, home, folder(home / "link")) == FolderSource(kind="folder", path=f"file:{home}/landing")


@pytest.mark.parametrize(
    ("end", "kind"), [({"logOffset": 3}, "folder"), ({"reservoirId": "x"}, "delta"), ({"clicks": {"0": 3}}, "kafka")]
)
def test_source_of_another_kind_is_refused(spark: SparkSession, home: Path, end: object, kind: str) -> None:
    plan(home, end)
    topics = KafkaSource(kind="kafka", bootstrap_servers="broker:9092", topics=["clicks"])
    other = folder(home / "landing") if kind != "folder" else topics
    with pytest.raises(CheckpointError, match=rf"has read a source of kind {kind}, the configuration names one"):
        settled(spark, home, other)


def test_table_goes_on_where_it_was_moved_to_and_another_one_is_refused(
    spark: SparkSession, home: Path, keep: Keep
) -> None:
    def table(name: str) -> DeltaSource:
        return DeltaSource(kind="delta", table=str(home / name))

    spark.range(1).write.format("delta").save(str(home / "bronze"))
    keep(table("bronze"))
    (home / "bronze").rename(home / "moved")
    assert settled(spark, home, table("moved")) == table("moved")
    spark.range(1).write.format("delta").save(str(home / "bronze"))
    with pytest.raises(CheckpointError, match="another table, or was recreated"):
        settled(spark, home, table("bronze"))


def test_damaged_identity_is_told_with_the_way_out(spark: SparkSession, home: Path) -> None:
    (home / "checkpoint" / FOLDER).mkdir(parents=True)
    (home / "checkpoint" / FOLDER / "part-0.txt").write_text("{")
    with pytest.raises(CheckpointError, match=r"does not name the source of the stream, it says '\{'.* delete it"):
        settled(spark, home, folder(home / "landing"))


def test_of_two_first_starts_on_two_sources_one_ends(spark: SparkSession, home: Path, keep: Keep) -> None:
    keep(folder(home / "landing"))
    checkpoint = str(home / "checkpoint")
    (home / "other").mkdir()
    with pytest.raises(StreamError, match="two runs with two sources"):
        remember(spark, folder(home / "other"), checkpoint, Fence.acquire(spark, checkpoint, "run 2"))
