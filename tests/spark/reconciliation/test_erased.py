"""Missing records that the ledger explains: as many as it says, of the visitors that it knows."""

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.erased import Erased, settle_erased
from clickscore.reconciliation.record_keys import ErasedVisitors
from clickscore.scoring.privacy_rules import hashed

KEY = b"0123456789abcdef0123456789abcdef"
FOUND = """source STRING, batch_id BIGINT, key BIGINT, label STRING, missing BIGINT, vanished BIGINT, twice BIGINT,
           is_erased BOOLEAN"""
Row = tuple[str, int, int, str, int, int, int, bool | None]


def settled(
    spark: SparkSession, rows: list[Row], limit: int, has_duplicates: bool = False
) -> dict[str, tuple[int, ...]]:
    """Return of each label what is missing, vanished, erased and a duplicate."""
    erased = spark.createDataFrame([("f", 0, limit)], "source STRING, batch_id BIGINT, erased_rows BIGINT")
    found = settle_erased(spark.createDataFrame(rows, FOUND), erased, has_duplicates)
    counts = ["missing", "vanished", "erased", *(["duplicates"] if has_duplicates else [])]
    return {row.label: tuple(row[name] for name in counts) for row in found.collect()}


@pytest.mark.parametrize(("limit", "explained"), [(0, ""), (1, "b"), (2, "bd"), (3, "bde"), (4, "bde"), (9, "bde")])
def test_known_visitors_come_first_then_records_without_one_and_nobody_else(
    spark: SparkSession, limit: int, explained: str
) -> None:
    rows: list[Row] = [
        ("f", 0, 1, "a", 1, 0, 0, False), ("f", 0, 2, "b", 1, 0, 0, True), ("f", 0, 3, "c", 0, 0, 1, None),
        ("f", 0, 4, "d", 1, 0, 0, None), ("f", 0, 5, "e", 0, 1, 0, None), ("f", 1, 2, "g", 1, 0, 0, True),
    ]  # fmt: skip
    found = settled(spark, rows, limit)
    assert "".join(sorted(label for label, counts in found.items() if counts[2])) == explained
    assert found["a"] == (1, 0, 0)
    assert found["g"] == (1, 0, 0)
    assert found["e"] == ((0, 0, 1) if "e" in explained else (0, 1, 0))


def test_part_of_a_number_is_explained(spark: SparkSession) -> None:
    assert settled(spark, [("f", 0, 1, "a", 5, 0, 0, None)], 3) == {"a": (2, 0, 3)}


def test_copies_of_an_erased_click_are_duplicates_only_where_the_stream_passes_over_them(spark: SparkSession) -> None:
    rows: list[Row] = [
        ("f", 0, 1, "a", 2, 0, 0, True),
        ("f", 1, 1, "a2", 1, 0, 0, True),
        ("f", 1, 7, "b", 1, 0, 0, None),
    ]
    assert settled(spark, rows, 1) == {"a": (1, 0, 1), "a2": (1, 0, 0), "b": (1, 0, 0)}
    found = settled(spark, rows, 1, has_duplicates=True)
    assert found == {"a": (0, 0, 1, 1), "a2": (0, 0, 0, 1), "b": (1, 0, 0, 0)}


def test_parts_count_as_the_micro_batches_of_the_audit(spark: SparkSession) -> None:
    rows = [("f", 0, 1), ("f", 3, 2), ("f", 5, 4), ("f", 9, 8), ("f", -1_000_000_000_000, 16)]
    parts = spark.createDataFrame(rows, "source STRING, batch_id BIGINT, erased_rows BIGINT")
    within = Erased(parts, 31, 1, (), None).within(Range(3, 8, {}), 4)
    assert {row.batch_id: row.erased_rows for row in within.collect()} == {4: 2, 5: 4, -1_000_000_000_000: 16}


def test_record_is_of_an_erased_visitor_of_another_one_or_nobody_can_tell() -> None:
    field = pa.schema([pa.field("visitor", pa.string())])
    visitors = ErasedVisitors(field, KEY, frozenset({hashed("v1", KEY)}))
    records = pa.array([b'{"visitor": "v1"}', b'{"visitor": "v2"}', b'{"visitor": "v1', b'{"visitor": 1}', None])
    assert visitors.are_of(records).to_pylist() == [True, False, None, None, None]
    assert "0123456789abcdef" not in repr(visitors)
