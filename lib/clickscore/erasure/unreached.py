"""What an erasure does not reach: said each time, so that a person can go on there."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.config.run import Config
from clickscore.config.source import DeltaSource, FolderSource, KafkaSource
from clickscore.errors import SourceError
from clickscore.outcomes.joined import NAME as OUTCOMES
from clickscore.sources.kafka_admin import read_retention
from clickscore.storage.backfills import Backfills
from clickscore.storage.table import LOG_PROPERTY, Table
from clickscore.storage.table_log import DELTA_RETENTION

FILES_PROPERTY = "delta.deletedFileRetentionDuration"
"""How long Delta keeps files that a table has removed."""
_DEFAULTS = {FILES_PROPERTY: "interval 1 week", LOG_PROPERTY: DELTA_RETENTION}
_DATE = "%Y-%m-%d %H:%M UTC"


def unreached(
    spark: SparkSession, config: Config, tables: Iterable[Table], erased_at: datetime, is_finished: bool = False
) -> Iterator[str]:  # fmt: skip
    """Yield what still holds records of visitors after an erasure, and until when, one sentence each.

    Args:
        spark: the session.
        config: the run.
        tables: those that have lost rows.
        erased_at: when they have lost them.
        is_finished: whether their old files are gone.
    """
    yield from of_source(spark, config.source)
    if config.service and config.service.write_behind:
        yield f"the folder {config.service.write_behind.path} of the service: delete its records yourself"
    for table in tables:
        files, log = (kept_until(spark, table, name, erased_at) for name in (FILES_PROPERTY, LOG_PROPERTY))
        if not is_finished:
            yield f"{table.name}: older versions have the rows until --finish runs, on {files:{_DATE}} or later"
        yield f"{table.name}: the log has the smallest and largest visitor of old files until {log:{_DATE}} or later"
    if is_beyond_clicks(config) and (outcomes := Table(config.output.scored).beside(OUTCOMES)).exists(spark):
        yield f"{outcomes.name}: units whose clicks retention has removed, as nobody can tell whose they were"
    planned = Backfills.of(spark, Table(config.output.scored), "").planned()
    for place in sorted(row.place for row in planned.where("place IS NOT NULL").select("place").distinct().collect()):
        yield f"{place}: the files that a backfill has read; delete or rewrite them yourself"
    if config.training:
        yield f"{config.training.clicks}: the clicks that models are trained on"
    yield f"{config.model.uri}: models that were trained on clicks of these visitors; train them again without those"
    if config.deduplicate:
        window = timedelta(milliseconds=config.deduplicate.window_ms)
        yield f"{config.checkpoint}: ids of clicks, not of visitors, for {window} and as long as Spark keeps its state"
    yield "copies that others have made: readers of the tables, exports, back-ups"


def is_beyond_clicks(config: Config) -> bool:
    """Tell whether outcomes may stay when the clicks are gone that tell whose they are."""
    if not (config.outcome and config.retention) or config.outcome.unit == "visitor":
        return False
    kept = config.retention.intervals
    return "scored" in kept and kept.get("outcomes") != kept["scored"]


def kept_until(spark: SparkSession, table: Table, name: str, since: datetime) -> datetime:
    """Return until when Delta keeps what a table no longer needs since some moment.

    Args:
        spark: the session.
        table: the table.
        name: the property with the interval.
        since: the moment.
    """
    interval = as_sql(table.properties(spark).get(name, _DEFAULTS[name]))
    until: datetime = spark.range(1).select(F.unix_micros(F.lit(since) + F.expr(interval))).collect()[0][0]
    return datetime.fromtimestamp(int(str(until)) / 1e6, timezone.utc)


def as_sql(interval: str) -> str:
    """Return an interval of a table's property as SQL writes it; Delta also takes it without its first word."""
    return interval if interval.lstrip().lower().startswith("interval") else f"INTERVAL {interval}"


def of_source(spark: SparkSession, source: Any) -> Iterator[str]:
    """Yield what the source still holds, one sentence each."""
    match source:
        case FolderSource():
            yield f"{source.path}: the files that were read; delete or rewrite them yourself"
        case DeltaSource():
            yield f"{source.table}: the table that is read; delete the rows there, and vacuum it"
        case KafkaSource():
            try:
                for topic, kept_ms in sorted(read_retention(spark, source).items()):
                    yield f"topic {topic}: its records stay {_for(kept_ms)}"
            except SourceError as error:  # what is not known is said, and is no reason to stop
                yield f"the topics: it is not known how long their records stay: {error}"


def _for(kept_ms: int | None) -> str:
    if kept_ms is None:
        return "for good (retention.ms=-1, or the topic is compacted): write a tombstone for their keys"
    return f"for {timedelta(milliseconds=kept_ms)} after they were written"
