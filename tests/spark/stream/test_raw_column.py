"""Whatever a raw record is, its row has a text for it, and gives its bytes back."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.stream.definition import Definition
from clickscore.stream.pipeline import Stamp, rejected
from clickscore.stream.raw_column import raw_bytes


def test_raw_record_can_be_read_back_from_the_table_whatever_it_is(spark: SparkSession, definition: Definition) -> None:
    records = [
        (b"text", "wrong_type", "why", "text", "why"),
        (b"\xff\x00", "malformed_avro", "why", "/wA=", "why; raw is base64"),
        (b"\xff\x00", "missing_field", None, "/wA=", "; raw is base64"),
        (b"\x00ab", "malformed_avro", "why", "\x00ab", "why"),
        (b"\xff\x00", "invalid_encoding", "why", "\xff\x00", "why"),
        (b"{", "malformed_json", "says; raw is base64", "{", "says; raw is base64"),
        (None, "tombstone", "why", None, "why"),
    ]
    rows = [(value and bytearray(value), "file", at, None, reason, detail)
            for at, (value, reason, detail, _, _) in enumerate(records)]  # fmt: skip
    columns = T.StructType(
        [*definition.layout.raw, *(T.StructField(name, T.StringType()) for name in ("reason", "detail"))]
    )
    stamp = Stamp(7, F.current_timestamp(), "m", "3")
    table = rejected(spark.createDataFrame(rows, columns), definition.layout, stamp).orderBy("source_offset")
    assert [(row.raw, row.detail) for row in table.collect()] == [tuple(record[3:]) for record in records]
    found = table.select(raw_bytes().alias("value")).collect()
    assert [row.value and bytes(row.value) for row in found] == [record[0] for record in records]
