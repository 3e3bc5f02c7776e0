"""The job as its own process over a real broker: while it runs, partitions come, the broker goes, the job is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import deltalake
import pytest
from confluent_kafka.admin import NewPartitions
from pyspark.sql import SparkSession
from rich.console import Console
from tests.support.interruption import run_until

from clickscore.stream import app

MakeClick = Callable[..., dict[str, Any]]
Offsets = Callable[[Any], dict[str, list[int]]]

PATIENCE_S = 120


@contextmanager
def running(shop: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """The job, scoring every second until the end of the block."""
    shop.set(trigger="1 second")
    with (shop.home / "job.log").open("wb") as log:
        command = [sys.executable, "jobs/score_stream.py", "--config", str(shop.config_file)]
        job = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield job
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()


def rows(shop: Any) -> int:
    tables = [str(shop.home / name) for name in ("scored_clicks", "rejected_clicks")]
    if not all(deltalake.DeltaTable.is_deltatable(table) for table in tables):
        return 0
    return sum(deltalake.DeltaTable(table).to_pyarrow_dataset().count_rows() for table in tables)


def await_rows(shop: Any, count: int, job: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while rows(shop) < count:
        said = (shop.home / "job.log").read_text()
        assert job.poll() is None, f"the job has ended: {said}"
        assert time.monotonic() < deadline, f"{rows(shop)} of {count} rows: {said}"
        time.sleep(0.5)


def test_stream_survives_new_partitions_and_a_broker_restart_and_ends_cleanly(
    kafka_shop: Any, topic: Any, make_click: MakeClick, rows_of_offsets: Offsets
) -> None:
    topic.make(2)
    topic.send(*(make_click(number) for number in range(100)), partition=1)
    with running(kafka_shop) as job:
        await_rows(kafka_shop, 100, job)

        topic.broker.admin.create_partitions([NewPartitions(topic.name, 4)])[topic.name].result()
        topic.send(*(make_click(number) for number in range(100, 150)), partition=3)
        topic.send(make_click(150), b"rubbish", partition=0)
        await_rows(kafka_shop, 152, job)

        topic.broker.stop()
        time.sleep(5)  # Several triggers without a broker.
        topic.broker.start()
        topic.send(*(make_click(number) for number in range(200, 220)), partition=2)
        await_rows(kafka_shop, 172, job)

        job.send_signal(signal.SIGTERM)
        assert job.wait(60) == 0
    assert "172 records in" in (kafka_shop.home / "job.log").read_text()
    assert rows_of_offsets(kafka_shop) == {
        f"{topic.name}-0": [0, 1],
        f"{topic.name}-1": list(range(100)),
        f"{topic.name}-2": list(range(20)),
        f"{topic.name}-3": list(range(50)),
    }


def test_partition_added_between_runs_is_read_from_its_beginning(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick, rows_of_offsets: Offsets
) -> None:
    topic.make(1)
    topic.send(make_click(1))
    kafka_shop.run(spark)
    topic.broker.admin.create_partitions([NewPartitions(topic.name, 2)])[topic.name].result()
    topic.send(make_click(2), make_click(3), partition=1)
    kafka_shop.run(spark)
    assert rows_of_offsets(kafka_shop) == {f"{topic.name}-0": [0], f"{topic.name}-1": [0, 1]}


def test_interrupted_job_goes_on_and_every_offset_is_there_exactly_once(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick, rows_of_offsets: Offsets,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    settings = kafka_shop.config.source.model_dump(mode="json", exclude_none=True)
    kafka_shop.set(source={**settings, "max_records": 400})
    topic.make(4)
    for partition in range(4):
        records = (make_click(number) if number % 50 else b"rubbish" for number in range(250))
        topic.send(*records, partition=partition)
    run_until("scored", kafka_shop, spark, monkeypatch, batch=1)
    assert rows(kafka_shop) >= 400
    kafka_shop.run(spark)
    assert rows_of_offsets(kafka_shop) == {f"{topic.name}-{partition}": list(range(250)) for partition in range(4)}
    assert len(kafka_shop.rejected) == 20


class AddsPartitionAfterFirstBatch(StringIO):
    """A console on which the first micro-batch appears at the moment when the topic gets another partition."""

    def __init__(self, topic: Any, record: dict[str, Any]) -> None:
        super().__init__()
        self.topic, self.record = topic, record

    def write(self, text: str) -> int:
        if "batch    0" in text:
            self.topic.broker.admin.create_partitions([NewPartitions(self.topic.name, 2)])[self.topic.name].result()
            self.topic.send(self.record, partition=1)
        return super().write(text)


def test_partition_added_while_a_backlog_is_read_waits_for_the_next_run(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick, rows_of_offsets: Offsets
) -> None:
    settings = kafka_shop.config.source.model_dump(mode="json", exclude_none=True)
    kafka_shop.set(source={**settings, "max_records": 10})
    topic.make(1)
    topic.send(*(make_click(number) for number in range(30)))
    console = Console(file=AddsPartitionAfterFirstBatch(topic, make_click(99)), width=200)
    app.run(kafka_shop.config, lambda: spark, console)
    kafka_shop.run(spark)
    assert rows_of_offsets(kafka_shop) == {f"{topic.name}-0": list(range(30)), f"{topic.name}-1": [0]}
