import gzip
import os
from pathlib import Path
from urllib.parse import unquote

import pytest
from pyspark.sql import SparkSession

from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.landed_files import in_batches, is_numbered_alike, listed_at, strangers, unlisted
from clickscore.sources.folder import read_batch
from clickscore.storage import files
from clickscore.storage.offset_log import Planned


def log(ends: dict[int, int]) -> dict[int, Planned]:
    return {batch: Planned(0, {"logOffset": end}) for batch, end in ends.items()}


@pytest.mark.parametrize(
    ("ends", "first", "last", "expected"),
    [
        ({0: 0, 1: 1, 2: 2}, 0, 2, {"f0": 0, "f1": 1, "f2": 2}),
        ({4: 4, 5: 5}, 0, 5, {f"f{n}": n for n in range(6)}),  # Older plans are forgotten, but the numbers are alike.
        ({0: 0, 1: 1, 2: 2}, 1, 1, {"f1": 1}),
        ({0: 0, 1: 2, 2: 3}, 0, 2, {"f0": 0, "f1": 1, "f2": 1, "f3": 2}),  # A crash came between two entries.
        ({4: 5, 5: 6}, 0, 5, {f"f{n}": 4 for n in range(6)} | {"f6": 5}),
        ({4: 5, 5: 6}, 5, 5, {"f6": 5}),
    ],
)
def test_file_belongs_to_the_micro_batch_that_read_it(
    spark: SparkSession, ends: dict[int, int], first: int, last: int, expected: dict[str, int]
) -> None:
    files = spark.createDataFrame([(f"f{n}", n) for n in range(8)], "source STRING, entry BIGINT")
    batches = Range(first, last, log(ends))
    assert {row.source: row.batch_id for row in in_batches(files, batches).collect()} == expected


def test_numbers_are_alike_only_if_all_are() -> None:
    assert is_numbered_alike(log({4: 4, 5: 5}))
    assert not is_numbered_alike(log({4: 4, 5: 6}))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({1: (60, 60), 2: (30, 30), 3: (20, 20)}, 3_000),  # The next file had fitted: it was not there yet.
        ({1: (60, 60), 2: (90, 90), 3: (20, 20)}, 1_000),  # A backlog, all of one listing.
        ({1: (60, 60), 2: (30, 30), 3: (95, 80)}, 2_000),
        ({}, 3_000),
    ],
)
def test_folder_was_listed_before_the_first_micro_batch_of_a_backlog(
    sizes: dict[int, tuple[int, int]], expected: int
) -> None:
    assert listed_at({1: 1_000, 2: 2_000, 3: 3_000}, sizes, 100) == expected


def test_strangers_are_all_files_that_the_stream_does_not_read_whatever_their_names(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LISTING_PAGE", 2)
    assert list(strangers(spark, str(tmp_path))) == []
    read = ["a.jsonl", "deep/er/b.json.gz", "a; isDirectory=true;.json", "c=1/d e.json",
            "_a=1.jsonl", "_dt=1/a.jsonl", "_metadata/b.jsonl"]  # fmt: skip
    passed_over = [
        ".hidden.json", "_aside/a.json", "deep/.hid/_den/b.json", "a.csv", "b.json.tmp", "deep/x; isDirectory=false;",
        "two\nlines.txt", "per%20cent.txt", "empty",
        "_metadata.jsonl", "deep._COPYING_/c.jsonl", ".d=1/a.jsonl",
    ]  # fmt: skip
    for name in read + passed_over:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(b"x") if name.endswith(".gz") else b"" if name == "empty" else b"x")
    assert sorted(strangers(spark, str(tmp_path))) == sorted(passed_over)
    assert sorted(strangers(spark, f"file://{tmp_path}/")) == sorted(passed_over)
    found = read_batch(spark, str(tmp_path)).select("source").collect()
    assert sorted(unquote(row.source).partition(f"{tmp_path}/")[2] for row in found) == sorted(read)


def test_links_that_lead_back_to_the_folder_are_followed_once_at_most(spark: SparkSession, tmp_path: Path) -> None:
    landing, outside = tmp_path / "landing", tmp_path / "outside"
    for folder in (landing / "deep", outside):
        folder.mkdir(parents=True)
        (folder / "a.csv").touch()
    links = {".one": landing, ".two": landing, "deep/.three": landing, "four": landing, "five": outside}
    for name, target in links.items():
        (landing / name).symlink_to(target)
    (outside / "six").symlink_to(landing / "deep")
    (outside / "seven").symlink_to(outside)
    found = sorted(strangers(spark, str(landing)))
    assert found == ["deep/a.csv", "five/a.csv", "five/six/a.csv"]


def test_files_that_java_leaves_out_of_its_listings_are_found(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in (b"bad\xff.jsonl", b"bad\xff.txt", "é.jsonl".encode(), b"a.jsonl"):
        Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/" + name)).touch()
    assert list(unlisted(f"file:{tmp_path}")) == ["in/bad\\xff.jsonl"]
    assert list(unlisted("hdfs://host/landing")) == []
