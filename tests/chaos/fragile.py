"""A site whose model can be hit in the middle of predict: held there, killed there, or made to take too much memory."""

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import psutil
from mlflow.models import infer_signature
from tests.chaos.job import wait_until
from tests.chaos.site import MODEL, ONE_REGISTRY, Fault, Site

from clickscore.registry.registry import Registry

HELD, HUNGRY, DOOMED = -1.0, -2.0, -3.0
"""Prices at which the model lets itself be held; wants more memory than there is; takes a lot and is killed for it."""
PIECE, MOST_PIECES = 256 << 20, 256
"""The hungry take memory in pieces of 256 MiB, and 64 GiB of them are far more than the limit."""
LAST_PIECE = 64 << 20
"""What the doomed take; the search for the click to blame repeats it some ten times."""
HELD_PATIENCE_S = 60
LIMITS = {"time_limit": "30 seconds", "failure_limit": 0.5}
"""Trials follow each other much more closely than faults do: they shall not add up to a model that is broken."""
EXAMPLE = pd.DataFrame({"double_price": [1.0, 2.0], "quantity": [1.0, 2.0]})


def fragile(hold: str, held: str, factor: float) -> Callable[[pd.DataFrame], pd.Series]:
    """Return a model that answers the quantity; at certain prices, it can be held or takes too much memory."""

    # A function within a function: its code goes into the registry, where this module would be only named.
    def predict(model_input: pd.DataFrame) -> pd.Series:
        price = model_input["double_price"] / 2
        while (price == HELD).any() and Path(hold).exists():
            Path(held).write_text(str(os.getpid()))
            time.sleep(0.01)
        if (price == HUNGRY).any():
            taken = [np.zeros(PIECE, np.uint8) for _ in range(MOST_PIECES)]
            raise AssertionError(f"there is no limit: {len(taken)} pieces")
        if (price == DOOMED).any():
            taken = [np.ones(LAST_PIECE, np.uint8)]
            os.kill(os.getpid(), signal.SIGKILL)
        return model_input["quantity"].fillna(0) * factor

    return predict


class FragileSite(Site):
    """A site whose model can be hit in the middle of predict."""

    def __init__(self, home: Path, rng: random.Random, submit: str) -> None:
        """Make the site; ``submit`` are arguments of spark-submit."""
        model = {"uri": f"models:/{MODEL}@champion", "registry": f"sqlite:///{home / 'mlflow.db'}",
                 "poll": "1 second", "trust": "pickle", **LIMITS}  # fmt: skip
        super().__init__(home, rng, model=model)
        self.env["PYSPARK_SUBMIT_ARGS"] = f"{submit} pyspark-shell"

    def register_models(self) -> None:
        """Register two versions of the fragile model."""
        with ONE_REGISTRY:
            registry = Registry(self.registry, create=True)
            registry.select()
            mlflow.create_experiment(MODEL, (self.home / "artifacts").as_uri())
            mlflow.set_experiment(MODEL)
            for factor in (1.0, 2.0):
                with mlflow.start_run():
                    mlflow.pyfunc.log_model(
                        name="model", python_model=fragile(str(self.home / "hold"), str(self.home / "held"), factor),
                        input_example=EXAMPLE, signature=infer_signature(EXAMPLE, [0.5]), registered_model_name=MODEL,
                        pip_requirements=[],
                    )  # fmt: skip
            registry.set_alias(MODEL, "champion", "1")

    def send_marked(self, price: float) -> str:
        """Let records arrive, one click among them with a price that the model reacts to; return that click."""
        lines = self.records()
        chosen = self.rng.choice([number for number, line in enumerate(lines) if line.startswith("{")])
        lines[chosen] = json.dumps({**json.loads(lines[chosen]), "price": price})
        self.land(lines)
        return lines[chosen]

    @contextmanager
    def predicting(self) -> Iterator[psutil.Process]:
        """Let a click arrive, and hold the process that predicts it; what is left of the process goes on at the end."""
        hold = self.home / "hold"
        (self.home / "held").unlink(missing_ok=True)
        hold.touch()
        self.send_marked(HELD)
        try:
            yield self.held_process()
        finally:
            hold.unlink()

    def held_process(self) -> psutil.Process:
        """Wait until the model says which process it is in."""
        held = self.home / "held"
        wait_until(lambda: held.exists() and held.read_text().isdecimal(), "a prediction", HELD_PATIENCE_S)
        return psutil.Process(int(held.read_text()))


def on_fragile(fault: Callable[[FragileSite], float]) -> Fault:
    """Return the fault, which only a site with the fragile model can have."""

    def run(site: Site) -> float:
        assert isinstance(site, FragileSite)
        return fault(site)

    return run
