"""The wiring of a batch: configuration, model, checkpoint and tables are checked before a record is read."""

from dataclasses import dataclass

from pyspark.sql import SparkSession

from clickscore.config.model import split_uri
from clickscore.config.run import Config
from clickscore.errors import CheckpointError, ConfigError, TableError
from clickscore.registry.version import ModelVersion
from clickscore.scoring.features import check_features
from clickscore.sources.identity import settle
from clickscore.sources.kinds import check_source
from clickscore.storage.backfills import BACKFILLS, NAME
from clickscore.storage.checkpoint import Checkpoint, read_checkpoint
from clickscore.storage.constraints import check_unconstrained
from clickscore.storage.privacy import check_privacy
from clickscore.storage.protocol import check_readable, check_writable
from clickscore.storage.schemas import SOURCE_GAPS
from clickscore.storage.table import Table
from clickscore.stream.definition import Definition, privacy_properties, read_definition
from clickscore.stream.refusals import check_ledger


@dataclass(frozen=True)
class Wiring:
    """The parts of a backfill that fit together.

    Attributes:
        config: the run; a folder by the name under which the stream reads it.
        definition: contract, features, and the columns of the tables.
        checkpoint: of the stream.
        stream: its id.
        scored: ``scored_clicks``.
        rejected: ``rejected_clicks``.
    """

    config: Config
    definition: Definition
    checkpoint: Checkpoint
    stream: str
    scored: Table
    rejected: Table


def with_version(config: Config, version: int | None, alias: str | None) -> Config:
    """Return the run with another version of its model, by number or by alias, if one is named."""
    if version is None and alias is None:
        return config
    name, _, _ = split_uri(config.model.uri)
    uri = f"models:/{name}@{alias}" if alias else f"models:/{name}/{version}"
    return config.model_copy(update={"model": config.model.model_copy(update={"uri": uri})})


def check_model(config: Config, model: ModelVersion) -> Definition:
    """Make sure that features and model fit together; return what is computed.

    Raises:
        WiringError: if they do not.
    """
    definition = read_definition(config)
    produced = definition.features.schema
    check_features(produced, model.inputs, str(config.features), produced if config.model.challenger else None)
    return definition


def check_whole(definition: Definition) -> None:
    """Make sure that the rows of ``scored_clicks`` are the clicks that were scored, so that they can be scored again.

    Raises:
        ConfigError: if rules of privacy protect some of their fields.
    """
    protection = definition.contract.protection
    if protection and protection.rules:
        why = (
            f"expected no rules, found some for {', '.join(protection.rules)}: the rows of scored_clicks are not the "
            f"clicks that the features were computed from, so they cannot be scored again. Score the records of the "
            f"source again, with a new checkpoint and new tables"
        )
        raise ConfigError("privacy.fields", [why])


def check(spark: SparkSession, config: Config, model: ModelVersion) -> Wiring:
    """Make sure that a backfill can write into the tables of the stream.

    Raises:
        WiringError: for the first part that does not fit.
    """
    definition = check_model(config, model)
    checkpoint = read_checkpoint(spark, config.checkpoint)
    if checkpoint.stream is None:
        raise CheckpointError(
            f"{config.checkpoint}: no stream has begun here, so nothing says what it will read itself. Start it first: "
            f"jobs/score_stream.py --config ..."
        )
    scored, rejected = Table(config.output.scored), Table(config.output.rejected)
    for table, shape in ((scored, definition.layout.scored), (rejected, definition.layout.rejected)):
        check_readable(spark, table)
        if not table.exists(spark):
            raise TableError(f"{table.name} does not exist. Correct its name under output, or restore it.")
        table.check(spark, shape)
        check_writable(spark, table, properties := table.properties(spark))
        check_privacy(spark, table, privacy_properties(definition.contract))
        if table == rejected:
            check_unconstrained(spark, table, properties)
        if (bound := table.stream(spark)) != checkpoint.stream:
            raise CheckpointError(
                f"{table.name} is written by stream {bound}, but the checkpoint {checkpoint.path} belongs to stream "
                f"{checkpoint.stream}. Name the checkpoint and the tables of one stream."
            )
    scored.beside(NAME).check(spark, BACKFILLS)
    gaps = scored.beside("source_gaps")
    check_readable(spark, gaps)
    gaps.check(spark, SOURCE_GAPS)
    check_writable(spark, gaps, properties := gaps.found_properties(spark))
    check_unconstrained(spark, gaps, properties)
    check_ledger(spark, config)
    check_source(spark, config.source)
    settled = config.model_copy(update={"source": settle(spark, config.source, checkpoint)})
    return Wiring(settled, definition, checkpoint, checkpoint.stream, scored, rejected)
