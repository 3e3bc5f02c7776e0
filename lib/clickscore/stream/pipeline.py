"""The path of a click through Spark, from raw record to table row; the same for a micro-batch and for a replay.

Each raw record gets an outcome beside it. Records with a score become rows of ``scored_clicks``,
all others rows of ``rejected_clicks``, with the reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clickscore.reasons import CONSTRAINT_VIOLATED, ERASED_VISITOR, SCORING_FAILED
from clickscore.storage.constraints import Constraint
from clickscore.storage.schemas import (
    DUPLICATE,
    KEEP,
    KEPT,
    LINEAGE,
    MASKED,
    MICROSECOND_FORMAT,
    SOURCE_TIME,
    VALUE,
    Layout,
    quoted,
)
from clickscore.stream.raw_column import raw_detail, raw_text

Score = Callable[[Column], Column]
"""The scorer as a function of Columns: raw records to their outcomes."""

OUTCOME = "_outcome"
REASON, DETAIL = f"{OUTCOME}.reason", f"{OUTCOME}.detail"
MASKED_RAW, COUNTS = f"{OUTCOME}._raw", f"{OUTCOME}._counts"
CHALLENGER_SCORE, CHALLENGER_DETAIL = f"{OUTCOME}.challenger_score", f"{OUTCOME}.challenger_detail"

IS_SCORED = f"{REASON} IS NULL AND NOT {DUPLICATE}"
IS_REJECTED = f"{REASON} IS NOT NULL AND NOT {DUPLICATE}"
"""A duplicate that would also be rejected counts once, as a duplicate: its first copy is in the table."""

_ASIDE, _BROKEN = "_aside", "_broken"

IS_ERASED = f"{REASON} <=> '{ERASED_VISITOR}'"
"""A record of which nothing may be kept."""

MOST_LISTED = 1_000
"""Rejected records of a micro-batch that come to the driver along with the counts; of more, none is used."""
MOST_LISTED_BYTES = 16 * 1024
"""Size of a record up to which it does so: a click is some hundred bytes, and all of them together fill no driver."""
SAMPLED = 50
"""Records of a micro-batch, whatever became of them, that come along for a look at fields that are not in a click."""


@dataclass(frozen=True)
class Stamp:
    """What all rows of a micro-batch have in common.

    Attributes:
        batch_id: the micro-batch.
        moment: when it was scored.
        model_name: the champion.
        model_version: its version.
        challenger_version: version of the challenger, as its column says it; None where no challenger is active.
        is_sampled: whether some records come along with the counts, whatever becomes of them.
    """

    batch_id: int
    moment: Column
    model_name: str
    model_version: str
    challenger_version: str | None = None
    is_sampled: bool = False


def with_outcomes(raw: DataFrame, score: Score) -> DataFrame:
    """Add ``_outcome STRUCT``, ``scoring.scorer.outcome_type``, and ``_duplicate BOOLEAN``, which is false.

    Of a record that is refused, as its visitor was erased, neither the value nor a key or headers are left.
    """
    return without_erased(raw.withColumns({DUPLICATE: F.lit(False), OUTCOME: score(F.col(VALUE))}))


def without_erased(outcomes: DataFrame) -> DataFrame:
    """Take the records of erased visitors away from their outcomes, as they came: the value, a key and headers."""
    personal = [VALUE, *(field.name for field in KEPT.values() if field.name in outcomes.columns)]
    return outcomes.withColumns({name: F.expr(f"CASE WHEN NOT {IS_ERASED} THEN {name} END") for name in personal})


def masked(outcomes: DataFrame, layout: Layout, condition: str = IS_REJECTED) -> DataFrame:
    """Return the outcomes with no more of the raw records than may be kept of those that are rejected.

    Args:
        outcomes: from ``with_outcomes``, or ``ScoreFunction.outcomes``.
        layout: the columns of the tables.
        condition: of the records that may still be rejected; of the others, nothing is left.
    """
    if layout.raw_rule == KEEP:
        return outcomes
    value = F.lit(None).cast("binary")
    if layout.raw_rule == MASKED:
        click = F.to_json(_click(layout, f"{OUTCOME}."), {"timestampFormat": MICROSECOND_FORMAT})
        is_click = F.expr(f"{OUTCOME}.{quoted(layout.id)} IS NOT NULL")
        value = F.when(
            F.expr(f"({condition}) AND NOT {IS_ERASED}"),
            F.when(is_click, click).otherwise(F.col(MASKED_RAW)).cast("binary"),
        )
    return outcomes.withColumn(VALUE, value)


def scored(outcomes: DataFrame, layout: Layout, stamp: Stamp) -> DataFrame:
    """Return one row of ``scored_clicks`` for each record that has a score."""
    return outcomes.where(IS_SCORED).select(*_row_columns(layout, stamp))


def _row_columns(layout: Layout, stamp: Stamp) -> list[Column]:
    challenger = {}
    if layout.scores.is_challenged:
        is_active = stamp.challenger_version is not None
        score = F.col(CHALLENGER_SCORE) if is_active else F.lit(None).cast("double")
        version = F.when(score.isNotNull(), F.lit(stamp.challenger_version)) if is_active else F.lit(None)
        challenger = {"challenger_score": score, "challenger_version": version.cast("string")}
    known = {
        **challenger,
        "model_name": F.lit(stamp.model_name),
        "model_version": F.lit(stamp.model_version),
        "scored_at": stamp.moment,
        "batch_id": F.lit(stamp.batch_id).cast("bigint"),
    }
    computed = {*layout.click.names, *layout.scores.columns}
    # As text, which is one call to the JVM for each column instead of several.
    return [
        known[name].alias(name)
        if name in known
        else F.expr(f"{OUTCOME}.{quoted(name)}" if name in computed else quoted(name))
        for name in layout.scored.names
    ]


def constrained(outcomes: DataFrame, layout: Layout, stamp: Stamp, constraints: Sequence[Constraint]) -> DataFrame:
    """Return the outcomes, with ``constraint_violated`` where the row of a click breaks a constraint of the table.

    Args:
        outcomes: from ``with_outcomes``, or ``ScoreFunction.outcomes``.
        layout: the columns of the tables.
        stamp: what all rows have in common.
        constraints: of ``scored_clicks``, on its columns.
    """
    if not constraints:
        return outcomes
    # The conditions are about columns of the table, so these stand alone; what else there is of a record waits aside.
    rows = outcomes.select(*_row_columns(layout, stamp), F.struct("*").alias(_ASIDE))
    broken = [F.when(F.expr(f"NOT coalesce({check.condition}, false)"), F.lit(str(check))) for check in constraints]
    is_scored = F.col(f"{_ASIDE}.{REASON}").isNull() & ~F.col(f"{_ASIDE}.{DUPLICATE}")
    judged = rows.select(F.when(is_scored, F.coalesce(*broken)).alias(_BROKEN), f"{_ASIDE}.*")
    return with_reason(judged, F.lit(CONSTRAINT_VIOLATED), F.concat(F.lit("breaks "), _BROKEN)).drop(_BROKEN)


def with_reason(outcomes: DataFrame, reason: Column, detail: Column) -> DataFrame:
    """Return the outcomes, with another reason and detail where the detail is not null."""
    outcome, is_new = F.col(OUTCOME), detail.isNotNull()
    changed = outcome.withField("reason", F.when(is_new, reason).otherwise(F.col(REASON)))
    return outcomes.withColumn(OUTCOME, changed.withField("detail", F.coalesce(detail, DETAIL)))


def rejected(records: DataFrame, layout: Layout, stamp: Stamp) -> DataFrame:
    """Return one row of ``rejected_clicks`` for each record.

    Args:
        records: raw records that were rejected, with ``reason STRING`` and ``detail STRING``.
        layout: the columns of the tables.
        stamp: what all rows have in common.
    """
    return records.select(
        raw_text("reason").alias("raw"),
        "reason",
        raw_detail("reason", "detail").alias("detail"),
        *layout.lineage,
        stamp.moment.alias("received_at"),
        F.lit(stamp.batch_id).cast("bigint").alias("batch_id"),
    )


def census(
    layout: Layout, is_challenged: bool = False, is_sampled: bool = False, is_counted: bool = False
) -> list[Column]:  # fmt: skip
    """Return the aggregates that a pass over the outcomes counts on its way.

    ``read``, ``duplicates``, ``rejected`` and ``failed`` count all records, the duplicates, the rejected, and those of
    them that the model failed on; ``newest`` and ``arrived`` are the newest event time, and the newest time at which
    the source took a record in, in microseconds since 1970; ``sources`` are the files or partitions that records came
    from; ``listed`` are up to ``MOST_LISTED`` rejected records, with reason and detail.

    Where a challenger is active, ``challenged``, ``challenger_failed`` and ``challenger_failure`` count the clicks that
    it was asked about, those of them that it failed on, and say why, for one of them.

    Where there is a sample, ``sampled`` are the values of ``SAMPLED`` records; where clicks are counted in bins,
    ``counts`` are the packed counts of the workers' chunks.
    """
    is_rejected = F.expr(IS_REJECTED)
    listed = F.expr(f"struct({', '.join([VALUE, REASON, DETAIL, *layout.lineage])})")
    fits = f"coalesce(octet_length({VALUE}), 0) <= {MOST_LISTED_BYTES}"
    is_small = F.expr(f"{IS_REJECTED} AND {fits}")
    counts = [
        F.count(F.lit(1)).alias("read"),
        F.count_if(DUPLICATE).alias("duplicates"),
        F.count_if(is_rejected).alias("rejected"),
        F.count_if(is_rejected & (F.col(REASON) == SCORING_FAILED)).alias("failed"),
        F.max(F.expr(f"CASE WHEN NOT {DUPLICATE} THEN unix_micros({OUTCOME}.{quoted(layout.time)}) END")).alias(
            "newest"
        ),
        F.max(F.unix_micros(SOURCE_TIME.name)).alias("arrived"),
        F.collect_set("source").alias("sources"),
        # Which of many are listed does not matter: more than fit are looked up again.
        F.min_by(F.when(is_small, listed), F.when(is_small, F.lit(0)), MOST_LISTED).alias("listed"),
    ]
    if is_sampled:
        # By a hash, so that a part of the micro-batch does not stand for all of it.
        by_hash = F.expr(f"CASE WHEN {fits} THEN xxhash64({VALUE}) END")
        counts.append(F.min_by(VALUE, by_hash, SAMPLED).alias("sampled"))
    if is_counted:
        counts.append(F.collect_list(COUNTS).alias("counts"))
    if is_challenged:
        failure, score = F.col(CHALLENGER_DETAIL), F.col(CHALLENGER_SCORE)
        counts += [
            F.count_if(failure.isNotNull() | score.isNotNull()).alias("challenged"),
            F.count(failure).alias("challenger_failed"),
            F.max(failure).alias("challenger_failure"),
        ]
    return counts


def identity(layout: Layout, prefix: str = "") -> Column:
    """Return what tells a click of a micro-batch apart: a hash of its fields and where it came from.

    Two clicks with the same one are the same in everything that the tables keep of them.
    """
    fields_as_json = F.to_json(_click(layout, prefix), {"timestampFormat": MICROSECOND_FORMAT})
    return F.xxhash64(fields_as_json, *[field.name for field in LINEAGE])


def _click(layout: Layout, prefix: str) -> Column:
    return F.expr(f"struct({', '.join(prefix + quoted(name) for name in layout.click.names)})")
