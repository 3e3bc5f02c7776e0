"""The model that benchmarks score with: trained once on simulated clicks, and kept for the next run."""

import subprocess
import sys
from pathlib import Path

from benchmarks.common.clicks import land

HOME = Path("build/bench/model")
REGISTRY = f"sqlite:///{HOME}/mlflow.db"
CLICKS = 100_000
SEED = 1


def register_model() -> str:
    """Train and register the model, unless it is there; return the registry."""
    land(HOME / "history", CLICKS, SEED)
    settings = [f"model.registry={REGISTRY}", f"training.clicks={HOME}/history"]
    overrides = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "jobs/train_model.py", "--config", "conf/local.yaml", "--once", *overrides]
    subprocess.run(command, check=True)
    return REGISTRY
