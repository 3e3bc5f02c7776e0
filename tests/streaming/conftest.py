"""Models with habits of their own, for tests of what the stream does about them."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.models import infer_signature
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.registry import promotion
from clickscore.stream.silence import ENDS, LIMIT

EXAMPLE = pd.DataFrame({"double_price": [1.0, 2.0], "quantity": [1.0, 2.0]})


class Moody(mlflow.pyfunc.PythonModel):
    """Answers the quantity; raises, hangs, answers rubbish, ends its process, or stops it once, at certain prices."""

    RAISES, HANGS, RUBBISH, DIES, STOPS = -1.0, -2.0, -3.0, -4.0, -5.0

    def __init__(self, stopped: str) -> None:
        self.stopped = stopped

    def predict(self, context: object, model_input: pd.DataFrame) -> Any:
        price = model_input["double_price"] / 2
        if (price == self.RAISES).any():
            raise ValueError("what is this?")
        while (price == self.HANGS).any():
            time.sleep(0.01)
        if (price == self.DIES).any():
            os._exit(7)
        if (price == self.STOPS).any() and not Path(self.stopped).exists():
            Path(self.stopped).touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        return model_input["quantity"].mask(price == self.RUBBISH)


@pytest.fixture
def register_moody(register_model: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    return lambda name, alias="champion": register_model(
        mlflow.pyfunc.log_model, name, alias, python_model=Moody(str(tmp_path / "stopped")), input_example=EXAMPLE,
        signature=infer_signature(EXAMPLE, [0.5]),
    )  # fmt: skip


@pytest.fixture
def moody(shop: Any, registry_uri: str, register_moody: Callable[..., str]) -> Any:
    """A shop whose champion is moody."""
    register_moody("moody")
    shop.set(model={"uri": "models:/moody@champion", "registry": registry_uri, "trust": "pickle",
                    "time_limit": "1 second"})  # fmt: skip
    shop.raises, shop.hangs, shop.rubbish, shop.dies = Moody.RAISES, Moody.HANGS, Moody.RUBBISH, Moody.DIES
    shop.stops = Moody.STOPS
    return shop


@pytest.fixture
def most_silence_s(spark: SparkSession) -> Iterator[int]:
    """A limit that an operator has set: long enough to load a model, and short for a test."""
    seconds = 30
    spark.conf.set(LIMIT, str(seconds))
    spark.conf.set(ENDS, "true")
    yield seconds
    spark.conf.unset(LIMIT)
    spark.conf.unset(ENDS)


VISITORS, EACH = 200, 6
NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
OUTCOME = {"success": "price > 150", "unit": "session", "session": "visit", "window": "1 hour"}


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

    VISITORS, EACH, NOON, OUTCOME = VISITORS, EACH, NOON, OUTCOME

    shop: Any
    spark: SparkSession
    client: MlflowClient
    name: str

    @staticmethod
    def scored_by_both(champion: str = "1", challenger: str = "2", name: str = "") -> pd.DataFrame:
        return scored_by_both(champion, challenger, name)

    @staticmethod
    def no_session() -> SparkSession:
        raise AssertionError("nobody needs a session for this")

    def write(self, clicks: pd.DataFrame) -> None:
        """Write clicks of two hours ago; a click of now, by another version, says that their visits are over."""
        clicks = clicks.assign(model_name=clicks["model_name"].replace("", self.name), at=NOON - timedelta(hours=2))
        now = clicks.head(1).assign(visit="another", model_version="0", at=NOON, scored_at=NOON)
        rows = self.spark.createDataFrame(pd.concat([clicks, now]))
        rows.write.format("delta").mode("append").save(str(self.shop.home / "scored_clicks"))

    def configure(self, promotion: dict[str, Any] | None = None, outcome: bool = True, **model: Any) -> None:
        uri = f"models:/{self.name}"
        whole = {"uri": f"{uri}@champion", "challenger": f"{uri}@challenger", "registry": self.registry, **model}
        self.shop.set(model={key: value for key, value in whole.items() if value},
                      outcome=OUTCOME if outcome else None, promotion=promotion or {})  # fmt: skip

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
