"""Missing records that the ledger explains: as many as it says, of the visitors that it knows."""

from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.erased import Erased, read_erased, settle_gone
from clickscore.scoring.contract import contract_of

FOUND = """source STRING, batch_id BIGINT, key BIGINT, label STRING, missing BIGINT, vanished BIGINT, twice BIGINT,
           is_erased BOOLEAN"""
GONE = "source STRING, batch_id BIGINT, erased_rows BIGINT, expired_rows BIGINT, refused_rows BIGINT"
Row = tuple[str, int, int, str, int, int, int, bool | None]


def settled(
    spark: SparkSession, rows: list[Row], limit: int, has_duplicates: bool = False, expired: int = 0,
    refused: int = 0,
) -> dict[str, tuple[int, ...]]:  # fmt: skip
    """Return of each label what is missing, vanished, erased, a duplicate, expired and refused."""
    gone = spark.createDataFrame([("f", 0, limit, expired, refused)], GONE)
    found = settle_gone(spark.createDataFrame(rows, FOUND), gone, has_duplicates)
    duplicates, removed = (["duplicates"] if has_duplicates else []), (["expired"] if expired else [])
    counts = ["missing", "vanished", "erased", *duplicates, *removed, *(["refused"] if refused else [])]
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


def test_each_id_is_gone_once_before_its_copies_are_where_the_stream_passes_over_them(spark: SparkSession) -> None:
    rows: list[Row] = [("f", 0, 1, "a", 2, 0, 0, True), ("f", 0, 2, "b", 1, 0, 0, True)]
    assert settled(spark, rows, 2, has_duplicates=True) == {"a": (0, 0, 1, 1), "b": (0, 0, 1, 0)}


def test_retention_explains_what_no_erasure_does_whoever_it_was(spark: SparkSession) -> None:
    rows: list[Row] = [
        ("f", 0, 1, "a", 1, 0, 0, False), ("f", 0, 2, "b", 1, 0, 0, True), ("f", 0, 3, "c", 0, 1, 0, None),
        ("f", 0, 4, "d", 1, 0, 0, False), ("f", 1, 5, "e", 1, 0, 0, False),
    ]  # fmt: skip
    found = settled(spark, rows, 1, expired=2)
    assert found["b"] == (0, 0, 1, 0)
    assert sum(counts[3] for counts in found.values()) == 2
    assert sum(counts[0] + counts[1] for label, counts in found.items() if label != "e") == 1
    assert found["e"] == (1, 0, 0, 0)


def test_copies_of_an_expired_click_are_duplicates_and_records_without_an_id_are_not_copies_of_each_other(
    spark: SparkSession,
) -> None:
    without_id = spark.range(1).select(F.xxhash64(F.lit(None).cast("binary"), F.lit(True))).collect()[0][0]
    rows: list[Row] = [
        ("f", 0, 1, "a", 1, 0, 0, None), ("f", 1, 1, "a2", 1, 0, 0, None),
        ("f", 0, without_id, "b", 1, 0, 0, None), ("f", 1, without_id, "b2", 1, 0, 0, None),
    ]  # fmt: skip
    found = settled(spark, rows, 0, has_duplicates=True, expired=2)
    assert found == {"a": (0, 0, 0, 0, 1), "a2": (0, 0, 0, 1, 0), "b": (0, 0, 0, 0, 1), "b2": (1, 0, 0, 0, 0)}


def test_parts_count_as_the_micro_batches_of_the_audit(spark: SparkSession) -> None:
    rows = [("f", 0, 1, 0, 9), ("f", 3, 2, 7, 1), ("f", 5, 4, 0, 2), ("f", 9, 8, 0, 9),
            ("f", -1_000_000_000_000, 16, 5, 3)]  # fmt: skip
    parts = spark.createDataFrame(rows, GONE)
    within = Erased(parts, {"erased": 31}, {"erased": 1}, {}, None, parts).within(Range(3, 8, {}), 4)
    found = {row.batch_id: (row.erased_rows, row.expired_rows, row.refused_rows) for row in within.collect()}
    assert found == {4: (2, 7, 1), 5: (4, 0, 2), -1_000_000_000_000: (16, 5, 3)}


def test_refused_records_are_of_erased_visitors_and_no_more_than_were_refused(spark: SparkSession) -> None:
    rows: list[Row] = [
        ("f", 0, 1, "a", 1, 0, 0, False), ("f", 0, 2, "b", 1, 0, 0, True), ("f", 0, 3, "c", 1, 0, 0, True),
        ("f", 1, 4, "d", 1, 0, 0, True),
    ]  # fmt: skip
    found = settled(spark, rows, 1, refused=1)
    assert found["a"] == found["d"] == (1, 0, 0, 0)
    assert sorted((found["b"], found["c"])) == [(0, 0, 0, 1), (0, 0, 1, 0)]
    assert settled(spark, rows, 0, refused=1)["b"] == (0, 0, 0, 1)
    assert settled(spark, rows, 0, refused=1)["c"] == (1, 0, 0, 0)


def test_copies_of_a_refused_click_are_duplicates_where_the_stream_passes_over_them(spark: SparkSession) -> None:
    rows: list[Row] = [("f", 0, 1, "a", 2, 0, 0, True), ("f", 1, 1, "a2", 1, 0, 0, True)]
    found = settled(spark, rows, 0, has_duplicates=True, refused=1)
    assert found == {"a": (0, 0, 0, 1, 1), "a2": (0, 0, 0, 1, 0)}


@pytest.mark.parametrize("kind", ["erased", "expired"])
def test_copy_in_a_later_file_does_not_take_the_number_of_another_record(spark: SparkSession, kind: str) -> None:
    """Of 'k' there was one row, in the first file: it is gone like all others, and its copy never had one."""
    rows: list[Row] = [("f", 0, 7, "k", 1, 0, 0, True)]
    rows += [("g", 1, key, f"g{key}", 1, 0, 0, True) for key in range(7)] + [("g", 1, 7, "copy", 1, 0, 0, True)]
    counts = [(0, 1), (1, 7)]
    gone = [(source, batch, rows * (kind == "erased"), rows * (kind == "expired"), 0)
            for source, (batch, rows) in zip("fg", counts, strict=True)]  # fmt: skip
    found = settle_gone(spark.createDataFrame(rows, FOUND), spark.createDataFrame(gone, GONE), has_duplicates=True)
    told = {row.label: (row.missing, row[kind], row.duplicates) for row in found.collect()}
    assert told == {"copy": (0, 0, 1), **dict.fromkeys(("k", *(f"g{key}" for key in range(7))), (0, 1, 0))}


def test_copy_of_an_erased_click_is_none_of_those_that_expired_later(spark: SparkSession) -> None:
    rows: list[Row] = [("f", 0, 7, "k", 2, 0, 0, True), *(("f", 0, key, f"f{key}", 1, 0, 0, False) for key in range(3))]
    found = settled(spark, rows, 1, has_duplicates=True, expired=3)
    assert found == {"k": (0, 0, 1, 1, 0), **{f"f{key}": (0, 0, 0, 0, 1) for key in range(3)}}


def test_row_that_is_refused_while_an_audit_runs_is_in_all_of_its_numbers_or_in_none(
    spark: SparkSession, shop: Any
) -> None:
    config, folder = shop.config, f"{shop.home}/rejected"

    def refuse(batch_id: int) -> None:
        row = [("f", batch_id, "erased_visitor")]
        frame = spark.createDataFrame(row, "source STRING, batch_id BIGINT, reason STRING")
        frame.write.format("delta").mode("append").save(folder)

    refuse(0)
    rejected = spark.read.format("delta").load(folder).where("batch_id < 9")
    erased = read_erased(spark, config, contract_of(config.click), rejected)
    refuse(1)
    assert erased is not None
    assert erased.rows["refused"] == 1
    assert [(row.batch_id, row.refused_rows) for row in erased.parts.collect()] == [(0, 1)]
