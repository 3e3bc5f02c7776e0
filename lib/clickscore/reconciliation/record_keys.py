"""Keys of records: what tells a record apart in its source and in the tables, whatever became of it.

The key of a record is a hash of its id, where the record has one, else of the record itself. Only the id is looked for,
so that neither a new field of the contract nor another model changes a key. A keyed row has the lineage of its record,
``key BIGINT``, and ``label``, which a person knows it by. Under rules of privacy, the id is the one that the tables
keep, and all records without an id are the same, unless the tables keep them whole.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.scoring.erased_visitors import ErasedVisitors
from clickscore.scoring.parsing import parser
from clickscore.scoring.privacy import Protection
from clickscore.storage.arrow_types import as_spark
from clickscore.storage.schemas import KEEP, VALUE, quoted
from clickscore.stream.raw_column import raw_bytes


@dataclass(frozen=True)
class ClickId:
    """The field of a click that tells clicks apart, and what the tables keep of it.

    Attributes:
        record: the field, with the way in which it is read; its metadata say how records are written.
        protection: what may be kept of a click and of a rejected record; None for all.
        erased: visitors whose records may be missing; None where nobody can tell.
    """

    record: pa.Schema
    protection: Protection | None = None
    erased: ErasedVisitors | None = None

    @property
    def field(self) -> pa.Field:
        """The field alone."""
        return self.record.field(0)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.field.name)

    @property
    def is_protected(self) -> bool:
        """Whether the tables have another id than the records."""
        return self.protection is not None and self.name in self.protection.rules

    @property
    def stored(self) -> pa.Field:
        """The field as the tables have it."""
        field = pa.schema([self.field])
        return (self.protection.stored(field) if self.protection else field).field(0)

    @property
    def raw_rule(self) -> str:
        """What the tables keep of a rejected record."""
        return self.protection.raw if self.protection else KEEP


def of_records(records: DataFrame, id: ClickId, is_id_all: bool = False) -> DataFrame:
    """Return one keyed row for each record, with ``is_erased`` where erased visitors are known.

    Args:
        records: ``value BINARY`` and columns of lineage.
        id: the field of a click that tells clicks apart, and how records are written, as metadata.
        is_id_all: whether all records without an id are the same, because nothing more is known of them.
    """
    is_id_all, protection, erased = is_id_all or id.raw_rule != KEEP, id.protection, id.erased
    lineage = [field for field in records.schema.fields if field.name != VALUE]
    click = pa.schema([id.field.with_nullable(False)], id.record.metadata)
    told = [T.StructField("is_erased", T.BooleanType())] if erased else []
    names = [id.name, *(field.name for field in lineage), VALUE, *(field.name for field in told)]
    [as_column] = as_spark(pa.schema([id.stored.with_nullable(True)]), has_comments=False)
    found = T.StructType([as_column, *lineage, T.StructField(VALUE, T.BinaryType()), *told])

    def identify(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            records = batch.column(VALUE)
            ids = parser(click).parse(records).clicks.field(id.name)
            ids = protection.column(id.name, ids) if protection else ids
            without_id = pc.if_else(ids.is_null(), records, None)
            others = [batch.column(field.name) for field in lineage]
            last = [without_id, *([erased.are_of(records)] if erased else [])]
            yield pa.RecordBatch.from_arrays([ids, *others, *last], names=names)

    rows = records.mapInArrow(identify, found)
    value = F.lit(None).cast("binary") if is_id_all else F.col(VALUE)
    return _keyed(rows, F.col(quoted(id.name)), value, [field.name for field in (*lineage, *told)])


def of_scored(scored: DataFrame, id: ClickId) -> DataFrame:
    """Return one keyed row for each row of ``scored_clicks``."""
    return _keyed(scored, F.col(quoted(id.name)), F.lit(None).cast("binary"))


def of_rejected(rejected: DataFrame, id: ClickId, is_id_all: bool = False) -> DataFrame:
    """Return one keyed row for each row of ``rejected_clicks``; see ``of_records``."""
    is_masked = id.raw_rule != KEEP  # then it has the fields by their names, as they are kept
    known = ClickId(pa.schema([pa.field(id.name, id.stored.type)])) if is_masked else replace(id, erased=None)
    return of_records(rejected.select(raw_bytes().alias(VALUE), "source", "batch_id"), known, is_id_all or is_masked)


def has_id(keyed: DataFrame) -> DataFrame:
    """Return the keyed rows that have an id, of those that are all the same without one."""
    return keyed.where(~is_without_id(F.col("key")))


def is_without_id(key: Column) -> Column:
    """Tell whether a key is that of all records of which nothing is known."""
    return key == _key(F.lit(None).cast("string"), F.lit(None).cast("binary"))


def of_offsets(rows: DataFrame) -> DataFrame:
    """Return one keyed row for each row with a ``source_offset``, which is what tells records of a topic apart."""
    offset = F.col("source_offset")
    return rows.select("source", "batch_id", F.xxhash64(offset).alias("key"), offset.alias("label"))


def _keyed(rows: DataFrame, id: Column, value: Column, lineage: Iterable[str] = ("source", "batch_id")) -> DataFrame:
    text = id.cast("string")
    key = _key(text, value)
    # What has no id may be anything, of any length: it is shown as the hash that it is known by.
    label = F.coalesce(text, F.concat(F.lit("no id, hash "), F.hex(key)))
    return rows.select(*lineage, key.alias("key"), label.alias("label"))


def _key(id: Column, value: Column) -> Column:
    return F.xxhash64(F.coalesce(id.cast("binary"), value), id.isNull())
