from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import infer_signature

from clickscore.config.model import Allow
from clickscore.errors import SignatureError
from clickscore.registry.registry import Registry
from clickscore.registry.version import BOOSTER, PYFUNC, ModelVersion

EXAMPLE = pd.DataFrame({"price": [1.5, np.nan], "count": [1, 2], "sold": [True, False], "who": ["a", None],
                        "at": pd.to_datetime(["2026-03-01", "2026-03-02"])})  # fmt: skip


class Constant(mlflow.pyfunc.PythonModel):
    def predict(self, context: object, model_input: pd.DataFrame) -> Any:
        return [0.5] * len(model_input)


@pytest.fixture
def fetch(registry_uri: str, tmp_path: Path) -> Callable[[str], ModelVersion]:
    return lambda name: Registry(registry_uri).fetch(name, "1", tmp_path, Allow(), trusts_pickle=True)


def test_signature_becomes_arrow_types_and_says_what_is_required(
    register_model: Callable[..., str], fetch: Callable[[str], ModelVersion]
) -> None:
    register_model(mlflow.pyfunc.log_model, "typed", python_model=Constant(), input_example=EXAMPLE,
                   signature=infer_signature(EXAMPLE, [0.5]))  # fmt: skip
    found = fetch("typed")
    assert found.inputs == pa.schema([
        pa.field("price", pa.float64()), pa.field("count", pa.int64(), nullable=False),
        pa.field("sold", pa.bool_(), nullable=False), pa.field("who", pa.string()),
        pa.field("at", pa.timestamp("ns", tz="UTC"), nullable=False),
    ])  # fmt: skip
    assert found.kind == PYFUNC
    assert found.has_required_inputs
    assert found.example is not None
    assert found.example.to_pylist()[1]["who"] is None
    assert found.label == "typed version 1"


def test_booster_is_fed_as_one_whether_or_not_it_has_categories_of_pandas(
    register_model: Callable[..., str], fetch: Callable[[str], ModelVersion]
) -> None:
    plain = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
    coded = pd.DataFrame({"a": pd.Categorical(["x", "y", "x", "y"])})
    for name, frame in (("plain_booster", plain), ("coded_booster", coded)):
        booster = lightgbm.train({"verbosity": -1, "min_data_in_leaf": 1}, lightgbm.Dataset(frame, [0, 1, 0, 1]), 1)
        signature = infer_signature(frame.astype(str) if name == "coded_booster" else frame, [0.5])
        register_model(mlflow.lightgbm.log_model, name, lgb_model=booster, signature=signature)
    assert fetch("plain_booster").kind == BOOSTER
    assert fetch("coded_booster").kind == BOOSTER


def test_tensor_signature_is_refused(register_model: Callable[..., str], fetch: Callable[[str], ModelVersion]) -> None:
    register_model(mlflow.pyfunc.log_model, "tensors", python_model=Constant(),
                   signature=infer_signature(np.zeros((2, 3)), [0.5]))  # fmt: skip
    with pytest.raises(SignatureError, match="no signature of named columns"):
        fetch("tensors")
