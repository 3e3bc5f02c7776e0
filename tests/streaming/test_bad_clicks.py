"""Every kind of bad input that others have met, through a real stream; `outcomes.csv` beside the files says why."""

import json
import os
from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest
from pyspark.sql import SparkSession
from tests.support.corpus import CORPUS, Line, encoding, lines, outcomes, read

BOM = b"\xef\xbb\xbf"
NOON = "2026-03-01T12:00:00Z"
OLD, TOMORROW = "2026/03/b7 old file.json.gz", "2026/03/b7_file_of_tomorrow.jsonl"

MAX_BYTES = 2_095
BATCHES = [
    [OLD, "b1_bom.ndjson", "b1_utf16.json", "b5_line_end.jsonl", "b4_schema.jsonl"],
    ["b1_json.jsonl"],
    ["b5_all_bad.jsonl"],
    ["b3_ids.jsonl"],
    ["b5_one_row.jsonl"],
    ["b1_huge.jsonl.gz"],
    ["b5_only_late.jsonl"],
    ["b2_time.jsonl"],
    ["b5_empty.jsonl"],
    ["b6_text.jsonl"],
    [TOMORROW],
]
"""The files in the order of their times: one above MAX_BYTES is a micro-batch of its own and parts the small ones."""


def as_scored(line: Line) -> tuple[Any, ...]:
    click = json.loads(line.record.removeprefix(BOM), parse_int=Decimal)
    time = datetime.fromisoformat(line.at or NOON)
    return (line.file, click["id"], click["visitor"], click.get("price"), click.get("quantity"), time)


def expected() -> list[Line]:
    landed, rows = [name for names in BATCHES for name in names], outcomes()
    # A file that is not landed, a line without an outcome, an outcome without a line, and two for one: all mistakes.
    assert {CORPUS / name for name in landed} == set(CORPUS.rglob("b[1-7]*"))
    there = [(name, number) for name in landed for number in range(1, len(lines(CORPUS / name)) + 1)]
    assert sorted((row["file"], int(row["line"])) for row in rows) == sorted(there)
    return read()


@pytest.fixture
def corpus_shop(shop: Any) -> Any:
    """A shop where the whole corpus has landed."""
    now = datetime.now(timezone.utc)
    times = {OLD: datetime(1980, 1, 1, tzinfo=timezone.utc), TOMORROW: now + timedelta(days=1)}
    for number, name in enumerate(name for names in BATCHES for name in names):
        landed = shop.land_bytes(name, (CORPUS / name).read_bytes())
        seconds = times.get(name, now + timedelta(seconds=number)).timestamp()
        os.utime(landed, (seconds, seconds))
    shop.set(source={"kind": "folder", "path": str(shop.landing), "max_bytes": MAX_BYTES})
    return shop


def test_each_record_of_the_corpus_has_the_outcome_that_its_table_says(spark: SparkSession, corpus_shop: Any) -> None:
    seen = corpus_shop.run(spark)
    scored, rejected, records = corpus_shop.scored, corpus_shop.rejected, expected()
    scored = scored.astype(object).where(scored.notna(), None)

    def name(source: str) -> str:
        return unquote(source).rpartition("/landing/")[2]

    assert Counter(
        (name(row.source), row.raw.encode(encoding(row.reason)), row.reason) for row in rejected.itertuples()
    ) == Counter(tuple(line[:3]) for line in records if line.outcome != "scored")
    assert Counter(
        (name(row.source), row.id, row.visitor, row.price, row.quantity, row.at.to_pydatetime())
        for row in scored.itertuples()
    ) == Counter(as_scored(line) for line in records if line.outcome == "scored")
    in_batch = {name(row.source): row.batch_id for table in (rejected, scored) for row in table.itertuples()}
    assert in_batch == {name: n for n, names in enumerate(BATCHES) for name in names if lines(CORPUS / name)}
    counts = f"{len(records)} records in {len(BATCHES)} micro-batches: {len(scored)} scored, {len(rejected)} rejected"
    assert counts in seen
    assert len(records) == len(scored) + len(rejected)
    assert scored["score"].between(0, 1).all()
    assert r"[/bold]\x1b[2J" in seen
