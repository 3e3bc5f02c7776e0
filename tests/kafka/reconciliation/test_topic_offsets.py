"""What an audit proves from offsets, and how it explains those that have no row, over a real broker."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import deltalake
import pyarrow as pa
import pytest
from confluent_kafka import TopicPartition
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.reconciliation import audit
from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.topic_offsets import Span, find_spans, hold_offsets
from clickscore.storage.backfills import Backfills, Chunk
from clickscore.storage.offset_log import Planned
from clickscore.stream import app

MakeClick = Callable[..., dict[str, Any]]


def look(spark: SparkSession, shop: Any, first: int | None = None) -> tuple[bool, str]:
    seen = StringIO()
    return audit.run(shop.config, lambda: spark, Console(file=seen, width=160), first, None), seen.getvalue()


def test_spans_follow_each_other_and_begin_where_the_stream_began() -> None:
    log = {
        5: Planned(0, {"t": {"0": 10}}),
        6: Planned(0, {"t": {"0": 15, "1": 3}}),
        7: Planned(0, {"t": {"0": 15, "1": 9}}),
    }
    start = {("t", 0): 2}
    assert find_spans(start, Range(0, 7, log)) == [
        Span("t-0", 5, 2, 10), Span("t-0", 6, 10, 15), Span("t-1", 6, 0, 3), Span("t-0", 7, 15, 15),
        Span("t-1", 7, 3, 9),
    ]  # fmt: skip
    assert find_spans(start, Range(7, 7, {6: log[6], 7: log[7]})) == [Span("t-0", 7, 15, 15), Span("t-1", 7, 3, 9)]


def test_span_of_any_length_is_counted_in_chunks(spark: SparkSession) -> None:
    spans = [Span("t-0", 0, 5, 250_005), Span("t-1", 0, 7, 7), Span("t-2", 0, 9, 3), Span("t-3", 1, 4, 5)]
    parts = hold_offsets(spark, spans).parts.orderBy("source").collect()
    assert [(row.source, row.batch_id, row.records) for row in parts] == [("t-0", 0, 250_000), ("t-3", 1, 1)]


def test_offsets_are_proven_and_those_without_a_row_explained(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick
) -> None:
    topic.make(2)
    producer = topic.producer(**{"transactional.id": topic.name})
    producer.init_transactions()
    for numbers, is_good in ((range(5), True), (range(5, 8), False), (range(8, 12), True)):
        producer.begin_transaction()
        topic.put(producer, *(make_click(number) for number in numbers))
        producer.flush(30)
        producer.commit_transaction() if is_good else producer.abort_transaction()
    topic.send(make_click(20), b"rubbish", None, partition=1)
    kafka_shop.run(spark)

    # Markers and aborted records are offsets, but no records.
    is_whole, said = look(spark, kafka_shop)
    assert is_whole, said
    assert "12 records, each in exactly one row." in said

    topic.send(*(make_click(number) for number in range(30, 40)), partition=1)
    deleted = topic.broker.admin.delete_records([TopicPartition(topic.name, 1, 7)])
    [done.result() for done in deleted.values()]
    app.run(kafka_shop.config, lambda: spark, Console(file=StringIO(), width=200), accept_loss=True)
    is_whole, said = look(spark, kafka_shop)
    assert is_whole, said
    assert "18 records, each in exactly one row, and 4 accepted as lost." in said
    assert look(spark, kafka_shop, first=1)[0]

    scored = deltalake.DeltaTable(str(kafka_shop.home / "scored_clicks"))
    twice = scored.to_pyarrow_table(filters=[("id", "=", "c39")])
    scored.delete("id IN ('c3', 'c20', 'c38')")
    deltalake.write_deltalake(scored, pa.table(twice), mode="append")
    is_whole, said = look(spark, kafka_shop)
    assert not is_whole
    lines = said.splitlines()
    here = lines.index(f"micro-batch 0, {topic.name}-0")
    assert lines[here + 1] == "  1 missing: the source has them, the tables do not (3)"
    # The topic has been cut below offset 7: whether there ever was a record 0, nobody can say.
    here = lines.index(f"micro-batch 0, {topic.name}-1")
    assert lines[here + 1].startswith("  1 missing, and no longer in the source: no longer verifiable")
    here = lines.index(f"micro-batch 1, {topic.name}-1")
    assert lines[here + 1 : here + 3] == [
        "  1 missing: the source has them, the tables do not (11)",
        "  1 row too many: this record is there more than once (12)",
    ]
    assert "DELETE, 3 rows deleted" in said


def test_duplicates_and_markers_that_age_out_are_no_finding_and_a_row_that_is_lost_still_is(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick
) -> None:
    kafka_shop.set(deduplicate={"window": "10 minutes"})
    topic.make(1)
    producer = topic.producer(**{"transactional.id": topic.name})
    producer.init_transactions()
    for numbers in ((1, 2, 1), (3,)):
        producer.begin_transaction()
        topic.put(producer, *map(make_click, numbers))
        producer.flush(30)
        producer.commit_transaction()
    kafka_shop.run(spark)
    is_whole, said = look(spark, kafka_shop)
    assert is_whole, said
    assert "4 records, each in exactly one row, 1 of them duplicates" in said

    deleted = topic.broker.admin.delete_records([TopicPartition(topic.name, 0, 6)])
    [done.result() for done in deleted.values()]
    is_whole, again = look(spark, kafka_shop)
    assert is_whole, again
    assert again.splitlines()[-1] == said.splitlines()[-1]

    deltalake.DeltaTable(str(kafka_shop.home / "scored_clicks")).delete("id = 'c2'")
    is_whole, said = look(spark, kafka_shop)
    assert not is_whole
    assert "1 missing, and no longer in the source: no longer verifiable" in said


def test_duplicate_is_told_from_a_lost_record_by_its_id(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick
) -> None:
    kafka_shop.set(deduplicate={"window": "10 minutes"})
    topic.make(1)
    topic.send(make_click(1), make_click(2), make_click(1), make_click(3))
    kafka_shop.run(spark)
    is_whole, said = look(spark, kafka_shop)
    assert is_whole, said
    assert "1 of them duplicates" in said
    deltalake.DeltaTable(str(kafka_shop.home / "scored_clicks")).delete("id = 'c3'")
    is_whole, said = look(spark, kafka_shop)
    assert not is_whole
    assert "1 missing: the source has them, the tables do not (3)" in said


def test_offsets_before_the_stream_are_backfilled_once_and_the_audit_proves_it(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick, run_job: Callable[..., Any]
) -> None:
    topic.make(2, retention_ms="-1")
    january, june = 1_577_880_000_000, 1_590_969_600_000  # of 2020
    topic.send(*(make_click(number) for number in range(3)), b"rubbish", timestamp=january)
    topic.send(make_click(4), make_click(5), timestamp=june)
    topic.send(make_click(10), make_click(11), partition=1, timestamp=june)
    topic.send(make_click(6), make_click(7))
    source = kafka_shop.config.source.model_dump(mode="json", exclude_none=True)
    kafka_shop.set(source={**source, "start": "2025-01-01T00:00:00Z", "max_records": 1})
    kafka_shop.run(spark)
    topic.send(make_click(8))
    assert sorted(kafka_shop.scored["id"]) == ["c6", "c7"]
    config, first = ("--config", str(kafka_shop.config_file)), f'{{"{topic.name}": {{"0": 2}}}}'

    done = run_job("score_batch", *config, "--to", f'{{"{topic.name}": {{"0": 9, "1": 2}}}}')
    assert done.status == 2
    assert f"offsets 8 to 8 of {topic.name}-0 are still to be read by the stream" in done.err
    done = run_job("score_batch", *config, "--from", first, "--to", "2020-03-01T00:00:00Z")
    assert done.status == 0, done.err
    assert "; 2 offsets missing." in done.out
    assert "1 scored, 1 rejected" in done.out
    done = run_job("score_batch", *config)
    assert done.status == 0, done.err
    assert "Of the range, 4 offsets in the tables, or planned; 6 offsets missing." in done.out
    assert "6 records in 2 chunks" in done.out
    assert "; 0 offsets missing." in run_job("score_batch", *config).out
    rows = [*kafka_shop.scored["id"], *kafka_shop.rejected["raw"]]
    assert sorted(rows) == sorted(["c0", "c1", "c2", "rubbish", "c4", "c5", "c6", "c7", "c10", "c11"])

    kafka_shop.run(spark)
    is_whole, said = look(spark, kafka_shop)
    assert is_whole, said
    assert "11 records, each in exactly one row." in said
    deltalake.DeltaTable(str(kafka_shop.home / "scored_clicks")).delete("id = 'c11'")
    is_whole, said = look(spark, kafka_shop)
    assert not is_whole
    lines = said.splitlines()
    here = next(number for number, line in enumerate(lines) if line.startswith("backfill chunk "))
    assert lines[here].endswith(f", {topic.name}-1")
    assert lines[here + 1] == "  1 missing: the source has them, the tables do not (1)"


def test_offsets_that_age_out_after_a_backfill_has_planned_them_are_written_down_as_a_gap(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick, run_job: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    topic.make(1, retention_ms="-1")
    topic.send(*(make_click(number) for number in range(6)), timestamp=1_577_880_000_000)
    topic.send(make_click(6))
    source = kafka_shop.config.source.model_dump(mode="json", exclude_none=True)
    kafka_shop.set(source={**source, "start": "2025-01-01T00:00:00Z"})
    kafka_shop.run(spark)
    plan = Backfills.plan

    def plan_and_age_out(*arguments: Any) -> list[Chunk]:
        chunks = plan(*arguments)
        for deleted in topic.broker.admin.delete_records([TopicPartition(topic.name, 0, 4)]).values():
            deleted.result()
        return chunks

    monkeypatch.setattr(Backfills, "plan", plan_and_age_out)
    done = run_job("score_batch", "--config", str(kafka_shop.config_file))
    assert done.status == 0, done.err
    lost = f"{topic.name}-0: offsets 0 to 3 are lost (aged_out): the next offset should be 0, the oldest available"
    assert lost in " ".join(done.out.split())
    assert sorted(kafka_shop.scored["id"]) == ["c4", "c5", "c6"]
    gaps = kafka_shop.table("source_gaps")
    assert gaps[["first_offset", "last_offset"]].to_numpy().tolist() == [[0, 3]]
    is_whole, said = look(spark, kafka_shop)
    assert is_whole, said
    assert "3 records, each in exactly one row, and 4 accepted as lost" in said
