"""Silent Python workers: how long a worker may be silent before Spark ends it.

A worker is silent while it neither reads its input nor answers, and Spark waits for it: it scores a chunk, or something
has stopped it or its connection. Left alone, Spark would wait for ever.
"""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from clickscore.config.model import Model
from clickscore.registry.trial import LOAD_LIMIT_S
from clickscore.scoring.isolation import MOST_HANGS
from clickscore.scoring.time_limit import KILL_AFTER

LIMIT = "spark.sql.execution.pyspark.udf.idleTimeoutSeconds"
"""How long Spark waits for a sign of a worker; ``spark.python.worker.idleTimeoutSeconds`` unless set, 0 is for ever."""
ENDS = "spark.sql.execution.pyspark.udf.killOnIdleTimeout"
"""Whether Spark ends the worker then, or writes a line into its log only."""
CHUNK = 10_000
"""Clicks of an Arrow batch, unless Spark is set otherwise."""
_DURATION = re.compile(r"(\d+)\s*([a-z]*)")
_UNITS_S = {"us": 1e-6, "ms": 1e-3, "": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
"""Units of a time in Spark's settings."""


def longest_silence_s(config: Model) -> int:
    """Return how long a worker with work can be silent and still be in order, in whole seconds.

    A fresh worker loads all models before the first chunk. Then the champion may lose ``MOST_HANGS`` time limits to
    clicks that it hangs on, and in the last call be so stuck that the worker has to be ended, which takes
    ``KILL_AFTER`` more; the challenger is given up at its first click of that kind. Behind an endpoint, a turn
    of requests takes a deadline at most: a chunk has some turns, and the search for clicks that it refuses gets
    ``MOST_HANGS`` more.
    """
    loading_s = LOAD_LIMIT_S * len(config.uris)
    champion_s = (MOST_HANGS + 1 + KILL_AFTER) * config.time_limit_ms / 1000
    if endpoint := config.endpoint:
        turns = math.ceil(CHUNK / (endpoint.rows * endpoint.concurrency))
        champion_s = (turns + MOST_HANGS) * endpoint.deadline_ms / 1000
    challenger_s = (1 + KILL_AFTER) * config.challenger_time_limit_ms / 1000 if config.challenger else 0
    return math.ceil(loading_s + champion_s + challenger_s)


def limit_s(spark: SparkSession) -> float:
    """Return after how many seconds of silence Spark ends a worker of this session; 0 is never."""
    found = _DURATION.fullmatch(spark.conf.get(LIMIT, "0") or "0")
    return int(found[1]) * _UNITS_S[found[2]] if found else 0


@contextmanager
def ending_silent_workers(spark: SparkSession, config: Model) -> Iterator[None]:
    """Let Spark end workers that are silent for longer than they may be; a limit that is set already stays."""
    ours = {} if limit_s(spark) else {LIMIT: str(longest_silence_s(config)), ENDS: "true"}
    for name, value in ours.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name in ours:  # another run in this session may have another model
            spark.conf.unset(name)
