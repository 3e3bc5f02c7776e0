"""What stays in the memory of a Python worker is left out of the garbage collection that Spark makes after every task.

With pandas, or with LightGBM or MLflow, there are some 100,000 objects to look at, which costs more than a small task.
"""

import gc

_spared: list[str] = []
"""Which stages of this worker have left out what they imported."""


def spare_what_stays() -> None:
    """Take all that is in memory now, less the garbage, out of the collections to come."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def spare_imports(stage: str) -> None:
    """Do so once in the life of a worker for each stage, which keeps nothing but what it has imported."""
    if stage not in _spared:
        _spared.append(stage)
        spare_what_stays()
