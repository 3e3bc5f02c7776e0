"""Each pattern against an error that Spark raises here; of stores and clusters that are not here, their own words."""

import errno
import gzip
import os
import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException, PythonException, StreamingQueryException
from pyspark.errors.exceptions import captured
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.errors import (
    ModelError,
    ModelNotFoundError,
    ModelUnavailableError,
    SourceError,
    SourceUnavailableError,
    WorkerLostError,
)
from clickscore.scoring.isolation import TooManyFailuresError
from clickscore.spark_errors import (
    SPARK_ERRORS,
    TooManyError,
    WorkerCrashError,
    damaged_file,
    engine_words,
    failure_of,
    guarded,
    is_file_not_found,
    is_missing_path,
    is_missing_table,
    is_time_overflow,
    is_wrong_checksum,
    model_failures,
    model_fault,
    root_cause,
    row_refusal,
    transient_cause,
    worker_crash,
)
from clickscore.storage.files import hadoop_path

PATIENCE_S = 60


def raised_by(action: Callable[[], object]) -> PySparkException | Py4JJavaError:
    with pytest.raises(SPARK_ERRORS) as caught:
        action()
    return caught.value


def in_a_worker(spark: SparkSession, action: Callable[[], object]) -> DataFrame:
    """Return rows for which a Python worker does something."""

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            action()
            yield batch

    return spark.range(1).mapInArrow(work, "id BIGINT")


def raise_in_a_worker(spark: SparkSession, error: Exception) -> PySparkException | Py4JJavaError:
    def fail() -> None:
        raise error

    return raised_by(in_a_worker(spark, fail).collect)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# A model and its worker


def test_too_many_failures_of_a_model_are_told_by_their_count(spark: SparkSession) -> None:
    error = raise_in_a_worker(spark, TooManyFailuresError("11 of 50 clicks of a task; the last: ValueError: no"))
    assert model_failures(error) == "11 of 50 clicks of a task; the last: ValueError: no"
    assert worker_crash(error) is model_fault(error) is transient_cause(error) is damaged_file(error) is None


def test_worker_that_has_died_is_a_crash_and_puts_the_model_in_doubt(spark: SparkSession) -> None:
    error = raised_by(in_a_worker(spark, partial(os._exit, 1)).collect)
    assert worker_crash(error) == model_fault(error) == "Python worker exited unexpectedly"
    assert model_failures(error) is None


def test_endpoint_that_is_away_for_a_worker_is_transient_and_puts_nothing_in_doubt(spark: SparkSession) -> None:
    cause = "the endpoint http://m/ is away: it answers HTTP 503: no; 7 attempts in 4 s"
    error = raise_in_a_worker(spark, ModelUnavailableError(cause))
    assert transient_cause(error) == cause
    assert model_fault(error) is model_failures(error) is worker_crash(error) is row_refusal(error) is None


def test_model_that_cannot_be_loaded_in_a_worker_is_told_by_the_reason(spark: SparkSession) -> None:
    error = raise_in_a_worker(spark, ModelError("it cannot be loaded: ModuleNotFoundError: No module named 'lgb'"))
    assert model_fault(error) == "it cannot be loaded: ModuleNotFoundError: No module named 'lgb'"
    assert worker_crash(error) is model_failures(error) is None


def test_job_that_is_guarded_raises_what_has_to_do_with_the_model_as_that(spark: SparkSession) -> None:
    def fail() -> None:
        raise TooManyFailuresError("11 of 50 clicks")

    assert guarded(spark.range(2).count) == 2
    with pytest.raises(TooManyError, match=r"^11 of 50 clicks$"):
        guarded(in_a_worker(spark, fail).collect)
    with pytest.raises(WorkerCrashError, match=r"^Python worker exited unexpectedly$"):
        guarded(in_a_worker(spark, partial(os._exit, 1)).collect)
    with pytest.raises(PySparkException, match="there_is_none"):
        guarded(lambda: spark.table("there_is_none"))


# Files


def cut(whole: bytes) -> bytes:
    return whole[:-20]


def flipped(whole: bytes) -> bytes:
    return whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]


def garbled(whole: bytes) -> bytes:
    return whole[:40] + bytes(byte ^ 0x5A for byte in whole[40:60]) + whole[60:]


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (cut, "EOFException: Unexpected end of input stream"),
        (flipped, "IOException: gzip stream CRC failure"),
        (garbled, "IOException: "),
        (lambda _: b"this is no gzip at all, but long enough to be one", "IOException: not a gzip file"),
    ],
)
def test_damaged_file_is_named_as_its_metadata_name_it(
    spark: SparkSession, tmp_path: Path, damage: Callable[[bytes], bytes], cause: str
) -> None:
    file = tmp_path / "a b.jsonl.gz"
    file.write_bytes(damage(gzip.compress(os.urandom(1_000))))
    found = damaged_file(raised_by(spark.read.text(str(file)).collect))
    assert found is not None
    assert found.path == f"file:{tmp_path}/a%20b.jsonl.gz"
    assert found.cause.startswith(cause)


def test_file_that_was_removed_after_it_was_listed_is_damaged(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    lines = spark.read.text(str(tmp_path))
    (tmp_path / "a.jsonl").unlink()
    error = raised_by(lines.collect)
    assert isinstance(error, Py4JJavaError)  # PySpark does not convert it, so it has no condition of its own.
    assert not is_missing_path(error)
    found = damaged_file(error)
    assert found is not None
    assert found.path == f"file:{tmp_path}/a.jsonl"
    assert "does not exist" in found.cause


def test_file_whose_name_hadoop_cannot_take_is_damaged(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "x:y z.jsonl").write_text("{}\n")
    found = damaged_file(raised_by(spark.read.text(str(tmp_path)).collect))
    assert found is not None
    assert found.path == f"file:{tmp_path}/x:y%20z.jsonl"
    assert "Relative path in absolute URI" in found.cause
    lines = spark.read.text(str(tmp_path))
    assert lines.where(~F.col("_metadata.file_path").isin(found.path)).collect() == []


def test_file_that_does_not_match_its_checksum_is_damaged(spark: SparkSession, tmp_path: Path) -> None:
    spark.createDataFrame([("whole",)], "value STRING").coalesce(1).write.text(str(tmp_path / "written"))
    [written] = (tmp_path / "written").glob("part-*.txt")
    written.write_bytes(b"other\n")
    error = raised_by(spark.read.text(str(tmp_path / "written")).collect)
    assert is_wrong_checksum(error)
    found = damaged_file(error)
    assert found is not None
    assert found.cause.startswith("ChecksumException: Checksum error")


def test_file_that_may_not_be_read_is_damaged(spark: SparkSession) -> None:
    # As HDFS writes it; the superuser, who runs many tests, may read everything that is here.
    error = PySparkException(
        "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file hdfs://name/a.json. SQLSTATE: KD001\n"
        "Caused by: org.apache.hadoop.security.AccessControlException: Permission denied: user=spark, access=READ"
    )
    found = damaged_file(error)
    assert found == ("hdfs://name/a.json", "AccessControlException: Permission denied: user=spark, access=READ")


def test_failure_without_a_file_or_without_damage_names_no_file(spark: SparkSession) -> None:
    assert damaged_file(raise_in_a_worker(spark, EOFError("EOFException"))) is None
    read_failed = "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///a.json. SQLSTATE: KD001"
    assert damaged_file(PySparkException(f"{read_failed}\nCaused by: java.io.IOException: Connection reset")) is None
    assert damaged_file(ValueError(f"{read_failed}\nCaused by: java.io.EOFException: end")) is None


def test_what_is_missing_is_told_by_spark_s_condition(spark: SparkSession, tmp_path: Path) -> None:
    for action, is_path, is_table in (
        (lambda: spark.read.text(str(tmp_path / "none")), True, True),
        (lambda: spark.read.format("delta").load(str(tmp_path)), False, True),
        (lambda: spark.table("there_is_none"), False, True),
        (lambda: spark.range(1).select("price"), False, False),
    ):
        error = raised_by(action)
        assert (is_missing_path(error), is_missing_table(error)) == (is_path, is_table)


# Failures that pass


def test_our_own_errors_of_what_is_away_are_transient_by_their_first_line() -> None:
    assert transient_cause(SourceUnavailableError("no answer\nmore")) == "no answer"
    assert transient_cause(ModelUnavailableError("no answer")) == "no answer"
    assert transient_cause(WorkerLostError("a worker has died")) == "a worker has died"


def test_idle_worker_that_went_with_its_daemon_is_transient_and_puts_no_model_in_doubt(spark: SparkSession) -> None:
    def tell_daemon(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"pid": [os.getppid()]})

    asked = spark.range(0, 1, 1, 1).mapInArrow(tell_daemon, "pid BIGINT")
    [[pid]] = asked.collect()
    daemon = psutil.Process(pid)
    workers = daemon.children()
    assert workers
    for process in (*workers, daemon):  # the daemon last, as it has to take note of the others
        process.kill()
        psutil.wait_procs([process], PATIENCE_S)
        assert not process.is_running()
    errors = []
    while len(errors) <= len(workers):  # Spark throws one of the dead workers away at each attempt
        try:
            [[replacement]] = asked.collect()
            break
        except SPARK_ERRORS as error:
            errors.append(error)
    assert replacement != pid
    assert {str(transient_cause(error)).rpartition(": ")[2] for error in errors} == {"Stream closed"}
    assert {row_refusal(error) or worker_crash(error) or model_fault(error) for error in errors} == {None}


def test_schema_registry_that_does_not_answer_a_worker_is_transient(spark: SparkSession) -> None:
    said = "the schema registry http://registry does not answer: HTTP 503"

    def ask(_: Any) -> Any:
        raise SourceUnavailableError(said)

    with pytest.raises(PythonException) as failed:
        spark.range(1).mapInArrow(ask, "id BIGINT").collect()
    assert said in (transient_cause(failed.value) or "")


def test_java_error_is_transient_by_its_class(spark: SparkSession, unused_port: int) -> None:
    jvm = spark.sparkContext._jvm
    refused = raised_by(lambda: jvm.java.net.Socket("127.0.0.1", unused_port))
    assert transient_cause(refused) == "ConnectException: Connection refused"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = jvm.java.net.Socket("127.0.0.1", silent.getsockname()[1])
        client.setSoTimeout(10)
        late = raised_by(lambda: client.getInputStream().read())
    assert transient_cause(late) == "SocketTimeoutException: Read timed out"
    never = jvm.java.util.concurrent.CompletableFuture()
    unit = jvm.java.util.concurrent.TimeUnit.MILLISECONDS
    assert str(transient_cause(raised_by(lambda: never.get(1, unit)))).startswith("TimeoutException")


def test_broker_that_does_not_answer_is_transient_by_the_parent_of_its_class(
    spark: SparkSession, unused_port: int
) -> None:
    jvm = spark.sparkContext._jvm
    properties = jvm.java.util.HashMap()
    properties["bootstrap.servers"] = f"127.0.0.1:{unused_port}"
    properties["default.api.timeout.ms"] = properties["request.timeout.ms"] = "200"
    admin = jvm.org.apache.kafka.clients.admin.AdminClient.create(properties)
    error = raised_by(lambda: admin.listTopics().names().get())
    admin.close()
    assert isinstance(error, Py4JJavaError)
    assert str(transient_cause(error)).startswith("TimeoutException: ")
    assert "Exception: " in root_cause(error)
    text_only = PySparkException(f"Job aborted due to stage failure\n{error.java_exception.toString()}")
    assert "org.apache.kafka.common.errors.TimeoutException" in str(transient_cause(text_only))


def test_root_cause_is_the_innermost_java_error(spark: SparkSession) -> None:
    jvm = spark.sparkContext._jvm
    inner = jvm.java.lang.IllegalStateException("the reason")
    future = jvm.java.util.concurrent.CompletableFuture()
    future.completeExceptionally(jvm.java.lang.RuntimeException("around", inner))
    error = raised_by(future.get)
    assert isinstance(error, Py4JJavaError)
    assert root_cause(error) == "IllegalStateException: the reason"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE])
def test_file_system_that_fails_under_a_worker_is_transient_by_the_words_of_the_system(
    spark: SparkSession, code: int
) -> None:
    error = raise_in_a_worker(spark, OSError(code, os.strerror(code)))
    assert transient_cause(error) == f"OSError: [Errno {code}] {os.strerror(code)}"


def test_full_disk_is_transient_in_java_too(spark: SparkSession) -> None:
    full = spark.sparkContext._jvm.java.io.FileOutputStream("/dev/full")
    assert transient_cause(raised_by(lambda: full.write(1))) == "java.io.IOException: No space left on device"


def test_folder_that_cannot_be_made_is_transient(spark: SparkSession) -> None:
    hadoop = spark.sparkContext._jvm.org.apache.hadoop.fs
    system = hadoop.FileSystem.getLocal(spark.sparkContext._jsc.hadoopConfiguration())
    error = raised_by(lambda: system.create(hadoop.Path("/proc/nowhere/file")))
    assert str(transient_cause(error)).startswith("java.io.IOException: Mkdirs failed to create /proc/nowhere")


def reset() -> None:
    """Be cut off in the middle of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        end, _ = server.accept()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()
        client.recv(1)


def break_pipe() -> None:
    """Write to somebody who has left."""
    reader, writer = os.pipe()
    os.close(reader)
    os.write(writer, b"x")


def be_late() -> None:
    """Wait for an answer that does not come."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 0.01) as late:
        late.recv(1)


@pytest.mark.parametrize(
    ("action", "cause"),
    [
        (reset, "ConnectionResetError: [Errno 104] Connection reset by peer"),
        (break_pipe, "BrokenPipeError: [Errno 32] Broken pipe"),
        (be_late, "TimeoutError: timed out"),
    ],
)
def test_network_that_fails_under_a_worker_is_transient(
    spark: SparkSession, action: Callable[[], None], cause: str
) -> None:
    assert transient_cause(raised_by(in_a_worker(spark, action).collect)) == cause


def test_refused_connection_of_a_worker_is_transient(spark: SparkSession, unused_port: int) -> None:
    connect = partial(socket.create_connection, ("127.0.0.1", unused_port))
    error = raised_by(in_a_worker(spark, connect).collect)
    assert transient_cause(error) == "ConnectionRefusedError: [Errno 111] Connection refused"


@pytest.mark.parametrize(("status", "words"), [(503, "Service Unavailable"), (429, "Too Many Requests")])
def test_service_that_wants_fewer_requests_is_transient(spark: SparkSession, status: int, words: str) -> None:
    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever).start()
        ask = partial(urllib.request.urlopen, f"http://127.0.0.1:{server.server_port}/")
        error = raised_by(in_a_worker(spark, ask).collect)
        server.shutdown()
    assert transient_cause(error) == f"urllib.error.HTTPError: HTTP Error {status}: {words}"


@pytest.mark.parametrize(
    "text",
    [
        "software.amazon.awssdk.services.s3.model.S3Exception: (Service: S3, Status Code: 503, Request ID: 7)",
        "org.apache.hadoop.fs.s3a.AWSServiceThrottledException: PUT on s3a://b/x: SlowDown: Please reduce your rate",
        "ExecutorLostFailure (executor 1 exited caused by one of the running tasks) Reason: Remote RPC client gone",
    ],
)
def test_store_that_throttles_and_executor_that_is_lost_are_transient_by_their_words(text: str) -> None:
    error = PySparkException(f"Job aborted due to stage failure: Task 0 in stage 1 failed\n{text}\n\tat somewhere")
    assert transient_cause(error) == text


def test_commit_that_another_writer_was_faster_with_is_transient(spark: SparkSession, tmp_path: Path) -> None:
    table, begun, go_on = str(tmp_path / "table"), tmp_path / "begun", tmp_path / "go on"
    spark.range(0).write.format("delta").save(table)

    def pause() -> None:
        begun.touch()
        while not go_on.exists():
            time.sleep(0.01)

    append = partial(in_a_worker(spark, pause).write.format("delta").mode("append").save, table)
    with ThreadPoolExecutor(1) as aside:
        paused = aside.submit(append)
        until = time.monotonic() + PATIENCE_S
        while not begun.exists() and time.monotonic() < until:
            time.sleep(0.01)
        spark.sql(f"ALTER TABLE delta.`{table}` SET TBLPROPERTIES ('a' = 'b')")
        go_on.touch()
        error = paused.exception(PATIENCE_S)
    assert str(transient_cause(error)).startswith("MetadataChangedException: ")
    text_only = PySparkException(f"Job aborted\n{error}")
    assert "DELTA_METADATA_CHANGED" in str(transient_cause(text_only))
    jvm = spark.sparkContext._jvm
    converted = captured.convert_exception(jvm.io.delta.exceptions.ConcurrentTransactionException("two at once"))
    assert transient_cause(converted) == "ConcurrentTransactionException: two at once"


@pytest.fixture
def clicks(spark: SparkSession, tmp_path: Path) -> DataFrame:
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / name).write_text("x\n")
    return spark.readStream.option("maxFilesPerTrigger", 1).text(str(tmp_path / "in"))


def test_stream_that_another_one_has_overtaken_is_transient(clicks: DataFrame, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"

    def overtake(_: DataFrame, batch_id: int) -> None:
        (checkpoint / "offsets" / str(batch_id + 1)).write_text("v1\n{}\n{}")

    writer = clicks.writeStream.option("checkpointLocation", str(checkpoint)).trigger(availableNow=True)
    error = raised_by(writer.foreachBatch(overtake).start().awaitTermination)
    assert "Concurrent update to the log" in str(transient_cause(error))


def test_failure_of_a_stream_is_told_without_its_state_and_its_plan(clicks: DataFrame, tmp_path: Path) -> None:
    def fail(_: DataFrame, __: int) -> None:
        raise ValueError("the reason")

    writer = clicks.writeStream.option("checkpointLocation", str(tmp_path / "checkpoint")).trigger(availableNow=True)
    error = raised_by(writer.foreachBatch(fail).start().awaitTermination)
    assert isinstance(error, StreamingQueryException)
    assert "=== Streaming Query ===" in str(error)
    assert "the reason" in failure_of(error)
    assert "=== Streaming Query ===" not in failure_of(error)


@pytest.mark.parametrize(
    ("rows", "words", "is_constraint"),
    [
        ("-1, 'ab', 'c1'", "CHECK constraint positive (price > 0) violated by row with values: - price : -1", True),
        ("1, 'abc', 'c1'", 'Value "abc" exceeds char/varchar type length limitation.', True),
        ("1, NULL, 'c1'", "NOT NULL constraint violated for column: code.", True),
        ("1, 'ab', 'c0'", "[INVALID_INDEX_OF_ZERO] The index 0 is invalid.", False),
        ("1, 'ab', 'Connection refused'", "CHECK constraint short (length(id) < 9) violated by row", True),
    ],
)
def test_row_that_a_table_does_not_take_is_refused_with_its_words(
    spark: SparkSession, tmp_path: Path, rows: str, words: str, is_constraint: bool
) -> None:
    table = f"delta.`{tmp_path / 'strict'}`"
    spark.sql(f"CREATE TABLE {table} (price INT, code VARCHAR(2) NOT NULL, id STRING, "
              "number INT GENERATED ALWAYS AS (element_at(array(10), int(substring(id, 2))))) USING delta")  # fmt: skip
    spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT positive CHECK (price > 0)")
    spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT short CHECK (length(id) < 9)")
    frame = spark.sql(f"SELECT * FROM VALUES (1, 'ab', 'c1'), ({rows}) AS t(price, code, id)")
    error = raised_by(lambda: frame.write.format("delta").mode("append").save(str(tmp_path / "strict")))
    refusal = row_refusal(error)
    assert refusal is not None
    assert refusal.words.startswith(words)
    assert refusal.is_constraint == is_constraint
    assert "\n" not in refusal.words
    assert "SQLSTATE" not in refusal.words or not is_constraint


def test_rows_are_not_to_blame_for_what_may_pass_and_for_what_is_not_written_at_all(spark: SparkSession) -> None:
    assert row_refusal(raised_by(lambda: spark.table("there_is_none"))) is None
    assert row_refusal(PySparkException("java.net.ConnectException: Connection refused")) is None


def test_failure_without_a_condition_is_told_by_its_innermost_cause_or_its_first_line(spark: SparkSession) -> None:
    udf = F.udf(lambda _: 1 / 0, "int")
    assert "ZeroDivisionError" in engine_words(raised_by(lambda: spark.range(1).select(udf("id")).collect()))
    assert engine_words(ValueError("what is this?\nand this?")) == "ValueError: what is this?"


def test_time_that_overflows_is_told_by_the_reader_of_kafka_that_it_happens_in() -> None:
    overflow, reader = "java.lang.ArithmeticException: long overflow", "org.apache.spark.sql.kafka010"
    within = f"{overflow}\n\tat java.base/java.lang.Math.multiplyExact(Math.java:1033)\n\tat {reader}."
    assert is_time_overflow(
        PySparkException(f"{within}KafkaRecordToRowConverter$.$anonfun$toInternalRow(K.scala:40)\n")
    )
    assert not is_time_overflow(PySparkException(f"{within}KafkaSourceProvider.load(K.scala:40)\n"))
    assert not is_time_overflow(ValueError(f"{within}KafkaRecordToRowConverter"))


def test_failures_that_stay_are_not_transient(spark: SparkSession) -> None:
    for stays in (
        raised_by(lambda: spark.table("there_is_none")),
        raised_by(lambda: spark.sparkContext._jvm.java.lang.Integer.parseInt("seven")),
        raise_in_a_worker(spark, KeyError("price")),
        SourceError("no topic"),
        ModelNotFoundError("no model"),
        ValueError("Connection refused"),
        None,
    ):
        assert transient_cause(stays) is None, stays


def test_file_that_hadoop_does_not_find_is_told_by_its_class(spark: SparkSession, tmp_path: Path) -> None:
    missing, system = hadoop_path(spark, str(tmp_path / "none"))
    error = raised_by(lambda: system.open(missing))
    assert isinstance(error, Py4JJavaError)
    assert is_file_not_found(error)
    (tmp_path / "file").touch()
    inside, _ = hadoop_path(spark, str(tmp_path / "file" / "below"))
    error = raised_by(lambda: system.create(inside, True))
    assert isinstance(error, Py4JJavaError)
    assert not is_file_not_found(error)
