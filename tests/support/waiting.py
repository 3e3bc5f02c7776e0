"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

PATIENCE_S, POLL_S = 60.0, 0.02


def wait_until(
    is_so: Callable[[], bool], what: str = "what the test waits for", patience_s: float = PATIENCE_S,
    poll_s: float = POLL_S,
) -> None:  # fmt: skip
    """Wait until something is so.

    Raises:
        AssertionError: if it does not come in time.
    """
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, f"{what} has not come within {patience_s:.0f} s"
        time.sleep(poll_s)


def held_back(rows: DataFrame, begun: Path, go: Path) -> DataFrame:
    """Return the same rows, whose computation touches one file when it begins, and ends when the other one is there.

    A transaction of Delta's that writes them has begun by then, and ends behind what is committed meanwhile.
    """

    def wait(_: object) -> bool:
        begun.touch()
        wait_until(go.exists)
        return True

    return rows.where(F.udf(wait, "boolean").asNondeterministic()(F.lit(1)))
