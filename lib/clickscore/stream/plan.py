"""The plan of a run for `--plan`: what it would read, compute, score, write and refuse; reads no click."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from clickscore.config.fields import interval_text
from clickscore.config.run import Config
from clickscore.errors import WiringError
from clickscore.reasons import FEATURE_FAILED, MISSING_FEATURE, SCORING_FAILED
from clickscore.registry.registry import fetch_current, redacted
from clickscore.registry.version import ModelVersion
from clickscore.scoring.feature_engine import sql_type
from clickscore.scoring.feature_sql import fields_by_feature
from clickscore.scoring.features import Features, check_features
from clickscore.scoring.privacy import Protection
from clickscore.spark_errors import SPARK_ERRORS
from clickscore.stream.contract_changes import TableChanges, accepted_now, table_changes
from clickscore.stream.field_counts import in_words, read_field_counts
from clickscore.stream.preflight import Findings
from clickscore.stream.refusals import refused_now

LABEL_WIDTH = 12


@dataclass(frozen=True)
class History:
    """What earlier runs have left behind, as the contract of today sees it.

    Attributes:
        changes: what differs between the contract and the tables.
        accepted: how many of the records that were rejected would be accepted today.
        unknown: fields that the contract does not have, by day.
        refused: how many visitors are refused, where clicks of erased ones are.
    """

    changes: tuple[TableChanges, ...] = ()
    accepted: str | None = None
    unknown: tuple[str, ...] = ()
    refused: str | None = None


def look_back(spark: SparkSession, config: Config, found: Findings) -> History:
    """Compare the contract with what earlier runs have left behind; where that cannot be read, there is no history."""
    if not found.contract:
        return History()
    with suppress(*SPARK_ERRORS):  # what is wrong with a table is among the problems that were found
        return History(
            tuple(table_changes(spark, config, found.contract)),
            accepted_now(spark, config, found.contract, found.features) if found.features else None,
            tuple(in_words(read_field_counts(spark, config.checkpoint, found.contract.click))),
            refused_now(spark, config) if found.wiring else None,
        )
    return History()


@dataclass(frozen=True)
class Challenger:
    """The challenger of a run, which stops nothing if it is wrong.

    Attributes:
        model: the version, if it can be had.
        doubts: why it would not score.
    """

    model: ModelVersion | None = None
    doubts: tuple[str, ...] = ()


def look_at_challenger(
    config: Config, produced: pa.Schema | None, folder: Path, try_out: Callable[[ModelVersion], None]
) -> Challenger:
    """Find out what would become of the challenger, if the configuration names one.

    Args:
        config: the run.
        produced: what the features file produces, if that is known.
        folder: where its files may go.
        try_out: lets the executors load a version and score its input example.
    """
    if not config.model.challenger:
        return Challenger()
    try:
        model = fetch_current(config.model.model_copy(update={"uri": config.model.challenger}), folder)
    except WiringError as error:
        return Challenger(doubts=(f"no challenger: {error}",))
    if produced is None:
        return Challenger(model)
    try:
        check_features(produced, model.inputs, str(config.features), produced)
        try_out(model)
    except WiringError as error:
        return Challenger(model, (f"the challenger would be refused: {error}",))
    return Challenger(model)


def show(config: Config, found: Findings, challenger: Challenger, history: History, console: Console) -> None:
    """Print the plan."""
    say = partial(_say, console)
    source = {key: value for key, value in config.source.model_dump(exclude_defaults=True).items() if key != "kind"}
    say("source", f"{config.source.kind}: " + ", ".join(f"{key} {value}" for key, value in source.items()))
    click = config.click
    say("contract", f"{click.ddl}: id {click.id}, time {click.time}, visitor {click.visitor}")
    if found.contract:
        required = [field.name for field in found.contract.click if not field.nullable]
        say("", f"{len(found.contract.click)} fields, {len(required)} required: {', '.join(required)}")
    say("features", str(config.features))
    if found.features:
        console.print(_features(found.features.schema, found.model, challenger.model))
    if found.contract and (protection := found.contract.protection):
        for label, line in zip_longest(("privacy",), _privacy(protection, found.features), fillvalue=""):
            say(label, line)
    for role, uri, model in (
        ("model", config.model.uri, found.model),
        ("challenger", config.model.challenger, challenger.model),
    ):
        if uri:
            for label, line in zip((role, "", "", ""), _model(uri, model), strict=False):
                say(label, line)
    if found.wiring:
        done, planned = found.wiring.checkpoint.last_done, found.wiring.checkpoint.last_planned
        begins = "new" if planned < 0 else f"resumes after batch {done}"
        begins += f", batch {planned} was interrupted" if planned > done else ""
        say("checkpoint", f"{config.checkpoint}: {begins}")
        wiring = found.wiring
        for table in (wiring.scored, wiring.rejected, wiring.timeline, wiring.metrics):
            say("table", table.name)
    if config.retention:
        kept = {key: interval_text(milliseconds) for key, milliseconds in config.retention.intervals.items()}
        say("kept", ", ".join(f"{key} {interval}" for key, interval in kept.items()) + ", by jobs/maintain_tables.py")
        for doubt in config.retention.too_short(config.deduplicate, config.outcome):
            say("warning", doubt)
    for each in history.changes:
        for change in each.found:
            say("changed", f"{each.table.name}: {change.what}" + (f"; {change.way_out}" if change.way_out else ""))
        for statement in each.statements:
            say("", f"{statement};")
    if any(each.statements for each in history.changes):
        say("", "jobs/score_stream.py --apply-contract runs these statements")
    for text in history.unknown:
        say("unknown", text)
    say("rejected", "records that do not fit the contract; jobs/try_clicks.py shows what becomes of a sample")
    for text in filter(None, (history.accepted, history.refused)):
        say("", text)
    if found.model and found.model.has_required_inputs:
        names = ", ".join(field.name for field in found.model.inputs if not field.nullable)
        say("", f"{MISSING_FEATURE}: clicks for which one of {names} is null")
    say("", f"{FEATURE_FAILED}: clicks for which DuckDB cannot compute a feature")
    say("", f"{SCORING_FAILED}: clicks on which the model fails, up to {config.model.failure_limit:.2%}")
    for warning in (*challenger.doubts, *found.warnings):
        say("warning", warning)
    for problem in found.problems:
        say("refused", str(problem))
    say("", "the run would be refused" if found.problems else "the run can start")


def _say(console: Console, label: str, text: str) -> None:
    console.print(f"{label:<{LABEL_WIDTH}}{text}", highlight=False, markup=False, soft_wrap=True)


def _model(uri: str, model: ModelVersion | None) -> list[str]:
    if not model:
        return [f"{uri}: cannot be fetched"]
    if asked := model.connection:
        most = f"up to {asked.rows:,} clicks a request, {asked.concurrency} requests at a time from each Python worker"
        return [
            f"{model.label}, behind {uri}",
            f"asked with {asked.payload}, {most}, {asked.deadline_s:g} s for each, retries included",
        ]
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in sorted(model.metrics.items())) or "no metrics"
    return [
        f"{model.label} ({redacted(uri)}), fed as {model.kind}",
        f"run {model.run_id}: {metrics}",
        f"SHA-256 {model.digest}, {'as registered' if model.is_pinned else 'not pinned in the registry'}",
    ]


def _privacy(protection: Protection, features: Features | None) -> Iterator[str]:
    """Yield what becomes of each protected field, and which features read it as it came."""
    reads = fields_by_feature(features.select, features.click) if features else {}
    for name, rule in sorted(protection.rules.items()):
        readers = ", ".join(feature for feature, fields in reads.items() if name in fields)
        yield f"{name}: {rule}, {f'read unchanged by {readers}' if readers else 'read by no feature'}"
    yield f"raw of rejected records: {protection.raw}"
    if protection.key_id:
        yield f"hashed with the key of id {protection.key_id}"


def _features(produced: pa.Schema, champion: ModelVersion | None, challenger: ModelVersion | None) -> Grid:
    grid = Grid("feature", "from the features file", "to the model", "where it is null", box=None, pad_edge=True)
    if challenger:
        grid.add_column("to the challenger")
    names = dict.fromkeys([*produced.names, *(champion.inputs.names if champion else ())])
    for name in names:
        wanted = _type(champion.inputs, name) if champion else "?"
        null = "" if not champion or name not in champion.inputs.names else (
            "the model sees null" if champion.inputs.field(name).nullable else f"rejected: {MISSING_FEATURE}"
        )  # fmt: skip
        row = [name, _type(produced, name), wanted, null]
        grid.add_row(*map(Text, row), *([_type(challenger.inputs, name)] if challenger else []))
    return grid


def _type(fields: pa.Schema, name: str) -> str:
    return sql_type(fields.field(name).type) if name in fields.names else "-"
