from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.sources.records import without_offsets
from clickscore.storage import schemas


def test_record_has_its_bytes_and_its_file_and_no_place_in_it(spark: SparkSession) -> None:
    lines = spark.createDataFrame([("é", "file:/a")], "line STRING, file STRING")
    records = without_offsets(lines, F.col("line"), F.col("file"))
    assert [tuple(row) for row in records.collect()] == [(bytearray("é".encode()), "file:/a", None, None)]
    assert [(f.name, f.dataType) for f in records.schema] == [(f.name, f.dataType) for f in schemas.raw(())]
