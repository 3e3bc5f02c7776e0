"""Replays: rejected records are scored again with today's contract and model; those that pass become scored clicks."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from math import inf
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Grid

from clickscore.config.run import Config
from clickscore.console import counted, warn
from clickscore.errors import ConfigError, ReplayError, StreamError, TableError
from clickscore.reasons import ERASED_VISITOR, TOMBSTONE, UNREADABLE_FILE
from clickscore.reconciliation.replay_commit import Resolution
from clickscore.reconciliation.rescoring import Selection, as_raw, open_records, resolved, tally
from clickscore.registry.registry import fetch_current
from clickscore.registry.version import ModelVersion
from clickscore.scoring.features import check_features
from clickscore.scoring.isolation import Tolerance
from clickscore.scoring.wire import check_registry
from clickscore.spark_errors import SPARK_ERRORS, TooManyError, WorkerCrashError, guarded, transient_cause
from clickscore.storage.constraints import check_unconstrained, decidable, read_constraints
from clickscore.storage.erasures import check_finished
from clickscore.storage.privacy import check_privacy
from clickscore.storage.protocol import check_changeable, check_readable, check_writable
from clickscore.storage.schemas import KEEP, Layout
from clickscore.storage.table import Table
from clickscore.stream.definition import Definition, privacy_properties, read_definition
from clickscore.stream.deployment import Deployment
from clickscore.stream.pipeline import REASON, Stamp, constrained, with_outcomes
from clickscore.stream.refusals import Refusals, check_ledger
from clickscore.stream.silence import ending_silent_workers
from clickscore.stream.unwritable import Unwritable

REMEDIES = {
    UNREADABLE_FILE: "fix the file and land it under a new name",
    TOMBSTONE: "it has no value; ask the producer to send it again",
    ERASED_VISITOR: "its visitor was erased, and nothing of the record is kept",
}
"""What to do about records that are not in the table."""
GONE = "the record is not in the table"

Tally = list[tuple[str, str | None, int]]
"""Records by the reason so far and the new one; None stands for those that pass."""


def run(
    config: Config, make_session: Callable[[], SparkSession], console: Console, selection: Selection, dry_run: bool
) -> None:
    """Score the rejected clicks that today's contract accepts, and mark them as resolved, each exactly once.

    Nothing looks for duplicates of them: of two rejected clicks with the same id both are scored.

    Args:
        config: the run.
        make_session: builds the session.
        console: where the counts go.
        selection: which rejected clicks.
        dry_run: change nothing.

    Raises:
        WiringError: if the wiring is wrong; nothing is changed then.
        ErasureError: if rejected clicks are planned to be erased or removed; nothing is changed then.
        ReplayError: if the replay cannot go on. Some of it may be done; to start it again is safe.
    """
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="clickscore-") as folder:
        model = fetch_current(config.model, Path(folder))
        spark = make_session()
        definition = check(spark, config, model)
        rejected, scored = Table(config.output.rejected), Table(config.output.scored)
        check_finished(spark, scored, rejected)
        resolution = Resolution.of(spark, rejected, scored, partial(warn, console))
        for replay_id in resolution.unsettled():
            if dry_run:
                say(
                    f"Replay {replay_id} marked records, but scored none; the next replay without "
                    f"--dry-run settles it first."
                )
            elif not resolution.settle(replay_id):
                say(f"An earlier run ended before replay {replay_id} scored its clicks; they are open again.")
        records = open_records(rejected.read(spark), selection)
        if records.isEmpty():
            say(f"No open record of {rejected.name} matches.")
            return
        lost = [tuple(row) for row in records.where("raw IS NULL").groupBy("reason").count().collect()]
        contract = Refusals.of(spark, config, partial(warn, console)).applied(definition.contract)
        definition = replace(definition, contract=contract)
        verdicts = judge(spark, config, records.where("raw IS NOT NULL"), definition, model)
        counts: Tally = [tuple(row) for row in tally(verdicts).collect()]
        if dry_run:
            passing = sum(count for _, becomes, count in counts if becomes is None)
            done = (
                f"Nothing has changed; without --dry-run, {counted(passing, 'click')} would be scored by {model.label}."
            )
        else:
            layout, tell = definition.layout, partial(warn, console)
            unwritable = Unwritable(spark, layout, scored, config.checkpoint, tell)
            try:
                done = _carry_out(resolution, verdicts, layout, model, unwritable)
            except StreamError as error:
                raise ReplayError(str(error)) from error
        show(console, counts, lost, dry_run)
        say(done)


def _carry_out(
    resolution: Resolution, verdicts: DataFrame, layout: Layout, model: ModelVersion, unwritable: Unwritable
) -> str:
    now, about = datetime.now(timezone.utc), {"model": model.key[0], "version": model.key[1]}
    # The models may have taken their time.
    check_finished(resolution.spark, resolution.scored, resolution.rejected)
    replay_id = resolution.mark(verdicts, now, about)
    if replay_id is None or verdicts.where(f"{REASON} IS NULL").isEmpty():
        return "No click has passed."
    marked = resolution.rejected.read(resolution.spark).where(F.col("replay_id") == replay_id)
    stamp = Stamp(-replay_id, F.lit(now), *model.key)
    try:
        resolution.append(resolved(verdicts, marked, layout, stamp), replay_id, about)
    except SPARK_ERRORS as error:  # what may pass was tried for a while
        resolution.settle(replay_id)
        return _carry_out(resolution, unwritable.judge(verdicts, stamp, error), layout, model, unwritable)
    if not resolution.settle(replay_id):
        raise ReplayError(
            f"replay {replay_id}: another replay took over. Nothing is lost, and nothing is scored "
            f"twice: run one replay at a time, and start again."
        )
    count = resolution.scored.read(resolution.spark).where(F.col("batch_id") == -replay_id).count()
    clicks = counted(count, "click is", "clicks are")
    return f"Replay {replay_id}: {clicks} scored by {model.label}, with batch_id {-replay_id}."


def check(spark: SparkSession, config: Config, model: ModelVersion) -> Definition:
    """Make sure that contract, model and tables fit together; return what is computed.

    Raises:
        WiringError: for the first part that does not.
    """
    definition, where = read_definition(config), str(config.features)
    check_registry(definition.contract.click)
    if definition.layout.raw_rule != KEEP:
        why = (
            f"expected keep, found {definition.layout.raw_rule}: {config.output.rejected} has no whole records that "
            f"could be scored again. Ask the producers to send them again, or let a stream with a new checkpoint and "
            f"new tables read the source from its beginning"
        )
        raise ConfigError("privacy.raw", [why])
    layout, produced = definition.layout, definition.features.schema
    check_features(produced, model.inputs, where, produced if config.model.challenger else None)
    for key, name, shape in (
        ("scored", config.output.scored, layout.scored),
        ("rejected", config.output.rejected, layout.rejected),
    ):
        table = Table(name)
        check_readable(spark, table)
        if not table.exists(spark):
            raise TableError(
                f"output.{key}: there is no table {name}. Replays are for what the stream has rejected; "
                f"let it run first: jobs/score_stream.py --config ..."
            )
        table.check(spark, shape)
        properties = table.properties(spark)
        check_privacy(spark, table, privacy_properties(definition.contract))
        check_writable(spark, table, properties)
    rejected = Table(config.output.rejected)
    check_unconstrained(spark, rejected, rejected.properties(spark))
    check_changeable(spark, rejected, "a replay marks its rows", "replay")
    check_ledger(spark, config)
    return definition


def judge(
    spark: SparkSession, config: Config, records: DataFrame, definition: Definition, model: ModelVersion
) -> DataFrame:
    """Return the verdicts on rejected records, computed once and for all.

    Raises:
        ModelError: if the model cannot be used.
        ReplayError: if it hangs again and again.
    """
    deployment = Deployment(spark, config.model)
    # What a model fails on stays rejected, so it may fail as often as it likes; and who was rejected may be dangerous.
    tolerance = Tolerance(config.model.time_limit_ms / 1000, count=inf, in_child=True)
    score = deployment.score_with(definition.contract, definition.features, model, tolerance)
    scored, layout = Table(config.output.scored), definition.layout
    stamp = Stamp(-1, F.current_timestamp(), *model.key)
    constraints = decidable(spark, read_constraints(spark, scored), layout.scored)
    verdicts = constrained(with_outcomes(as_raw(records, layout.kept), score), layout, stamp, constraints)
    try:
        with ending_silent_workers(spark, config.model):
            deployment.warm_up(model, tuple(config.model.picks.values()))
            # The model might answer otherwise if it was asked again.
            return guarded(verdicts.localCheckpoint)
    except SPARK_ERRORS as error:
        if cause := transient_cause(error):
            raise ReplayError(f"{cause}. Nothing was changed; fix the cause and start again.") from error
        raise
    except (TooManyError, WorkerCrashError) as error:
        raise ReplayError(
            f"{model.label}: {error}. Nothing was changed. Let {config.model.uri} point to a version that works, "
            f"shorten model.time_limit, or leave the clicks out with --reason or --until, and start again."
        ) from error


def show(console: Console, counts: Tally, lost: list[tuple[str, int]], dry_run: bool) -> None:
    """Print what becomes of the records, by the reason so far."""
    title = "what would become of rejected clicks" if dry_run else "what becomes of rejected clicks"
    grid = Grid(title=title, title_justify="left", title_style="bold")
    for column in ("reason", "records", "would be resolved" if dry_run else "resolved", "rejected"):
        grid.add_column(column, justify="left" if column == "reason" else "right")
    grid.add_column("why")
    for reason in sorted({was for was, _, _ in counts}):
        stays = {becomes: count for was, becomes, count in counts if was == reason and becomes}
        passes = sum(count for was, becomes, count in counts if was == reason and becomes is None)
        left = sum(stays.values())
        why = ", ".join(f"{becomes} {count:,}" for becomes, count in sorted(stays.items()))
        grid.add_row(reason, f"{passes + left:,}", f"{passes:,}", f"{left:,}", why)
    for reason, count in sorted(lost):
        grid.add_row(reason, f"{count:,}", "0", f"{count:,}", REMEDIES.get(reason, GONE))
    console.print(grid)
