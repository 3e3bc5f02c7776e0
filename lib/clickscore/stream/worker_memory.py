"""What stays in the memory of a Python worker is left out of the garbage collection that Spark makes after every task.

With pandas, or with LightGBM or MLflow, there are some 100,000 objects to look at, which costs more than a small task.
"""

import gc

_spared: list[str] = []
"""The stages of this worker that have done so."""


def spare_what_stays() -> None:
    """Take all that is in memory now, less the garbage, out of the collections to come."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def spare_imports(stage: str) -> None:
    """Do so once in the life of a worker for each stage.

    What its task has in memory at that moment is left out as well: of that, only what refers to itself stays when it
    has become garbage, until the next call.

    Args:
        stage: calls this behind its first batch, when all that it needs is there.
    """
    if stage not in _spared:
        _spared.append(stage)
        spare_what_stays()
