"""The plan of a run: what would be read, computed, scored and written, and what would be refused; reads no click."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table as Grid

from clickscore.config.run import Config
from clickscore.errors import ClickscoreError
from clickscore.reasons import FEATURE_FAILED, MISSING_FEATURE, SCORING_FAILED
from clickscore.registry.registry import fetch_current, fetch_version, redacted
from clickscore.registry.version import ModelVersion
from clickscore.scoring.feature_engine import sql_type
from clickscore.scoring.features import check_features
from clickscore.stream.definition import Definition, read_definition
from clickscore.stream.deployment import Deployment
from clickscore.stream.preflight import Wiring, check

LABEL_WIDTH = 12


@dataclass
class Findings:
    """What is known of a run, as far as it is right, and what is wrong with the rest.

    Attributes:
        definition: what the run computes.
        champion: the model.
        challenger: the one beside it.
        wiring: all of it together.
        doubts: what would be told at its start.
        problems: why the run would be refused.
    """

    definition: Definition | None = None
    champion: ModelVersion | None = None
    challenger: ModelVersion | None = None
    wiring: Wiring | None = None
    doubts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @contextmanager
    def part(self) -> Iterator[None]:
        """Note what is wrong with a part, and go on with the next."""
        try:
            yield
        except ClickscoreError as error:
            if str(error) not in self.problems:
                self.problems.append(str(error))


def find(config: Config, make_session: Callable[[], SparkSession], folder: Path) -> Findings:
    """Look at every part of a run.

    Args:
        config: the run.
        make_session: builds the session.
        folder: where the files of the models may go.
    """
    found, champion = Findings(), Future[ModelVersion]()
    try:
        found.champion = fetch_current(config.model, folder)
        champion.set_result(found.champion)
    except ClickscoreError as error:
        champion.set_exception(error)  # the run may still go on with the version that was at work last
    if config.model.challenger:
        try:
            found.challenger = fetch_current(config.model.model_copy(update={"uri": config.model.challenger}), folder)
        except ClickscoreError as error:
            found.doubts.append(f"no challenger: {error}")
    spark = make_session()
    where, deployment, picks = str(config.features), Deployment(spark, config.model), tuple(config.model.picks.values())
    with found.part():
        found.definition = read_definition(config)
    if found.champion:
        with found.part():
            deployment.warm_up(found.champion, picks)
    if found.challenger and found.definition:
        produced = found.definition.features.schema
        try:
            check_features(produced, found.challenger.inputs, where, produced)
            deployment.warm_up(found.challenger, picks[:1])
        except ClickscoreError as error:
            found.doubts.append(f"the challenger would be refused: {error}")
    with found.part():
        found.wiring = check(spark, config, champion, partial(fetch_version, config.model, folder=folder))
        found.champion = found.wiring.model
        found.doubts += found.wiring.warnings
    return found


def show(config: Config, found: Findings, console: Console) -> None:
    """Print the plan."""
    say = partial(_say, console)
    source = {key: value for key, value in config.source.model_dump(exclude_defaults=True).items() if key != "kind"}
    say("source", f"{config.source.kind}: " + ", ".join(f"{key} {value}" for key, value in source.items()))
    click = config.click
    say("contract", f"{click.ddl}: id {click.id}, time {click.time}, visitor {click.visitor}")
    if found.definition:
        fields = found.definition.contract.click
        required = [field.name for field in fields if not field.nullable]
        say("", f"{len(fields)} fields, {len(required)} required: {', '.join(required)}")
    say("features", str(config.features))
    if found.definition:
        console.print(_features(found.definition.features.schema, found.champion, found.challenger))
    for role, uri, model in (
        ("model", config.model.uri, found.champion),
        ("challenger", config.model.challenger, found.challenger),
    ):
        if uri:
            for label, line in zip((role, "", "", ""), _model(uri, model), strict=False):
                say(label, line)
    if found.wiring:
        done, planned = found.wiring.checkpoint.last_done, found.wiring.checkpoint.last_planned
        begins = "new" if planned < 0 else f"goes on after batch {done}"
        begins += f", batch {planned} was interrupted" if planned > done else ""
        say("checkpoint", f"{config.checkpoint}: {begins}")
        for table in (found.wiring.scored, found.wiring.rejected, found.wiring.timeline):
            say("table", table.name)
    say("rejected", "records that do not fit the contract")
    if found.champion and found.champion.has_required_inputs:
        names = ", ".join(field.name for field in found.champion.inputs if not field.nullable)
        say("", f"{MISSING_FEATURE}: clicks for which one of {names} is null")
    say("", f"{FEATURE_FAILED}: clicks for which DuckDB cannot compute a feature")
    say("", f"{SCORING_FAILED}: clicks on which the model fails, up to {config.model.failure_limit:.2%}")
    for warning in found.doubts:
        say("warning", warning)
    for problem in found.problems:
        say("refused", problem)
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
        grid.add_row(*row, *([_type(challenger.inputs, name)] if challenger else []))
    return grid


def _type(fields: pa.Schema, name: str) -> str:
    return sql_type(fields.field(name).type) if name in fields.names else "-"
