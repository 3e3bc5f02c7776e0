"""A version is tried in a process of its own, whatever it does there."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.support.models import MODEL
from tests.support.poison import ENDS, HANGS, RAISES, register_poison

from clickscore.config.model import Allow
from clickscore.errors import ModelError
from clickscore.registry import trial
from clickscore.registry.registry import Registry
from clickscore.registry.trial import check_answers, example_of, load_in_time, try_aside
from clickscore.registry.version import ModelVersion
from clickscore.scoring.models import load
from clickscore.scoring.outputs import Outputs

PICKS = (None,)


@pytest.fixture
def booster(registry_uri: str, tmp_path: Path) -> ModelVersion:
    return Registry(registry_uri).fetch(MODEL, "1", tmp_path, Allow())


def test_version_that_answers_as_when_it_was_registered_passes(booster: ModelVersion) -> None:
    try_aside(booster, PICKS, 10)


def test_version_that_answers_otherwise_is_told(booster: ModelVersion) -> None:
    answers = tuple(answer + 0.1 for answer in booster.answers)
    with pytest.raises(ModelError, match="does not answer its input example as when it was registered: expected"):
        try_aside(dataclasses.replace(booster, answers=answers), PICKS, 10)


def test_version_that_cannot_be_loaded_is_told(booster: ModelVersion) -> None:
    (booster.folder / "model.lgb").write_text("no model")
    with pytest.raises(ModelError, match="it cannot be loaded"):
        try_aside(booster, PICKS, 10)


@pytest.mark.parametrize(("quantity", "message"), [
    (RAISES, "it fails on its input example: .*what is this?"),
    (HANGS, "it needs more than 1 s for its input example"),
    (ENDS, "its trial has ended the process .exit code 3."),
], ids=["raises", "hangs", "ends its process"])  # fmt: skip
def test_version_that_misbehaves_harms_nobody(registry_uri: str, tmp_path: Path, quantity: int, message: str) -> None:
    version = register_poison(registry_uri, "tried")
    model = Registry(registry_uri).fetch("tried", version, tmp_path, Allow(), trusts_pickle=True)
    example = pa.array([{"double_price": 20.0, "quantity": float(quantity)}], pa.struct(list(model.inputs)))
    with pytest.raises(ModelError, match=message):
        try_aside(dataclasses.replace(model, example=example), PICKS, 1)


def test_loading_that_hangs_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "LOAD_LIMIT_S", 1)

    def never() -> None:
        while True:
            pass

    with pytest.raises(ModelError, match="cannot be loaded within 1 s"):
        load_in_time(never)


def test_booster_without_an_example_is_tried_on_an_empty_click(booster: ModelVersion) -> None:
    bare = dataclasses.replace(booster, example=None)
    example = example_of(bare)
    assert example is not None
    assert example.to_pylist() == [{"double_price": None, "quantity": None}]
    check_answers(load(bare.kind, bare.folder), example, PICKS, (), 10)
    assert example_of(dataclasses.replace(bare, kind="pyfunc")) is None


def test_score_that_is_no_number_is_told() -> None:
    example = pa.array([{"a": 1.0}])

    def predict(_: pa.StructArray) -> Outputs:
        return Outputs(np.array([[np.nan]]), ())

    with pytest.raises(ModelError, match="not a finite number"):
        check_answers(predict, example, PICKS, (), 10)
