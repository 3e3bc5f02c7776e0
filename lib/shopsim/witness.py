"""An independent witness: every offset of a topic is in exactly one row of the output tables.

``python -m shopsim.witness`` waits until it is so. It reads the tables with delta-rs and the topic with librdkafka,
which share no code with Spark.
"""

import argparse
import sys
import time
from pathlib import Path

import psutil
import pyarrow as pa
import yaml
from confluent_kafka import Consumer, TopicPartition
from deltalake import DeltaTable, QueryBuilder

PATIENCE_S = 180
"""How long nothing may happen before the witness gives up."""
POLL_S = 2.0
KAFKA_TIMEOUT_S = 10.0

ROWS = """
SELECT source, COUNT(*) AS records, COUNT(DISTINCT source_offset) AS offsets, MAX(source_offset) AS last
FROM (SELECT source, source_offset FROM scored UNION ALL SELECT source, source_offset FROM rejected)
GROUP BY source
"""


def offsets_in_topic(servers: str, topic: str) -> dict[str, int]:
    """Return how many offsets each partition has had so far, by its name in the tables."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "clickscore-witness", "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, timeout=KAFKA_TIMEOUT_S).topics[topic].partitions
        marks = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), KAFKA_TIMEOUT_S) for p in partitions}
        return {f"{topic}-{number}": next_offset for number, (_, next_offset) in marks.items() if next_offset}
    finally:
        consumer.close()


def rows_in_tables(scored: str, rejected: str) -> dict[str, dict[str, int]]:
    """Return rows, different offsets and last offset for each source; nothing before there are tables."""
    if not all(DeltaTable.is_deltatable(table) for table in (scored, rejected)):
        return {}
    query = QueryBuilder().register("scored", DeltaTable(scored)).register("rejected", DeltaTable(rejected))
    return {row.pop("source"): row for row in pa.table(query.execute(ROWS)).to_pylist()}


def main() -> int:
    """Wait for the stream; 0 when every offset is there exactly once, 1 if one is there twice or nothing comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="the run, such as conf/kafka.yaml")
    parser.add_argument("--servers", help="the brokers, instead of those of the configuration")
    parser.add_argument("--job", type=int, help="process that writes the tables, as long as it lives")
    a = parser.parse_args()
    run = yaml.safe_load(a.config.read_text(encoding="utf-8"))
    source, output = run["source"], run["output"]
    if run.get("deduplicate") or "topics" not in source:
        print("the witness needs a list of topics, and no deduplicate, which leaves offsets out", file=sys.stderr)
        return 1
    wanted: dict[str, int] = {}
    for topic in source["topics"]:
        wanted |= offsets_in_topic(a.servers or source["bootstrap_servers"], topic)
    found: dict[str, dict[str, int]] = {}
    last_change = time.monotonic()
    while time.monotonic() - last_change < PATIENCE_S:
        rows = rows_in_tables(output["scored"], output["rejected"])
        if twice := [name for name, row in rows.items() if row["records"] != row["offsets"]]:
            print(f"offsets are there twice: {', '.join(twice)}", file=sys.stderr)
            return 1
        if all(is_complete(rows.get(name), next_offset) for name, next_offset in wanted.items()):
            print(f"\nevery one of {sum(wanted.values()):,} offsets in {len(wanted)} partitions is in exactly one row")
            return 0
        if rows != found:
            found, last_change = rows, time.monotonic()
        if a.job is None or not psutil.pid_exists(a.job):
            break
        time.sleep(POLL_S)
    missing = sum(wanted.values()) - sum(row["records"] for row in found.values())
    print(f"{missing:,} of {sum(wanted.values()):,} offsets are in no table", file=sys.stderr)
    return 1


def is_complete(row: dict[str, int] | None, next_offset: int) -> bool:
    """Tell whether the different offsets of a partition are all those from 0 to the next one."""
    return row is not None and row["offsets"] == next_offset and row["last"] == next_offset - 1


if __name__ == "__main__":
    sys.exit(main())
