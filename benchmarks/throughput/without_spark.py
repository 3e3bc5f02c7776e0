"""What the arms without Spark share: the fields of a click, the registered Booster, and the table they append to."""

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from benchmarks.throughput.entrants import SCORED
from benchmarks.throughput.load import Setting
from deltalake import write_deltalake

from clickscore.config.run import load
from clickscore.registry.registry import fetch_current
from clickscore.scoring.contract import contract_of
from clickscore.scoring.models import BOOSTER_FILE

Floats = npt.NDArray[np.float64]

TIME = pa.timestamp("us", "UTC")
CONFIG = Path("conf/local.yaml")
LINEAGE = (("source", pa.string()), ("source_offset", pa.int64()))


def read_click() -> pa.Schema:
    """Return the fields of a click; a field that is not nullable is required."""
    click = load(CONFIG).click
    return contract_of(click).click


@dataclass(frozen=True)
class Champion:
    """The registered model: its name, its version, the file that it was loaded from, and the Booster."""

    name: str
    version: str
    file: Path
    booster: Any


def fetch_champion(setting: Setting, home: Path) -> Champion:
    """Fetch the model from the registry and load it."""
    config = load(CONFIG, [f"model.registry={setting.registry}"])
    model = fetch_current(config.model, home / "model")
    file = model.folder / BOOSTER_FILE
    return Champion(model.name, model.version, file, lightgbm.Booster(model_file=file))


def append(clicks: pa.Table, scores: Floats, champion: Champion, batch_id: int, out: Path) -> None:
    """Append clicks with their scores to the table; the columns are those of ``scored_clicks``.

    Args:
        clicks: the fields of a click, then ``source`` and ``source_offset``.
        scores: one for each click.
        champion: who gave them.
        batch_id: the micro-batch.
        out: the folder of the run.
    """
    rows = len(clicks)
    moment = pa.scalar(datetime.now(timezone.utc), TIME)
    columns = {"score": pa.array(scores), "model_name": pa.repeat(champion.name, rows),
               "model_version": pa.repeat(champion.version, rows), "scored_at": pa.repeat(moment, rows),
               "batch_id": pa.repeat(batch_id, rows)}  # fmt: skip
    for name, column in columns.items():
        clicks = clicks.append_column(name, column)
    write_deltalake(out / SCORED, clicks, mode="append")
