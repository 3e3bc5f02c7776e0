"""The composition root of the stream: checks the wiring, puts the parts together, runs them to the end."""

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.config.run import AVAILABLE_NOW, Config
from clickscore.console import warn
from clickscore.monitoring import endpoint
from clickscore.monitoring.health import Health
from clickscore.monitoring.lag import StreamWatch
from clickscore.monitoring.progress import ProgressLines
from clickscore.monitoring.report import Report
from clickscore.monitoring.summary import print_summary
from clickscore.registry.registry import fetch_current, fetch_version
from clickscore.retries import START_LIMIT_S, retrying
from clickscore.sources.kinds import check_source, kind_of
from clickscore.stream.active_models import Lineup
from clickscore.stream.alias_poller import ModelWatch
from clickscore.stream.deployment import Deployment
from clickscore.stream.plan import find, show
from clickscore.stream.preflight import check
from clickscore.stream.query import Stream
from clickscore.stream.silence import ending_silent_workers


def run(config: Config, make_session: Callable[[], SparkSession], console: Console, accept_loss: bool = False) -> None:
    """Score the clicks of the source until it is exhausted, or until the process is asked to stop.

    Args:
        config: the run.
        make_session: builds the session; the model is fetched while it starts.
        console: where the progress goes.
        accept_loss: go on where records are gone from the source, and write the gaps to ``source_gaps``.

    Raises:
        ClickscoreError: if the wiring is wrong; nothing has been read or written then.
        StreamError: if the stream cannot go on, for a reason that we can tell.
        StreamingQueryException: if it fails otherwise.
    """
    # A poll that hangs at a dead registry may still write into the folder when the run ends.
    place = tempfile.TemporaryDirectory(prefix="clickscore-", ignore_cleanup_errors=True)
    health, kind = Health.of(config), kind_of(config.source)
    with place as folder, endpoint.serving(config.health, health, console), ThreadPoolExecutor(1) as aside:
        patiently = retrying(partial(warn, console), START_LIMIT_S)
        fetching = aside.submit(patiently, fetch_current, config.model, Path(folder))
        fetch = partial(fetch_version, config.model, folder=Path(folder))
        spark = make_session()
        # From here on: before, there is nothing to finish, and the session sets a handler of its own.
        with _stop_signals() as stopping, ending_silent_workers(spark, config.model):
            deployment = Deployment(spark, config.model)
            picks = tuple(config.model.picks.values())
            warming = aside.submit(lambda: deployment.warm_up(fetching.result(), picks))
            wiring = check(spark, config, fetching, fetch, accept_loss, partial(patiently, check_source))
            if fetching.exception():
                deployment.warm_up(wiring.model, picks)
            else:
                warming.result()
            health.serves(*wiring.model.key)
            is_finite = config.trigger == AVAILABLE_NOW
            backlog = None
            if is_finite and console.is_terminal:
                backlog = kind.files_ahead(spark, config.source, config.checkpoint)
            with ProgressLines(console, backlog) as lines:
                for warning in [*kind.warnings(config.source), *wiring.warnings]:
                    lines.warn(warning)
                lineup = Lineup(config, wiring.definition, wiring.model, Path(folder), deployment, lines.warn)
                watch = ModelWatch(lineup, config.model.poll_ms / 1000, deployment, lines.warn)

                def report(done: Report) -> None:
                    lines.report(done)
                    health.report(done)

                stream = Stream(
                    spark, wiring, lineup, watch, fetch, report=report, tell=lines.warn, failed=health.failed,
                    look=StreamWatch(spark, config, health).look, stopping=stopping, accept_loss=accept_loss,
                )  # fmt: skip
                try:
                    stream.run()
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
