"""Files that the stream never reads are scored into its tables, once, whatever happens in between."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import deltalake
import pytest
from pyspark.sql import SparkSession
from tests.support.interruption import end_within

from clickscore.batch.chunks import ChunkScorer

RunJob = Callable[..., Any]
MakeClick = Callable[..., dict[str, Any]]


@pytest.fixture
def archive(shop: Any, spark: SparkSession, make_click: MakeClick) -> Path:
    """A shop whose stream has read three clicks, and a folder beside it with four files of older ones."""
    shop.set(source={"kind": "folder", "path": str(shop.landing), "max_bytes": 100})
    shop.land("new.jsonl", *map(make_click, range(3)))
    shop.run(spark)
    folder = shop.home / "archive"
    folder.mkdir()
    for number in range(3):
        clicks = [json.dumps(make_click(100 + 10 * number + each)) for each in range(4)]
        (folder / f"old-{number}.jsonl").write_text("\n".join([*clicks, "rubbish"]) + "\n")
    (folder / "broken.jsonl.gz").write_bytes(b"this is no gzip")
    (folder / "new.jsonl").write_text(json.dumps(make_click(0)) + "\n")  # a copy of what the stream has read
    return folder


def test_backfill_whose_folder_is_gone_ends_with_an_empty_one_in_its_place(
    shop: Any, spark: SparkSession, archive: Path, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--config", str(shop.config_file))
    with monkeypatch.context() as until_then:
        end_within(3, until_then)  # the second chunk has its clicks, but not what it rejects
        assert run_job("score_batch", *arguments, "--files", str(archive)).status == 1
    written = shop.scored.query("batch_id < 0")
    shutil.rmtree(archive)
    (shop.home / "other").mkdir()
    (shop.home / "other" / "older.jsonl").write_text("rubbish\n")
    again = ("score_batch", *arguments, "--files", str(shop.home / "other"))
    done = run_job(*again)
    assert done.status == 2
    assert f"{archive} is gone, and a backfill is not done with it. Restore the folder; or make an empty" in done.err
    archive.mkdir()
    done = run_job(*again)
    assert done.status == 0, done.err
    assert shop.scored.query("batch_id < 0")["id"].tolist() == written["id"].tolist()
    rejected = shop.rejected.query("batch_id < 0")
    unread = rejected.query("reason == 'unreadable_file'")["source"].map(lambda source: Path(source).name)
    assert set(unread) == {"broken.jsonl.gz", *(f"old-{number}.jsonl" for number in range(3))} - {
        Path(source).name for source in written["source"]
    }
    done = run_job("audit", *arguments)
    assert done.status == 0, done.out


def test_table_of_gaps_that_cannot_take_a_row_is_refused_before_a_backfill_plans(
    shop: Any, spark: SparkSession, archive: Path, run_job: RunJob
) -> None:
    spark.range(1).write.format("delta").save(str(shop.home / "source_gaps"))
    done = run_job("score_batch", "--config", str(shop.config_file), "--files", str(archive))
    assert done.status == 2
    assert "source_gaps" in done.err
    assert not (shop.home / "backfills").exists()


def test_backfill_keeps_the_rules_of_privacy_of_its_tables_and_fits_their_constraints(
    shop: Any, spark: SparkSession, archive: Path, run_job: RunJob
) -> None:
    arguments = ("score_batch", "--config", str(shop.config_file), "--files", str(archive))
    rejected = f"delta.`{shop.home}/rejected_clicks`"
    spark.sql(f"ALTER TABLE {rejected} SET TBLPROPERTIES ('clickscore.privacy' = '{json.dumps({'visitor': 'hash'})}')")
    done = run_job(*arguments)
    assert done.status == 2
    assert "visitor: the configuration says nothing, the table hash" in done.err
    spark.sql(f"ALTER TABLE {rejected} UNSET TBLPROPERTIES ('clickscore.privacy')")
    spark.sql(f"ALTER TABLE {rejected} ADD CONSTRAINT short CHECK (length(raw) < 5)")
    done = run_job(*arguments)
    assert done.status == 2
    assert "short" in done.err
    assert len(shop.scored) == 3
    assert not (shop.home / "backfills").exists()


def test_file_that_goes_while_a_backfill_runs_is_rejected_and_one_that_moves_is_not_scored_again(
    shop: Any, spark: SparkSession, archive: Path, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("score_batch", "--config", str(shop.config_file), "--files")
    score = ChunkScorer.score

    def last_file_goes(*chunk: Any) -> Any:
        report = score(*chunk)
        (archive / "old-2.jsonl").unlink(missing_ok=True)
        return report

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(ChunkScorer, "score", last_file_goes)
        done = run_job(*arguments, str(archive))
    assert done.status == 0, done.err
    unread = shop.rejected.query("reason == 'unreadable_file'")["source"].map(lambda source: Path(source).name)
    assert set(unread) == {"broken.jsonl.gz", "old-2.jsonl"}
    before = sorted(shop.scored["id"])

    archive.rename(shop.home / "moved")
    done = run_job(*arguments, str(shop.home / "moved"))
    assert done.status == 0, done.err
    assert "3 files have the name and the modification time of a file that an earlier backfill has read" in done.out
    assert sorted(shop.scored["id"]) == before
    done = run_job("audit", "--config", str(shop.config_file))
    assert done.status == 0, done.out


def test_backfill_that_was_killed_goes_on_and_the_audit_proves_it(
    shop: Any,
    spark: SparkSession,
    archive: Path,
    run_job: RunJob,
    make_click: MakeClick,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ("--config", str(shop.config_file))
    with monkeypatch.context() as until_then:
        end_within(3, until_then)  # the second chunk has its clicks, but not what it rejects
        done = run_job("score_batch", *arguments, "--files", str(archive))
    assert done.status == 1
    assert "ended between two commits. Chunks before it are done; start again to go on." in done.err
    done = run_job("audit", *arguments)
    assert done.status == 0  # what is in flight is no finding
    assert "chunks are planned and not done, and not checked. If no backfill is running now, start" in done.out

    for number in range(3, 6):
        shop.land(f"new-{number}.jsonl", make_click(number))
    beside = Thread(target=shop.run, args=(spark,))
    beside.start()
    done = run_job("score_batch", *arguments, "--files", str(archive))
    beside.join()
    assert done.status == 0, done.err
    assert "An earlier backfill has left" in done.out
    assert "1 file has the name of a file that the stream has read" in done.out
    old = sorted(f"c{100 + 10 * number + each}" for number in range(3) for each in range(4))
    assert sorted(shop.scored.query("batch_id < 0")["id"]) == old
    assert sorted(shop.rejected.query("batch_id < 0")["reason"]) == ["malformed_json"] * 3 + ["unreadable_file"]
    assert len(shop.scored) == len(old) + 6

    done = run_job("score_batch", *arguments, "--files", str(archive))
    assert (done.status, len(shop.scored)) == (0, len(old) + 6)
    assert "; 0 files missing." in done.out

    done = run_job("audit", *arguments)
    assert done.status == 0, done.out
    assert "22 records, each in exactly one row." in done.out
    assert "backfill chunk 1" in done.out
    assert "not done" not in done.out
    deltalake.DeltaTable(str(shop.home / "scored_clicks")).delete("id IN ('c111', 'c1')")
    done = run_job("audit", *arguments)
    assert done.status == 1
    assert "1 missing: the source has them, the tables do not (c111)" in done.out
    assert "1 missing: the source has them, the tables do not (c1)" in done.out
