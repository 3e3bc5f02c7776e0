"""Which rejected records are meant, and what becomes of them; everything in small DataFrames."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.reconciliation.rescoring import Selection, as_raw, changes, open_records, resolved, tally
from clickscore.storage.schemas import KEPT, REPLAYED, rejected_clicks
from clickscore.stream.definition import Definition
from clickscore.stream.pipeline import Score, Stamp, with_outcomes

TEN, ELEVEN = (datetime(2026, 3, 1, hour, tzinfo=timezone.utc) for hour in (10, 11))
GOOD = {"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 2.0, "quantity": 3}
POISON = {**GOOD, "id": "poison", "price": 6.0}


def row(raw: object, reason: str = "wrong_type", **fields: Any) -> tuple[Any, ...]:
    text = raw if isinstance(raw, str) else json.dumps(raw)
    record = {"raw": text, "reason": reason, "detail": "once", "source": "clicks-0", "source_offset": 7,
              "received_at": TEN, "batch_id": 3, **fields}  # fmt: skip
    return tuple(record.values())


def table(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    return spark.createDataFrame(list(rows), rejected_clicks())


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["a", "b", "c", "d"]),
        (Selection(reasons=("wrong_type", "empty_record")), ["a", "b"]),
        (Selection(since=ELEVEN), ["b", "d"]),
        (Selection(until=ELEVEN), ["a", "c"]),
        (Selection(source="clicks-1"), ["c"]),
        (Selection(source="clicks-?"), ["a", "c"]),
        (Selection(source="*/day_1/*"), ["b"]),
        (Selection(reasons=("missing_field",), since=ELEVEN, source="*"), ["d"]),
    ],
)
def test_records_are_chosen_by_reason_time_and_source(
    spark: SparkSession, selection: Selection, expected: list[str]
) -> None:
    rows = table(
        spark,
        row("a"),
        row("b", "empty_record", received_at=ELEVEN, source="file:/in/day_1/x.jsonl"),
        row("c", "missing_field", source="clicks-1"),
        row("d", "missing_field", received_at=ELEVEN, source="file:/in/dayX1/x.jsonl"),
    )
    assert sorted(found.raw for found in open_records(rows, selection).collect()) == expected


def test_record_that_a_replay_has_resolved_is_not_open(spark: SparkSession) -> None:
    columns = T.StructType([*rejected_clicks(), *REPLAYED])
    rows = spark.createDataFrame([(*row("open"), None, None), (*row("done"), 4, TEN)], columns)
    assert [found.raw for found in open_records(rows, Selection()).collect()] == ["open"]


@pytest.mark.parametrize("record", [b'{"id": "\xe4\xff"}', '{"id": "ä€😀\x00"}'.encode(), b"\xef\xbb\xbf{}", b""])
def test_bytes_are_those_that_came_from_the_source(spark: SparkSession, record: bytes) -> None:
    is_text = record.isascii() or record.startswith((b"\xef", b'{"id": "\xc3'))
    reason, text = ("wrong_type", "utf-8") if is_text else ("invalid_encoding", "iso-8859-1")
    [found] = as_raw(table(spark, row(record.decode(text), reason))).collect()
    assert bytes(found["value"]) == record


def test_text_that_reads_like_other_bytes_is_no_copy_of_them(spark: SparkSession) -> None:
    rows = table(spark, row("Ã¤", "malformed_json"), row("Ã¤", "invalid_encoding"), row("Ã¤", "invalid_encoding"))
    found = {row["_was"]["reason"]: (bytes(row["value"]), row["_copies"]) for row in as_raw(rows).collect()}
    assert found == {"malformed_json": ("Ã¤".encode(), 1), "invalid_encoding": ("Ã¤".encode("iso-8859-1"), 2)}


@pytest.fixture
def verdicts(spark: SparkSession, definition: Definition, column_scorer: Callable[..., Score]) -> DataFrame:
    rows = table(spark, row(GOOD), row(GOOD), row(GOOD, source_offset=8), row({"id": "b"}), row(POISON),
                 row({"id": "e"}, "missing_field", detail="why: missing_field"))  # fmt: skip
    return with_outcomes(as_raw(rows), column_scorer(definition.layout))


def test_copies_share_a_verdict_and_are_counted(verdicts: DataFrame) -> None:
    assert sorted(map(tuple, tally(verdicts).collect()), key=str) == [
        ("missing_field", "missing_field", 1), ("wrong_type", "missing_field", 1), ("wrong_type", "scoring_failed", 1),
        ("wrong_type", None, 3),
    ]  # fmt: skip


def test_only_what_has_changed_is_written_down(verdicts: DataFrame) -> None:
    found = {(row["_was"]["raw"], row["_was"]["source_offset"]): (row["reason"], row["detail"])
             for row in changes(verdicts).collect()}  # fmt: skip
    assert found == {
        (json.dumps(GOOD), 7): (None, None),
        (json.dumps(GOOD), 8): (None, None),
        (json.dumps(POISON), 7): ("scoring_failed", "why: scoring_failed"),
        ('{"id": "b"}', 7): ("missing_field", "why: missing_field"),
    }


def test_raw_is_written_as_the_new_reason_asks(spark: SparkSession) -> None:
    # Read as JSON by mistake: bytes of Avro, of which the second have been judged as such before.
    rows = table(spark, row("\xff\x00", "invalid_encoding"),
                 row("/wE=", "missing_field", detail="id is null; raw is base64"))  # fmt: skip
    outcome = F.struct(F.lit("missing_field").alias("reason"), F.lit("id is null").alias("detail"))
    [found] = changes(as_raw(rows).withColumn("_outcome", outcome)).collect()
    assert found["_was"]["reason"] == "invalid_encoding"
    assert (found["raw"], found["reason"], found["detail"]) == ("/wA=", "missing_field", "id is null; raw is base64")


def test_each_marked_copy_becomes_a_scored_click_with_its_lineage(
    spark: SparkSession, definition: Definition, column_scorer: Callable[..., Score]
) -> None:
    layout = replace(definition.layout, kept=tuple(KEPT.values()))
    first = [*row(GOOD)[:5], b"key", [("h", b"1")], *row(GOOD)[5:]]
    other = [*row(GOOD, source_offset=8)[:5], None, None, *row(GOOD)[5:]]
    rejected = spark.createDataFrame([first, first, other], rejected_clicks(layout.kept))
    verdicts = with_outcomes(as_raw(rejected, layout.kept), column_scorer(layout))
    marked = spark.createDataFrame([first, first], rejected_clicks(layout.kept))  # somebody else has taken the other
    stamp = Stamp(-5, F.lit(ELEVEN), "model", "9")
    found = resolved(verdicts, marked, layout, stamp).collect()
    assert [(row.id, row.score, row.model_version, row.source, row.source_offset, row.batch_id) for row in found] == [
        ("a", 2.0, "9", "clicks-0", 7, -5)
    ] * 2
    assert [(bytes(row.source_key), row.source_headers[0].key) for row in found] == [(b"key", "h")] * 2
