"""The wiring of a run: everything that can be checked before the stream starts, checked."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import SparkSession

from clickscore.config.run import Config
from clickscore.config.source import Source
from clickscore.errors import DataLossError, ModelError
from clickscore.registry.version import ModelVersion
from clickscore.scoring.features import check_features
from clickscore.sources.gap_detection import TopicWatch
from clickscore.sources.gaps import AGED_OUT, Gap
from clickscore.sources.kinds import check_source, kind_of
from clickscore.storage import schemas
from clickscore.storage.checkpoint import Checkpoint, check_belongs, check_logs, check_state, read_checkpoint
from clickscore.storage.model_timeline import read_pin
from clickscore.storage.table import Table
from clickscore.stream.definition import Definition, read_definition


@dataclass(frozen=True)
class Wiring:
    """The parts of a run that fit together.

    Attributes:
        config: the run.
        definition: what the run computes.
        model: the current version.
        checkpoint: where the stream goes on.
        scored: ``scored_clicks``.
        rejected: ``rejected_clicks``.
        timeline: the model timeline.
        watch: over the topics, where the source is Kafka.
        gaps: what is lost from the topics, which the person who runs the job has accepted.
        warnings: what the person should know.
    """

    config: Config
    definition: Definition
    model: ModelVersion
    checkpoint: Checkpoint
    scored: Table
    rejected: Table
    timeline: Table
    watch: TopicWatch | None
    gaps: tuple[Gap, ...]
    warnings: tuple[str, ...]


def check(
    spark: SparkSession, config: Config, fetching: "Future[ModelVersion]",
    fetch: Callable[[str, str], ModelVersion], accept_loss: bool = False,
    look: Callable[[SparkSession, Source], None] = check_source,
) -> Wiring:  # fmt: skip
    """Check everything that can be checked without reading a click.

    Args:
        spark: the session.
        config: the run.
        fetching: brings the version that the configuration stands for.
        fetch: brings any version by name and version.
        accept_loss: whether records may be gone from the source.
        look: makes sure that the source is there.

    Raises:
        ClickscoreError: for the first part that does not fit, with all that is wrong with it.
    """
    definition = read_definition(config)
    layout, produced = definition.layout, definition.features.schema
    scored, rejected = Table(config.output.scored), Table(config.output.rejected)
    timeline = scored.beside("model_timeline")
    checkpoint = read_checkpoint(spark, config.checkpoint)
    where = str(config.features)
    timeline.check(spark, schemas.MODEL_TIMELINE)
    model, warnings = _champion(spark, config, produced, timeline, checkpoint, fetching, fetch)
    if not config.model.challenger:
        check_features(produced, model.inputs, where)
    else:  # What the champion does not know may be for the challenger, which is checked once it is there.
        check_features(produced, model.inputs, where, produced)
    look(spark, config.source)
    scored.check(spark, layout.scored)
    rejected.check(spark, layout.rejected)
    for table in (scored, rejected, timeline):
        check_belongs(spark, checkpoint, table)
    check_logs(spark, checkpoint, (scored, rejected))
    check_state(spark, checkpoint, config.deduplicate is not None)
    watch, gaps = kind_of(config.source).watch_gaps(spark, config.source, config.checkpoint, scored, rejected), []
    if watch:
        watch.gaps_table.check(spark, schemas.SOURCE_GAPS)
        gaps = watch.gaps_ahead(checkpoint)
        if gaps and not accept_loss:
            raise DataLossError(describe_loss(gaps))
    warnings += map(str, gaps)
    return Wiring(
        config, definition, model, checkpoint, scored, rejected, timeline, watch, tuple(gaps), tuple(warnings)
    )


def _champion(
    spark: SparkSession, config: Config, produced: pa.Schema, timeline: Table, checkpoint: Checkpoint,
    fetching: "Future[ModelVersion]", fetch: Callable[[str, str], ModelVersion],
) -> tuple[ModelVersion, list[str]]:  # fmt: skip
    """Return the champion; the last one that was at work, where the one that the alias stands for cannot be had."""
    pin = read_pin(spark, timeline, checkpoint.last_planned) if timeline.exists(spark) else None
    warnings = []
    try:
        model = fetching.result()
    except ModelError as fault:
        if not pin:
            raise
        try:
            model = fetch(pin.name, pin.version)
        except ModelError:
            raise fault from None
        warnings.append(f"{fault} Going on with {model.label}, which was at work last.")
    if pin:
        pin.check(model)
        if checkpoint.last_planned > checkpoint.last_done and pin[:2] != model.key:
            # The interrupted micro-batch was promised to it; that it cannot be had, or used, any more is said here.
            promised = pin.check(fetch(pin.name, pin.version))
            check_features(produced, promised.inputs, str(config.features), produced)
    return model, [*warnings, *model.doubts]


def describe_loss(gaps: list[Gap]) -> str:
    """Say what is lost and what can be done about it."""
    lines = "\n".join(f"  - {gap}" for gap in gaps)
    has_aged = any(gap.reason == AGED_OUT for gap in gaps)
    return (
        f"records are gone from the source before they were read:\n{lines}\n"
        f"Bring them back, if there is a copy; or start with --accept-loss to go on behind them, which writes each gap "
        f"to the table source_gaps; or begin anew with a new checkpoint and new tables."
    ) + (" A longer retention.ms of the topic keeps this from happening again." if has_aged else "")
