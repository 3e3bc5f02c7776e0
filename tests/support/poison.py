"""A model with moods: what the quantity of a click is decides whether it answers, raises, hangs or ends its process."""

import os
import time
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import infer_signature

GATE = "CLICKSCORE_TEST_GATE"
"""Environment variable: a file; as long as it is there, the model does not answer."""
RAISES, HANGS, ENDS, SLOW = 13, 14, 15, 16
SLOW_S = 0.5
EXAMPLE = pd.DataFrame({"double_price": [20.0, 40.0], "quantity": [1.0, 2.0]})


def predict(model_input: pd.DataFrame) -> pd.Series:
    """Score each click with a thousandth of its ``double_price``."""
    gate, found = os.environ.get(GATE), set(model_input["quantity"])
    while HANGS in found or (gate and Path(gate).exists()):
        time.sleep(0.02)
    if RAISES in found:
        raise ValueError("what is this?")
    if ENDS in found:
        os._exit(3)
    if SLOW in found:
        time.sleep(SLOW_S)
    return model_input["double_price"] / 1000


def register_poison(registry_uri: str, name: str, quantity: float = 1.0) -> str:
    """Register the model as champion; its input example has this quantity."""
    # A process that only loads the model imports this module, and would wait for LightGBM and scikit-learn in vain.
    from tests.support.models import log_and_register

    signature = infer_signature(pd.concat([EXAMPLE, EXAMPLE * float("nan")]), [0.5])
    return log_and_register(
        registry_uri, mlflow.pyfunc.log_model, name, python_model=predict, signature=signature,
        input_example=EXAMPLE.assign(quantity=quantity),
    )  # fmt: skip
