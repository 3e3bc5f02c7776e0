"""What of a range is missing, of files and of a landing folder; topics are in tests/kafka."""

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.batch.missing import Missing, Range, find_missing
from clickscore.batch.wiring import Wiring
from clickscore.errors import SourceError
from clickscore.storage.backfills import Backfills
from clickscore.storage.checkpoint import Checkpoint
from clickscore.storage.table import Table
from clickscore.stream.definition import Definition

NOON_S = datetime(2026, 3, 1, 12, tzinfo=timezone.utc).timestamp()


@pytest.fixture
def ask(spark: SparkSession, shop: Any, definition: Definition) -> Any:
    """Ask for a range of a stream that has read nothing yet."""

    def ask(**asked: Any) -> Missing:
        config = shop.config
        tables = [Table(config.output.scored), Table(config.output.rejected)]
        wiring = Wiring(config, definition, Checkpoint(config.checkpoint, "s", -1, -1), "s", *tables)
        return find_missing(spark, wiring, Backfills.of(spark, tables[0], "s"), Range(**asked))

    return ask


def write(folder: Path, name: str, size: int, hour: int) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_bytes(b"x" * size)
    os.utime(file, (NOON_S + 3_600 * hour,) * 2)
    return file


def test_files_are_taken_by_age_in_chunks_and_by_time(shop: Any, ask: Any) -> None:
    shop.set(source={"kind": "folder", "path": str(shop.landing), "max_bytes": 25})
    archive = shop.home / "archive of old"
    for hour, name in enumerate(["c.jsonl", "b [1].jsonl", "a.json", "notes.txt"]):
        write(archive, name, 60 if hour else 30, hour)
    missing = ask(files=str(archive))
    assert [[Path(part.source).name for part in chunk] for chunk in missing.chunks] == [
        ["c.jsonl", "b%20%5B1%5D.jsonl"], ["a.json"],
    ]  # fmt: skip
    assert (missing.what, missing.present, missing.warnings) == ("3 files", "0 files", [])
    one = datetime(2026, 3, 1, 13, tzinfo=timezone.utc)
    [[part]] = ask(files=str(archive), first=one, last=one.replace(hour=14)).chunks
    assert part.source.endswith("b%20%5B1%5D.jsonl")
    with pytest.raises(SourceError, match=r"--files: .* has no file of the time from 2026-03-01 13:00:00\+00:00 to"):
        ask(files=str(archive), first=one, last=one)


def test_file_of_a_name_that_the_stream_will_read_counts_as_that_one(shop: Any, ask: Any) -> None:
    write(shop.landing, "same.jsonl", 10, 0)
    write(shop.home / "archive", "same.jsonl", 10, 0)
    write(shop.home / "archive", "other.jsonl", 10, 0)
    missing = ask(files=str(shop.home / "archive"))
    assert (len(missing.chunks), missing.what, missing.present) == (1, "1 file", "1 file")
    assert "1 file has the name of a file that the stream has read, or will read" in missing.warnings[0]


def test_what_the_stream_reads_itself_is_refused_with_the_way_out(shop: Any, ask: Any) -> None:
    with pytest.raises(SourceError, match=r"--files: no such folder: .*/nowhere. Create it, or correct the path."):
        ask(files=str(shop.home / "nowhere"))
    odd = shop.home / "archive {old}"
    odd.mkdir()
    with pytest.raises(
        SourceError, match=r"--files: .* has \{ \}, which Spark takes for a pattern. Name another folder."
    ):
        ask(files=str(odd))
    with pytest.raises(SourceError, match=r"are one inside the other.* Name a folder beside it"):
        ask(files=str(shop.landing))
    assert ask() == Missing([], "no files", "0 files of the landing folder")
    write(shop.landing, "waiting.jsonl", 10, 0)
    with pytest.raises(SourceError, match=r"1 of 1 files .* are still to be read by the stream.*score_stream"):
        ask()
