"""Models with habits of their own, for tests of what the stream does about them."""

import os
import time
from collections.abc import Callable
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.models import infer_signature

EXAMPLE = pd.DataFrame({"double_price": [1.0, 2.0], "quantity": [1.0, 2.0]})


class Moody(mlflow.pyfunc.PythonModel):
    """Answers the quantity; raises, hangs, answers rubbish, or ends its process at certain prices."""

    RAISES, HANGS, RUBBISH, DIES = -1.0, -2.0, -3.0, -4.0

    def predict(self, context: object, model_input: pd.DataFrame) -> Any:
        price = model_input["double_price"] / 2
        if (price == self.RAISES).any():
            raise ValueError("what is this?")
        while (price == self.HANGS).any():
            time.sleep(0.01)
        if (price == self.DIES).any():
            os._exit(7)
        return model_input["quantity"].mask(price == self.RUBBISH)


@pytest.fixture
def register_moody(register_model: Callable[..., str]) -> Callable[..., str]:
    return lambda name, alias="champion": register_model(
        mlflow.pyfunc.log_model, name, alias, python_model=Moody(), input_example=EXAMPLE,
        signature=infer_signature(EXAMPLE, [0.5]),
    )  # fmt: skip


@pytest.fixture
def moody(shop: Any, registry_uri: str, register_moody: Callable[..., str]) -> Any:
    """A shop whose champion is moody."""
    register_moody("moody")
    shop.set(model={"uri": "models:/moody@champion", "registry": registry_uri, "trust": "pickle",
                    "time_limit": "1 second"})  # fmt: skip
    shop.raises, shop.hangs, shop.rubbish, shop.dies = Moody.RAISES, Moody.HANGS, Moody.RUBBISH, Moody.DIES
    return shop
