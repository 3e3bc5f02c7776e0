"""Leftovers of an erasure: files that only older versions of a table need, and ids in the files that are live."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.erasure.visitor_rows import joined, kept_texts, naming
from clickscore.storage.files import all_files, changed_at, plain_uri
from clickscore.storage.schemas import quoted
from clickscore.storage.table import Table

_LOG = "_delta_log/"


@dataclass(frozen=True)
class Leftovers:
    """What is left of some visitors in the files of a table.

    Attributes:
        version: of the table that was looked at.
        files: live files, all of which were read.
        rows: rows in them that name a visitor; of a file that hides rows, these as well.
        old_files: data files that are not live, and are older than the erasure.
    """

    version: int
    files: int
    rows: int
    old_files: int

    @property
    def is_none(self) -> bool:
        """Whether nothing is left."""
        return not (self.rows or self.old_files)


def look(spark: SparkSession, table: Table, spellings: Mapping[str, int], erased_at: datetime) -> Leftovers:
    """Look for visitors in every value of the live files, and for files that may still have their rows.

    Args:
        spark: the session.
        table: the table.
        spellings: what stands for a visitor, with its number.
        erased_at: when the rows had been taken out; a file that is older, and not live, may have them.
    """
    version = newest_version(spark, table)
    live = sorted(table.read(spark, version).inputFiles())
    # The files themselves, as Delta would not show what a deletion vector hides.
    rows = named_rows(spark.read.parquet(*live), spellings).count() if live else 0
    return Leftovers(version, len(live), rows, len(old_files(spark, table, live, erased_at)))


def old_files(spark: SparkSession, table: Table, live: Iterable[str], erased_at: datetime) -> list[str]:
    """Return the data files of a table, those of its change data feed included, that are old enough and not live."""
    folder, known = table.folder(spark), set(map(plain_uri, live))
    paths = [path for path in all_files(spark, folder) if path.endswith(".parquet") and not path.startswith(_LOG)]
    others = [f"{folder}/{path}" for path in paths if plain_uri(f"{folder}/{path}") not in known]
    return [path for path in others if (changed := changed_at(spark, path)) and changed <= erased_at]


def newest_version(spark: SparkSession, table: Table) -> int:
    """Return the version that a table has now."""
    return int(table.delta(spark).history(1).select("version").collect()[0][0])


def named_rows(rows: DataFrame, spellings: Mapping[str, int]) -> DataFrame:
    """Return the rows that name a visitor in any of their values."""
    binary = [field.name for field in rows.schema.fields if isinstance(field.dataType, T.BinaryType)]
    others = [F.col(quoted(name)) for name in rows.columns if name not in binary]
    # JSON would write bytes as base64; what a text has to be escaped for is found all the same.
    texts: list[Column] = [F.to_json(F.struct(*others)), *(F.col(quoted(name)).cast("string") for name in binary)]
    return rows.where(naming(spellings)(joined([*texts, *kept_texts(rows)])).isNotNull())
