"""The composition root of the stream: checks the wiring, puts the parts together, runs them to the end."""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from rich.console import Console

from clickscore.config.run import AVAILABLE_NOW, Config
from clickscore.console import warn
from clickscore.monitoring import endpoint
from clickscore.monitoring.batch_metrics import row_of
from clickscore.monitoring.cpu_time import CpuMeter
from clickscore.monitoring.drift_watch import DriftWatch, read_window, write_window
from clickscore.monitoring.health import Health
from clickscore.monitoring.lag import StreamWatch
from clickscore.monitoring.progress import ProgressLines
from clickscore.monitoring.report import Report
from clickscore.monitoring.summary import print_summary
from clickscore.registry.registry import fetch_current, fetch_version
from clickscore.registry.version import ModelVersion
from clickscore.retries import START_LIMIT_S, retrying
from clickscore.scoring.isolation import Tolerance
from clickscore.sources.kinds import check_source, kind_of
from clickscore.storage.model_timeline import Timeline
from clickscore.storage.pause import Pauses
from clickscore.storage.stream_metrics import KeptRows
from clickscore.stream.active_models import ActiveModels
from clickscore.stream.alias_poller import AliasPoller
from clickscore.stream.batch_scoring import BatchScorer
from clickscore.stream.deployment import Deployment
from clickscore.stream.field_counts import FieldCounts, read_field_counts, write_field_counts
from clickscore.stream.metrics_writer import MetricsWriter
from clickscore.stream.output_tables import Binding, bind
from clickscore.stream.plan import look_at_challenger, look_back, show
from clickscore.stream.preflight import Wiring, check
from clickscore.stream.query import Stream, failing_clearly
from clickscore.stream.refusals import Refusals
from clickscore.stream.rejected_share import NO_LIMIT, RejectLimit, RejectWarning
from clickscore.stream.score_function import ScoreFunction
from clickscore.stream.silence import ending_silent_workers
from clickscore.stream.stop_signals import stop_signals


def run(config: Config, make_session: Callable[[], SparkSession], console: Console, accept_loss: bool = False) -> None:
    """Score the clicks of the source until it is exhausted, or until the process is asked to stop.

    Args:
        config: the run.
        make_session: builds the session; the model is fetched while it starts.
        console: where the progress goes.
        accept_loss: continue where records were lost from the source, and write the gaps to ``source_gaps``.

    Raises:
        WiringError: if the wiring is wrong; nothing has been read or written then.
        StreamError: if the stream cannot go on, for a reason that we can tell.
        StreamingQueryException: if it fails otherwise.
    """
    # A poll that hangs at a dead registry may still write into the folder when the run ends.
    place = tempfile.TemporaryDirectory(prefix="clickscore-", ignore_cleanup_errors=True)
    health = Health.of(config)
    with place as folder, endpoint.serving(config.health, health, console), ThreadPoolExecutor(1) as aside:
        patiently = retrying(partial(warn, console), START_LIMIT_S)
        fetching = aside.submit(patiently, fetch_current, config.model, Path(folder))
        spark = make_session()
        # From here on: before, there is nothing to finish, and the session sets a handler of its own.
        with stop_signals() as signals, ending_silent_workers(spark, config.model):
            deployment = Deployment(spark, config.model)
            try_out = _trying_out(deployment, config, fetching, aside)
            fetch = partial(fetch_version, config.model, folder=Path(folder))
            found = check(spark, config, fetching, fetch, try_out, accept_loss, partial(patiently, check_source))
            wiring = found.require()
            config = wiring.config
            health.serves(*wiring.model.key)
            is_finite = config.trigger == AVAILABLE_NOW
            kind = kind_of(config.source)
            backlog = None
            if is_finite and console.is_terminal:
                backlog = kind.files_ahead(spark, config.source, wiring.checkpoint.path)
            with ProgressLines(console, backlog) as lines:
                for warning in [*kind.warnings(config.source), *found.warnings]:
                    lines.warn(warning)
                with failing_clearly(START_LIMIT_S):
                    persistent = retrying(lines.warn, START_LIMIT_S, failed=health.failed)
                    binding = persistent(bind, spark, wiring)
                    refusals = persistent(Refusals.of, spark, config, lines.warn)
                models = ActiveModels(
                    config, wiring.definition.features.schema, wiring.model,
                    Timeline(spark, wiring.timeline, fetch, binding.fence),
                    wiring.checkpoint.last_planned + 1, Path(folder), deployment, lines.warn,
                    health.refused,
                )  # fmt: skip
                click, quotes = wiring.definition.contract.click, not wiring.definition.contract.protection
                reject_limit = None if config.reject_limit is None else RejectLimit(config.reject_limit, click, quotes)

                def score_with(
                    model: ModelVersion, tolerance: Tolerance, challenger: ModelVersion | None
                ) -> ScoreFunction:
                    contract = refusals.applied(wiring.definition.contract)
                    return deployment.score_with(contract, wiring.definition.features, model, tolerance, challenger)

                batch_scorer = BatchScorer(
                    layout=wiring.definition.layout,
                    score_with=score_with,
                    time_limit_s=config.model.time_limit_ms / 1000,
                    failure_limit=config.model.failure_limit,
                    suspend=models.suspend,
                    withdraw=models.withdraw,
                    tell=lines.warn,
                    reject_limit=reject_limit or NO_LIMIT,
                )
                rejected_share = RejectWarning(config.reject_warning, click, quotes)
                kept = wiring.checkpoint.path
                fields = FieldCounts(
                    click, read_field_counts(spark, kept, click), partial(write_field_counts, spark, kept)
                )

                metrics = MetricsWriter(
                    spark, wiring.metrics, KeptRows.of(spark, kept), binding, kind.reported_ends, lines.warn
                )
                meter, watch = CpuMeter(), StreamWatch(spark, config, health)
                pauses = Pauses(spark, kept, lines.warn)
                pauses.look()  # the first micro-batch may come before the first look of the running query
                window = read_window(spark, kept, config.drift)
                drift = DriftWatch(window, lines.warn, health.moved, partial(write_window, spark, kept))

                def report(done: Report) -> None:
                    lines.report(done)
                    tell_lineage(done)
                    health.report(done)
                    unknown = fields.add(done, datetime.now(timezone.utc).date())
                    metrics.add(row_of(done, unknown, meter.since_last(), drift.add(done)))
                    if warning := rejected_share.add(done):
                        lines.warn(warning)

                def look(query: StreamingQuery) -> None:
                    metrics.sees(query)
                    watch.look(query)
                    pauses.look()
                    refusals.look()

                stream = Stream(
                    spark, wiring, binding, models, batch_scorer, report=report, tell=lines.warn, failed=health.failed,
                    pauses=pauses, look=look, signals=signals, accept_loss=accept_loss,
                )  # fmt: skip
                poller = AliasPoller(models, config.model.poll_ms / 1000, deployment, lines.warn)
                poller.start()
                metrics.start()
                try:
                    with _lineage(spark, wiring, binding, lines.warn) as tell_lineage:
                        stream.run()
                finally:
                    poller.stop()
                    fields.close()
                    drift.close()
                    metrics.close()
            print_summary(spark, console, config.output, config.click, lines, fields.of_run())


def plan(config: Config, make_session: Callable[[], SparkSession], console: Console, accept_loss: bool = False) -> bool:
    """Print what a run would do and what it would refuse, without reading a click.

    Returns:
        Whether it could start.
    """
    with tempfile.TemporaryDirectory(prefix="clickscore-") as folder, ThreadPoolExecutor(1) as aside:
        fetching = aside.submit(fetch_current, config.model, Path(folder))
        spark = make_session()
        deployment = Deployment(spark, config.model)
        try_out = _trying_out(deployment, config, fetching, aside)
        fetch = partial(fetch_version, config.model, folder=Path(folder))
        found = check(spark, config, fetching, fetch, try_out, accept_loss)
        first_pick = tuple(config.model.picks.values())[:1]
        challenger = look_at_challenger(
            config,
            found.features.schema if found.features else None,
            Path(folder),
            lambda model: deployment.warm_up(model, first_pick),
        )
        show(config, found, challenger, look_back(spark, config, found), console)
    return found.wiring is not None


@contextmanager
def _lineage(
    spark: SparkSession, wiring: Wiring, binding: Binding, tell: Callable[[str], None]
) -> Iterator[Callable[[Report], None]]:
    """Give what tells the configured server about finished micro-batches."""
    config = wiring.config
    if not config.lineage:
        yield lambda _: None
        return
    # Here, because a job without lineage neither loads the client nor needs it.
    from clickscore.monitoring.lineage import sending
    from clickscore.monitoring.lineage_event import LineageJob

    name = config.lineage.job or config.output.scored
    places = [table.folder(spark) for table in (wiring.scored, wiring.rejected)]
    job = LineageJob(config.lineage.namespace, name, binding.stream, *places)
    inputs_of = partial(kind_of(config.source).inputs_of, spark, config.source, config.checkpoint)
    with sending(config.lineage, job, inputs_of, tell) as sender:
        yield sender.report


def _trying_out(
    deployment: Deployment, config: Config, fetching: "Future[ModelVersion]", aside: ThreadPoolExecutor
) -> Callable[[ModelVersion], None]:
    """Let the executors try the fetched version aside; return what waits for the end of that, or tries another one."""
    picks = tuple(config.model.picks.values())
    trying = aside.submit(lambda: deployment.warm_up(fetching.result(), picks))

    def try_out(model: ModelVersion) -> None:
        if fetching.exception():
            deployment.warm_up(model, picks)
        else:
            trying.result()

    return try_out
