"""A stream with scored and rejected records of three visitors, and copies of its tables for each test."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import deltalake
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.config.outcome import Outcome
from clickscore.config.retention import Retention
from clickscore.config.run import Config
from clickscore.erasure import access, certificate, erasure, retention
from clickscore.outcomes import joined
from clickscore.reconciliation import audit

KEY = "c0ffee11" * 8
VARIABLE = "CLICKSCORE_TEST_ERASURE_KEY"
LATER = "2026-05-01T12:00:00Z"
"""When the last click was; all others were in March."""
GONE, ALSO_GONE, STAYS = "visitor!one@example.org", "visitor-two", "visitor-two-b"


@dataclass
class Site:
    """The tables of a run, which may be changed; landing folder and checkpoint are those of all tests."""

    GONE, ALSO_GONE, STAYS, KEY = GONE, ALSO_GONE, STAYS, KEY

    spark: SparkSession
    shop: Any
    home: Path

    @property
    def config(self) -> Config:
        config: Config = self.shop.config
        output = {name: str(self.home / f"{name}_clicks") for name in ("scored", "rejected")}
        return config.model_copy(update={"output": type(config.output)(**output)})

    def table(self, name: str) -> pd.DataFrame:
        return deltalake.DeltaTable(str(self.home / name)).to_pandas()

    def ledger(self, event: str) -> pd.DataFrame:
        rows = self.table("erasures").query(f"event == '{event}'")
        return rows.sort_values(["erasure_id", "table_name", "batch_id"], ignore_index=True)

    def left(self) -> tuple[list[str], list[str]]:
        """Return the ids of the scored clicks, and the beginnings of the rejected records."""
        scored, rejected = self.table("scored_clicks"), self.table("rejected_clicks")
        return sorted(scored["id"]), sorted(rejected["raw"].fillna("").str[:20])

    def erase(self, *ids: str, is_applied: bool = True, reference: str | None = "request 7") -> str:
        def run(console: Console) -> None:
            erasure.run(self.config, lambda: self.spark, console, _given(ids), reference, is_applied)

        return _said(run)

    def join(self) -> str:
        """Bring the outcomes up to date, of each click, with what happened within an hour."""
        outcome = Outcome.model_validate({"success": "price > 12", "unit": "click", "window": "1 hour"})
        config = self.config.model_copy(update={"outcome": outcome})
        return _said(lambda console: joined.run(config, lambda: self.spark, console, has_ended=True))

    def expire(self, intervals: dict[str, str], now: datetime, is_applied: bool = True) -> str:
        config = self.config.model_copy(update={"retention": Retention.model_validate(intervals)})
        return _said(lambda console: retention.run(config, lambda: self.spark, console, not is_applied, now))

    def finish(self, *ids: str, file: Path | None = None) -> tuple[bool, str]:
        done: list[bool] = []

        def run(console: Console) -> None:
            done.append(certificate.run(self.config, lambda: self.spark, console, _given(ids), file))

        said = _said(run)
        return done[0], said

    def export(self, file: Path, *ids: str) -> str:
        return _said(lambda console: access.run(self.config, lambda: self.spark, console, _given(ids), file))

    def audit(self) -> tuple[bool, str]:
        found: list[bool] = []

        def run(console: Console) -> None:
            found.append(audit.run(self.config, lambda: self.spark, console, None, None))

        said = _said(run)
        return found[0], said


def _given(ids: tuple[str, ...]) -> dict[str, str]:
    return {each: f"line {number}" for number, each in enumerate(ids, 1)}


def _said(run: Callable[[Console], object]) -> str:
    seen = StringIO()
    run(Console(file=seen, width=200))
    return seen.getvalue()


@pytest.fixture(scope="module")
def scored_folder(
    spark: SparkSession, make_shop: Callable[[Path], Any], make_click: Callable[..., dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:  # fmt: skip
    shop = make_shop(tmp_path_factory.mktemp("erasable"))
    shop.set(erasure={"key": f"env:{VARIABLE}"})
    shop.land(
        "a.jsonl", make_click(1, visitor=GONE), make_click(2, visitor=GONE), make_click(3, visitor=STAYS),
        make_click(4, visitor=GONE, quantity="many"), json.dumps(make_click(5, visitor=GONE))[:-3],
        make_click(6, visitor=STAYS, quantity="many"), f"rubbish {STAYS}", "",
    )  # fmt: skip
    shop.run(spark)
    shop.land(
        "b.jsonl", make_click(7, visitor=ALSO_GONE), make_click(8, visitor=STAYS, at=LATER), f"rubbish {ALSO_GONE}"
    )
    shop.run(spark)
    return shop


@pytest.fixture
def site(spark: SparkSession, scored_folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv(VARIABLE, KEY)
    for name in ("scored_clicks", "rejected_clicks"):
        shutil.copytree(scored_folder.home / name, tmp_path / name)
    return Site(spark, scored_folder, tmp_path)
