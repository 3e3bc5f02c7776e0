"""Where an arm of a benchmark reads and writes: each has tables of its own, beside one registry for all."""

from pathlib import Path


def places(home: Path) -> list[str]:
    """Return the settings of a run below the folder; the registry lies beside it."""
    values = {
        "output.scored": home / "scored_clicks",
        "output.rejected": home / "rejected_clicks",
        "checkpoint": home / "checkpoint",
        "model.registry": f"sqlite:///{home.parent}/mlflow.db",
        "trigger": "available_now",
    }
    return [f"{key}={value}" for key, value in values.items()]
