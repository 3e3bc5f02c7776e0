"""What an audit proves and what it finds, after real streams; each kind of damage in a copy of the same tables."""

import gzip
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import deltalake
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.errors import CheckpointError, TableError
from clickscore.reconciliation import audit

MakeClick = Callable[..., dict[str, Any]]
HOUR_S = 3_600
TWO_FILES = 640
"""Bytes of a micro-batch, so that one run makes several."""


def look(spark: SparkSession, shop: Any, first: int | None = None, last: int | None = None) -> tuple[bool, str]:
    seen = StringIO()
    is_whole = audit.run(shop.config, lambda: spark, Console(file=seen, width=160), first, last)
    return is_whole, seen.getvalue()


def cells(said: str) -> list[list[str]]:
    rows = [line for line in said.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]


def findings(said: str) -> dict[str, list[str]]:
    """Return what is said of each file, under its micro-batch and name; hashes are cut off."""
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        if line.startswith("micro-batch "):
            batch, _, file = line.removeprefix("micro-batch ").partition(", ")
            found[f"{batch} {file.rpartition('/')[2]}"] = here = []
        elif line.startswith("  ") and " was changed: " not in line and found:
            here.append(line.strip().partition(" hash")[0] + (" hash" if " hash" in line else ""))
    return found


def grow_old(path: Path, hours: float, now: float) -> None:
    then = now - hours * HOUR_S
    os.utime(path, (then, then))


@dataclass
class Damaged:
    """A shop whose tables are a copy that may be damaged; landing folder and checkpoint are those of all tests."""

    shop: Any
    home: Path

    @property
    def config(self) -> Any:
        output = {name: str(self.home / f"{name}_clicks") for name in ("scored", "rejected")}
        return self.shop.config.model_copy(update={"output": type(self.shop.config.output)(**output)})

    def table(self, name: str) -> deltalake.DeltaTable:
        return deltalake.DeltaTable(str(self.home / name))

    def append(self, rows: pd.DataFrame, name: str = "scored_clicks") -> None:
        schema = self.table(name).to_pyarrow_table().schema
        deltalake.write_deltalake(str(self.home / name), pa.Table.from_pandas(rows, schema), mode="append")

    def rows(self, where: str, name: str = "scored_clicks") -> pd.DataFrame:
        return self.table(name).to_pandas().query(where)


@pytest.fixture(scope="module")
def scored_folder(
    spark: SparkSession, make_shop: Callable[[Path], Any], make_click: MakeClick,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:  # fmt: skip
    """Two micro-batches of all that a folder may hold; the files are one to six hours old."""
    now = time.time()
    shop = make_shop(tmp_path_factory.mktemp("audited"))
    lines = b"".join(json.dumps(make_click(number)).encode() + b"\n" for number in range(10, 13))
    files = [
        shop.land("a b.jsonl", *map(make_click, range(4)), "rubbish", "", b"\xff\xfe", make_click(4, quantity="many")),
        shop.land_bytes("2026/d [1].jsonl.gz", gzip.compress(lines)),
        shop.land_bytes("no_end.jsonl", lines.replace(b'"c1', b'"c2')[:-1]),
        shop.land_bytes("broken.jsonl.gz", b"this is no gzip at all, but long enough to be one"),
        shop.land_bytes("empty.jsonl", b""),
        shop.land("twice.jsonl", make_click(30), make_click(30), make_click(31)),
    ]
    for age, file in zip(range(len(files), 0, -1), files, strict=True):
        grow_old(file, age, now)
    shop.set(source={"kind": "folder", "path": str(shop.landing), "max_bytes": TWO_FILES})
    shop.run(spark)
    shop.scored_at = now
    return shop


@pytest.fixture
def damaged(scored_folder: Any, tmp_path: Path) -> Damaged:
    for name in ("scored_clicks", "rejected_clicks"):
        shutil.copytree(scored_folder.home / name, tmp_path / name)
    return Damaged(scored_folder, tmp_path)


@pytest.fixture
def put(scored_folder: Any) -> Iterator[Callable[..., Path]]:
    """Put a file into the landing folder for the time of a test."""
    added = []

    def land(name: str, content: bytes = b'{"id": "c99"}\n', hours: float | None = None) -> Path:
        file = scored_folder.land_bytes(name, content)
        if hours:
            grow_old(file, hours, scored_folder.scored_at)
        added.append(file)
        return file

    yield land
    for file in added:
        file.unlink()


def test_clean_run_is_proven_and_files_that_wait_are_no_findings(
    spark: SparkSession, scored_folder: Any, put: Callable[..., Path]
) -> None:
    put("new.jsonl")
    # It has no room in the last micro-batch, and is younger than what is in it.
    put("large.jsonl", b"x" * TWO_FILES, hours=0.5)
    put("half.jsonl.part", hours=4)
    put("_temporary/0/a.jsonl")
    is_whole, said = look(spark, scored_folder)
    assert is_whole, said
    assert cells(said) == [["0", "11", "7", "4", "0", "0"], ["1", "7", "6", "1", "0", "0"],
                           ["all", "18", "13", "5", "0", "0"]]  # fmt: skip
    assert "2 files wait to be read." in said
    assert "2 files are being written: " in said
    assert said.endswith("18 records, each in exactly one row.\n")


def test_rows_that_were_tampered_with_are_named(spark: SparkSession, damaged: Damaged) -> None:
    doubled, other = damaged.rows("id == 'c11'"), damaged.rows("id == 'c31'")
    once, stranger = damaged.rows("id == 'c30'").head(1), damaged.rows("id == 'c1'")
    spark.sql(f"DELETE FROM delta.`{damaged.home}/scored_clicks` WHERE id IN ('c2', 'c30') OR source LIKE '%no_end%'")
    damaged.table("rejected_clicks").delete("reason = 'invalid_encoding'")
    rejected = f"delta.`{damaged.home}/rejected_clicks`"
    spark.sql(f"INSERT OVERWRITE {rejected} SELECT * FROM {rejected}")
    last = int(stranger["batch_id"].iloc[0]) + 1
    # One of three is there once too often, one not at all: their number is right.
    damaged.append(pd.concat([doubled, other, once, stranger.assign(id="c77"), stranger.assign(batch_id=last)]))
    damaged.append(stranger.assign(batch_id=last + 8))
    damaged.append(stranger.assign(id="c78", source=None))
    is_whole, said = look(spark, damaged)
    assert not is_whole
    assert findings(said) == {
        "0 ": ["1 row unexplained: the source has no such record (c78)"],
        "0 a%20b.jsonl": ["2 missing: the source has them, the tables do not (c2 … no id, hash",
                          "1 row unexplained: the source has no such record (c77)"],
        "0 d%20%5B1%5D.jsonl.gz": ["1 row too many: this record is there more than once (c11)"],
        "1 no_end.jsonl": ["3 missing: the source has them, the tables do not (c20 … c22)"],
        "1 a%20b.jsonl": ["1 row unexplained: the source has no such record (c1)"],
        "1 twice.jsonl": ["1 missing: the source has them, the tables do not (c30)",
                          "1 row too many: this record is there more than once (c31)"],
        "9 a%20b.jsonl": ["1 row unexplained: the source has no such record"],
    }  # fmt: skip
    assert "DELETE, 6 rows deleted" in said
    assert "DELETE, 1 row deleted" in said
    assert re.search(r"/rejected_clicks was changed: version \d+, [-0-9: ]+, WRITE\n", said)
    assert "\n9 findings.\n" in said
    _, said = look(spark, damaged, 1, 1)
    assert list(findings(said)) == ["1 a%20b.jsonl", "1 no_end.jsonl", "1 twice.jsonl"]
    assert "Micro-batches before 1 were not checked" in said


def test_files_that_the_stream_overlooks_are_found(
    spark: SparkSession, scored_folder: Any, put: Callable[..., Path]
) -> None:
    put("hidden.jsonl", hours=4.5)  # Older than others that were read.
    put("late.jsonl", hours=0.5)  # Younger than all that were read, but there was room for it.
    for name in ("_a.jsonl", "_aside/a.jsonl", "2026/a.JSON", "a, b.csv"):
        put(name)
    is_whole, said = look(spark, scored_folder)
    assert not is_whole
    assert "2 files were never ingested, although the stream continued with later ones: " in said
    assert "/hidden.jsonl, " in said
    assert "/late.jsonl. " in said
    unread = said.partition("the stream does not read such names: ")[2].partition(". Rename them")[0]
    assert sorted(unread.replace("a, b.csv", "ab.csv").split(", ")) == ["2026/a.JSON", "_a.jsonl", "_aside/a.jsonl",
                                                                        "ab.csv"]  # fmt: skip
    assert "6 findings." in said


def test_rewritten_file_is_named_so_and_one_that_is_gone_is_not_checked(
    spark: SparkSession, scored_folder: Any, tmp_path: Path
) -> None:
    file, other = scored_folder.landing / "twice.jsonl", scored_folder.landing / "no_end.jsonl"
    shutil.copy2(file, tmp_path / "before")
    file.write_bytes(file.read_bytes().replace(b"c31", b"c32"))
    shutil.move(other, tmp_path / "away")
    try:
        is_whole, said = look(spark, scored_folder)
    finally:
        shutil.move(tmp_path / "away", other)
        shutil.copy2(tmp_path / "before", file)
    assert not is_whole
    assert "twice.jsonl; the file was changed after the stream had read it" in said
    assert "1 missing: the source has them, the tables do not (c32)" in said
    assert "1 row unexplained: the source has no such record (c31)" in said
    assert "1 file can no longer be counted: 3 rows are not checked." in said


def test_replay_that_is_not_finished_is_found(spark: SparkSession, damaged: Damaged) -> None:
    table = f"delta.`{damaged.home}/rejected_clicks`"
    spark.sql(f"ALTER TABLE {table} ADD COLUMNS (replay_id BIGINT, resolved_at TIMESTAMP)")
    spark.sql(f"UPDATE {table} SET replay_id = CASE reason WHEN 'wrong_type' THEN 3 WHEN 'empty_record' THEN 4 END")
    damaged.append(damaged.rows("id == 'c1'").assign(id="c4", batch_id=-3))
    is_whole, said = look(spark, damaged)
    assert not is_whole
    assert "replay 4 is not finished: 1 rejected rows are resolved and 0 scored" in said
    assert "replay 3" not in said
    assert "1 finding." in said


def test_wrong_wiring_is_told(spark: SparkSession, scored_folder: Any, damaged: Damaged) -> None:
    with pytest.raises(CheckpointError, match=r"no micro-batches 0 to 99 to look at: .* says that 0 to \d are done"):
        look(spark, scored_folder, 0, 99)
    spark.sql(f"ALTER TABLE delta.`{damaged.home}/scored_clicks` SET TBLPROPERTIES ('clickscore.stream' = 'another')")
    with pytest.raises(CheckpointError, match="is written by stream another"):
        look(spark, damaged)
    lost = damaged.shop.config.model_copy(update={"checkpoint": str(damaged.home / "typed_wrong")})
    with pytest.raises(CheckpointError, match=r"typed_wrong belongs to stream None: they do not belong together"):
        audit.run(lost, lambda: spark, Console(file=StringIO()), None, None)
    shutil.rmtree(damaged.home / "scored_clicks")
    with pytest.raises(TableError, match="does not exist"):
        look(spark, damaged)


def test_duplicates_are_counted_and_a_lost_one_is_not_taken_for_a_duplicate(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.set(deduplicate={"window": "10 minutes"})
    shop.land("a.jsonl", make_click(1), make_click(2), make_click(1))
    shop.run(spark)
    shop.land("b.jsonl", make_click(2), make_click(3), "rubbish")
    shop.run(spark)
    is_whole, said = look(spark, shop)
    assert is_whole, said
    assert "6 records, each in exactly one row, 2 of them duplicates." in said
    deltalake.DeltaTable(str(shop.home / "scored_clicks")).delete("id = 'c2'")
    is_whole, said = look(spark, shop)
    assert not is_whole
    assert said.count("1 missing: the source has them, the tables do not (c2)") == 1


def test_delta_source_is_proven_by_its_commits(spark: SparkSession, shop: Any, make_click: MakeClick) -> None:
    table = str(shop.home / "bronze")

    def append(*numbers: int, files: int = 1) -> None:
        rows = spark.createDataFrame([(json.dumps(make_click(n)),) for n in numbers], "body STRING").repartition(files)
        rows.write.format("delta").mode("append").save(table)

    append(1, 2, 3)
    append(*range(4, 10), files=3)
    shop.set(source={"kind": "delta", "table": table, "column": "body", "changes": "skip", "max_bytes": 1024})
    shop.run(spark)
    append(10, 11, 12, 13, 14, files=3)
    spark.sql(f"OPTIMIZE delta.`{table}`")
    append(15)
    spark.sql(f"UPDATE delta.`{table}` SET body = 'x' WHERE body LIKE '%c15%'")
    append(16, 17)
    shop.run(spark)
    append(18)  # Nobody has read it yet.
    is_whole, said = look(spark, shop)
    assert is_whole, said
    assert "17 records, each in exactly one row." in said

    deltalake.DeltaTable(str(shop.home / "scored_clicks")).delete("id IN ('c1', 'c12', 'c16')")
    is_whole, said = look(spark, shop, 2)
    assert not is_whole
    assert "1 missing: the source has them, the tables do not (c12)" in said
    assert "1 missing: the source has them, the tables do not (c16)" in said
    assert "2 findings." in said


def test_job_ends_with_1_where_something_is_missing(
    spark: SparkSession, damaged: Damaged, run_job: Callable[..., Any]
) -> None:
    damaged.table("scored_clicks").delete("id = 'c2'")
    tables = [f"--set=output.{name}={damaged.home}/{name}_clicks" for name in ("scored", "rejected")]
    done = run_job("audit", "--config", str(damaged.shop.config_file), *tables)
    assert done.status == 1, done.err
    assert "(c2)" in done.out
    wrong = run_job("audit", "--config", "nowhere.yaml")
    assert (wrong.status, "nowhere.yaml" in wrong.err) == (2, True)
