"""Keys of records: what tells a record apart in its source and in the tables, whatever became of it.

The key of a record is a hash of its id, where the record has one, else of the record itself. Only the id is looked for,
so that neither a new field of the contract nor another model changes a key. A keyed row has the lineage of its record,
``key BIGINT``, and ``label``, which a person knows it by.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.scoring.parsing import parser
from clickscore.storage.arrow_types import as_spark
from clickscore.storage.schemas import VALUE, quoted
from clickscore.stream.pipeline import raw_bytes


def of_records(records: DataFrame, id: pa.Schema, is_id_all: bool = False) -> DataFrame:
    """Return one keyed row for each record.

    Args:
        records: ``value BINARY`` and columns of lineage.
        id: the field of a click that tells clicks apart, and how records are written, as metadata.
        is_id_all: whether all records without an id are the same, because nothing more is known of them.
    """
    lineage = [field for field in records.schema.fields if field.name != VALUE]
    name = id.names[0]
    click = pa.schema([id.field(0).with_nullable(False)], id.metadata)
    names = [name, *(field.name for field in lineage), VALUE]
    [as_column] = as_spark(pa.schema([id.field(0).with_nullable(True)]), has_comments=False)
    found = T.StructType([as_column, *lineage, T.StructField(VALUE, T.BinaryType())])

    def identify(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            records = batch.column(VALUE)
            ids = parser(click).parse(records).clicks.field(name)
            without_id = pc.if_else(ids.is_null(), records, None)
            others = [batch.column(field.name) for field in lineage]
            yield pa.RecordBatch.from_arrays([ids, *others, without_id], names=names)

    rows = records.mapInArrow(identify, found)
    value = F.lit(None).cast("binary") if is_id_all else F.col(VALUE)
    return _keyed(rows, F.col(quoted(name)), value, [field.name for field in lineage])


def of_scored(scored: DataFrame, id: pa.Schema) -> DataFrame:
    """Return one keyed row for each row of ``scored_clicks``."""
    return _keyed(scored, F.col(quoted(id.names[0])), F.lit(None).cast("binary"))


def of_rejected(rejected: DataFrame, id: pa.Schema, is_id_all: bool = False) -> DataFrame:
    """Return one keyed row for each row of ``rejected_clicks``; see ``of_records``."""
    return of_records(rejected.select(raw_bytes().alias(VALUE), "source", "batch_id"), id, is_id_all)


def of_offsets(rows: DataFrame) -> DataFrame:
    """Return one keyed row for each row with a ``source_offset``, which is what tells records of a topic apart."""
    offset = F.col("source_offset")
    return rows.select("source", "batch_id", F.xxhash64(offset).alias("key"), offset.alias("label"))


def _keyed(rows: DataFrame, id: Column, value: Column, lineage: Iterable[str] = ("source", "batch_id")) -> DataFrame:
    text = id.cast("string")
    key = F.xxhash64(F.coalesce(text.cast("binary"), value), text.isNull())
    # What has no id may be anything, of any length: it is shown as the hash that it is known by.
    label = F.coalesce(text, F.concat(F.lit("no id, hash "), F.hex(key)))
    return rows.select(*lineage, key.alias("key"), label.alias("label"))
