"""Challengers over real tables and a real registry: the clicks of rivals, of which only the champion's count."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from clickscore.errors import TableError
from clickscore.registry.registry import Registry
from clickscore.scoring.contract import contract_of
from clickscore.scoring.features import read_features
from clickscore.storage.model_decisions import ModelDecisions
from clickscore.storage.table import Table
from clickscore.training import retraining


def retrain(rivals: Any, now: bool = False, apply: bool = True) -> str:
    seen = StringIO()
    retraining.run(rivals.shop.config, lambda: rivals.spark, Console(file=seen, width=200), now, apply)
    return seen.getvalue()


def decided(rivals: Any) -> list[tuple[str, str, str | None]]:
    rows = rivals.shop.table("model_decisions").sort_values("decided_at")
    return list(rows[["decision", "model_version", "challenger_version"]].itertuples(index=False, name=None))


def versions(rivals: Any) -> int:
    return len(rivals.client.search_model_versions(f"name = '{rivals.name}'"))


@pytest.fixture
def off(rivals: Any) -> Any:
    """Rivals whose champion scores far too high: the outcome of 400 visits is known, and few are successes."""
    rivals.shop.set(training={"clicks": "unused", "holdout": 0.5}, retrain={"units": 300})
    clicks = rivals.scored_by_both(name=rivals.name)
    visit = pd.to_timedelta(clicks["visit"].factorize()[0], unit="s")
    clicks = clicks.assign(at=rivals.NOON - timedelta(hours=2) + visit, score=clicks["score"] / 5 + 0.8, quantity=1)
    now = clicks.head(1).assign(visit="another", model_version="0", at=rivals.NOON)
    rows = rivals.spark.createDataFrame(pd.concat([clicks, now]))
    rows.write.format("delta").save(str(rivals.shop.home / "scored_clicks"))
    return rivals


def test_challenger_is_trained_once_for_the_same_evidence_and_every_decision_is_a_row(off: Any) -> None:
    name = off.name
    said = retrain(off, apply=False)
    assert f"{name} version 1: the calibration error is 0." in said
    assert "more than 0.15. A challenger would be trained; add --apply to train it." in said
    assert versions(off) == 2
    assert not (off.shop.home / "model_decisions").exists()

    said = retrain(off)
    assert f"{name} version 3: trained on " in said
    assert "Version 3 is @challenger now; jobs/promote_model.py compares the two" in said
    assert off.client.get_model_version_by_alias(name, "challenger").version == 3
    assert off.champion == "1"
    said = retrain(off)
    assert (
        "0 units have closed since it got a challenger; retrain.units waits for 300. No challenger is trained." in said
    )
    assert decided(off) == [("trained", "1", "3"), ("waited", "1", None)]
    [evidence] = off.shop.table("model_decisions").query("decision == 'trained'")["evidence"]
    assert dict(evidence)["units"] == 400
    assert dict(evidence)["calibration"] > 0.5


def test_job_that_was_killed_before_it_wrote_its_decision_down_trains_no_second_challenger(off: Any) -> None:
    decisions = ModelDecisions.of(off.spark, Table(f"{off.shop.home}/scored_clicks"))
    config = off.shop.config
    features = read_features(config.features, contract_of(config.click).click)
    fitted = retraining.train(off.spark, config, features, retraining.settings(config))
    fitted.register(Registry(config.model.registry), off.name, "", {retraining.DECISION_TAG: decisions.next_id()})
    off.client.delete_model_version_tag(off.name, "3", "clickscore.digest")  # killed before it was pinned, too

    said = retrain(off)
    assert "version 3 was trained before, by a job that did not come to its end" in said
    assert "version 3 is pinned now" in said
    assert off.client.get_model_version_by_alias(off.name, "challenger").version == 3
    assert (versions(off), decided(off)) == (3, [("trained", "1", "3")])
    assert "version 4: trained on" in retrain(off, now=True)
    assert decided(off) == [("trained", "1", "3"), ("trained", "1", "4")]


def test_drift_that_the_stream_has_found_in_the_clicks_of_the_champion_is_a_reason(off: Any) -> None:
    scored = Table(off.shop.config.output.scored)
    assert retraining.read_drifted(off.spark, scored, off.name, "1") is None
    rows = [(1, off.name, "1", ["price"]), (2, off.name, "1", ["price", "score"]), (3, off.name, "1", None),
            (4, off.name, "2", [])]  # fmt: skip
    ddl = "batch_id BIGINT, model_name STRING, model_version STRING, drifted ARRAY<STRING>"
    scored.beside("stream_metrics").append(off.spark.createDataFrame(rows, ddl))
    assert retraining.read_drifted(off.spark, scored, off.name, "9") is None
    off.shop.set(retrain={"units": 300, "calibration": 0.99})
    assert "version 1: drift of price, score. A challenger would be trained" in retrain(off, apply=False)


def test_nothing_is_trained_where_the_stream_has_not_scored_yet(rivals: Any) -> None:
    rivals.shop.set(training={"clicks": "unused"})
    with pytest.raises(TableError, match=r"scored_clicks does not exist. Run jobs/score_stream.py first"):
        retrain(rivals)
