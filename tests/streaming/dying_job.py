"""Run the real job, and kill it with everything it started at a named point of a micro-batch.

Usage: dying_job.py POINT BATCH CONFIG
"""

import os
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any

from clickscore.microbatch import MicroBatches
from clickscore.tables import Table

point, batch, config = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def die() -> None:
    os.killpg(0, signal.SIGKILL)


def dying_after(method: Callable[..., Any], is_the_moment: Callable[..., bool]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        result = method(*arguments)
        if is_the_moment(*arguments):
            die()
        return result

    return call


if point in ("model_timeline", "scored_clicks", "rejected_clicks"):
    Table.append = dying_after(
        Table.append, lambda table, _rows, _stream, number: table.name.endswith(point) and number == batch
    )
elif point == "before_commit_log":
    MicroBatches.__call__ = dying_after(MicroBatches.__call__, lambda _self, _raw, number: number == batch)
else:
    sys.exit(f"no such point: {point}")

sys.argv = ["score_stream.py", "--config", config]
runpy.run_path("jobs/score_stream.py", run_name="__main__")
