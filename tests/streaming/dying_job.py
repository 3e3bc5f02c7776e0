"""Run the real job, and kill it with everything it started at a named point of a micro-batch.

Usage: dying_job.py POINT BATCH CONFIG [VERSION]

With VERSION, the alias moves to that version of the model before the micro-batch begins, and the stream has noticed.
"""

import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clickscore.config.model import split_uri
from clickscore.config.run import load
from clickscore.registry.registry import Registry
from clickscore.storage.model_timeline import Timeline
from clickscore.storage.table import Table
from clickscore.stream.active_models import ActiveModels
from clickscore.stream.micro_batch import MicroBatches

point, batch, config = sys.argv[1], int(sys.argv[2]), sys.argv[3]
moves_to = sys.argv[4] if len(sys.argv) > 4 else None


def die() -> None:
    os.killpg(0, signal.SIGKILL)


def dying_after(method: Callable[..., Any], is_the_moment: Callable[..., bool]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        result = method(*arguments, **named)
        if is_the_moment(*arguments):
            die()
        return result

    return call


def dying_before(method: Callable[..., Any], is_the_moment: Callable[..., bool]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        if is_the_moment(*arguments):
            die()
        return method(*arguments, **named)

    return call


def moving_before(method: Callable[..., Any], version: str) -> Callable[..., Any]:
    def call(models: ActiveModels, number: int, *arguments: Any) -> Any:
        if number == batch:
            model = load(Path(config)).model
            name, alias, _ = split_uri(model.uri)
            Registry(model.registry).set_alias(name, str(alias), version)
            models.champion.poll()
            assert models.champion.current
            assert models.champion.current.version == version
        return method(models, number, *arguments)

    return call


if point in ("scored_clicks", "rejected_clicks"):
    Table.append = dying_after(
        Table.append, lambda table, _rows, about=None: table.name.endswith(point) and about["batch"] == batch
    )
elif point == "model_timeline":
    Timeline.note = dying_after(Timeline.note, lambda _self, number, *_: number == batch)
elif point == "before_pin":
    Timeline.note = dying_before(Timeline.note, lambda _self, number, *_: number == batch)
elif point == "before_commit_log":
    MicroBatches.__call__ = dying_after(MicroBatches.__call__, lambda _self, _raw, number: number == batch)
else:
    sys.exit(f"no such point: {point}")
if moves_to:
    ActiveModels.models_for = moving_before(ActiveModels.models_for, moves_to)

sys.argv = ["score_stream.py", "--config", config]
runpy.run_path("jobs/score_stream.py", run_name="__main__")
