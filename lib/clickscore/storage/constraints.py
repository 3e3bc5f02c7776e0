"""Conditions that rows of a table have to meet, whoever writes them: Delta fails a whole commit for one row."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from clickscore.errors import TableError
from clickscore.storage.schemas import FINITE_SCORE, quoted
from clickscore.storage.table import Table

_PREFIX = "delta.constraints."
"""Of the table properties that hold CHECK constraints."""
_LENGTH_KEY = "__CHAR_VARCHAR_TYPE_STRING"
"""Spark's metadata of a column that is a string of limited length."""
_LENGTH = re.compile(r"(?:var)?char\((?P<most>\d+)\)")


@dataclass(frozen=True)
class Constraint:
    """A condition on the rows of a table.

    Attributes:
        name: what messages call it.
        condition: in SQL; a row is refused where it is false or null.
    """

    name: str
    condition: str

    def __str__(self) -> str:
        """Return the name and the condition."""
        return f"{self.name} ({self.condition})"


def read_constraints(
    spark: SparkSession, table: Table, properties: Mapping[str, str] | None = None
) -> tuple[Constraint, ...]:
    """Return the CHECK constraints of a table, and those of its columns of type CHAR and VARCHAR.

    The one that every table of scored clicks is made with is not among them: scores meet it by themselves.

    Args:
        spark: the session.
        table: the table, which exists.
        properties: of the table, where they are known already.
    """
    checks = _checks(table.properties(spark) if properties is None else properties)
    own = [Constraint(name, checks[name]) for name in sorted(checks) if name not in FINITE_SCORE]
    lengths = [(field, _LENGTH.fullmatch(field.metadata.get(_LENGTH_KEY, ""))) for field in table.read(spark).schema]
    return (*own, *[_limit(field, int(length["most"])) for field, length in lengths if length])


def _checks(properties: Mapping[str, str]) -> dict[str, str]:
    return {key.removeprefix(_PREFIX): value for key, value in properties.items() if key.startswith(_PREFIX)}


def _limit(field: T.StructField, most: int) -> Constraint:
    name = quoted(field.name)  # blanks at the end do not count
    return Constraint(f"length of {field.name}", f"{name} IS NULL OR char_length(rtrim({name})) <= {most}")


def decidable(spark: SparkSession, constraints: Sequence[Constraint], row: T.StructType) -> tuple[Constraint, ...]:
    """Return the constraints that can be decided from the columns of a row.

    The others are about columns that the table computes itself, and left to Delta.
    """
    if not constraints:
        return ()
    rows = spark.createDataFrame([], row)

    def is_decidable(constraint: Constraint) -> bool:
        try:
            rows.where(constraint.condition)
        except AnalysisException:
            return False
        return True

    return tuple(filter(is_decidable, constraints))


def check_unconstrained(spark: SparkSession, table: Table, properties: Mapping[str, str]) -> None:
    """Make sure that a table takes every row: one that it does not take would have nowhere else to go.

    Args:
        spark: the session.
        table: the table.
        properties: of the table; none if it does not exist.

    Raises:
        TableError: if it has constraints.
    """
    if properties and (found := read_constraints(spark, table, properties)):
        raise TableError(
            f"{table.name} has constraints: {', '.join(map(str, found))}. A row that breaks one could be written "
            f"nowhere, and the stream would have to stop. Drop them with ALTER TABLE {table.sql_name} DROP CONSTRAINT "
            f"..., give columns of limited length the type STRING, or name another table under output."
        )
