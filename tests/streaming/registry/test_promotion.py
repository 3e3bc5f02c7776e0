"""Promotions over real tables and a real registry; each test has a registered model of its own."""

import json
from collections.abc import Callable
from datetime import timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from rich.console import Console
from sklearn.metrics import roc_auc_score

from clickscore.errors import (
    ModelError,
    ModelNotFoundError,
    UntrustedModelError,
)
from clickscore.registry import promotion
from clickscore.registry.version import ANSWERS_TAG, DIGEST_TAG


def test_dry_run_shows_and_keeps_the_evidence_and_moves_nothing(rivals: Any) -> None:
    rivals.write(rivals.scored_by_both())
    holds, seen = rivals.promote()
    assert holds
    assert f"{rivals.name} version 2 against 1: 200 visitors" in seen
    for criterion in ("clicks", "agreement", "psi", "auc_gain", "log_loss_gain"):
        assert [line.split()[-2] for line in seen.splitlines() if line.startswith(f"│ {criterion} ")] == ["yes"]
    assert "The gate holds. Nothing has moved; add --no-dry-run" in seen
    assert rivals.champion == "1"
    assert not (rivals.shop.home / "model_decisions").exists()
    run = rivals.challenger_run()
    assert run.data.metrics["promotion_clicks"] == rivals.VISITORS * rivals.EACH
    assert run.data.metrics["promotion_auc_low"] < run.data.metrics["promotion_auc_gain"]
    files = {file.path for file in rivals.client.list_artifacts(run.info.run_id, "promotion")}
    assert files == {f"promotion/{file}" for file in ("evidence.json", "scores.png", "distribution.png", "roc.png")}
    facts = json.loads(Path(rivals.client.download_artifacts(run.info.run_id, "promotion/evidence.json")).read_text())
    assert (facts["champion"], facts["challenger"], len(facts["criteria"])) == ("1", "2", 5)


def test_gate_that_holds_moves_the_alias_and_a_rollback_moves_it_back(rivals: Any) -> None:
    rivals.write(rivals.scored_by_both())
    holds, seen = rivals.promote(dry_run=False)
    assert holds
    assert f"models:/{rivals.name}@champion has moved from version 1 to 2." in seen
    assert rivals.champion == "2"
    assert "is version 2 already; there is nothing to compare" in rivals.promote(make_session=rivals.no_session)[1]
    [decision] = rivals.shop.table("model_decisions").to_dict("records")
    assert [decision[name] for name in ("decision", "model_version", "challenger_version")] == ["promoted", "1", "2"]
    assert dict(decision["evidence"])["clicks"] == rivals.VISITORS * rivals.EACH

    assert "Nothing has moved; add --no-dry-run" in rivals.roll_back(dry_run=True)
    assert rivals.champion == "2"
    assert "has moved from version 2 back to 1" in rivals.roll_back()
    assert rivals.champion == "1"
    assert "is version 1 already; nothing has moved" in rivals.roll_back()
    assert rivals.champion == "1"


def test_gate_that_does_not_hold_moves_nothing_and_names_what_fails(rivals: Any) -> None:
    rivals.write(rivals.scored_by_both())
    rivals.configure(promotion={"gate": {"clicks": 1_201, "agreement": 0.99}})
    holds, seen = rivals.promote(dry_run=False)
    assert not holds
    assert f"The gate does not hold: clicks, agreement. models:/{rivals.name}@champion stays at version 1." in seen
    assert rivals.champion == "1"
    [decision] = rivals.shop.table("model_decisions").to_dict("records")
    assert (decision["decision"], decision["reason"]) == ("refused", "the gate does not hold: clicks, agreement")


def test_no_click_of_both_fails_the_gate(rivals: Any) -> None:
    rivals.write(rivals.scored_by_both(challenger="3"))
    holds, seen = rivals.promote(dry_run=False)
    assert not holds
    assert "The gate does not hold: clicks, agreement, psi" in seen
    assert rivals.champion == "1"
    assert "promotion_clicks" not in rivals.challenger_run().data.metrics


def test_rollback_to_a_named_version_stays_there(rivals: Any, register_booster: Callable[..., str]) -> None:
    register_booster(rivals.registry, seed=3, name=rivals.name)
    rivals.roll_back(to="3")
    assert rivals.champion == "3"
    assert "is version 3 already" in rivals.roll_back()
    with pytest.raises(ModelNotFoundError, match="versions: 1, 2, 3"):
        rivals.roll_back(to="4")


def test_rollback_without_a_promotion_asks_for_a_version(rivals: Any) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no promotion has moved .*--to VERSION"):
        rivals.roll_back()


def test_only_clicks_of_exactly_these_versions_and_times_count(rivals: Any) -> None:
    wanted = rivals.scored_by_both().head(60)
    for other in ({"model_version": "7"}, {"challenger_version": "7"}, {"model_name": "other"},
                  {"challenger_score": np.nan, "challenger_version": None}):  # fmt: skip
        rivals.write(wanted.assign(**other))
    rivals.write(wanted)
    rivals.write(wanted.head(7).assign(scored_at=rivals.NOON.replace(hour=13)))
    assert len(rivals.clicks().champion) == 67
    assert sorted(rivals.clicks(until=rivals.NOON.replace(minute=1)).challenger) == sorted(wanted["challenger_score"])
    in_berlin = timezone(timedelta(hours=1))
    assert len(rivals.clicks(since=rivals.NOON.replace(hour=14, tzinfo=in_berlin)).champion) == 7
    assert len(rivals.clicks(since=rivals.NOON, until=rivals.NOON.replace(hour=13)).champion) == 60
    assert len(rivals.clicks(until=rivals.NOON).champion) == 0


def test_visit_succeeds_even_if_the_challenger_has_not_seen_the_success(rivals: Any) -> None:
    fields = {"visitor": "v1", "score": 0.5, "scored_at": rivals.NOON, "model_name": "", "model_version": "1"}
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


def test_gain_is_that_of_the_visits(rivals: Any) -> None:
    clicks = rivals.scored_by_both()
    rivals.write(clicks)
    rivals.promote()
    bought = clicks["price"].gt(150).groupby(clicks["visit"]).transform("max")
    champion, challenger = (roc_auc_score(bought, clicks[column]) for column in ("score", "challenger_score"))
    logged = rivals.challenger_run().data.metrics
    assert challenger > champion + 0.01
    assert logged["promotion_auc_champion"] == pytest.approx(champion)
    assert logged["promotion_auc_gain"] == pytest.approx(challenger - champion)


def test_outcomes_are_unknown_without_an_outcome_section(rivals: Any) -> None:
    rivals.write(rivals.scored_by_both())
    rivals.configure(outcome=False)
    holds, seen = rivals.promote(dry_run=False)
    assert holds
    assert seen.count("unknown: no outcomes") == seen.count("not applied") == 2
    assert rivals.champion == "2"


def test_too_many_clicks_are_sampled_by_visitor_and_never_more_than_allowed(rivals: Any) -> None:
    rivals.write(rivals.scored_by_both())
    contest = promotion.Contest(rivals.name, "champion", "1", "2")
    sample = promotion.read_clicks(rivals.spark, rivals.shop.config, contest, most=900)
    _, counts = np.unique(sample.visitor, return_counts=True)
    assert 600 < len(sample.visitor) < 900
    assert set(counts) == {rivals.EACH}

    # Ten robots make as many clicks as all the others: to take one more or less is too coarse for the maximum.
    robots = rivals.scored_by_both()
    rivals.write(robots.assign(visitor=[f"robot {number % 10}" for number in range(len(robots))]))
    assert len(promotion.read_clicks(rivals.spark, rivals.shop.config, contest, most=200).visitor) == 200


def test_version_that_nobody_has_pinned_is_pinned_when_it_is_promoted(rivals: Any) -> None:
    rivals.write(rivals.scored_by_both())
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


def test_challenger_whose_files_were_changed_is_not_promoted(rivals: Any) -> None:
    rivals.write(rivals.scored_by_both())
    source = rivals.client.get_model_version_download_uri(rivals.name, "2").removeprefix("file://")
    Path(source, "model.lgb").write_text("something else")
    with pytest.raises(UntrustedModelError, match="version 2: the files are not those that were registered"):
        rivals.promote(dry_run=False, make_session=rivals.no_session)
    with pytest.raises(UntrustedModelError, match="version 2: the files are not those that were registered"):
        promotion.pin(rivals.shop.config, f"models:/{rivals.name}/2", Console(file=StringIO()))
    assert rivals.champion == "1"


def test_challenger_without_an_output_that_becomes_a_column_is_not_promoted(rivals: Any) -> None:
    rivals.configure(outputs={"margin": "margin"})
    with pytest.raises(ModelError, match="the model has no output margin"):
        rivals.promote(dry_run=False, make_session=rivals.no_session)


def test_alias_that_moves_while_its_version_is_compared_is_left_alone(
    rivals: Any, register_booster: Callable[..., str]
) -> None:
    rivals.write(rivals.scored_by_both())
    register_booster(rivals.registry, seed=3, name=rivals.name)

    def slow_session() -> SparkSession:
        rivals.client.set_registered_model_alias(rivals.name, "champion", "3")
        return rivals.spark

    with pytest.raises(ModelError, match="has moved while version 1 was compared"):
        rivals.promote(dry_run=False, make_session=slow_session)
    assert rivals.champion == "3"


def test_run_that_is_gone_does_not_keep_the_challenger_from_promotion(rivals: Any) -> None:
    rivals.write(rivals.scored_by_both())
    rivals.client.delete_run(rivals.challenger_run().info.run_id)
    holds, seen = rivals.promote(dry_run=False)
    assert holds
    assert "warning: the evidence cannot be kept in run" in seen
    assert rivals.champion == "2"
