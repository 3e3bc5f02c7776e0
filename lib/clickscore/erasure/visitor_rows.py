"""The rows of visitors: in which tables of a run they are, and which rows of a table are whose."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import arrow_udf

from clickscore.config.run import Config
from clickscore.erasure.mentions import Mentions
from clickscore.erasure.visitors import Visitors
from clickscore.reconciliation.rescoring import RECORD
from clickscore.scoring.contract import Contract
from clickscore.scoring.parsing import parser
from clickscore.storage.erasures import name_of
from clickscore.storage.schemas import KEEP, KEPT, REPLAY_ID, REPLAYED, SCORED, quoted
from clickscore.storage.table import Table
from clickscore.stream.raw_column import raw_bytes

NUMBER = "_visitor"
"""Column with the number of the visitor that a row is of; names with an underscore never reach a table."""
LINEAGE = ("source", "source_offset", "batch_id")
OF_SCORED = tuple(field.name for field in SCORED if field.name != "source")
OF_REJECTED = ("source_offset", "received_at", "batch_id", *REPLAYED.names)
"""What clickscore fills itself in each table: a model, a moment and a number are nobody's name."""


@dataclass(frozen=True)
class Holder:
    """A table that may have rows of visitors.

    Attributes:
        table: the table.
        identity: columns that tell its rows apart, as far as it matters whose they are; those that the table has.
        find: adds ``NUMBER`` to rows of the table, and leaves out those of other visitors.
        counted_by: columns that the ledger counts its rows by, beside whose they are, as far as the table has them.
        known_by: adds the column of ``counted_by`` that tells a planned row by itself; None where the visitor does.
        awaited: what another job may still make rows of: ``NUMBER`` and the columns of ``counted_by``; None for
            nothing.
        own: columns that clickscore fills itself, with nothing of a record.
    """

    table: Table
    identity: tuple[str, ...]
    find: Callable[[DataFrame], DataFrame]
    counted_by: tuple[str, ...] = ("source", "batch_id")
    known_by: Callable[[DataFrame], DataFrame] | None = None
    awaited: Callable[[SparkSession], DataFrame] | None = None
    own: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the table, without its folder or schema."""
        return name_of(self.table)


def holders(config: Config, contract: Contract, visitors: Visitors) -> list[Holder]:
    """Return the tables of a run that may have rows of some visitors, copies that replays and backfills made included.

    Args:
        config: the run.
        contract: what a click is, and what the tables keep of it.
        visitors: who is asked about.
    """
    clicks = (contract.id, contract.visitor, *LINEAGE)
    return [
        Holder(
            Table(config.output.scored), clicks, lambda rows: _of_clicks(rows, contract.visitor, visitors),
            own=OF_SCORED,
        ),
        Holder(
            Table(config.output.rejected), (*RECORD, REPLAY_ID), lambda rows: _of_records(rows, contract, visitors),
            ("source", "batch_id", REPLAY_ID), own=OF_REJECTED,
        ),
    ]  # fmt: skip


def _of_clicks(rows: DataFrame, visitor: str, visitors: Visitors) -> DataFrame:
    """Find the rows whose visitor is asked about, or whose key or headers name one."""
    numbers = dict(zip(visitors.stored, range(len(visitors.stored)), strict=True))
    known = rows.sparkSession.createDataFrame([*numbers.items()], f"_stored STRING, {NUMBER} INT")
    same = F.col(quoted(visitor)).cast("string") == F.col("_stored")
    if not (texts := kept_texts(rows)):
        return rows.join(F.broadcast(known), same).drop("_stored")
    found = rows.join(F.broadcast(known.withColumnRenamed(NUMBER, "_owner")), same, "left").drop("_stored")
    mentioned = naming(visitors.spellings)(joined(texts))
    return found.withColumn(NUMBER, F.coalesce("_owner", mentioned)).drop("_owner").where(f"{NUMBER} IS NOT NULL")


def _of_records(rows: DataFrame, contract: Contract, visitors: Visitors) -> DataFrame:
    """Find the records of visitors: by the field, where it can be decoded, else by their words; by key and headers."""
    protection = contract.protection
    if protection is None or protection.raw == KEEP:  # a record that is kept whole has what the source had
        ids, field = visitors.ids, contract.click.field(contract.visitor).with_nullable(True)
        schema = pa.schema([field], contract.click.metadata)
    else:
        ids, kind = visitors.stored, contract.kept.field(contract.visitor).type
        schema = pa.schema([pa.field(contract.visitor, kind)])
    numbers, spellings = dict(zip(ids, range(len(ids)), strict=True)), visitors.spellings

    def whose(batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        mentions = Mentions(spellings)
        for records, details, texts in batches:
            found = parser(schema).parse(records).clicks.field(0)
            columns = [column.to_pylist() for column in (found, records, details, texts)]
            yield pa.array([_number(mentions, numbers, *row) for row in zip(*columns, strict=True)], pa.int32())

    number = arrow_udf(whose, T.IntegerType())(raw_bytes(), F.col("detail"), joined(kept_texts(rows)))
    return rows.withColumn(NUMBER, number).where(f"{NUMBER} IS NOT NULL")


def _number(
    mentions: Mentions,
    numbers: Mapping[str, int],
    visitor: object,
    record: bytes | None,
    detail: str | None,
    text: bytes,
) -> int | None:
    words = [text] if visitor is not None else [record, detail, text]
    found = (numbers.get(str(visitor)), *map(mentions.find, words))
    return next((number for number in found if number is not None), None)


def naming(spellings: Mapping[str, int]) -> Callable[[Column], Column]:
    """Return a function of a column of ``joined`` that tells the number of the visitor it names; null for nobody."""

    def find(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        mentions = Mentions(spellings)
        for texts in batches:
            yield pa.array(map(mentions.find, texts.to_pylist()), pa.int32())

    return cast(Callable[[Column], Column], arrow_udf(find, T.IntegerType()))


def joined(texts: Sequence[Column]) -> Column:
    """Return texts as one, in bytes: keys and headers may be anything, also no UTF-8."""
    return F.concat_ws("\n", *texts).cast("binary")


def kept_texts(rows: DataFrame) -> list[Column]:
    """Return the keys and headers of records as columns of text, as far as the table has them."""
    key, headers = (field.name for field in KEPT.values())
    columns = []
    if key in rows.columns:
        columns.append(F.col(key).cast("string"))
    if headers in rows.columns:
        parts = F.transform(headers, lambda header: F.concat_ws("\n", header["key"], header["value"].cast("string")))
        columns.append(F.concat_ws("\n", parts))
    return columns


def count_rows(found: DataFrame, holder: Holder, hashes: DataFrame) -> DataFrame:
    """Count the rows of visitors by ``visitor_hash, table_name`` and, of ``counted_by``, the columns that they have.

    What is awaited and has no row yet is among them, with 0.

    Args:
        found: rows with ``NUMBER``.
        holder: their table.
        hashes: ``NUMBER`` and ``visitor_hash``.
    """
    by = [name for name in holder.counted_by if name in found.columns]
    counted = found.groupBy(NUMBER, *by).agg(F.count(F.lit(1)).alias("rows"))
    if holder.awaited:
        counted = counted.unionByName(holder.awaited(found.sparkSession).withColumn("rows", F.lit(0).cast("bigint")))
    named = counted.join(F.broadcast(hashes), NUMBER).withColumn("table_name", F.lit(holder.name))
    return named.groupBy("visitor_hash", "table_name", *by).agg(F.sum("rows").alias("rows"))
