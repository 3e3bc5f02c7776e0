"""Discrepancies: the records of a source against the rows of the tables, by part and, where they differ, by record.

A part is what one micro-batch read of one file or partition. Parts are compared by the number of their records and the
sum of the hashes of their keys: a row that is gone and another one that is there twice do not cancel each other out.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

PART = ("source", "batch_id")
COUNTS = (
    "duplicates",
    "accepted",
    "erased",
    "expired",
    "refused",
    "holes",
    "missing",
    "vanished",
    "twice",
    "unexplained",
)
"""What a difference can be.

``duplicates`` are records whose id is in the tables elsewhere, ``accepted`` is loss that a run accepted, ``erased`` is
what was taken out for a visitor, ``expired`` what retention has removed, ``refused`` what came later of an erased
visitor, ``holes`` are offsets that never were a record; none of the six is a finding.
``missing`` records have no row, ``vanished`` ones cannot be looked up any more, ``twice`` and ``unexplained`` are rows
too many, of a record that is there and of none.
"""
FINDINGS = ("missing", "vanished", "twice", "unexplained")


@dataclass(frozen=True)
class Holdings:
    """What a source holds of some micro-batches.

    Attributes:
        parts: ``source, batch_id, records, held_sum, is_gone, is_rewritten``. Of a part that is gone nothing says the
            records. Where ``held_sum`` is null, only the numbers are compared.
        keys: brings the keyed records of parts; None where the source has no keys.
        readable: ``source`` of all parts whose keys can be had; None where that is all.
    """

    parts: DataFrame
    keys: Callable[[DataFrame], DataFrame] | None = None
    readable: DataFrame | None = None


def count_rows(scored: DataFrame, rejected: DataFrame) -> DataFrame:
    """Add the keyed rows of both tables up: ``scored``, ``rejected`` and the sum of their keys by part."""
    rows = scored.withColumn("is_scored", F.lit(True)).unionByName(rejected.withColumn("is_scored", F.lit(False)))
    return rows.groupBy(*PART).agg(
        F.count_if("is_scored").alias("scored"), F.count_if(~F.col("is_scored")).alias("rejected"),
        F.sum("key").alias("row_sum"),
    )  # fmt: skip


def compare(held: DataFrame, rows: DataFrame) -> DataFrame:
    """Put what a source holds beside what the tables hold; one row for each part of either.

    Args:
        held: the parts of ``Holdings``.
        rows: from ``count_rows``.

    Returns:
        The columns of both, no number null, and ``differs``.
    """
    found = F.col("scored") + F.col("rejected")
    differs = (F.col("records") != found) | (F.col("held_sum") != F.col("row_sum"))
    both = held.withColumn("is_held", F.lit(True)).join(rows, on=list(PART), how="full")
    return both.select(
        *PART,
        *[F.coalesce(name, F.lit(0)).alias(name) for name in ("records", "scored", "rejected", "row_sum")],
        F.when(F.col("is_held"), F.col("held_sum")).otherwise(0).alias("held_sum"),
        *[F.coalesce(name, F.lit(False)).alias(name) for name in ("is_gone", "is_rewritten")],
    ).withColumn("differs", ~F.col("is_gone") & F.coalesce(differs, F.lit(False)))


def differences(held: DataFrame, rows: DataFrame) -> DataFrame:
    """Find the records that have no row, and the rows that have no record, by key.

    Args:
        held: keyed records of the parts that differ, with ``is_erased`` where that is known.
        rows: keyed rows of the same parts.

    Returns:
        ``source, batch_id, key, label, missing, twice, unexplained``, where one of the three is not zero, and
        ``is_erased`` if the records have it.
    """
    both = held.withColumn("side", F.lit(1)).unionByName(rows.withColumn("side", F.lit(-1)), allowMissingColumns=True)
    records = F.count_if(F.col("side") == 1).alias("records")
    known = [name for name in ("is_erased",) if name in held.columns]
    counted = both.groupBy(*PART, "key").agg(
        F.min("label").alias("label"), records, F.sum("side").alias("balance"),
        *[F.max(name).alias(name) for name in known],
    )  # fmt: skip
    surplus, is_known = F.greatest(-F.col("balance"), F.lit(0)), F.col("records") > 0
    return counted.where("balance != 0").select(
        *PART, "key", "label", *known,
        F.greatest("balance", F.lit(0)).alias("missing"),
        F.when(is_known, surplus).otherwise(0).alias("twice"),
        F.when(is_known, 0).otherwise(surplus).alias("unexplained"),
    )  # fmt: skip


def count_differences(parts: DataFrame) -> DataFrame:
    """Say how far parts differ of whose records only the number is known; columns as of ``differences``."""
    balance = F.col("records") - F.col("scored") - F.col("rejected")
    surplus = F.greatest(-balance, F.lit(0))
    return parts.select(
        *PART, F.lit(0).cast("bigint").alias("key"), F.lit(None).cast("string").alias("label"),
        F.greatest(balance, F.lit(0)).alias("missing"),
        F.when(F.col("records") > 0, surplus).otherwise(0).alias("twice"),
        F.when(F.col("records") > 0, 0).otherwise(surplus).alias("unexplained"),
    )  # fmt: skip


def settle(found: DataFrame, count: str, is_so: Column) -> DataFrame:
    """Count missing records as something else, where the condition holds."""
    settled = F.when(is_so, F.col("missing")).otherwise(0)
    return found.withColumns({count: settled, "missing": F.col("missing") - settled})


def settle_duplicates(found: DataFrame, seen: DataFrame, id_key: str = "key") -> DataFrame:
    """Count a missing record as a duplicate where its id is in a table; ``seen`` are keyed rows of both tables."""
    keys = seen.select(F.col("key").alias("seen_key")).distinct()
    joined = found.join(keys, on=F.col(id_key) == F.col("seen_key"), how="left")
    return settle(joined, "duplicates", F.col("seen_key").isNotNull()).drop("seen_key")


def sum_up(found: DataFrame) -> DataFrame:
    """Add differences up by part: each of ``COUNTS``, and ``first_<finding>`` and ``last_<finding>`` as examples."""
    counts = [F.coalesce(name, F.lit(0)) if name in found.columns else F.lit(0) for name in COUNTS]
    sums = [F.sum(count).alias(name) for name, count in zip(COUNTS, counts, strict=True)]
    examples = [
        pick(F.when(F.col(name) > 0, F.col("label"))).cast("string").alias(f"{which}_{name}")
        for name in FINDINGS if name in found.columns
        for which, pick in (("first", F.min), ("last", F.max))
    ]  # fmt: skip
    return found.groupBy(*PART).agg(*sums, *examples)


def with_differences(parts: DataFrame, sums: DataFrame | None) -> DataFrame:
    """Add what ``sum_up`` found to the parts; zeros where nothing differs."""
    if sums is None:
        return parts.withColumns(dict.fromkeys(COUNTS, F.lit(0).cast("bigint")))
    return parts.join(sums, on=list(PART), how="left").fillna(0, subset=list(COUNTS))


def has_finding() -> Column:
    """Tell of a part, or of a sum of parts, whether something is wrong with it."""
    return sum((F.col(name) for name in FINDINGS), F.lit(0)) > 0


def by_batch(parts: DataFrame) -> DataFrame:
    """Add the parts up by micro-batch; those of sources that are gone only as ``unchecked`` rows.

    Returns:
        The sums of the numbers of the parts; ``unchecked``; ``gone_parts`` and ``empty_parts``, how many sources are
        gone of which there are rows, and none; and ``<finding>_parts``, how many parts have each of ``FINDINGS``.
    """
    is_gone, rows = F.col("is_gone"), F.col("scored") + F.col("rejected")
    names = ("records", "scored", "rejected", *COUNTS)
    sums = [F.sum(F.when(~is_gone, F.col(name)).otherwise(0)).alias(name) for name in names]
    findings = [F.count_if(F.col(name) > 0).alias(f"{name}_parts") for name in FINDINGS]
    return parts.groupBy("batch_id").agg(
        *sums, *findings,
        F.sum(F.when(is_gone, rows).otherwise(0)).alias("unchecked"),
        F.count_if(is_gone & (rows > 0)).alias("gone_parts"),
        F.count_if(is_gone & (rows == 0)).alias("empty_parts"),
    )  # fmt: skip


def unfinished_replays(scored: DataFrame, rejected: DataFrame, gone: DataFrame | None = None) -> DataFrame:
    """Find replays whose rows do not match: each rejected row of replay k is one scored row of micro-batch -k.

    Args:
        scored: keyed rows of ``scored_clicks`` that replays have written; ``batch_id`` is negative.
        rejected: keyed rows of ``rejected_clicks`` that a replay has resolved; ``batch_id`` is ``-replay_id``.
        gone: ``source, batch_id, scored_gone, rejected_gone``, how many of either were removed since; only the numbers
            are compared there.

    Returns:
        ``replay_id``, the numbers of ``resolved`` and ``scored`` rows, and an example of a ``source``.
    """
    parts = count_rows(scored, rejected.select(*PART, "key", "label"))
    resolved = rejected.groupBy(*PART).agg(F.sum("key").alias("resolved_sum"))
    wrong = parts.join(resolved, on=list(PART), how="left")
    differs = F.col("row_sum") != 2 * F.col("resolved_sum")
    removed = F.lit(0)
    if gone is not None:
        wrong = wrong.join(gone, on=list(PART), how="left")
        differs &= F.col("scored_gone").isNull()
        removed = F.coalesce(F.col("scored_gone") - F.col("rejected_gone"), F.lit(0))
    differs |= F.col("scored") + removed != F.col("rejected")
    return (
        wrong.where(F.coalesce(differs, F.lit(True)))
        .groupBy((-F.col("batch_id")).alias("replay_id"))
        .agg(F.sum("rejected").alias("resolved"), F.sum("scored").alias("scored"), F.min("source").alias("source"))
    )
