"""How long clicks may have been waiting, found out from real streams; for Kafka in tests/kafka."""

import json
import math
import os
import threading
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyspark.sql import SparkSession
from rich.console import Console
from tests.support.prometheus import watching
from tests.support.waiting import wait_until

from clickscore.errors import ConfigError
from clickscore.stream import app

MakeClick = Callable[..., dict[str, Any]]
PATIENCE_S = 240
CLOSE_S = 1.0
INTERVAL_S = 0.3
"""Between two triggers: when exactly an idle stream looked last, nobody knows better."""
FILES_UNTIL_LOG_IS_COMPACTED = 11


class HangsAtSecondBatch(StringIO):
    """A console, such as a pipe that nobody reads, which does not take the line of the second micro-batch."""

    def __init__(self) -> None:
        super().__init__()
        self.reads_on = threading.Event()

    def write(self, text: str) -> int:
        if "batch    1" in text:
            self.reads_on.wait(PATIENCE_S)
        return super().write(text)


class Job:
    """A run in a thread of its own, and what it says of its health."""

    def __init__(self, spark: SparkSession, shop: Any) -> None:
        self.seen, self.spark = HangsAtSecondBatch(), spark
        console = Console(file=self.seen, width=200)
        self.thread = threading.Thread(target=lambda: app.run(shop.config, lambda: spark, console))
        self.thread.start()
        self.wait_for(lambda: "health: " in self.seen.getvalue())
        self.url = self.seen.getvalue().split()[1].removesuffix("/healthz")

    def health(self) -> dict[str, Any]:
        try:
            with urlopen(f"{self.url}/healthz", timeout=10) as answer:
                return {"code": answer.status, **json.load(answer)}
        except HTTPError as refusal:
            return {"code": refusal.code, **json.load(refusal)}

    def metrics(self) -> dict[str, float]:
        with urlopen(f"{self.url}/metrics", timeout=10) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}

    def await_health(self, **what: Any) -> dict[str, Any]:
        self.wait_for(lambda: what.items() <= self.health().items())
        return self.health()

    def wait_for(self, is_there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not is_there():
            assert self.thread.is_alive(), self.seen.getvalue()
            assert time.monotonic() < deadline, f"what the test waits for does not come: {self.health()}"
            time.sleep(0.1)

    def stop(self) -> None:
        for query in self.spark.streams.active:
            query.stop()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


def test_running_job_tells_that_it_works_that_it_is_stuck_and_that_it_works_again(
    spark: SparkSession, shop: Any, make_click: MakeClick, tmp_path: Path
) -> None:
    shop.set(trigger="1 second", health={"port": 0, "stuck_after": "3 seconds"})
    shop.land("a.jsonl", make_click(1), make_click(2), "rubbish")
    job = Job(spark, shop)
    try:
        said = job.await_health(status="ok", code=200, read=3)
        assert (said["scored"], said["rejected"]) == (len(shop.scored), len(shop.rejected)) == (2, 1)
        assert (said["last_batch"], said["consecutive_failures"]) == (0, 0)
        assert said["model"] == {"name": "small_model", "version": "1"}
        job.wait_for(lambda: (job.health()["oldest_unprocessed_seconds"] or math.inf) < 3)

        shop.land("b.jsonl", make_click(3), "rubbish", "rubbish")
        port = int(job.url.rpartition(":")[2])
        with watching(tmp_path / "prometheus", "clickscore-stream", port) as prometheus:
            job.wait_for(lambda: "ClickscoreStuck" in prometheus.alerts())
        said = job.await_health(status="stuck", code=503)
        assert said["oldest_unprocessed_seconds"] > 3
        assert said["quiet_seconds"] >= 4
        job.wait_for(lambda: len(shop.scored) == 3)  # It is in the table, but the micro-batch does not get done.
        assert job.metrics()["clickscore_batches_total"] == 1

        job.seen.reads_on.set()
        job.await_health(status="ok", code=200, read=6)
        told = job.metrics()
        assert told["clickscore_records_read_total"] == len(shop.scored) + len(shop.rejected) == 6
        assert told["clickscore_clicks_scored_total"] == len(shop.scored) == 3
        assert told["clickscore_records_rejected_total"] == len(shop.rejected) == 3
        assert told["clickscore_last_batch_id"] == max(shop.rejected["batch_id"]) == 1
        assert told["clickscore_batch_seconds_count"] == told["clickscore_batches_total"] == 2
        assert abs(told["clickscore_last_batch_timestamp_seconds"] - time.time()) < PATIENCE_S

        shop.set(health={"port": port})
        with pytest.raises(ConfigError, match="Address already in use"):
            app.run(shop.config, lambda: pytest.fail("this needs no session"), Console(file=StringIO()))
    finally:
        job.seen.reads_on.set()
        job.stop()
    with pytest.raises(URLError, match="refused"):
        job.health()


def test_files_that_are_left_came_after_the_newest_that_was_read(
    shop: Any, watched: Callable[[], Any], make_click: MakeClick
) -> None:
    now = time.time()
    times = [now - 1_000 + 10 * number for number in range(FILES_UNTIL_LOG_IS_COMPACTED)]
    for number, modified in enumerate(times):
        os.utime(shop.land(f"{number}.jsonl", make_click(number)), (modified, modified))
    shop.set(source={"kind": "folder", "path": str(shop.landing), "max_bytes": 1})
    stream = watched()
    for number, modified in enumerate(times[:-1]):
        assert stream.batch(number) == pytest.approx(modified, abs=CLOSE_S)
    assert (shop.home / "checkpoint" / "sources" / "0" / "9.compact").exists()
    stream.turn.release()
    wait_until(lambda: stream.look() > now)  # It has seen that nothing else is there.
    assert stream.health.pulse().oldest_s == pytest.approx(INTERVAL_S, abs=0.1)


def test_commits_that_are_left_came_with_the_first_that_was_not_read(
    spark: SparkSession, shop: Any, watched: Callable[[], Any]
) -> None:
    source = str(shop.home / "clicks")

    def commit() -> float:
        spark.createDataFrame([(1,)], "id INT").coalesce(1).write.format("delta").mode("append").save(source)
        return max(file.stat().st_mtime for file in (shop.home / "clicks" / "_delta_log").glob("*.json"))

    commit()
    commit()
    shop.set(source={"kind": "delta", "table": source, "max_bytes": 1})
    stream = watched()
    assert math.isnan(stream.batch(0))  # Half of the first snapshot: the rest may be as old as the table.
    asked = time.time()
    assert stream.batch(1) > asked - INTERVAL_S  # The other half, and no commit after it.
    stream.query.processAllAvailable()
    first = commit()
    wait_until(lambda: stream.query.status["isDataAvailable"])  # waits for its turn
    time.sleep(2 * CLOSE_S)
    second = commit()
    assert second - first > CLOSE_S
    assert stream.batch(2) == pytest.approx(second, abs=CLOSE_S / 2)
    asked = time.time()
    assert stream.batch(3) > asked - INTERVAL_S
