import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.reconciliation.record_keys import ClickId, has_id, of_offsets, of_records, of_rejected, of_scored
from clickscore.scoring.privacy import Protection
from clickscore.scoring.privacy_rules import HASH, Rule, hashed

ID = ClickId(pa.schema([pa.field("id", pa.string(), nullable=False)]))
KEY = b"0123456789abcdef0123456789abcdef"
REJECTED = "raw STRING, reason STRING, detail STRING, source STRING, batch_id BIGINT"
WHOLE = b'{"id": "c1", "price": 1.5}'
WRONG_ELSEWHERE = b'{"id": "c1", "price": "none"}'
NO_TEXT = b'{"id": "c\xff"}'


def keys_of(spark: SparkSession, *records: bytes | None) -> list[int]:
    rows = spark.createDataFrame(
        [(record, "f", 0) for record in records], "value BINARY, source STRING, batch_id BIGINT"
    )
    return [row.key for row in of_records(rows, ID).collect()]


def test_record_is_known_by_its_id_whatever_else_is_in_it(spark: SparkSession) -> None:
    scored = of_scored(spark.createDataFrame([("c1", "f", 0)], "id STRING, source STRING, batch_id BIGINT"), ID)
    assert keys_of(spark, WHOLE, WRONG_ELSEWHERE) == [scored.collect()[0].key] * 2
    assert scored.collect()[0].label == "c1"


def test_record_without_an_id_is_known_by_its_bytes(spark: SparkSession) -> None:
    keys = keys_of(spark, b"rubbish", b"", b" ", None, NO_TEXT, b'{"id": 7}', b"c1", WHOLE)
    assert len(set(keys)) == 8


def test_rejected_row_has_the_key_of_its_record(spark: SparkSession) -> None:
    records = [WRONG_ELSEWHERE, b"rubbish", b"", None, NO_TEXT, b"\xef\xbb\xbf" + WHOLE]
    reasons = ["wrong_type", "malformed_json", "empty_record", "tombstone", "invalid_encoding", "model_failure"]
    raw = [None if r is None else r.decode("iso-8859-1" if r is NO_TEXT else "utf-8") for r in records]
    rows = [(text, reason, "why", "f", 0) for text, reason in zip(raw, reasons, strict=True)]
    rejected = spark.createDataFrame(rows, REJECTED)
    assert [row.key for row in of_rejected(rejected, ID).collect()] == keys_of(spark, *records)


def test_rejected_row_of_a_typed_table_is_known_by_its_id_alone(spark: SparkSession) -> None:
    raw = ['{"price": 1}', '{"price": 2}', '{"id": "c1", "price": 3}']
    rejected = spark.createDataFrame([(text, "missing_field", "why", "f", 0) for text in raw], REJECTED)
    typed = spark.createDataFrame(
        [(None, "f", 0), (None, "f", 0), ("c1", "f", 0)], "id STRING, source STRING, batch_id INT"
    )
    keys = [row.key for row in of_rejected(rejected, ID, is_id_all=True).collect()]
    assert keys == [row.key for row in of_scored(typed, ID).collect()]


def test_id_that_is_a_number_has_the_same_key_in_record_and_row(spark: SparkSession) -> None:
    number = ClickId(pa.schema([pa.field("id", pa.decimal128(6, 2), nullable=False)]))
    records = spark.createDataFrame([(bytearray(b'{"id": 1.5}'), "f")], "value BINARY, source STRING")
    scored = spark.range(1).select(F.expr("CAST(1.5 AS DECIMAL(6, 2))").alias("id"), F.lit("f").alias("source"),
                                   F.lit(0).alias("batch_id"))  # fmt: skip
    assert of_records(records, number).collect()[0].key == of_scored(scored, number).collect()[0].key


def test_protected_record_has_the_key_of_its_row(spark: SparkSession) -> None:
    hidden = ClickId(ID.record, Protection({"id": Rule(HASH)}, "masked", KEY))
    columns = "value BINARY, source STRING, batch_id BIGINT"
    records = spark.createDataFrame([(record, "f", 0) for record in (WHOLE, WRONG_ELSEWHERE, b"rubbish", b"")], columns)
    stored = hashed("c1", KEY)
    scored = spark.createDataFrame([(stored, "f", 0)], "id STRING, source STRING, batch_id BIGINT")
    raw = [f'{{"id": "{stored}"}}', None, None]
    rejected = spark.createDataFrame([(text, "wrong_type", "why", "f", 0) for text in raw], REJECTED)
    found, rows = of_records(records, hidden), of_scored(scored, hidden).unionByName(of_rejected(rejected, hidden))
    assert sorted(row.key for row in found.collect()) == sorted(row.key for row in rows.collect())
    assert [row.label for row in has_id(found).collect()] == [stored, stored]


def test_offset_is_the_key_in_a_topic(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("t-0", 0, 5), ("t-0", 0, 6)], "source STRING, batch_id BIGINT, source_offset BIGINT")
    keys = of_offsets(rows).collect()
    assert keys[0].key != keys[1].key
    assert [row.label for row in keys] == [5, 6]
