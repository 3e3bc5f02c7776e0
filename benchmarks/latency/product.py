"""The main job once more, which writes down what each micro-batch spends its time on.

A program; the benchmark of latency starts it for the fixed cost of a micro-batch alone. Latency is measured with
`jobs/score_stream.py` itself.
"""

import argparse
from pathlib import Path

from benchmarks.common.durations import Durations
from pyspark.sql import SparkSession

from clickscore.config.run import load
from clickscore.console import make_console
from clickscore.session import build_session
from clickscore.stream import app


def main() -> None:
    """Score until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the run")
    parser.add_argument("--set", action="append", default=[], help="override a key")
    parser.add_argument("--durations", type=Path, required=True, help="file for the durations of the micro-batches")
    a = parser.parse_args()

    def make_session() -> SparkSession:
        spark = build_session("clickscore")
        Durations(a.durations).watch(spark)
        return spark

    app.run(load(a.config, a.set), make_session, make_console())


if __name__ == "__main__":
    main()
