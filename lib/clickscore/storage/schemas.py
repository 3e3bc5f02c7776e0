"""The schemas of raw records and of the output tables, with the comments of their columns."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import types as T

VALUE = "value"
"""Column of the raw records."""
DUPLICATE = "_duplicate"
"""Column that marks duplicates among them once they are scored; names with an underscore never reach a table."""


MICROSECOND_FORMAT = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"
"""Spark's own format for times in JSON ends at milliseconds."""


def quoted(name: str) -> str:
    """Return a column's name as SQL expressions write it, whatever characters are in it."""
    return f"`{name.replace('`', '``')}`"


def literal(text: str) -> str:
    """Return a text as SQL writes it; Spark would put the value of a variable in for ``${name}``."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "$\\{")
    return f"'{escaped}'"


def as_ddl(schema: T.StructType, separator: str = " ") -> str:
    """Return the columns as CREATE TABLE takes them, with NOT NULL and comments, at all depths."""
    return ", ".join(
        f"{quoted(field.name)}{separator}{_type_as_ddl(field.dataType)}"
        + ("" if field.nullable else " NOT NULL")
        + (f" COMMENT {literal(field.metadata['comment'])}" if "comment" in field.metadata else "")
        for field in schema.fields
    )


def _type_as_ddl(data_type: T.DataType) -> str:
    match data_type:
        case T.StructType():
            return f"STRUCT<{as_ddl(data_type, ': ')}>"
        case T.ArrayType():
            return f"ARRAY<{_type_as_ddl(data_type.elementType)}>"
        case T.MapType():
            return f"MAP<{_type_as_ddl(data_type.keyType)}, {_type_as_ddl(data_type.valueType)}>"
    return data_type.simpleString()


def column(name: str, data_type: T.DataType, comment: str, nullable: bool = True) -> T.StructField:
    """Return a column of a table, with what it means."""
    return T.StructField(name, data_type, nullable, {"comment": comment})


LINEAGE = (
    column("source", T.StringType(), "Where the record came from: a file, or topic and partition (clicks-3)"),
    column("source_offset", T.LongType(), "Position of the record in its source; null for files and tables"),
)
SOURCE_TIME = T.StructField("_source_time", T.TimestampType())
"""When the source took the record in, where it says so; it tells how far the stream is behind."""

_HEADER = T.StructType([T.StructField("key", T.StringType()), T.StructField(VALUE, T.BinaryType())])
KEPT = {
    "key": column("source_key", T.BinaryType(), "Key of the record in its topic"),
    "headers": column("source_headers", T.ArrayType(_HEADER), "Headers of the record in its topic"),
}
"""Columns of lineage that a Kafka source adds on demand."""

BATCH_ID = column(
    "batch_id",
    T.LongType(),
    "Micro-batch that wrote the row; negative: a replay; below -500 billion: a backfill",
    False,
)
FIRST_CHUNK = -1_000_000_000_000
"""What the first chunk of a backfill has as ``batch_id``; the next ones count up. Replays count down from -1."""
IS_REPLAY = f"batch_id BETWEEN {FIRST_CHUNK // 2} AND -1"
IS_BACKFILL = f"batch_id < {FIRST_CHUNK // 2}"

_SCORE = column("score", T.DoubleType(), "Prediction of the model for the click")
_MODEL = (
    column("model_name", T.StringType(), "Registered model that made the prediction", nullable=False),
    column("model_version", T.StringType(), "Version of the registered model", nullable=False),
    column("scored_at", T.TimestampType(), "When the micro-batch was scored, UTC", nullable=False),
)
CHALLENGER = (
    column("challenger_score", T.DoubleType(), "Prediction of the challenger, for the visitors that it scores"),
    column("challenger_version", T.StringType(), "Version of the challenger that made the prediction"),
)
SCORED = (_SCORE, *_MODEL, *CHALLENGER, *LINEAGE, BATCH_ID)
"""The columns that follow the click's own fields in ``scored_clicks``; the challenger's only where there is one."""

SCORE_QUANTILES = {"score_p05": 0.05, "score_p25": 0.25, "score_p50": 0.5, "score_p75": 0.75, "score_p95": 0.95}
"""Columns of ``stream_metrics`` with quantiles of the score, and the part of the clicks that is at most there."""

FINITE_SCORE = {"clickscore_finite_score": f"abs(score) <= {sys.float_info.max}"}
"""Constraint of ``scored_clicks``: a score is a number, and NaN is more than all of them. In words that others know
who write to the table: delta-rs has no ``isnan`` of Spark's, and no ``double('infinity')``."""


@dataclass(frozen=True)
class Scores:
    """The scores that a click gets.

    Attributes:
        columns: the champion's, ``score`` first.
        is_challenged: whether a challenger may score the click as well.
    """

    columns: tuple[str, ...] = (_SCORE.name,)
    is_challenged: bool = False


KEEP, MASKED, DROP = "keep", "masked", "drop"
_RAW = {
    KEEP: "The record, unchanged; as ISO 8859-1 or base64 where it is no UTF-8",
    MASKED: "The fields of the record that can be read, as JSON, under the rules of privacy",
    DROP: "Nothing: the rules of privacy say so",
}

_REASON = (
    column("reason", T.StringType(), "Code of the reason, for instance missing_field", nullable=False),
    column("detail", T.StringType(), "What was expected and what was found"),
)
_RECEIVED_AT = column("received_at", T.TimestampType(), "When the micro-batch read the record, UTC", nullable=False)
REPLAY_ID = "replay_id"
REPLAYED = T.StructType(
    [
        column(REPLAY_ID, T.LongType(), "Replay that scored the record; null while it is rejected"),
        column("resolved_at", T.TimestampType(), "When the replay scored it, UTC"),
    ]
)
"""What the first replay adds to ``rejected_clicks``; the stream does not know these columns."""

SOURCE_GAPS = T.StructType(
    [
        column("source", T.StringType(), "Topic and partition", nullable=False),
        column("first_offset", T.LongType(), "First offset that was lost", nullable=False),
        column("last_offset", T.LongType(), "Last offset that was lost; null if it is unknown"),
        column("reason", T.StringType(), "Code: aged_out, recreated, truncated or deleted", nullable=False),
        column("detail", T.StringType(), "What was expected and what was found"),
        column("detected_at", T.TimestampType(), "When the gap was found, UTC", nullable=False),
        BATCH_ID,
    ]
)

MODEL_TIMELINE = T.StructType(
    [
        column("from_batch", T.LongType(), "First micro-batch that the event applies to", nullable=False),
        column("model_name", T.StringType(), "Registered model", nullable=False),
        column("model_version", T.StringType(), "Version of the registered model", nullable=False),
        column("run_id", T.StringType(), "MLflow run that trained the version"),
        column("digest", T.StringType(), "SHA-256 over the model's files; null if they could not be fetched"),
        column("pinned_at", T.TimestampType(), "When the job decided it, UTC", nullable=False),
        column("role", T.StringType(), "champion or challenger", nullable=False),
        column("event", T.StringType(), "scores, refused, withdrawn or benched", nullable=False),
        column("reason", T.StringType(), "Why; null for scores"),
    ]
)

OUTCOMES = T.StructType(
    [
        column("unit_id", T.StringType(), "Session, visitor or click, as outcome.unit says", nullable=False),
        column("state", T.StringType(), "open: its time is not over; closed: it is; censored: nobody will know", False),
        column("success", T.BooleanType(), "Whether it has succeeded; null unless it is closed"),
        column("first_click", T.TimestampType(), "Event time of its first click, UTC", nullable=False),
        column("last_click", T.TimestampType(), "Event time of its last click before until, UTC", nullable=False),
        column("clicks", T.LongType(), "How many clicks it had before until", nullable=False),
        column("until", T.TimestampType(), "When its time is over, UTC; later clicks do not belong to it", False),
        column("succeeded_at", T.TimestampType(), "Event time of its first success, UTC; also while it is open"),
        column("known_at", T.TimestampType(), "Event time from which on its success is known; null unless closed"),
    ]
)


def raw(kept: Iterable[T.StructField] = ()) -> T.StructType:
    """Return what every source yields: one row per record, with where it came from and when."""
    lineage = [T.StructField(field.name, field.dataType) for field in (*LINEAGE, *kept)]
    return T.StructType([T.StructField(VALUE, T.BinaryType()), *lineage, SOURCE_TIME])


def scored_clicks(
    click: T.StructType, kept: Iterable[T.StructField] = (), scores: Scores | None = None
) -> T.StructType:
    """Return the columns of ``scored_clicks``: the click's fields, then the scores, the model and the lineage."""
    scores = scores or Scores()
    others = [column(name, T.DoubleType(), f"Output {name} of the model") for name in scores.columns[1:]]
    challenger = CHALLENGER if scores.is_challenged else ()
    return T.StructType([*click.fields, _SCORE, *others, *_MODEL, *challenger, *LINEAGE, *kept, BATCH_ID])


def rejected_clicks(kept: Iterable[T.StructField] = (), raw: str = KEEP) -> T.StructType:
    """Return the columns of ``rejected_clicks``: the record, or what is kept of it, its reason, then the lineage."""
    return T.StructType([column("raw", T.StringType(), _RAW[raw]), *_REASON, *LINEAGE, *kept, _RECEIVED_AT, BATCH_ID])


REJECTED_CLICKS = rejected_clicks()


@dataclass(frozen=True)
class Layout:
    """The columns of the output tables of a run.

    Attributes:
        click: the fields of a click, as they are kept.
        id: the field that tells clicks apart.
        time: the field with the event time.
        visitor: the field that tells visitors apart.
        kept: columns of lineage beyond ``LINEAGE``.
        scores: the scores that a click gets.
        raw_rule: what is kept of a rejected record: ``keep``, ``masked`` or ``drop``.
    """

    click: T.StructType
    id: str
    time: str
    visitor: str
    kept: tuple[T.StructField, ...] = ()
    scores: Scores = Scores()
    raw_rule: str = KEEP

    @property
    def raw(self) -> T.StructType:
        """What the source yields."""
        return raw(self.kept)

    @property
    def scored(self) -> T.StructType:
        """The columns of ``scored_clicks``."""
        return scored_clicks(self.click, self.kept, self.scores)

    @property
    def rejected(self) -> T.StructType:
        """The columns of ``rejected_clicks``."""
        return rejected_clicks(self.kept, self.raw_rule)

    @property
    def listed(self) -> T.StructType:
        """The columns of a rejected record that comes to the driver."""
        reason, detail = (T.StructField(name, T.StringType()) for name in ("reason", "detail"))
        return T.StructType([T.StructField(VALUE, T.BinaryType()), reason, detail, *LINEAGE, *self.kept])

    @property
    def lineage(self) -> list[str]:
        """Names of the columns that say where a record came from."""
        return [field.name for field in (*LINEAGE, *self.kept)]
