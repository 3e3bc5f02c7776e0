"""A challenger is trained when outcomes say so; the gate of a promotion decides later whether it gets the alias.

The version carries, in its run, the name of the decision that it was trained for. A job that was killed before the
decision was written down finds it there, and trains no second one.
"""

from collections.abc import Callable

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.config.model import split_uri
from clickscore.config.run import Config
from clickscore.config.training import Training
from clickscore.console import warn
from clickscore.errors import ConfigError, TableError
from clickscore.outcomes.joined import definition
from clickscore.outcomes.judged import judged_clicks
from clickscore.outcomes.measures import calibration_error
from clickscore.registry import promotion
from clickscore.registry.registry import Registry
from clickscore.scoring.contract import contract_of
from clickscore.scoring.features import Features, read_features
from clickscore.storage import stream_metrics
from clickscore.storage.model_decisions import TRAINED, WAITED, ModelDecisions
from clickscore.storage.table import Table
from clickscore.training.decision import Evidence, decide
from clickscore.training.fitting import Fitted, fit
from clickscore.training.recent import check_kept, recent_examples
from clickscore.training.registration import experiment_name
from clickscore.training.trainable import check_trainable, doubts

CHALLENGER = "challenger"
"""Alias of a challenger, unless ``model.challenger`` has another one."""
DRIFTED = "drifted"
"""Column of ``stream_metrics`` with the names of what has drifted."""
DECISION_TAG = "clickscore.decision"
"""Tag of a run: for which decision it has trained a version."""


def run(config: Config, make_session: Callable[[], SparkSession], console: Console, now: bool, apply: bool) -> None:
    """Decide whether a challenger is to be trained, train and register it, and write the decision down.

    Args:
        config: the run; needs ``outcome`` and ``training``.
        make_session: builds the session.
        console: where decision and outcome go.
        now: train, whatever the evidence.
        apply: do it; without, only the decision is printed.

    Raises:
        WiringError: if something does not fit, or the outcomes are too few to train on; no version is registered then.
    """
    config.model.require_registered("jobs/retrain.py")
    definition(config)
    training = settings(config)
    features = read_features(config.features, contract_of(config.click).click)
    check_trainable(features.schema, str(config.features), training.algorithm)
    check_kept(config, features)
    registry = Registry(config.model.registry)
    name, champion = registry.resolve(config.model.uri)
    spark, scored = make_session(), Table(config.output.scored)
    if not scored.columns(spark):
        raise TableError(f"output.scored: {scored.name} does not exist. Run jobs/score_stream.py first.")
    decisions = ModelDecisions.of(spark, scored)
    evidence = gather(spark, config, decisions, name, champion)
    trains, reason = decide(evidence, config.retrain, now)
    about = f"{name} version {champion}: {reason}"
    if not apply:
        would = "a challenger would be trained; add --apply to train it" if trains else "no challenger would be trained"
        _say(console, f"{about}. {would[0].upper()}{would[1:]}.")
        return
    if not trains:
        decisions.add(WAITED, reason, name, champion, None, evidence.numbers)
        _say(console, f"{about}. No challenger is trained.")
        return
    decision = decisions.next_id()
    version = trained_for(registry, name, decision)
    if version:
        _say(console, f"version {version} was trained before, by a job that did not come to its end")
        promotion.pin(config, f"models:/{name}/{version}", console)
    else:
        fitted = train(spark, config, features, training)
        for doubt in doubts(fitted.split.features):
            warn(console, doubt)
        version, _ = fitted.register(registry, name, "", {DECISION_TAG: decision})
        _say(console, f"{name} version {version}: {fitted}")
    alias = challenger_alias(config)
    registry.set_alias(name, alias, version)
    decisions.add(TRAINED, reason, name, champion, version, evidence.numbers)
    _say(console, f"{about}. Version {version} is @{alias} now; jobs/promote_model.py compares the two when the stream "
                  f"has scored clicks with both.")  # fmt: skip


def settings(config: Config) -> Training:
    """Return how a model is trained.

    Raises:
        ConfigError: if the configuration does not say it.
    """
    if config.training is None:
        raise ConfigError("the configuration", ["training: missing; it says how a model is trained"])
    return config.training


def gather(spark: SparkSession, config: Config, decisions: ModelDecisions, name: str, champion: str) -> Evidence:
    """Return what outcomes and drift say of the champion, and how much of that a challenger was trained for already."""
    units, clicks = judged_clicks(spark, config, name, champion)
    seen = decisions.last_training(name, champion).get("units", 0)
    drifted = read_drifted(spark, Table(config.output.scored), name, champion)
    return Evidence(units, int(seen), calibration_error(clicks), drifted)


def read_drifted(spark: SparkSession, scored: Table, name: str, version: str) -> tuple[str, ...] | None:
    """Return what had drifted by the last micro-batch that a version has scored; None if the stream has not looked."""
    metrics = scored.beside(stream_metrics.NAME)
    if DRIFTED not in metrics.columns(spark):
        return None
    is_mine = (F.col("model_name") == name) & (F.col("model_version") == version) & F.col(DRIFTED).isNotNull()
    row = metrics.read(spark).where(is_mine).orderBy(F.desc("batch_id")).select(DRIFTED).first()
    return tuple(row[0]) if row else None


def train(spark: SparkSession, config: Config, features: Features, training: Training) -> Fitted:
    """Fit a model to the scored clicks of the last weeks."""
    examples = recent_examples(spark, config, features, config.retrain.weeks)
    return fit(examples.toPandas(), features.schema.names, training)


def trained_for(registry: Registry, name: str, decision: str) -> str | None:
    """Return the version that was trained for a decision; None if there is none."""
    experiment = registry.client.get_experiment_by_name(experiment_name(registry.uri, name))
    if experiment is None:
        return None
    wanted = f"tags.`{DECISION_TAG}` = '{decision}'"
    runs = {run.info.run_id for run in registry.client.search_runs([experiment.experiment_id], wanted)}
    if not runs:
        return None
    versions = registry.client.search_model_versions(f"name = '{name}'")
    return next((str(version.version) for version in versions if version.run_id in runs), None)


def challenger_alias(config: Config) -> str:
    """Return the alias that ``model.challenger`` has of the champion's model, or else ``challenger``."""
    name, alias, _ = split_uri(config.model.challenger or "")
    return alias if alias and name == split_uri(config.model.uri)[0] else CHALLENGER


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
