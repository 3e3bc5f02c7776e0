"""The composition root of the stream: checks the wiring, puts the parts together, runs them to the end."""

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from rich.console import Console

from clickscore import files, kafka, schemas
from clickscore.checkpoint import Checkpoint, read_checkpoint
from clickscore.config import AVAILABLE_NOW, Config
from clickscore.duplicates import mark_duplicates, prepare_state, unpack
from clickscore.errors import ClickscoreError, ModelError, SourceError, StreamError, first_line
from clickscore.microbatch import MicroBatches, StopRequestedError, Tables, UnreadableFileError
from clickscore.model import predict_with, share, warm_up
from clickscore.progress import ProgressLines
from clickscore.registry import ModelVersion, Registry, redacted
from clickscore.scoring import Predict
from clickscore.source_config import FolderSource, KafkaSource
from clickscore.sources import FILE_NAMES, read_stream
from clickscore.summary import print_summary
from clickscore.timeline import Timeline
from clickscore.wiring import Wiring, check, describe_loss

POLL_SECONDS = 1
"""How often the main thread looks whether it has been asked to stop."""


def run(config: Config, make_session: Callable[[], SparkSession], console: Console, accept_loss: bool = False) -> None:
    """Score the clicks of the source until it is exhausted, or until the process is asked to stop.

    Args:
        config: the run.
        make_session: builds the session; the model is fetched while it starts.
        console: where the progress goes.
        accept_loss: go on where records are gone from the source, and write the gaps to ``source_gaps``.

    Raises:
        ClickscoreError: if the wiring is wrong; nothing has been read or written then.
        StreamError: if records are gone from the source while the stream runs.
        StreamingQueryException: if the stream fails.
    """
    with tempfile.TemporaryDirectory(prefix="clickscore-") as folder, ThreadPoolExecutor(1) as aside:
        fetching = aside.submit(_fetch_current, config, Path(folder))
        spark = make_session()
        # From here on: before, there is nothing to finish, and the session sets a handler of its own.
        with _stop_signals() as stopping:
            warming = aside.submit(_warm_up, spark, fetching)
            wiring = check(spark, config, fetching, accept_loss)
            warming.result()
            fetch = partial(_fetch_version, config, Path(folder))
            is_finite = config.trigger == AVAILABLE_NOW
            backlog = _files_to_read(spark, wiring) if is_finite and console.is_terminal else None
            for warning in [*_warnings(config), *map(str, wiring.gaps)]:
                console.print(f"warning: {warning}", style="yellow", highlight=False)
            with ProgressLines(console, backlog) as lines:
                _run_stream(spark, wiring, fetch, lines, stopping, accept_loss)
            print_summary(spark, console, config.output, config.click, lines)


def _warnings(config: Config) -> list[str]:
    return kafka.warnings(config.source) if isinstance(config.source, KafkaSource) else []


def _fetch_current(config: Config, folder: Path) -> ModelVersion:
    try:
        registry = Registry(config.model.registry)
        return registry.fetch(*registry.resolve(config.model.uri), folder)
    except ClickscoreError:
        raise
    except Exception as error:  # a registry is a server, a database or a folder: their errors have no common class
        # Whatever it raises, there is no model: one message and exit status 2, with the cause chained.
        where = f"model: {config.model.uri} cannot be fetched from {config.model.registry}"
        raise ModelError(redacted(f"{where}: {type(error).__name__}: {first_line(error)}")) from error


def _warm_up(spark: SparkSession, fetching: "Future[ModelVersion]") -> None:
    model = fetching.result()
    share(spark, model)
    warm_up(spark, model)


def _fetch_version(config: Config, folder: Path, name: str, version: str) -> ModelVersion:
    return Registry(config.model.registry).fetch(name, version, folder)


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
    stopping: list[int], accept_loss: bool,
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
        if wiring.config.deduplicate:
            batches.decode = partial(unpack, kept=wiring.contract.kept)
        if wiring.watch and accept_loss:
            batches.record_gaps = wiring.watch.record
        query = _start(spark, wiring, batches, accept_loss)
        try:
            batches.tables.set_result(_bind_tables(spark, wiring, checkpoint, fetch, str(query.id)))
            _await(query, batches, stopping)
        except StreamingQueryException as failure:
            if isinstance(batches.failure, StopRequestedError):
                return
            if not isinstance(batches.failure, UnreadableFileError):
                if not accept_loss:
                    _explain_loss(spark, wiring, failure)
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


def _explain_loss(spark: SparkSession, wiring: Wiring, failure: StreamingQueryException) -> None:
    """Raise a better error than the engine's, if records that are gone are why the stream has failed."""
    if not wiring.watch:
        return
    try:
        gaps = wiring.watch.gaps_ahead(read_checkpoint(spark, wiring.checkpoint.path))
    except SourceError:
        return  # The broker is away, so the engine's own error is the better one.
    if gaps:
        raise StreamError(describe_loss(gaps)) from failure


def _start(spark: SparkSession, wiring: Wiring, batches: MicroBatches, accept_loss: bool) -> StreamingQuery:
    config, contract = wiring.config, wiring.contract
    rows = read_stream(spark, config.source, [file.path for file in batches.unreadable], accept_loss)
    if config.deduplicate:
        prepare_state(spark)
        is_interrupted = batches.planned_before > wiring.checkpoint.last_done
        # A replay may be scored by another version than the current one.
        keep_all = is_interrupted or any(not field.nullable for field in wiring.model.inputs)
        rows = mark_duplicates(rows, contract.click, contract.id, config.deduplicate.window_ms, keep_all)
    writer = rows.writeStream.queryName("clickscore").option("checkpointLocation", config.checkpoint)
    if config.trigger == AVAILABLE_NOW:
        writer = writer.trigger(availableNow=True)
    else:
        writer = writer.trigger(processingTime=config.trigger)
    return writer.foreachBatch(batches).start()


def _bind_tables(
    spark: SparkSession, wiring: Wiring, checkpoint: Checkpoint, fetch: Callable[[str, str], ModelVersion], stream: str
) -> Tables:
    """Create the tables that are missing and bind all of them to the stream, now that it has an id."""
    click, contract = wiring.config.click, wiring.contract
    wiring.scored.create(
        spark, schemas.scored_clicks(contract.click, contract.kept), [click.time, click.visitor, "batch_id"], stream
    )
    wiring.rejected.create(spark, schemas.rejected_clicks(contract.kept), ["received_at", "batch_id"], stream)
    wiring.timeline.create(spark, schemas.MODEL_TIMELINE, ["from_batch"], stream)
    if wiring.watch and not wiring.gaps:
        wiring.watch.remember_topics()
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
