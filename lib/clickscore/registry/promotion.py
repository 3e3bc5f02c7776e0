"""Promotion: the champion's alias moves to a challenger that passes the gate; a rollback moves it back."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from clickscore.config.model import Model, split_uri
from clickscore.config.run import Config
from clickscore.errors import ConfigError, ModelError, ModelNotFoundError, ModelUnavailableError, TableError, gist
from clickscore.outcomes.labels import with_outcome
from clickscore.registry.comparison import Clicks, Evidence, Verdict, compare, figures, judge, metrics
from clickscore.registry.registry import Registry, fetch_version, redacted
from clickscore.registry.version import ModelVersion
from clickscore.scoring.isolation import describe
from clickscore.scoring.models import answer, load
from clickscore.scoring.outputs import Pick
from clickscore.storage.model_decisions import PROMOTED, REFUSED, ModelDecisions
from clickscore.storage.schemas import quoted
from clickscore.storage.table import Table

MOST_CLICKS = 250_000
"""Clicks that are compared, at most; more would make the intervals little narrower, and the driver wait."""
MOST_ANSWERS = 1_000
"""Answers that are kept, some 20 KB; a tag of the registry holds 100 KB."""
PREVIOUS_TAG = "clickscore.previous."
"""Tag of a registered model, followed by the alias: the version that a rollback brings back."""

_SALT = "clickscore-promotion"
"""Hashed along with the visitor, so that the sample has nothing to do with whom the challenger scores."""
_SHARES, _MARGIN = 1_000_000, 0.95
"""The sample aims at the second of the maximum: some visitors click more than others."""
_OUTCOME = "_outcome"
_WORDS = {True: "[green]yes[/]", False: "[red]no[/]", None: "[dim]not applied[/]"}


class Contest(NamedTuple):
    """Versions of a registered model: the one the alias points to, and one for its place; and when both have scored."""

    name: str
    alias: str
    champion: str
    challenger: str
    since: datetime | None = None
    until: datetime | None = None


def run(
    config: Config, make_session: Callable[[], SparkSession], console: Console, since: datetime | None,
    until: datetime | None, dry_run: bool,
) -> bool:  # fmt: skip
    """Compare challenger and champion, keep evidence and decision, and move the alias if the gate holds.

    Args:
        config: the run; needs ``model.challenger``.
        make_session: builds the session.
        console: where the evidence goes.
        since: begin of the time of scoring; None is open.
        until: its end, exclusive.
        dry_run: move nothing.

    Returns:
        Whether the gate holds, or the challenger is the champion already.

    Raises:
        WiringError: if the two cannot be compared, or the stream would refuse the challenger.
    """
    uri = config.model.uri
    with open_registry(config.model) as (registry, client), tempfile.TemporaryDirectory(prefix="clickscore-") as folder:
        contest = find_contest(config.model, registry)._replace(since=since, until=until)
        if contest.champion == contest.challenger:
            _say(console, f"{uri} is version {contest.challenger} already; there is nothing to compare.")
            return True
        model = fetch_version(config.model, contest.name, contest.challenger, Path(folder), registry)
        answers = try_out(model, tuple(config.model.picks.values()))
        spark = make_session()
        clicks = read_clicks(spark, config, contest)
        evidence = compare(clicks)
        verdicts = judge(evidence, config.promotion.gate)
        _show(console, f"{model.label} against {contest.champion}: {evidence.visitors:,} visitors", verdicts)
        if evidence.clicks:
            facts = {**contest._asdict(), "criteria": [verdict._asdict() for verdict in verdicts]}
            _keep(console, client, model.run_id, clicks, evidence, facts)
        decisions = ModelDecisions.of(spark, Table(config.output.scored))
        about = (contest.name, contest.champion, contest.challenger, metrics(evidence))
        if failing := [verdict.what for verdict in verdicts if verdict.holds is False]:
            if not dry_run:
                decisions.add(REFUSED, f"the gate does not hold: {', '.join(failing)}", *about)
            _say(console, f"The gate does not hold: {', '.join(failing)}. {uri} stays at version {contest.champion}.")
            return False
        if dry_run:
            _say(console, f"The gate holds. Nothing has moved; add --no-dry-run to move {uri}.")
            return True
        if registry.resolve(uri)[1] != contest.champion:
            raise ModelError(f"{uri} has moved while version {contest.champion} was compared. Compare again.")
        if not model.is_pinned:
            registry.pin(*model.key, model.digest, answers)
        decisions.add(PROMOTED, "the gate holds", *about)  # before it is done, so that no move is without its row
        move(registry, contest)
        _say(console, f"The gate holds. {uri} has moved from version {contest.champion} to {contest.challenger}.")
        return True


def move(registry: Registry, contest: Contest) -> None:
    """Let the champion's alias point to the challenger; a rollback brings it back to where it was."""
    registry.client.set_registered_model_tag(contest.name, PREVIOUS_TAG + contest.alias, contest.champion)
    registry.set_alias(contest.name, contest.alias, contest.challenger)


def roll_back(config: Config, console: Console, to: str | None, dry_run: bool) -> None:
    """Move the champion's alias to a version, or back to the one before the last promotion; no gate is asked.

    Raises:
        WiringError: if there is no such version.
    """
    with open_registry(config.model) as (registry, client):
        uri, (name, alias) = config.model.uri, _moving_alias(config.model)
        _, current = registry.resolve(uri)
        target = to or client.get_registered_model(name).tags.get(PREVIOUS_TAG + alias)
        if target is None:
            raise ModelNotFoundError(f"no promotion has moved {uri} yet. Name the version to return to: --to VERSION.")
        registry.resolve(f"models:/{name}/{target}")
        if target == current:
            _say(console, f"{uri} is version {target} already; nothing has moved.")
        elif dry_run:
            _say(console, f"Nothing has moved; add --no-dry-run to move {uri} from version {current} back to {target}.")
        else:
            client.set_registered_model_tag(name, PREVIOUS_TAG + alias, target)
            registry.set_alias(name, alias, target)
            _say(console, f"{uri} has moved from version {current} back to {target}.")


def pin(config: Config, uri: str, console: Console) -> None:
    """Write down what a version is that somebody else has registered: its digest, and the answers to its example.

    Raises:
        WiringError: if the version is not there, not trusted, or not what was pinned before.
    """
    with open_registry(config.model) as (registry, _), tempfile.TemporaryDirectory(prefix="clickscore-") as folder:
        model = fetch_version(config.model, *registry.resolve(uri), Path(folder), registry)
        if not model.is_pinned:
            registry.pin(*model.key, model.digest, try_out(model, ()))
        done = "was pinned before; its files are unchanged" if model.is_pinned else "is pinned now"
        _say(console, f"{model.label} {done}: SHA-256 {model.digest}")


def find_contest(config: Model, registry: Registry) -> Contest:
    """Return which versions champion and challenger are now.

    Raises:
        WiringError: if there are no such two, or the alias cannot point to the challenger.
    """
    name, alias = _moving_alias(config)
    if config.challenger is None:
        raise ConfigError("the configuration", ["model.challenger: missing; it names the version to promote"])
    if (other := split_uri(config.challenger)[0]) != name:
        copy = f'mlflow.MlflowClient().copy_model_version("{config.challenger}", "{name}")'
        problem = f"an alias of {name} cannot point to a version of {other}; copy the version to {name} first: {copy}"
        raise ConfigError("the configuration", [f"model.challenger: {problem}"])
    return Contest(name, alias, registry.resolve(config.uri)[1], registry.resolve(config.challenger)[1])


def _moving_alias(config: Model) -> tuple[str, str]:
    name, alias, _ = split_uri(config.uri)
    if alias is None:
        raise ConfigError("the configuration", [f"model.uri: only an alias can move, found {config.uri}"])
    return name, alias


def try_out(model: ModelVersion, picks: tuple[Pick, ...]) -> list[float]:
    """Load a version, let it score its input example, and return the answers that are worth keeping.

    Raises:
        ModelError: if it fails, or does not have the outputs that become columns.
    """
    if model.example is None:
        return []
    try:
        score = load(model.kind, model.folder)
    except Exception as error:  # a library that is missing, a file that is none: whatever loading it may raise
        raise ModelError(f"{model.label} cannot be loaded: {describe(error)}") from None
    try:
        outputs = answer(score, model.example, picks)
    except ModelError as error:
        raise ModelError(f"{model.label}: {error}") from None
    answers: list[float] = outputs.values.ravel().tolist()
    return answers if len(answers) <= MOST_ANSWERS and np.isfinite(answers).all() else []


def read_clicks(spark: SparkSession, config: Config, contest: Contest, most: int = MOST_CLICKS) -> Clicks:
    """Return the clicks that both versions have scored; of more than ``most``, those of some visitors.

    Raises:
        WiringError: if there is no table with a challenger's scores, or it has not what ``outcome`` names.
    """
    table = Table(config.output.scored)
    if "challenger_score" not in table.columns(spark):
        hint = "Let the stream run with this model section first: jobs/score_stream.py --config ..."
        raise TableError(f"output.scored: {table.name} has no scores of a challenger yet. {hint}")
    is_wanted = (F.col("model_name") == contest.name) & (F.col("model_version") == contest.champion)
    is_wanted &= (F.col("challenger_version") == contest.challenger) & F.col("challenger_score").isNotNull()
    if contest.since:
        is_wanted &= F.col("scored_at") >= F.lit(contest.since)
    if contest.until:
        is_wanted &= F.col("scored_at") < F.lit(contest.until)
    rows = with_outcome(spark, config, _OUTCOME).where(is_wanted)
    visitor, count = F.xxhash64(F.col(quoted(config.click.visitor)), F.lit(_SALT)), rows.count()
    if count > most:
        rows = rows.where(F.pmod(visitor, F.lit(_SHARES)) < _MARGIN * most / count * _SHARES).limit(most)
    found = rows.select("score", "challenger_score", visitor.alias("_visitor"), _OUTCOME).toPandas()
    champion, challenger, _, outcome = (found[name].to_numpy(np.float64) for name in found)
    return Clicks(champion, challenger, found["_visitor"].to_numpy(np.int64), outcome)


def _show(console: Console, title: str, verdicts: list[Verdict]) -> None:
    grid = Grid("criterion", "found", "wanted", "holds", title=Text(title), title_justify="left", title_style="bold")
    for verdict in verdicts:
        grid.add_row(*map(Text, (verdict.what, verdict.found, verdict.wanted)), _WORDS[verdict.holds])
    console.print(grid)


def _keep(console: Console, client: Any, run_id: str | None, clicks: Clicks, evidence: Evidence, facts: object) -> None:
    from mlflow.entities import Metric

    now_ms = int(time.time() * 1000)
    try:
        client.log_batch(run_id, [Metric(f"promotion_{name}", n, now_ms, 0) for name, n in metrics(evidence).items()])
        client.log_text(run_id, json.dumps(facts, default=str, indent=2), "promotion/evidence.json")
        for file, figure in figures(clicks).items():
            client.log_figure(run_id, figure, f"promotion/{file}")
    except Exception as error:  # a registry is a server, a database or a folder: their errors have no common class
        _say(console, f"warning: the evidence cannot be kept in run {run_id}: {redacted(gist(error))}")


@contextmanager
def open_registry(config: Model) -> Iterator[tuple[Registry, Any]]:
    """Give the registry of a configuration and MLflow's client of it; one that does not answer is a WiringError."""
    from mlflow.exceptions import MlflowException

    config.require_registered("jobs/promote_model.py")
    registry = Registry(config.registry)
    try:
        yield registry, registry.client
    except MlflowException as error:
        raise ModelUnavailableError(redacted(f"model.registry: {config.registry}: {gist(error)}")) from None


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
