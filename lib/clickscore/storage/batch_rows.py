"""The rows that a micro-batch has written into a table, found again after the commit."""

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.spark_errors import SPARK_ERRORS, damaged_file
from clickscore.storage.table import Table

_KEEPS_ROWS = (
    "^(WRITE Append|STREAMING UPDATE Append|OPTIMIZE|VACUUM (START|END)|(UN)?SET TBLPROPERTIES|(ADD|DROP) CONSTRAINT"
    "|(ADD|CHANGE) COLUMNS?)$"
)
"""Operations with their modes, as the history names them, after which all rows of earlier commits are there as they
were; of others that is not known."""


@dataclass(frozen=True)
class BatchRows:
    """The rows that a micro-batch has written.

    Attributes:
        rows: the rows.
        is_whole: whether these are all; not where rows were changed since, and the files of the commit are removed.
    """

    rows: DataFrame
    is_whole: bool = True


def read_batch_rows(spark: SparkSession, table: Table, stream: str, batch_id: int) -> BatchRows:
    """Return the rows that a micro-batch has written, as they were then: a later DELETE does not count.

    As long as nobody has changed rows since its commit, they are those that are there now, in whatever files: OPTIMIZE
    writes others, and VACUUM removes those of the commit. Where the history does not reach back to the commit, they are
    those that are there now as well.

    Args:
        spark: the session.
        table: holds all of the micro-batch, or nothing of it.
        stream: id of the stream.
        batch_id: the micro-batch.
    """
    is_mine = (F.get_json_object("userMetadata", "$.stream") == stream) & (
        F.get_json_object("userMetadata", "$.batch").cast("bigint") == batch_id
    )
    keeps_rows = F.concat_ws(" ", "operation", F.col("operationParameters")["mode"]).rlike(_KEEPS_ROWS)
    newest = [F.max(F.when(condition, F.col("version"))) for condition in (is_mine, ~keeps_rows)]
    [(version, changed)] = table.delta(spark).history().agg(*newest).collect()
    in_batch = F.col("batch_id") == batch_id
    now = table.read(spark).where(in_batch)
    if version is None or changed is None or changed <= version:
        return BatchRows(now)
    then = table.read(spark, version).where(in_batch)
    try:
        then.write.format("noop").mode("overwrite").save()
    except SPARK_ERRORS as error:
        if damaged_file(error):
            return BatchRows(now, is_whole=False)
        raise
    return BatchRows(then)
