"""Exported folders: of the small shop of tests/data, and of the shop of conf/ with a model of its shape."""

from pathlib import Path
from typing import NamedTuple

import lightgbm
import numpy as np
import pyarrow as pa
import yaml
from rich.console import Console
from tests.support.shop import open_shop

from clickscore.config.run import Config, load
from clickscore.export.export import export
from clickscore.registry.registry import Registry
from clickscore.scoring import read_contract, read_features
from clickscore.scoring.parsing import parser
from clickscore.training.algorithms import LEARNERS
from clickscore.training.registration import register
from shopsim import feed
from shopsim.records import Faults

MARCH_MS = 1_772_323_200_000
CLICKS = 6_000
TREES = 40


class Exported(NamedTuple):
    """An exported folder, and the run that it was exported from."""

    folder: Path
    config: Config


def export_small(home: Path, registry_uri: str) -> Exported:
    """Export the champion of the shop of tests/data."""
    config = open_shop(home / "shop", registry_uri).config
    export(config, home / "small", None, Console(quiet=True))
    return Exported(home / "small", config)


def export_demo(home: Path) -> Exported:
    """Export a model of the features of conf/, trained on simulated clicks of all kinds."""
    config = demo_config(home)
    contract = read_contract(config.click.ddl, config.click.id, config.click.time, config.click.visitor)
    features = read_features(config.features, contract.click)
    clicks, _ = parser(contract.click).parse(simulated(CLICKS, 1, Faults()))
    frame = pa.Table.from_struct_array(features.compute(clicks).values[0]).to_pandas().astype(np.float64)
    noise = np.random.default_rng(1).normal(size=len(frame))
    label = (frame["is_cart_step"] + frame["log_price"].fillna(0) / 4 + noise > 1).astype(np.float64)
    settings = {**LEARNERS["lightgbm"].parameters, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(frame, label), TREES)
    registry = Registry(config.model.registry, create=True)
    register(registry, booster, LEARNERS["lightgbm"], "click_propensity", "champion", frame.head(3), {}, {}, {})
    export(config, home / "demo", None, Console(quiet=True))
    return Exported(home / "demo", config)


def demo_config(home: Path) -> Config:
    """Return the run of conf/local.yaml with everything that it makes in another place."""
    tree = yaml.safe_load(Path("conf/local.yaml").read_text().replace("build/demo", str(home)))
    file = home / "run.yaml"
    file.write_text(yaml.safe_dump(tree))
    return load(file)


def simulated(clicks: int, seed: int, faults: Faults) -> pa.BinaryArray:
    """Return simulated raw records."""
    parts = feed.past(clicks, clicks, MARCH_MS, 7.0, seed, faults)
    return pa.concat_arrays([part.cast(pa.binary()) for part in parts])
