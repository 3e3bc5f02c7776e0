"""The files of a table's newest version: how many, how large, and how many of them are small."""

from typing import Any, NamedTuple

from py4j.java_gateway import JavaClass
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.storage.table import Table


class TableFiles(NamedTuple):
    """Files of one version of a table.

    Attributes:
        files: all of them.
        bytes: their size.
        small: those below the size that was asked for.
        small_bytes: the size of these.
    """

    files: int
    bytes: int
    small: int
    small_bytes: int


def measure(spark: SparkSession, table: Table, small_bytes: int) -> TableFiles | None:
    """Measure the files of a table's newest version; reads its log and opens none of them.

    Args:
        spark: the session.
        table: the table.
        small_bytes: a file below it counts as small.

    Returns:
        The numbers; None where Delta is not the one of the open project, whose classes are asked.
    """
    if (snapshot := newest_snapshot(spark, table)) is None:
        return None
    is_small = F.col("size") < small_bytes
    found = DataFrame(snapshot.allFiles().toDF(), spark).agg(
        F.count("*"), F.sum("size"), F.count_if(is_small), F.sum(F.when(is_small, F.col("size")))
    )
    return TableFiles(*[int(number or 0) for number in found.collect()[0]])


def newest_snapshot(spark: SparkSession, table: Table) -> Any:
    """Return Delta's own view of a table's newest version; None where Delta is not the one of the open project."""
    jvm: Any = spark.sparkContext._jvm
    log = jvm.org.apache.spark.sql.delta.DeltaLog
    if not isinstance(log, JavaClass):
        return None
    session: Any = spark
    return log.forTableWithSnapshot(session._jsparkSession, table.folder(spark))._2()
