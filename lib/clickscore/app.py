"""The composition root of the stream: checks the wiring, puts the parts together, runs them to the end."""

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pyspark.errors import StreamingQueryException
from pyspark.sql import Row, SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from rich.console import Console

from clickscore import files, kafka, schemas
from clickscore.checkpoint import Checkpoint, read_checkpoint
from clickscore.config import AVAILABLE_NOW, Config
from clickscore.deployment import Deployment
from clickscore.duplicates import mark_duplicates, prepare_state, unpack
from clickscore.errors import ClickscoreError, SourceError, StreamError
from clickscore.lineup import Lineup
from clickscore.microbatch import MicroBatches, RawNeededError, StopRequestedError, Tables
from clickscore.modelwatch import ModelWatch
from clickscore.plan import find, show
from clickscore.progress import ProgressLines
from clickscore.registry import fetch_current, fetch_version
from clickscore.source_config import FolderSource, KafkaSource
from clickscore.sources import FILE_NAMES, read_stream
from clickscore.summary import print_summary
from clickscore.timeline import Timeline
from clickscore.unreadable import UnreadableFileError
from clickscore.version import ModelVersion
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
    # A poll that hangs at a dead registry may still write into the folder when the run ends.
    place = tempfile.TemporaryDirectory(prefix="clickscore-", ignore_cleanup_errors=True)
    with place as folder, ThreadPoolExecutor(1) as aside:
        fetching = aside.submit(fetch_current, config.model, Path(folder))
        fetch = partial(fetch_version, config.model, folder=Path(folder))
        spark = make_session()
        # From here on: before, there is nothing to finish, and the session sets a handler of its own.
        with _stop_signals() as stopping:
            deployment = Deployment(spark, config.model)
            picks = tuple(config.model.picks.values())
            warming = aside.submit(lambda: deployment.warm_up(fetching.result(), picks))
            wiring = check(spark, config, fetching, fetch, accept_loss)
            if fetching.exception():
                deployment.warm_up(wiring.model, picks)
            else:
                warming.result()
            is_finite = config.trigger == AVAILABLE_NOW
            backlog = _files_to_read(spark, wiring) if is_finite and console.is_terminal else None
            with ProgressLines(console, backlog) as lines:
                for warning in [*_warnings(config), *wiring.warnings]:
                    lines.warn(warning)
                lineup = Lineup(
                    config, wiring.contract, wiring.features, wiring.model, Path(folder), deployment, lines.warn
                )
                watch = ModelWatch(lineup, config.model.poll_ms / 1000, deployment, lines.warn)
                try:
                    _run_stream(spark, wiring, lineup, watch, fetch, lines, stopping, accept_loss)
                finally:
                    watch.stop()
            print_summary(spark, console, config.output, config.click, lines)


def plan(config: Config, make_session: Callable[[], SparkSession], console: Console) -> bool:
    """Print what a run would do and what it would refuse, without reading a click.

    Returns:
        Whether it could start.
    """
    with tempfile.TemporaryDirectory(prefix="clickscore-") as folder:
        found = find(config, make_session, Path(folder))
        show(config, found, console)
    return not found.problems


def _warnings(config: Config) -> list[str]:
    return kafka.warnings(config.source) if isinstance(config.source, KafkaSource) else []


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
    spark: SparkSession, wiring: Wiring, lineup: Lineup, watch: ModelWatch, fetch: Callable[[str, str], ModelVersion],
    lines: ProgressLines, stopping: list[int], accept_loss: bool,
) -> None:  # fmt: skip
    unreadable: list[UnreadableFileError] = []
    failed: dict[int, list[Row]] = {}
    checkpoint = wiring.checkpoint
    # A replay may be scored by another version than the current one.
    keep_all = checkpoint.last_planned > checkpoint.last_done or wiring.model.has_required_inputs
    while not stopping:
        batches = MicroBatches(
            spark, wiring.contract, lineup, checkpoint.last_planned, lines.report, unreadable=unreadable, seen=failed
        )
        if wiring.config.deduplicate:
            batches.decode = partial(unpack, kept=wiring.contract.kept)
            batches.is_raw_at_hand = keep_all
        if wiring.watch and accept_loss:
            batches.record_gaps = wiring.watch.record
        query = _start(spark, wiring, batches, accept_loss)
        try:
            tables = _bind_tables(spark, wiring, checkpoint, fetch, str(query.id))
            lineup.bind(tables.timeline, checkpoint.last_planned + 1)
            watch.start()
            batches.tables.set_result(tables)
            _await(query, batches, stopping)
        except StreamingQueryException as failure:
            match batches.failure:
                case StopRequestedError():
                    return
                case StreamError() as broken:
                    raise broken from failure
                case ClickscoreError() as fault:
                    raise StreamError(f"the stream cannot go on: {fault}") from failure
                case RawNeededError() as needed if not keep_all:
                    keep_all, failed[needed.batch_id] = True, needed.seen
                case UnreadableFileError() as file if file.path not in [other.path for other in unreadable]:
                    unreadable.append(file)
                    lines.warn(f"cannot read {file}; it goes to the rejected clicks")
                case _:
                    if not accept_loss:
                        _explain_loss(spark, wiring, failure)
                    raise
            # The next query plans the same micro-batch again, without the file, or with all raw records.
            checkpoint = read_checkpoint(spark, wiring.checkpoint.path)
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
        rows = mark_duplicates(rows, contract.click, contract.id, config.deduplicate.window_ms, batches.is_raw_at_hand)
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
        spark,
        schemas.scored_clicks(contract.click, contract.kept, contract.scores),
        [click.time, click.visitor, "batch_id"],
        stream,
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
    timeline = Timeline(spark, wiring.timeline, stream, fetch)
    return Tables(stream, wiring.scored, wiring.rejected, timeline, scored_upto, rejected_upto)


def _await(query: StreamingQuery, batches: MicroBatches, stopping: list[int]) -> None:
    while not query.awaitTermination(POLL_SECONDS):
        if stopping:
            # The micro-batch in flight is finished, any later one refuses to begin; between two, the query can stop.
            batches.stopping.set()
            if not query.status["isTriggerActive"]:
                query.stop()
