from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.scoring.decoding import MAX_RECORD_BYTES
from clickscore.sources.records import BEGINNING, LONGEST, bounded, without_offsets
from clickscore.storage import schemas


def test_record_has_its_bytes_and_its_file_and_no_place_in_it(spark: SparkSession) -> None:
    lines = spark.createDataFrame([("é", "file:/a")], "line STRING, file STRING")
    records = without_offsets(lines, F.col("line"), F.col("file"))
    assert [tuple(row) for row in records.collect()] == [(bytearray("é".encode()), "file:/a", None, None)]
    assert [(f.name, f.dataType) for f in records.schema] == [(f.name, f.dataType) for f in schemas.raw(())]


def test_far_too_long_line_is_its_beginning_and_its_size(spark: SparkSession) -> None:
    assert MAX_RECORD_BYTES < BEGINNING < LONGEST  # the scorer rejects a beginning as it does the whole
    lines = spark.range(1).select(F.expr(f"repeat('é', {LONGEST // 2})").alias("line"))
    both = lines.unionByName(lines.select(F.concat("line", F.lit("x")).alias("line"))).select(bounded(F.col("line")))
    whole, cut = [row[0] for row in both.collect()]
    assert whole == "é" * (LONGEST // 2)
    assert cut == "é" * BEGINNING + f" [cut off: the line has {LONGEST + 1} bytes]"
