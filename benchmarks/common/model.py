"""The model that benchmarks score with: trained once on simulated clicks, and kept for the next run."""

import subprocess
import sys
from pathlib import Path

from shopsim.landing import write_history
from shopsim.records import Faults

HOME = Path("build/bench/model")
REGISTRY = f"sqlite:///{HOME}/mlflow.db"
CLICKS = 100_000
PER_FILE = 10_000
MARCH_MS = 1_772_323_200_000
DAYS = 14.0
SEED = 1


def register_model() -> str:
    """Train and register the model, unless it is there; return the registry."""
    list(write_history(HOME / "history", CLICKS, PER_FILE, MARCH_MS, DAYS, SEED, Faults()))
    settings = [f"model.registry={REGISTRY}", f"training.clicks={HOME}/history"]
    overrides = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "jobs/train_model.py", "--config", "conf/local.yaml", "--once", *overrides]
    subprocess.run(command, check=True)
    return REGISTRY
