"""The classes of Spark in the form that the JVM has them in memory, for the JVMs of the tests.

A JVM that maps this archive neither reads nor verifies most of its classes: a job that lives for seconds takes half the
CPU time. ``python -m tests.support.class_archive`` makes it, as ``make test`` does.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pyspark
from tests.chaos.job import QUICK_TO_START
from tests.support.models import register_booster
from tests.support.shop import click, open_shop

ARCHIVE = Path("build/test/spark.jsa").resolve()
CLICKS = 20

# The JVM takes a class from its archive only if no folder stands before it on the class path; Spark puts conf/ first.
SUBMIT_ARGUMENTS = f"--driver-class-path {shlex.quote(pyspark.__path__[0])}/jars/* pyspark-shell"
# Silent where it cannot be used: a test may start a JVM with another class path.
USES_ARCHIVE = f"-XX:SharedArchiveFile={shlex.quote(str(ARCHIVE))} -Xlog:cds*=off"


def make() -> None:
    """Score some clicks in a job whose JVM archives its classes at its end."""
    ARCHIVE.parent.mkdir(parents=True, exist_ok=True)
    settings = f"{QUICK_TO_START} -XX:ArchiveClassesAtExit={shlex.quote(str(ARCHIVE))}"
    with TemporaryDirectory() as home:
        registry = f"sqlite:///{home}/mlflow.db"
        register_booster(registry, seed=1)
        shop = open_shop(Path(home) / "shop", registry)
        shop.land("clicks.jsonl", *[click(number) for number in range(CLICKS)], "no click")
        job = [sys.executable, "jobs/score_stream.py", "--config", str(shop.config_file)]
        env = {**os.environ, "SPARK_SUBMIT_OPTS": settings, "PYSPARK_SUBMIT_ARGS": SUBMIT_ARGUMENTS}
        # The JVM writes the archive after Python has ended, with its ends of the pipes still open: this waits for both.
        subprocess.run(job, check=True, capture_output=True, env=env)


if __name__ == "__main__":
    make()
