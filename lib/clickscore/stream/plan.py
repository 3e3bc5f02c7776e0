"""The plan of a run for `--plan`: what it would read, compute, score, write and refuse; reads no click."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from clickscore.config.run import Config
from clickscore.errors import WiringError
from clickscore.reasons import FEATURE_FAILED, MISSING_FEATURE, SCORING_FAILED
from clickscore.registry.registry import fetch_current, redacted
from clickscore.registry.version import ModelVersion
from clickscore.scoring.feature_engine import sql_type
from clickscore.scoring.features import check_features
from clickscore.stream.preflight import Findings

LABEL_WIDTH = 12


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


def show(config: Config, found: Findings, challenger: Challenger, console: Console) -> None:
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
        for table in (found.wiring.scored, found.wiring.rejected, found.wiring.timeline):
            say("table", table.name)
    say("rejected", "records that do not fit the contract")
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
        return [f"{uri}: cannot be had"]
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in sorted(model.metrics.items())) or "no metrics"
    return [
        f"{model.label} ({redacted(uri)}), fed as {model.kind}",
        f"run {model.run_id}: {metrics}",
        f"SHA-256 {model.digest}, {'as registered' if model.is_pinned else 'not pinned in the registry'}",
    ]


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
