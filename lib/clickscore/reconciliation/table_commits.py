"""What a Delta source holds: the data files that its commits have added, in the order in which a stream reads them."""

from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.window import Window

from clickscore.config.source import DeltaSource
from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.discrepancies import Holdings
from clickscore.reconciliation.record_keys import ClickId, of_records, of_scored
from clickscore.scoring.reading import column_of
from clickscore.sources.delta import as_record
from clickscore.storage import places
from clickscore.storage.files import plain_source
from clickscore.storage.offset_log import Planned, table_position
from clickscore.storage.schemas import DROP, VALUE, quoted
from clickscore.storage.table import Table

_FILE = "path STRING, dataChange BOOLEAN"
_ACTION = (
    f"add STRUCT<{_FILE}, modificationTime BIGINT, stats STRING, deletionVector STRUCT<cardinality BIGINT>>, "
    f"remove STRUCT<{_FILE}>"
)


def read_actions(spark: SparkSession, table: Table) -> DataFrame:
    """Read what the commits of a table have added and removed, as far back as its log goes.

    Returns:
        ``version``, ``line`` within the commit, ``is_added``, ``path`` as the table writes it, ``source`` as a stream
        names it, ``is_change``, which is false where data was only moved, ``modified_ms``, and the number of
        ``records``.
    """
    location = table.folder(spark)
    commits = (
        spark.read.option("wholetext", "true")
        .option("pathGlobFilter", "*.json")
        .option("ignoreMissingFiles", "true")
        .text(f"{location}/_delta_log")
        .select(F.col("_metadata.file_name").alias("file"), F.posexplode(F.split("value", "\n")).alias("line", "text"))
        .where(r"file RLIKE '^\\d{20}\\.json$'")
    )
    action = F.from_json("text", _ACTION)
    parsed = commits.select(F.substring("file", 1, 20).cast("bigint").alias("version"), "line", action.alias("action"))
    added, removed = F.col("action.add"), F.col("action.remove")
    path = F.coalesce(added["path"], removed["path"])
    # Nearly always a path is relative to the table; that of a file of another table is not. All have a URI's escapes.
    above = F.lit(f"{places.encoded(spark, location)}/")
    whole = F.when(path.rlike("^([A-Za-z][A-Za-z0-9+.-]*:|/)"), path).otherwise(F.concat(above, path))
    records = F.get_json_object(added["stats"], "$.numRecords").cast("bigint")
    return parsed.where(path.isNotNull()).select(
        "version", "line", added.isNotNull().alias("is_added"), path.alias("path"),
        plain_source(whole).alias("source"),
        F.coalesce(added["dataChange"], removed["dataChange"]).alias("is_change"),
        added["modificationTime"].alias("modified_ms"),
        # A deletion vector names rows of the file that are no longer there.
        (records - F.coalesce(added["deletionVector"]["cardinality"], F.lit(0))).alias("records"),
    )  # fmt: skip


def earliest_batch(log: Mapping[int, Planned], oldest: int | None) -> int:
    """Return the first micro-batch that can be proven, given the oldest version of which the source's log has a file.

    None says that it has none, as where all that is left of it are changes of properties: then none can be proven.
    """
    if 0 in log and oldest == 0:
        return 0

    def is_proven(plan: Planned) -> bool:
        end = table_position(plan.end)
        return oldest is not None and not end.is_snapshot and end.version >= oldest

    after = [batch + 1 for batch, plan in log.items() if is_proven(plan)]
    return min(after, default=max(log, default=-1) + 1)


def in_order(actions: DataFrame, first: Any) -> DataFrame:
    """Return the data files that a stream reads, in its order: ``version, index``, ``source`` and ``records``.

    Args:
        actions: from ``read_actions``.
        first: where the first micro-batch of the stream ended, None to begin with the commits.
    """
    changes = actions.where("is_change")
    # A commit that also removes data is one that the stream passes over, or ends at.
    skipped = changes.where("NOT is_added").select("version").distinct()
    index = F.row_number().over(Window.partitionBy("version").orderBy("line")) - 1
    commits = changes.where("is_added").join(skipped, on="version", how="left_anti")
    columns = ["version", "index", "source", "records"]
    if first is None:
        return commits.withColumn("index", index).select(columns)
    # The stream begins with the table as it was, oldest file first, and goes on with the commits after that.
    position = table_position(first)
    start = position.version - (0 if position.is_snapshot else 1)
    newest = F.max_by(F.struct("is_added", "modified_ms", "source", "records"), F.struct("version", "is_added"))
    held = actions.where(F.col("version") <= start).groupBy("path").agg(newest.alias("last")).where("last.is_added")
    age = F.row_number().over(Window.orderBy("last.modified_ms", "path")) - 1
    snapshot = held.select(F.lit(start).alias("version"), age.alias("index"), "last.source", "last.records")
    return snapshot.unionByName(commits.where(F.col("version") > start).withColumn("index", index).select(columns))


def hold_commits(spark: SparkSession, source: DeltaSource, files: DataFrame, batches: Range, id: ClickId) -> Holdings:
    """Return what micro-batches were planned to read: the numbers of records, as the table's own log tells them.

    Args:
        spark: the session.
        source: the table.
        files: from ``in_order``.
        batches: the micro-batches.
        id: the field that tells clicks apart.
    """
    begin = table_position(batches.begin(None))[:2] if batches.first else (-1, -1)
    spans = []
    for batch_id in sorted(batch for batch in batches.log if batch >= batches.first):
        end = table_position(batches.log[batch_id].end)[:2]
        spans.append((batch_id, begin, end))
        begin = end
    place = T.StructType([T.StructField(name, T.LongType()) for name in ("version", "index")])
    schema = T.StructType(
        [T.StructField("batch_id", T.LongType()), T.StructField("begin", place), T.StructField("end", place)]
    )
    frame = F.broadcast(spark.createDataFrame(spans, schema))
    position = F.struct(F.col("version").cast("bigint"), F.col("index").cast("bigint"))
    read = files.join(frame, on=(position > F.col("begin")) & (position <= F.col("end")))
    parts = read.groupBy("source", "batch_id").agg(F.sum("records").alias("records")).select(
        "source", "batch_id", "records", F.lit(None).cast("bigint").alias("held_sum"),
        F.col("records").isNull().alias("is_gone"), F.lit(False).alias("is_rewritten"),
    )  # fmt: skip
    table = Table(source.table)
    if table.properties(spark).get("delta.columnMapping.mode", "none") != "none":
        return Holdings(parts)  # The columns of the data files have names of their own.
    column = source.column or column_of(id.field)
    if column is None or id.raw_rule == DROP or (source.column is None and id.is_protected):
        return Holdings(parts)  # The tables have not the ids that the data files have, or have them of several columns.
    field = table.read(spark).schema[column]
    # The data files themselves: the table as it is now may have none of them any more.
    reader = spark.read.schema(T.StructType([field])).option("recursiveFileLookup", "true")
    rows = (
        reader.option("pathGlobFilter", "*.parquet").option("ignoreMissingFiles", "true").parquet(table.folder(spark))
    )
    name = plain_source(F.col("_metadata.file_path")).alias("source")

    def keys(suspects: DataFrame) -> DataFrame:
        found = rows.select(quoted(column), name).join(suspects.select("source", "batch_id"), on="source")
        if source.column is None:
            return of_scored(found.withColumnRenamed(column, id.name), id)
        record = as_record(found.schema, source.column).cast("binary").alias(VALUE)
        return of_records(found.select(record, "source", "batch_id"), id)

    return Holdings(parts, keys, rows.select(name).distinct())
