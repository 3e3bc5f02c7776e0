import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import arrow_udf

from clickscore.spark_errors import WorkerSilentError, guarded
from clickscore.stream import worker_daemon
from clickscore.stream.silence import ENDS, LIMIT

SILENCE_S = 10
PATIENCE_S = 10


@pytest.fixture
def limited(spark: SparkSession) -> Iterator[None]:
    spark.conf.set(LIMIT, str(SILENCE_S))
    spark.conf.set(ENDS, "true")
    yield
    spark.conf.unset(LIMIT)
    spark.conf.unset(ENDS)


def test_worker_that_is_stopped_is_ended_for_its_silence(spark: SparkSession, limited: None) -> None:
    def stop(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        for batch in batches:
            os.kill(os.getpid(), signal.SIGSTOP)
            yield batch

    rows = spark.range(1).select(arrow_udf(stop, T.LongType())("id"))
    with pytest.raises(WorkerSilentError):
        guarded(rows.write.format("noop").mode("overwrite").save)


def test_child_is_killed_only_where_it_is_stopped_and_has_been_asked_to_end() -> None:
    stopped, asked = (subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(2))
    try:
        for child in (stopped, asked):
            child.send_signal(signal.SIGSTOP)
        for child in (stopped, asked):
            os.waitpid(child.pid, os.WUNTRACED)
        asked.send_signal(signal.SIGTERM)
        worker_daemon.kill_stopped_workers()
        assert asked.wait(PATIENCE_S) == -signal.SIGKILL
        time.sleep(0.1)
        assert psutil.Process(stopped.pid).status() == psutil.STATUS_STOPPED
    finally:
        stopped.kill()
        asked.kill()
        stopped.wait()


@pytest.mark.parametrize(("serve", "said"), [("worker_daemon.serve_quietly", ""), ("daemon.worker", "BrokenPipeError")])
def test_worker_whose_spark_has_gone_ends_without_a_word(serve: str, said: str) -> None:
    script = (
        "import socket\nfrom pyspark import daemon\nfrom clickscore.stream import worker_daemon\n"
        f"ours, sparks = socket.socketpair()\nsparks.close()\nraise SystemExit({serve}(ours, True))"
    )
    environment = {**os.environ, "PYTHON_DAEMON_KILL_WORKER_ON_FLUSH_FAILURE": "1"}  # Spark's default
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == worker_daemon.HANGUP
    assert done.stderr.strip().rpartition("\n")[2].partition(":")[0] == said
