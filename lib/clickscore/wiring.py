"""The wiring of a run: everything that can be checked before the stream starts, checked."""

from concurrent.futures import Future
from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore import features, pipeline, schemas
from clickscore.checkpoint import Checkpoint, check_belongs, check_state, read_checkpoint
from clickscore.config import Config
from clickscore.contract import feature_types, read_contract
from clickscore.errors import ConfigError, DataLossError, first_line
from clickscore.gaps import AGED_OUT, Gap
from clickscore.model import predict_with
from clickscore.pipeline import Contract
from clickscore.registry import ModelVersion
from clickscore.scoring import Stamp
from clickscore.source_config import KafkaSource
from clickscore.sources import check_source
from clickscore.tables import Table
from clickscore.topicwatch import TopicWatch


@dataclass(frozen=True)
class Wiring:
    """The parts of a run that fit together.

    Attributes:
        config: the run.
        contract: what a click is.
        model: the current version.
        checkpoint: where the stream goes on.
        scored: ``scored_clicks``.
        rejected: ``rejected_clicks``.
        timeline: the model timeline.
        watch: over the topics, where the source is Kafka.
        gaps: what is lost from the topics, which the person who runs the job has accepted.
    """

    config: Config
    contract: Contract
    model: ModelVersion
    checkpoint: Checkpoint
    scored: Table
    rejected: Table
    timeline: Table
    watch: TopicWatch | None
    gaps: tuple[Gap, ...]


def check(spark: SparkSession, config: Config, fetching: "Future[ModelVersion]", accept_loss: bool = False) -> Wiring:
    """Check everything that can be checked without reading a click.

    Raises:
        ClickscoreError: for the first part that does not fit, with all that is wrong with it.
    """
    contract = read_contract(config)
    model = fetching.result()
    features.check_features(feature_types(spark, contract, str(config.features)), model.inputs, str(config.features))
    check_source(spark, config.source)
    scored, rejected = Table(config.output.scored), Table(config.output.rejected)
    timeline = scored.beside("model_timeline")
    scored.check(spark, schemas.scored_clicks(contract.click, contract.kept))
    rejected.check(spark, schemas.rejected_clicks(contract.kept))
    timeline.check(spark, schemas.MODEL_TIMELINE)
    _rehearse(spark, contract, model, str(config.features))
    checkpoint = read_checkpoint(spark, config.checkpoint)
    for table in (scored, rejected, timeline):
        check_belongs(spark, checkpoint, table)
    check_state(spark, checkpoint, config.deduplicate is not None)
    watch, gaps = None, []
    if isinstance(config.source, KafkaSource):
        watch = TopicWatch(spark, config.source, config.checkpoint, scored, rejected)
        watch.gaps_table.check(spark, schemas.SOURCE_GAPS)
        gaps = watch.gaps_ahead(checkpoint)
        if gaps and not accept_loss:
            raise DataLossError(describe_loss(gaps))
    return Wiring(config, contract, model, checkpoint, scored, rejected, timeline, watch, tuple(gaps))


def describe_loss(gaps: list[Gap]) -> str:
    """Say what is lost and what can be done about it."""
    lines = "\n".join(f"  - {gap}" for gap in gaps)
    has_aged = any(gap.reason == AGED_OUT for gap in gaps)
    return (
        f"records are gone from the source before they were read:\n{lines}\n"
        f"Bring them back, if there is a copy; or start with --accept-loss to go on behind them, which writes each gap "
        f"to the table source_gaps; or begin anew with a new checkpoint and new tables."
    ) + (" A longer retention.ms of the topic keeps this from happening again." if has_aged else "")


def _rehearse(spark: SparkSession, contract: Contract, model: ModelVersion, where: str) -> None:
    """Plan a micro-batch without records: what Spark cannot plan, it says here instead of in the stream."""
    stamp = Stamp(0, F.current_timestamp(), model.name, model.version)
    try:
        outcomes = pipeline.with_outcomes(spark.createDataFrame([], schemas.raw(contract.kept)), contract, model.inputs)
        pipeline.scored(outcomes, contract, predict_with(model), stamp)
    except AnalysisException as error:
        raise ConfigError(where, [first_line(error)]) from None
