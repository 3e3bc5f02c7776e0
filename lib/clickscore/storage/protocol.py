"""What a table asks of those who read, write or change it: its protocol, its features, and whether its rows stay."""

from collections.abc import Mapping
from typing import Any

from py4j.java_gateway import JavaClass
from pyspark.sql import SparkSession

from clickscore.errors import TableError
from clickscore.spark_errors import SPARK_ERRORS, unsupported_table
from clickscore.storage.table import Table

NEWEST_WRITER = 7
"""Version of Delta's protocol since which features are listed one by one."""

APPEND_ONLY = "delta.appendOnly"
_WRITER, _FEATURE = "delta.minWriterVersion", "delta.feature."


def check_readable(spark: SparkSession, table: Table) -> None:
    """Make sure that this version of Delta can read a table, if it exists.

    Raises:
        TableError: if the table asks for more.
    """
    try:
        if table.exists(spark):
            table.read(spark)
    except SPARK_ERRORS as error:
        if why := unsupported_table(error):
            raise _too_new(table, why) from None
        raise


def check_writable(spark: SparkSession, table: Table, properties: Mapping[str, str]) -> None:
    """Make sure that this version of Delta can append to a table that it can read.

    Args:
        spark: the session.
        table: the table.
        properties: of the table; none if it does not exist.

    Raises:
        TableError: if the table asks for more.
    """
    features = [key.removeprefix(_FEATURE) for key in properties if key.startswith(_FEATURE)]
    if unknown := [name for name in features if not _knows(spark, name)]:
        raise _too_new(table, f"it has the table features {', '.join(sorted(unknown))}")
    if (writer := int(properties.get(_WRITER, 0))) > NEWEST_WRITER:
        raise _too_new(table, f"it asks for version {writer} of the writers' protocol")


def check_changeable(spark: SparkSession, table: Table, purpose: str, job: str) -> None:
    """Make sure that rows of a table may be changed.

    Args:
        spark: the session.
        table: the table.
        purpose: what is done to its rows.
        job: as long as what that takes.

    Raises:
        TableError: if the table takes appends alone.
    """
    if table.properties(spark).get(APPEND_ONLY, "false").lower() == "true":
        raise TableError(
            f"{table.name} has the property {APPEND_ONLY}, and {purpose}. Allow that with\n"
            f"  ALTER TABLE {table.sql_name} SET TBLPROPERTIES ('{APPEND_ONLY}' = 'false')\n"
            f"for as long as the {job} takes; the stream itself only appends."
        )


def _knows(spark: SparkSession, feature: str) -> bool:
    jvm: Any = spark.sparkContext._jvm
    known = jvm.org.apache.spark.sql.delta.TableFeature
    # Where Delta is not the one of the open project, nothing is known of its features.
    return not isinstance(known, JavaClass) or bool(known.featureNameToFeature(feature).isDefined())


def _too_new(table: Table, why: str) -> TableError:
    return TableError(
        f"{table.name} cannot be used with this version of Delta: {why}. Run the job with a version that can, drop the "
        f"feature with ALTER TABLE {table.sql_name} DROP FEATURE ..., or name another table in the configuration."
    )
