"""Leftovers of an erasure: files that only older versions of a table need, and ids in the files that are live."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.erasure.visitor_rows import joined, kept_texts, naming
from clickscore.spark_errors import SPARK_ERRORS
from clickscore.storage.erasures import newest_version
from clickscore.storage.files import all_files, changed_at, plain_uri
from clickscore.storage.schemas import quoted
from clickscore.storage.table import Table

_LOG = "_delta_log/"
Find = Callable[[DataFrame], DataFrame]
CLOCKS_APART = timedelta(minutes=10)
"""How far the clock of the storage, which a file has its time from, may be ahead of that of the job."""


@dataclass(frozen=True)
class Leftovers:
    """What is left of some visitors in the files of a table.

    Attributes:
        version: of the table that was looked at.
        files: live files, all of which were read.
        rows: rows in them that name a visitor; of a file that hides rows, these as well. Where the id of a visitor is a
            number, rows whose visitor it is.
        old_files: data files that are not live, and are older than the erasure, or may be.
    """

    version: int
    files: int
    rows: int
    old_files: int

    @property
    def is_none(self) -> bool:
        """Whether nothing is left."""
        return not (self.rows or self.old_files)


def look(
    spark: SparkSession, table: Table, find: Find, erased_at: datetime, is_by_field: bool = False
) -> Leftovers:  # fmt: skip
    """Look for visitors in the live files, and for files that may still have their rows.

    Args:
        spark: the session.
        table: the table.
        find: brings the rows of visitors, from those that the files hold.
        is_by_field: whether it needs the columns of the table by their names, and so the rows that Delta shows.
        erased_at: when the rows had been taken out; a file that is older, and not live, may have them.
    """
    version = newest_version(spark, table)
    rows = table.read(spark, version)
    live = sorted(rows.inputFiles())
    found = [find(rows)] if is_by_field else [find(stored) for stored in _as_stored(spark, live)]
    return Leftovers(
        version, len(live), sum(named.count() for named in found), len(old_files(spark, table, live, erased_at))
    )


def _as_stored(spark: SparkSession, files: Sequence[str]) -> list[DataFrame]:
    """Return all that data files hold: Delta shows neither rows that a deletion vector hides, nor dropped columns."""
    if not files:
        return []
    try:
        # Without it, the columns are those of one of the files, and of the others not even looked at.
        return [spark.read.option("mergeSchema", "true").parquet(*files)]
    except SPARK_ERRORS:  # the type of a column was widened; what else is wrong, each file says itself
        return [spark.read.parquet(file) for file in files]


def old_files(spark: SparkSession, table: Table, live: Iterable[str], erased_at: datetime) -> list[str]:
    """Return the data files of a table, those of its change data feed included, that are old enough and not live."""
    folder, known = table.folder(spark), set(map(plain_uri, live))
    paths = [path for path in all_files(spark, folder) if path.endswith(".parquet") and not path.startswith(_LOG)]
    others = [f"{folder}/{path}" for path in paths if plain_uri(f"{folder}/{path}") not in known]
    until = erased_at + CLOCKS_APART
    return [path for path in others if (changed := changed_at(spark, path)) and changed <= until]


def named_rows(rows: DataFrame, spellings: Mapping[str, int], own: Collection[str] = ()) -> DataFrame:
    """Return the rows that name a visitor in any of their values, but for those that clickscore fills itself.

    Args:
        rows: of a table.
        spellings: what stands for a visitor, with its number.
        own: columns that clickscore fills itself.
    """
    binary = [field.name for field in rows.schema.fields if isinstance(field.dataType, T.BinaryType)]
    others = [F.col(quoted(name)) for name in rows.columns if name not in (*binary, *own)]
    # JSON would write bytes as base64; what a text has to be escaped for is found all the same.
    texts: list[Column] = [F.to_json(F.struct(*others)), *(F.col(quoted(name)).cast("string") for name in binary)]
    return rows.where(naming(spellings)(joined([*texts, *kept_texts(rows)])).isNotNull())
