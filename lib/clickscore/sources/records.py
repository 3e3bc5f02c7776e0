"""Raw records of sources that give them neither an offset nor a time of their own."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clickscore.storage.schemas import SOURCE_TIME


def without_offsets(rows: DataFrame, record: Column, source: Column) -> DataFrame:
    """Return a record for each row; columns as in ``schemas.raw``, with null as the offset and the time.

    Args:
        rows: what was read.
        record: the record, as text or as bytes.
        source: the file that it comes from.
    """
    no_offset, no_time = F.lit(None).cast("bigint"), F.lit(None).cast("timestamp")
    return rows.select(
        record.cast("binary").alias("value"),
        source.alias("source"),
        no_offset.alias("source_offset"),
        no_time.alias(SOURCE_TIME.name),
    )
