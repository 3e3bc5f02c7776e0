"""Preflight: everything that can be checked before the stream starts is checked, and all problems are returned."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from clickscore.config.run import Config
from clickscore.config.source import Source
from clickscore.errors import DataLossError, ModelError, PreflightError, WiringError
from clickscore.monitoring.lineage_transport import connect
from clickscore.registry.version import ModelVersion
from clickscore.scoring.contract import Contract
from clickscore.scoring.features import Features, check_features, read_features
from clickscore.scoring.wire import check_registry
from clickscore.sources.gap_detection import TopicWatch
from clickscore.sources.gaps import Gap, describe_loss
from clickscore.sources.identity import settle
from clickscore.sources.kinds import check_source, kind_of
from clickscore.storage import schemas, stream_metrics
from clickscore.storage.checkpoint import Checkpoint, check_belongs, check_logs, check_state, read_checkpoint
from clickscore.storage.constraints import check_unconstrained
from clickscore.storage.model_timeline import Pin, read_pin
from clickscore.storage.privacy import check_privacy
from clickscore.storage.protocol import check_readable, check_writable
from clickscore.storage.table import Table
from clickscore.stream.definition import (
    Definition,
    define_contract,
    define_layout,
    field_origins,
    privacy_properties,
)
from clickscore.stream.placement import check_placement
from clickscore.stream.refusals import check_ledger

Part = TypeVar("Part")


@dataclass(frozen=True)
class Wiring:
    """The parts of a run that fit together.

    Attributes:
        config: the run; a folder by the name under which the stream has always read it.
        definition: what the run computes.
        model: the current version.
        checkpoint: where the stream resumes.
        scored: ``scored_clicks``.
        rejected: ``rejected_clicks``.
        timeline: the model timeline.
        metrics: ``stream_metrics``.
        watch: over the topics, where the source is Kafka.
        gaps: what is lost from the topics, which the person who runs the job has accepted.
    """

    config: Config
    definition: Definition
    model: ModelVersion
    checkpoint: Checkpoint
    scored: Table
    rejected: Table
    timeline: Table
    metrics: Table
    watch: TopicWatch | None
    gaps: tuple[Gap, ...]


@dataclass(frozen=True)
class Findings:
    """What is known of a run before it starts: the parts that are right, and what is wrong with the others.

    Attributes:
        contract: what a click is.
        features: what is computed from it.
        model: the champion.
        wiring: all parts, if they fit together.
        warnings: warnings for the console.
        problems: everything for which the run is refused.
    """

    contract: Contract | None
    features: Features | None
    model: ModelVersion | None
    wiring: Wiring | None
    warnings: tuple[str, ...]
    problems: tuple[WiringError, ...]

    def require(self) -> Wiring:
        """Return the wiring.

        Raises:
            WiringError: the problem if there is one, a ``PreflightError`` with all of them if there are more.
        """
        if not self.wiring:
            raise self.problems[0] if len(self.problems) == 1 else PreflightError(self.problems)
        return self.wiring


class _Problems(list[WiringError]):
    """The problems that were found, each of them once."""

    def attempt(self, step: Callable[[], Part]) -> Part | None:
        """Return the result of a check; note what is wrong, and return None."""
        try:
            return step()
        except WiringError as error:
            if str(error) not in map(str, self):
                self.append(error)
            return None

    def passes(self, step: Callable[[], object]) -> bool:
        """Tell whether a check finds nothing wrong."""
        before = len(self)
        self.attempt(step)
        return len(self) == before


def check(
    spark: SparkSession, config: Config, fetching: "Future[ModelVersion]",
    fetch: Callable[[str, str], ModelVersion], try_out: Callable[[ModelVersion], None], accept_loss: bool = False,
    look: Callable[[SparkSession, Source], None] = check_source,
) -> Findings:  # fmt: skip
    """Check everything that can be checked without reading a click.

    A check that needs a part which is wrong itself is left out: it has nothing to say.

    Args:
        spark: the session.
        config: the run.
        fetching: brings the version that the configuration stands for.
        fetch: brings any version by name and version.
        try_out: lets the executors load a version and score its input example.
        accept_loss: whether records may be gone from the source.
        look: makes sure that the source is there.
    """
    found, where = _Problems(), str(config.features)
    scored, rejected = Table(config.output.scored), Table(config.output.rejected)
    timeline, metrics = scored.beside("model_timeline"), scored.beside(stream_metrics.NAME)
    watch, gaps, warnings = None, list[Gap](), list[str]()

    contract = found.attempt(lambda: define_contract(config))
    features = found.attempt(lambda: read_features(config.features, contract.click)) if contract else None
    produced = features.schema if features else None
    is_placed = found.passes(lambda: check_placement(spark, config))
    checkpoint = found.attempt(lambda: read_checkpoint(spark, config.checkpoint)) if is_placed else None
    is_there = is_placed and found.passes(lambda: look(spark, config.source))
    source = found.attempt(lambda: settle(spark, config.source, checkpoint)) if checkpoint and is_there else None
    if contract:
        found.attempt(lambda: check_registry(contract.click))
    if contract and source:
        found.attempt(lambda: kind_of(source).check_fields(spark, source, field_origins(contract.click)))

    shapes = {timeline: schemas.MODEL_TIMELINE, metrics: stream_metrics.STREAM_METRICS} if is_placed else {}
    if contract and is_placed:
        layout = define_layout(config, contract)
        shapes |= {scored: layout.scored, rejected: layout.rejected}
    looks = {table: _properties_if_sound(found, spark, table, shape) for table, shape in shapes.items()}
    sound = {table: properties for table, properties in looks.items() if properties is not None}
    for table, properties in sound.items():
        if table != scored:
            found.attempt(partial(check_unconstrained, spark, table, properties))
        if contract and table in (scored, rejected):
            found.attempt(partial(check_privacy, spark, table, privacy_properties(contract)))

    pin = None
    if checkpoint and sound.get(timeline):
        pin = read_pin(spark, timeline, checkpoint.last_planned)
    model = found.attempt(lambda: _champion(fetching, fetch, pin, warnings))
    if model:
        found.attempt(lambda: try_out(model))
        if pin and checkpoint:
            found.attempt(lambda: _check_pin(pin, model, checkpoint, fetch, produced, where))
    if produced is not None and model:
        # What the champion does not know may be for the challenger, which is checked once it is there.
        others = produced if config.model.challenger else None
        found.attempt(lambda: check_features(produced, model.inputs, where, others))

    if checkpoint:
        for table, properties in sound.items():
            if table == metrics and not properties:
                continue  # an earlier version of clickscore had none
            found.attempt(partial(check_belongs, spark, checkpoint, table, properties))
        found.attempt(lambda: check_state(spark, checkpoint, config.deduplicate is not None))
        if scored in sound and rejected in sound:
            is_whole = found.passes(lambda: check_logs(spark, checkpoint, (scored, rejected)))
            if is_whole and source:
                watch_gaps = kind_of(source).watch_gaps
                watch = found.attempt(partial(watch_gaps, spark, source, config.checkpoint, scored, rejected))
            if watch:
                of_gaps = _properties_if_sound(found, spark, watch.gaps_table, schemas.SOURCE_GAPS)
                found.attempt(partial(check_unconstrained, spark, watch.gaps_table, of_gaps or {}))
                gaps = found.attempt(partial(watch.gaps_ahead, checkpoint)) or []
    if is_placed:
        found.attempt(lambda: check_ledger(spark, config))
    if config.lineage:
        found.attempt(partial(connect, config.lineage))
    if gaps and not accept_loss:
        found.append(DataLossError(describe_loss(gaps)))
    warnings += map(str, gaps)

    wiring = None
    if contract and features and checkpoint and source and model and not found:
        definition = Definition(contract, features, define_layout(config, contract))
        settled = config.model_copy(update={"source": source})
        wiring = Wiring(settled, definition, model, checkpoint, scored, rejected, timeline, metrics, watch, tuple(gaps))
    return Findings(contract, features, model, wiring, tuple(warnings), tuple(found))


def _properties_if_sound(
    found: _Problems, spark: SparkSession, table: Table, shape: T.StructType
) -> Mapping[str, str] | None:
    """Return the properties of a table that can be read and written and takes the rows; none of one not there yet."""

    def look() -> Mapping[str, str]:
        check_readable(spark, table)
        table.check(spark, shape)
        properties = table.found_properties(spark)
        check_writable(spark, table, properties)
        return properties

    return found.attempt(look)


def _champion(
    fetching: "Future[ModelVersion]", fetch: Callable[[str, str], ModelVersion], pin: Pin | None, warnings: list[str]
) -> ModelVersion:
    """Return the champion; the last active one, where the version of the alias is unavailable."""
    try:
        model = fetching.result()
    except ModelError as fault:
        if not pin:
            raise
        try:
            model = fetch(pin.name, pin.version)
        except ModelError:
            raise fault from None
        warnings.append(f"{fault} Continuing with {model.label}, the last active version.")
    warnings += model.doubts
    return model


def _check_pin(
    pin: Pin, model: ModelVersion, checkpoint: Checkpoint, fetch: Callable[[str, str], ModelVersion],
    produced: pa.Schema | None, where: str,
) -> None:  # fmt: skip
    """Make sure that the version which the timeline names is unchanged, and can score what it is pinned for."""
    pin.check(model)
    if model.is_remote:
        return  # its endpoint brings no other version back: the timeline decides who scores what is pinned
    if checkpoint.last_planned > checkpoint.last_done and pin[:2] != model.key:
        # The interrupted micro-batch is pinned to it; that it cannot be had, or used, any more is said here.
        promised = pin.check(fetch(pin.name, pin.version))
        if produced is not None:
            check_features(produced, promised.inputs, where, produced)
