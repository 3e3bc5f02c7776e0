"""The composition root of the stream: checks the wiring, puts the parts together, runs them to the end."""

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from pyspark.errors import AnalysisException, StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery
from rich.console import Console

from clickscore import features, files, pipeline, schemas
from clickscore.checkpoint import Checkpoint, check_belongs, read_checkpoint
from clickscore.config import AVAILABLE_NOW, Config, FolderSource
from clickscore.contract import feature_types, read_contract
from clickscore.errors import ClickscoreError, ConfigError, ModelError, first_line
from clickscore.microbatch import MicroBatches, StopRequestedError, Tables, UnreadableFileError
from clickscore.model import predict_with, share, warm_up
from clickscore.pipeline import Contract
from clickscore.progress import ProgressLines
from clickscore.registry import ModelVersion, Registry, redacted
from clickscore.scoring import Predict, Stamp
from clickscore.sources import FILE_NAMES, check_source, read_stream
from clickscore.summary import print_summary
from clickscore.tables import Table
from clickscore.timeline import Timeline

POLL_SECONDS = 1
"""How often the main thread looks whether it has been asked to stop."""


@dataclass(frozen=True)
class Wiring:
    """Everything that has been checked before the stream starts."""

    config: Config
    contract: Contract
    model: ModelVersion
    checkpoint: Checkpoint
    scored: Table
    rejected: Table
    timeline: Table


def run(config: Config, make_session: Callable[[], SparkSession], console: Console) -> None:
    """Score the clicks of the source until it is exhausted, or until the process is asked to stop.

    Args:
        config: the run.
        make_session: builds the session; the model is fetched while it starts.
        console: where the progress goes.

    Raises:
        ClickscoreError: if the wiring is wrong; nothing has been read or written then.
        StreamingQueryException: if the stream fails.
    """
    with tempfile.TemporaryDirectory(prefix="clickscore-") as folder, ThreadPoolExecutor(1) as aside:
        fetching = aside.submit(_fetch_current, config, Path(folder))
        spark = make_session()
        # From here on: before, there is nothing to finish, and the session sets a handler of its own.
        with _stop_signals() as stopping:
            warming = aside.submit(_warm_up, spark, fetching)
            wiring = check(spark, config, fetching)
            warming.result()
            fetch = partial(_fetch_version, config, Path(folder))
            is_finite = config.trigger == AVAILABLE_NOW
            backlog = _files_to_read(spark, wiring) if is_finite and console.is_terminal else None
            with ProgressLines(console, backlog) as lines:
                _run_stream(spark, wiring, fetch, lines, stopping)
            print_summary(spark, console, config.output, config.click, lines)


def _fetch_current(config: Config, folder: Path) -> ModelVersion:
    try:
        registry = Registry(config.model.registry)
        return registry.fetch(*registry.resolve(config.model.uri), folder)
    except ClickscoreError:
        raise
    except Exception as error:
        # A registry is a server, a database or a folder, each with errors of its own without a common class. Whatever
        # it raises, there is no model: one message and exit status 2, with the cause chained.
        where = f"model: {config.model.uri} cannot be fetched from {config.model.registry}"
        raise ModelError(redacted(f"{where}: {type(error).__name__}: {first_line(error)}")) from error


def _warm_up(spark: SparkSession, fetching: "Future[ModelVersion]") -> None:
    model = fetching.result()
    share(spark, model)
    warm_up(spark, model)


def _fetch_version(config: Config, folder: Path, name: str, version: str) -> ModelVersion:
    return Registry(config.model.registry).fetch(name, version, folder)


def check(spark: SparkSession, config: Config, fetching: "Future[ModelVersion]") -> Wiring:
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
    scored.check(spark, schemas.scored_clicks(contract.click))
    rejected.check(spark, schemas.REJECTED_CLICKS)
    timeline.check(spark, schemas.MODEL_TIMELINE)
    _rehearse(spark, contract, model, str(config.features))
    checkpoint = read_checkpoint(spark, config.checkpoint)
    for table in (scored, rejected, timeline):
        check_belongs(spark, checkpoint, table)
    return Wiring(config, contract, model, checkpoint, scored, rejected, timeline)


def _rehearse(spark: SparkSession, contract: Contract, model: ModelVersion, where: str) -> None:
    """Plan a micro-batch without records: what Spark cannot plan, it says here instead of in the stream."""
    stamp = Stamp(0, F.current_timestamp(), model.name, model.version)
    try:
        outcomes = pipeline.with_outcomes(spark.createDataFrame([], schemas.RAW), contract, model.inputs)
        pipeline.scored(outcomes, contract, predict_with(model), stamp)
    except AnalysisException as error:
        raise ConfigError(where, [first_line(error)]) from None


def _files_to_read(spark: SparkSession, wiring: Wiring) -> int | None:
    source = wiring.config.source
    if not isinstance(source, FolderSource):
        return None
    present = {files.plain_path(row.path) for row in files.list_files(spark, source.path, FILE_NAMES).collect()}
    log = f"{wiring.checkpoint.path}/sources/0"
    if files.path_exists(spark, log):
        seen = spark.read.schema("path STRING").json(log).where("path IS NOT NULL").collect()
        present -= {files.plain_path(row.path) for row in seen}
    return len(present)


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT in the list that it yields instead of dying of them."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield received
        return
    before = {
        number: signal.signal(number, lambda n, _: received.append(n)) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_stream(
    spark: SparkSession, wiring: Wiring, fetch: Callable[[str, str], ModelVersion], lines: ProgressLines,
    stopping: list[int],
) -> None:  # fmt: skip
    @cache
    def predict(model: ModelVersion) -> Predict:
        share(spark, model)
        return predict_with(model)

    unreadable: list[UnreadableFileError] = []
    while not stopping:
        # A file that cannot be read ends the query; the next one plans the same micro-batch again without the file.
        checkpoint = read_checkpoint(spark, wiring.checkpoint.path) if unreadable else wiring.checkpoint
        batches = MicroBatches(
            spark, wiring.contract, predict, checkpoint.last_planned, lines.report, unreadable=unreadable
        )
        query = _start(spark, wiring.config, batches)
        try:
            batches.tables.set_result(_bind_tables(spark, wiring, checkpoint, fetch, str(query.id)))
            _await(query, batches, stopping)
        except StreamingQueryException:
            if isinstance(batches.failure, StopRequestedError):
                return
            if not isinstance(batches.failure, UnreadableFileError):
                raise
            if batches.failure.path in [file.path for file in unreadable]:
                raise  # passing over it did not help, so it never will
            unreadable.append(batches.failure)
            lines.console.print(f"cannot read {batches.failure}; it goes to the rejected clicks", style="yellow")
        else:
            return
        finally:
            batches.tables.cancel()
            query.stop()


def _start(spark: SparkSession, config: Config, batches: MicroBatches) -> StreamingQuery:
    raw = read_stream(spark, config.source, [file.path for file in batches.unreadable])
    writer = raw.writeStream.queryName("clickscore").option("checkpointLocation", config.checkpoint)
    if config.trigger == AVAILABLE_NOW:
        writer = writer.trigger(availableNow=True)
    else:
        writer = writer.trigger(processingTime=config.trigger)
    return writer.foreachBatch(batches).start()


def _bind_tables(
    spark: SparkSession, wiring: Wiring, checkpoint: Checkpoint, fetch: Callable[[str, str], ModelVersion], stream: str
) -> Tables:
    """Create the tables that are missing and bind all of them to the stream, now that it has an id."""
    click = wiring.config.click
    wiring.scored.create(
        spark, schemas.scored_clicks(wiring.contract.click), [click.time, click.visitor, "batch_id"], stream
    )
    wiring.rejected.create(spark, schemas.REJECTED_CLICKS, ["received_at", "batch_id"], stream)
    wiring.timeline.create(spark, schemas.MODEL_TIMELINE, ["from_batch"], stream)
    interrupted = checkpoint.last_planned > checkpoint.last_done
    scored_upto, rejected_upto = (
        table.last_batch(spark, stream) if interrupted else checkpoint.last_done
        for table in (wiring.scored, wiring.rejected)
    )
    timeline = Timeline(spark, wiring.timeline, wiring.model, fetch)
    return Tables(stream, wiring.scored, wiring.rejected, timeline, scored_upto, rejected_upto)


def _await(query: StreamingQuery, batches: MicroBatches, stopping: list[int]) -> None:
    while not query.awaitTermination(POLL_SECONDS):
        if stopping:
            # The micro-batch in flight is finished, any later one refuses to begin; between two, the query can stop.
            batches.stopping.set()
            if not query.status["isTriggerActive"]:
                query.stop()
