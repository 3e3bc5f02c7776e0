"""Scores the samples of the ready-made contracts in conf/trackers, and prints what came out; needs no Spark.

Each sample is scored by a small model that is trained on the sample itself: it shows how scores come about, and no
more than that.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import lightgbm
import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from clickscore.config.outcome import Outcome
from clickscore.config.run import Config, load
from clickscore.samples.trial import lines
from clickscore.scoring import ClickScorer, Contract, Features, LoadedModel, load_booster, read_features
from clickscore.scoring.contract import contract_of
from clickscore.scoring.feature_engine import quoted
from clickscore.scoring.parsing import parser

CONTRACTS = Path("conf/trackers")
TREES = 20
WIDTHS = {"tracker": 8, "id": 16, "visitor": 16, "time": 19, "score": 5}
"""Columns of scored clicks, with the characters of a screen of 80 that they get; longer ids are cut."""
ROWS = 3
"""Scored clicks that are shown of each sample."""


class Scored(NamedTuple):
    """A sample and what became of it.

    Attributes:
        reasons: how many records were rejected, by reason, the commonest first.
        clicks: id, visitor, time and score of those that were scored.
    """

    records: int
    reasons: dict[str, int]
    clicks: list[dict[str, Any]]


def read(folder: Path) -> tuple[Config, Contract, Features]:
    """Return a ready-made configuration, its contract and its features.

    Raises:
        ConfigError: if one of them cannot be used.
    """
    config = load(folder / "run.yaml")
    contract = contract_of(config.click)
    return config, contract, read_features(config.features, contract.click)


def outcomes(folder: Path, records: Iterable[str]) -> list[dict[str, Any]]:
    """Return what becomes of records by a ready-made contract, with a model that is trained on its sample."""
    config, contract, features = read(folder)
    with (folder / "sample.jsonl").open("rb") as file:
        model = trained(config.outcome, contract, features, lines(file))
    found: list[dict[str, Any]] = (
        ClickScorer(contract, features, model).score(pa.array(records, pa.binary())).to_pylist()
    )
    return found


def scored(folder: Path) -> Scored:
    """Return what becomes of the sample of a ready-made contract."""
    contract = read(folder)[1]
    found = outcomes(folder, (folder / "sample.jsonl").read_text(encoding="utf-8").splitlines())
    reasons = Counter(outcome["reason"] for outcome in found if outcome["reason"])
    clicks = [
        {"id": one[contract.id], "visitor": one[contract.visitor], "time": one[contract.time], "score": one["score"]}
        for one in found
        if not one["reason"]
    ]
    return Scored(len(found), dict(reasons.most_common()), clicks)


def trained(outcome: Outcome | None, contract: Contract, features: Features, records: pa.BinaryArray) -> LoadedModel:
    """Return a small model of which units of a sample succeed; a sample is too short for the window to matter.

    Args:
        outcome: what a success is; a section that a ready-made contract has.
        contract: what a click is.
        features: what is computed from it.
        records: the sample.
    """
    assert outcome
    clicks, rejections = parser(contract.click).parse(records)
    good = pa.array([row for row in range(len(records)) if row not in rejections])
    rows = pa.Table.from_struct_array(clicks.take(good))
    with duckdb.connect() as connection:
        field = quoted(outcome.field(contract.id, contract.visitor))
        units = connection.from_arrow(rows).project(f"{field}, {outcome.success}").fetchall()
    successful = {unit for unit, is_success in units if is_success}
    label = np.array([unit in successful for unit, _ in units], np.float64)
    values = pa.Table.from_struct_array(features.compute(clicks).values[0].take(good))
    matrix = np.column_stack([column.to_numpy().astype(np.float64) for column in values.columns])
    parameters = {"objective": "binary", "verbosity": -1, "min_data_in_leaf": 2, "min_data_in_bin": 1, "num_threads": 1}
    data = lightgbm.Dataset(matrix, label, feature_name=values.column_names)
    with tempfile.TemporaryDirectory() as folder:
        lightgbm.train(parameters, data, num_boost_round=TREES).save_model(Path(folder) / "model.lgb")
        return load_booster(Path(folder))


def main() -> int:
    """Print what became of each sample, and some of the scored clicks."""
    console = Console()
    samples = {folder.name: scored(folder) for folder in sorted(CONTRACTS.iterdir())}
    counts = Table(title="samples of the ready-made contracts", title_justify="left")
    for column in ("tracker", "records", "scored", "rejected"):
        counts.add_column(column, justify="right" if column in ("records", "scored") else "left")
    clicks = Table(title="some of the scored clicks", title_justify="left")
    for column, width in WIDTHS.items():
        clicks.add_column(column, overflow="ellipsis", no_wrap=True, max_width=width)
    for name, sample in samples.items():
        reasons = ", ".join(f"{reason} {count}" for reason, count in sample.reasons.items())
        counts.add_row(name, str(sample.records), str(len(sample.clicks)), reasons)
        for click in sample.clicks[:: len(sample.clicks) // ROWS][:ROWS]:
            score = f"{click['score']:.3f}"
            clicks.add_row(name, click["id"], str(click["visitor"]), f"{click['time']:%Y-%m-%d %H:%M:%S}", score)
    console.print(counts, clicks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
