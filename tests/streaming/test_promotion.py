"""Promotions over real tables and a real registry; each test has a registered model of its own."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from pyspark.sql import SparkSession
from rich.console import Console
from sklearn.metrics import roc_auc_score

from clickscore import promotion
from clickscore.errors import (
    ClickscoreError,
    ConfigError,
    ModelError,
    ModelNotFoundError,
    ModelUnavailableError,
    TableError,
    UntrustedModelError,
)
from clickscore.version import ANSWERS_TAG, DIGEST_TAG

VISITORS, EACH = 200, 6
NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
TRAINING = {"clicks": "nowhere", "session": "visit", "converted": "price > 150"}


def scored_by_both(champion: str = "1", challenger: str = "2", name: str = "") -> pd.DataFrame:
    """1,200 clicks of 200 visitors with two visits each; the challenger knows better who will buy."""
    rng = np.random.default_rng(5)
    clicks = pd.DataFrame({"visitor": np.repeat([f"v{number}" for number in range(VISITORS)], EACH)})
    clicks["id"] = [f"c{number}" for number in range(len(clicks))]
    clicks["visit"] = clicks["visitor"] + "-" + (np.arange(len(clicks)) % EACH // 3).astype(str)
    odds = np.repeat(rng.normal(size=VISITORS), EACH)
    clicks["price"] = np.where(rng.random(len(clicks)) < 0.15 / (1 + np.exp(-2 * odds)), 200.0, 10.0)
    clicks["score"] = 1 / (1 + np.exp(-odds - rng.normal(0, 0.7, len(clicks))))
    clicks["challenger_score"] = 1 / (1 + np.exp(-odds - rng.normal(0, 0.3, len(clicks))))
    clicks["model_name"], clicks["model_version"], clicks["challenger_version"] = name, champion, challenger
    clicks["scored_at"] = NOON
    return clicks


@dataclass
class Rivals:
    """A registered model with a champion, version 1, and a challenger, version 2, and the clicks both have scored."""

    shop: Any
    spark: SparkSession
    client: MlflowClient
    name: str

    def write(self, clicks: pd.DataFrame) -> None:
        rows = self.spark.createDataFrame(clicks.assign(model_name=clicks["model_name"].replace("", self.name)))
        rows.write.format("delta").mode("append").save(str(self.shop.home / "scored_clicks"))

    def configure(self, promotion: dict[str, Any] | None = None, training: bool = True, **model: Any) -> None:
        uri = f"models:/{self.name}"
        whole = {"uri": f"{uri}@champion", "challenger": f"{uri}@challenger", "registry": self.registry, **model}
        self.shop.set(model={key: value for key, value in whole.items() if value},
                      training=TRAINING if training else None, promotion=promotion or {})  # fmt: skip

    @property
    def registry(self) -> str:
        return str(self.shop.config.model.registry)

    @property
    def champion(self) -> str:
        return str(self.client.get_model_version_by_alias(self.name, "champion").version)

    def challenger_run(self) -> Any:
        return self.client.get_run(self.client.get_model_version(self.name, "2").run_id)

    def promote(
        self, since: datetime | None = None, until: datetime | None = None, dry_run: bool = True,
        make_session: Callable[[], SparkSession] | None = None,
    ) -> tuple[bool, str]:  # fmt: skip
        seen = StringIO()
        session = make_session or (lambda: self.spark)
        holds = promotion.run(self.shop.config, session, Console(file=seen, width=160), since, until, dry_run)
        return holds, seen.getvalue()

    def roll_back(self, to: str | None = None, dry_run: bool = False) -> str:
        seen = StringIO()
        promotion.roll_back(self.shop.config, Console(file=seen, width=160), to, dry_run)
        return seen.getvalue()

    def clicks(self, **where: Any) -> Any:
        contest = promotion.Contest(self.name, "champion", "1", "2")._replace(**where)
        return promotion.read_clicks(self.spark, self.shop.config, contest)


def no_session() -> SparkSession:
    raise AssertionError("nobody needs a session for this")


@pytest.fixture
def rivals(
    shop: Any, spark: SparkSession, registry_uri: str, register_booster: Callable[..., str],
    request: pytest.FixtureRequest,
) -> Rivals:  # fmt: skip
    name = re.sub(r"\W+", "_", f"rivals_{request.node.name}")
    register_booster(registry_uri, seed=1, name=name)
    register_booster(registry_uri, seed=2, name=name, alias="challenger")
    found = Rivals(shop, spark, MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri), name)
    found.configure()
    return found


def test_dry_run_shows_and_keeps_the_evidence_and_moves_nothing(rivals: Rivals) -> None:
    rivals.write(scored_by_both())
    holds, seen = rivals.promote()
    assert holds
    assert f"{rivals.name} version 2 against 1: 200 visitors" in seen
    for criterion in ("clicks", "agreement", "psi", "auc_gain", "log_loss_gain"):
        assert [line.split()[-2] for line in seen.splitlines() if line.startswith(f"│ {criterion} ")] == ["yes"]
    assert "The gate holds. Nothing has moved; add --no-dry-run" in seen
    assert rivals.champion == "1"
    run = rivals.challenger_run()
    assert run.data.metrics["promotion_clicks"] == VISITORS * EACH
    assert run.data.metrics["promotion_auc_low"] < run.data.metrics["promotion_auc_gain"]
    files = {file.path for file in rivals.client.list_artifacts(run.info.run_id, "promotion")}
    assert files == {f"promotion/{file}" for file in ("evidence.json", "scores.png", "distribution.png", "roc.png")}
    facts = json.loads(Path(rivals.client.download_artifacts(run.info.run_id, "promotion/evidence.json")).read_text())
    assert (facts["champion"], facts["challenger"], len(facts["criteria"])) == ("1", "2", 5)


def test_gate_that_holds_moves_the_alias_and_a_rollback_moves_it_back(rivals: Rivals) -> None:
    rivals.write(scored_by_both())
    holds, seen = rivals.promote(dry_run=False)
    assert holds
    assert f"models:/{rivals.name}@champion has moved from version 1 to 2." in seen
    assert rivals.champion == "2"
    assert "is version 2 already; there is nothing to compare" in rivals.promote(make_session=no_session)[1]

    assert "Nothing has moved; add --no-dry-run" in rivals.roll_back(dry_run=True)
    assert rivals.champion == "2"
    assert "has moved from 2 back to 1" in rivals.roll_back()
    assert rivals.champion == "1"
    assert "is version 1 already; nothing has moved" in rivals.roll_back()
    assert rivals.champion == "1"


def test_gate_that_does_not_hold_moves_nothing_and_names_what_fails(rivals: Rivals) -> None:
    rivals.write(scored_by_both())
    rivals.configure(promotion={"gate": {"clicks": 1_201, "agreement": 0.99}})
    holds, seen = rivals.promote(dry_run=False)
    assert not holds
    assert f"The gate does not hold: clicks, agreement. models:/{rivals.name}@champion stays at version 1." in seen
    assert rivals.champion == "1"


def test_no_click_of_both_fails_the_gate(rivals: Rivals) -> None:
    rivals.write(scored_by_both(challenger="3"))
    holds, seen = rivals.promote(dry_run=False)
    assert not holds
    assert "The gate does not hold: clicks, agreement, psi" in seen
    assert rivals.champion == "1"
    assert "promotion_clicks" not in rivals.challenger_run().data.metrics


def test_rollback_to_a_named_version_stays_there(rivals: Rivals, register_booster: Callable[..., str]) -> None:
    register_booster(rivals.registry, seed=3, name=rivals.name)
    rivals.roll_back(to="3")
    assert rivals.champion == "3"
    assert "is version 3 already" in rivals.roll_back()
    with pytest.raises(ModelNotFoundError, match="versions: 1, 2, 3"):
        rivals.roll_back(to="4")


def test_rollback_without_a_promotion_asks_for_a_version(rivals: Rivals) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no promotion has moved .*--to VERSION"):
        rivals.roll_back()


def test_only_clicks_of_exactly_these_versions_and_times_count(rivals: Rivals) -> None:
    wanted = scored_by_both().head(60)
    for other in ({"model_version": "7"}, {"challenger_version": "7"}, {"model_name": "other"},
                  {"challenger_score": np.nan, "challenger_version": None}):  # fmt: skip
        rivals.write(wanted.assign(**other))
    rivals.write(wanted)
    rivals.write(wanted.head(7).assign(scored_at=NOON.replace(hour=13)))
    assert len(rivals.clicks().champion) == 67
    assert sorted(rivals.clicks(until=NOON.replace(minute=1)).challenger) == sorted(wanted["challenger_score"])
    in_berlin = timezone(timedelta(hours=1))
    assert len(rivals.clicks(since=NOON.replace(hour=14, tzinfo=in_berlin)).champion) == 7
    assert len(rivals.clicks(since=NOON, until=NOON.replace(hour=13)).champion) == 60
    assert len(rivals.clicks(until=NOON).champion) == 0


def test_visit_succeeds_even_if_the_challenger_has_not_seen_the_success(rivals: Rivals) -> None:
    fields = {"visitor": "v1", "score": 0.5, "scored_at": NOON, "model_name": "", "model_version": "1"}
    both = {"challenger_score": 0.4, "challenger_version": "2", "price": 10.0}
    rivals.write(pd.DataFrame([
        {**fields, **both, "id": "a", "visit": "bought"},
        {**fields, "id": "b", "visit": "bought", "price": 200.0, "challenger_score": None, "challenger_version": None},
        {**fields, **both, "id": "c", "visit": "left", "score": 0.6},
        {**fields, **both, "id": "d", "visit": None, "score": 0.7},
    ]))  # fmt: skip
    clicks = rivals.clicks()
    outcomes = dict(zip(clicks.champion, clicks.outcome, strict=True))
    assert (outcomes[0.5], outcomes[0.6]) == (1.0, 0.0)
    assert np.isnan(outcomes[0.7])


def test_gain_is_that_of_the_visits(rivals: Rivals) -> None:
    clicks = scored_by_both()
    rivals.write(clicks)
    rivals.promote()
    bought = clicks["price"].gt(150).groupby(clicks["visit"]).transform("max")
    champion, challenger = (roc_auc_score(bought, clicks[column]) for column in ("score", "challenger_score"))
    logged = rivals.challenger_run().data.metrics
    assert challenger > champion + 0.01
    assert logged["promotion_auc_champion"] == pytest.approx(champion)
    assert logged["promotion_auc_gain"] == pytest.approx(challenger - champion)


def test_outcomes_are_unknown_without_a_training_section(rivals: Rivals) -> None:
    rivals.write(scored_by_both())
    rivals.configure(training=False)
    holds, seen = rivals.promote(dry_run=False)
    assert holds
    assert seen.count("unknown: no outcomes") == seen.count("not applied") == 2
    assert rivals.champion == "2"


def test_too_many_clicks_are_sampled_by_visitor_and_never_more_than_allowed(rivals: Rivals) -> None:
    rivals.write(scored_by_both())
    contest = promotion.Contest(rivals.name, "champion", "1", "2")
    sample = promotion.read_clicks(rivals.spark, rivals.shop.config, contest, most=900)
    _, counts = np.unique(sample.visitor, return_counts=True)
    assert 600 < len(sample.visitor) < 900
    assert set(counts) == {EACH}

    # Ten robots make as many clicks as all the others: to take one more or less is too coarse for the maximum.
    robots = scored_by_both()
    rivals.write(robots.assign(visitor=[f"robot {number % 10}" for number in range(len(robots))]))
    assert len(promotion.read_clicks(rivals.spark, rivals.shop.config, contest, most=200).visitor) == 200


def test_version_that_nobody_has_pinned_is_pinned_when_it_is_promoted(rivals: Rivals) -> None:
    rivals.write(scored_by_both())
    before = rivals.client.get_model_version(rivals.name, "2").tags
    for tag in (DIGEST_TAG, ANSWERS_TAG):
        rivals.client.delete_model_version_tag(rivals.name, "2", tag)
    rivals.promote()
    assert DIGEST_TAG not in rivals.client.get_model_version(rivals.name, "2").tags
    rivals.promote(dry_run=False)
    after = rivals.client.get_model_version(rivals.name, "2").tags
    assert after[DIGEST_TAG] == before[DIGEST_TAG]
    assert json.loads(after[ANSWERS_TAG]) == pytest.approx(json.loads(before[ANSWERS_TAG]))
    assert len(json.loads(after[ANSWERS_TAG])) == 2


def test_challenger_whose_files_were_changed_is_not_promoted(rivals: Rivals) -> None:
    rivals.write(scored_by_both())
    source = rivals.client.get_model_version_download_uri(rivals.name, "2").removeprefix("file://")
    Path(source, "model.lgb").write_text("something else")
    with pytest.raises(UntrustedModelError, match="version 2: the files are not those that were registered"):
        rivals.promote(dry_run=False, make_session=no_session)
    with pytest.raises(UntrustedModelError, match="version 2: the files are not those that were registered"):
        promotion.pin(rivals.shop.config, f"models:/{rivals.name}/2", Console(file=StringIO()))
    assert rivals.champion == "1"


def test_challenger_without_an_output_that_becomes_a_column_is_not_promoted(rivals: Rivals) -> None:
    rivals.configure(outputs={"margin": "margin"})
    with pytest.raises(ModelError, match="fails on its input example: OutputError: the model has no output margin"):
        rivals.promote(dry_run=False, make_session=no_session)


def test_alias_that_moves_while_its_version_is_compared_is_left_alone(
    rivals: Rivals, register_booster: Callable[..., str]
) -> None:
    rivals.write(scored_by_both())
    register_booster(rivals.registry, seed=3, name=rivals.name)

    def slow_session() -> SparkSession:
        rivals.client.set_registered_model_alias(rivals.name, "champion", "3")
        return rivals.spark

    with pytest.raises(ModelError, match="has moved while version 1 was compared"):
        rivals.promote(dry_run=False, make_session=slow_session)
    assert rivals.champion == "3"


def test_run_that_is_gone_does_not_keep_the_challenger_from_promotion(rivals: Rivals) -> None:
    rivals.write(scored_by_both())
    rivals.client.delete_run(rivals.challenger_run().info.run_id)
    holds, seen = rivals.promote(dry_run=False)
    assert holds
    assert "warning: the evidence cannot be kept in run" in seen
    assert rivals.champion == "2"


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ({"challenger": None}, ConfigError, "model.challenger: missing"),
        (
            {"challenger": "models:/small_model/1"},
            ConfigError,
            r"cannot point to a version of small_model; .*copy_model",
        ),
        ({"uri": "models:/small_model/1"}, ConfigError, "only an alias can move, found models:/small_model/1"),
        ({"registry": "sqlite:///nowhere.db"}, ModelNotFoundError, "no such file"),
    ],
)
def test_wrong_wiring_is_told_before_a_session_starts(
    rivals: Rivals, model: dict[str, Any], error: type[ClickscoreError], message: str
) -> None:
    rivals.configure(**model)
    with pytest.raises(error, match=message):
        rivals.promote(make_session=no_session)


def test_missing_alias_is_told_with_those_that_exist(rivals: Rivals) -> None:
    rivals.configure(challenger=f"models:/{rivals.name}@chalenger")
    with pytest.raises(ModelNotFoundError, match=r"there is no .*@chalenger. Aliases of .*@challenger \(version 2\)"):
        rivals.promote(make_session=no_session)


def test_table_without_scores_of_a_challenger_is_told(rivals: Rivals) -> None:
    with pytest.raises(TableError, match="has no scores of a challenger yet"):
        rivals.promote()
    rivals.write(scored_by_both().drop(columns=["challenger_score", "challenger_version"]))
    with pytest.raises(TableError, match="has no scores of a challenger yet"):
        rivals.promote()


@pytest.mark.parametrize("wrong", [{"converted": "prize > 150"}, {"converted": "price >"}, {"session": "vizit"}])
def test_training_section_that_does_not_fit_the_table_is_told(rivals: Rivals, wrong: dict[str, str]) -> None:
    rivals.write(scored_by_both())
    rivals.shop.set(training={**TRAINING, **wrong})
    with pytest.raises(ConfigError, match="training: "):
        rivals.promote()


def test_registry_that_goes_away_is_one_message(rivals: Rivals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    rivals.shop.set(model={**rivals.shop.config.model.model_dump(include={"uri", "challenger"}),
                           "registry": "http://me:secret@127.0.0.1:9"})  # fmt: skip
    with pytest.raises(ModelUnavailableError) as caught:
        rivals.roll_back()
    assert "secret" not in str(caught.value)


def job(rivals: Rivals, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "jobs/promote_model.py", "--config", str(rivals.shop.config_file), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_job_pins_and_rolls_back_without_a_session(rivals: Rivals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")  # no session could start
    rivals.client.delete_model_version_tag(rivals.name, "2", DIGEST_TAG)
    pinned = job(rivals, "--pin", f"models:/{rivals.name}@challenger")
    assert pinned.returncode == 0, pinned.stderr
    digest = rivals.client.get_model_version(rivals.name, "2").tags[DIGEST_TAG]
    assert f"{rivals.name} version 2 is pinned now: SHA-256 {digest}" in pinned.stdout
    assert "was pinned before, and is what it was" in job(rivals, "--pin", f"models:/{rivals.name}/2").stdout

    assert job(rivals, "--rollback").returncode == 2
    moved = job(rivals, "--rollback", "--to", "2", "--no-dry-run")
    assert moved.returncode == 0, moved.stderr
    assert rivals.champion == "2"
    assert "--to goes with --rollback" in job(rivals, "--to", "2").stderr


def test_job_ends_with_1_where_the_gate_does_not_hold(rivals: Rivals) -> None:
    rivals.write(scored_by_both())
    done = job(rivals, "--since", "2026-03-01T12:00:01", "--no-dry-run")
    assert done.returncode == 1, done.stderr
    assert "The gate does not hold: clicks, agreement, psi" in done.stdout
    assert rivals.champion == "1"
