"""What keeps a promotion from beginning, and the job as people start it."""

from collections.abc import Callable
from typing import Any

import pytest

from clickscore import session
from clickscore.errors import (
    ConfigError,
    ModelNotFoundError,
    ModelUnavailableError,
    SourceError,
    TableError,
    WiringError,
)
from clickscore.registry.version import DIGEST_TAG
from clickscore.training import reference


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
    rivals: Any, model: dict[str, Any], error: type[WiringError], message: str
) -> None:
    rivals.configure(**model)
    with pytest.raises(error, match=message):
        rivals.promote(make_session=rivals.no_session)


def test_missing_alias_is_told_with_those_that_exist(rivals: Any) -> None:
    rivals.configure(challenger=f"models:/{rivals.name}@chalenger")
    with pytest.raises(ModelNotFoundError, match=r"there is no .*@chalenger. Aliases of .*@challenger \(version 2\)"):
        rivals.promote(make_session=rivals.no_session)


def test_table_without_scores_of_a_challenger_is_told(rivals: Any) -> None:
    with pytest.raises(TableError, match="has no scores of a challenger yet"):
        rivals.promote()
    rivals.write(rivals.scored_by_both().drop(columns=["challenger_score", "challenger_version"]))
    with pytest.raises(TableError, match="has no scores of a challenger yet"):
        rivals.promote()


@pytest.mark.parametrize("wrong", [{"success": "prize > 150"}, {"success": "price >"}, {"session": "vizit"}])
def test_outcome_section_that_does_not_fit_the_table_is_told(rivals: Any, wrong: dict[str, str]) -> None:
    rivals.write(rivals.scored_by_both())
    rivals.shop.set(outcome={**rivals.OUTCOME, **wrong})
    with pytest.raises(ConfigError, match="outcome"):
        rivals.promote()


def test_registry_that_goes_away_is_one_message(rivals: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    rivals.shop.set(model={**rivals.shop.config.model.model_dump(include={"uri", "challenger"}),
                           "registry": "http://me:secret@127.0.0.1:9"})  # fmt: skip
    with pytest.raises(ModelUnavailableError) as caught:
        rivals.roll_back()
    assert "secret" not in str(caught.value)


def test_job_pins_and_rolls_back_without_a_session(
    rivals: Any, run_job: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"models:/{rivals.name}"
    monkeypatch.setattr(session, "build_session", lambda _: rivals.no_session())

    def job(*arguments: str) -> Any:
        return run_job("promote_model", "--config", str(rivals.shop.config_file), *arguments)

    rivals.client.delete_model_version_tag(rivals.name, "2", DIGEST_TAG)
    pinned = job("--pin", f"{uri}@challenger")
    assert pinned.status == 0, pinned.err
    assert f"{rivals.name} version 2 keeps the baseline that it has." in pinned.out
    digest = rivals.client.get_model_version(rivals.name, "2").tags[DIGEST_TAG]
    assert f"{rivals.name} version 2 is pinned now: SHA-256 {digest}" in pinned.out
    assert "was pinned before; its files are unchanged" in job("--pin", f"{uri}/2").out

    def gone(*_: Any) -> None:
        raise SourceError("training.clicks: expected a folder, found nothing.")

    monkeypatch.setattr(reference, "keep_reference", gone)
    without = job("--pin", f"{uri}/2")
    assert without.status == 0, without.err
    assert "2 gets no baseline, so its drift cannot be measured: training.clicks: expected" in " ".join(
        without.out.split()
    )

    assert job("--rollback").status == 2
    moved = job("--rollback", "--to", "2", "--no-dry-run")
    assert moved.status == 0, moved.err
    assert rivals.champion == "2"
    alone = job("--to", "2")
    assert (alone.status, "--to needs --rollback" in alone.err) == (2, True)


def test_job_ends_with_1_where_the_gate_does_not_hold(rivals: Any, run_job: Callable[..., Any]) -> None:
    rivals.write(rivals.scored_by_both())
    arguments = ["--config", str(rivals.shop.config_file), "--since", "2026-03-01T12:00:01", "--no-dry-run"]
    done = run_job("promote_model", *arguments)
    assert done.status == 1, done.err
    assert "The gate does not hold: clicks, agreement, psi" in done.out
    assert rivals.champion == "1"
