"""A shop of a test: a landing folder, a configuration, and its tables, read by delta-rs."""

import json
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import deltalake
import pandas as pd
import yaml
from pyspark.sql import SparkSession
from rich.console import Console
from tests.support.models import MODEL

from clickscore.config.run import Config, load
from clickscore.stream import app
from clickscore.training import training

DATA = Path(__file__).parents[1] / "data"


def click(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"c{number}", "at": "2026-03-01T12:00:00Z", "visitor": "v1", "price": 10.0 + number, "quantity": 1,
            **fields}  # fmt: skip


@dataclass
class Shop:
    """A landing folder, a configuration and the tables of one test."""

    home: Path
    config_file: Path

    def set(self, **sections: Any) -> None:
        tree = yaml.safe_load(self.config_file.read_text())
        tree.update(sections)
        self.config_file.write_text(yaml.safe_dump(tree))

    @property
    def config(self) -> Config:
        return load(self.config_file)

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    def land(self, name: str, *records: dict[str, Any] | str | bytes) -> Path:
        """Put a file of records into the landing folder, the way a good producer does."""
        lines = [r if isinstance(r, bytes) else (r if isinstance(r, str) else json.dumps(r)).encode() for r in records]
        return self.land_bytes(name, b"".join(line + b"\n" for line in lines))

    def land_bytes(self, name: str, content: bytes) -> Path:
        file = self.landing / name
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_name(f".{file.name}")
        aside.write_bytes(content)
        aside.rename(file)
        return file

    def run(self, spark: SparkSession) -> str:
        """Score what has landed; return what a person would see."""
        seen = StringIO()
        app.run(self.config, lambda: spark, Console(file=seen, width=200))
        return seen.getvalue()

    def table(self, name: str) -> pd.DataFrame:
        """Read a table with delta-rs, which shares no code with Spark."""
        return deltalake.DeltaTable(str(self.home / name)).to_pandas()

    @property
    def scored(self) -> pd.DataFrame:
        return self.table("scored_clicks").sort_values(["batch_id", "id"], ignore_index=True)

    @property
    def rejected(self) -> pd.DataFrame:
        return self.table("rejected_clicks").sort_values(["batch_id", "reason"], ignore_index=True)


def open_shop(home: Path, registry_uri: str) -> Shop:
    (home / "landing").mkdir(parents=True)
    tree = {
        "source": {"kind": "folder", "path": str(home / "landing")},
        "click": {"schema": str(DATA / "click.ddl"), "id": "id", "time": "at", "visitor": "visitor"},
        "features": str(DATA / "features.sql"),
        "model": {"uri": f"models:/{MODEL}@champion", "registry": registry_uri},
        "output": {"scored": str(home / "scored_clicks"), "rejected": str(home / "rejected_clicks")},
        "checkpoint": str(home / "checkpoint"),
        "trigger": "available_now",
    }
    file = home / "run.yaml"
    file.write_text(yaml.safe_dump(tree))
    return Shop(home, file)


@dataclass
class Demo(Shop):
    """The demo of the README in small: history, model, landed clicks, tables."""

    registry: str
    records: int = 0

    def train(self, spark: SparkSession) -> str:
        seen = StringIO()
        training.run(self.config, lambda: spark, Console(file=seen, width=200), once=True)
        return seen.getvalue()
