"""Delta tables, by path or catalog name: created with comments, appended to exactly once."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from delta.exceptions import ConcurrentTransactionException
from delta.tables import DeltaTable
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import types as T

from clickscore.errors import TableError, gist
from clickscore.spark_errors import SPARK_ERRORS, is_missing_table
from clickscore.storage.files import holds_files
from clickscore.storage.schemas import as_ddl, literal, quoted
from clickscore.storage.table_shape import check_table, with_order

STREAM_PROPERTY = "clickscore.stream"
"""Table property that binds a table to the one stream, that is to the one checkpoint, that writes it."""

CHECKPOINT_INTERVAL = 50
"""Commits between two checkpoints of the Delta log; each costs a batch time that grows with the table's files."""

LOG_PROPERTY, LOG_RETENTION = "delta.logRetentionDuration", "interval 7 days"
"""How long a table keeps the commits in its log: as long as Delta keeps the files of its older versions. Delta's own 30
days are a quarter of a million commits with a trigger of ten seconds, and some stores list them all for each."""

NO_CHECKS: Mapping[str, str] = MappingProxyType({})

_HIDDEN = "*********(redacted)"
"""What Spark shows instead of a property that may hold a secret: ``url`` in its name or its value is enough."""
_PARTS = 3
"""Of a catalog name, at most: catalog, schema and table."""
_PLAIN = re.compile(r"\w+")


def of_batch(stream: str, batch_id: int) -> dict[str, object]:
    """Return what a commit says that holds all rows of a stream's micro-batch: `transactions` looks for it."""
    return {"stream": stream, "batch": batch_id}


@dataclass(frozen=True)
class Table:
    """A Delta table by path (``build/demo/scored_clicks``, ``s3://...``) or by catalog name (``shop.scored``)."""

    name: str

    @property
    def is_path(self) -> bool:
        """Whether the name is a path; a catalog name has no slash."""
        return "/" in self.name

    @property
    def location(self) -> str:
        """The path as Delta wants it: absolute, or with the scheme of a file system."""
        return self.name if urlsplit(self.name).scheme else str(Path(self.name).absolute())

    @property
    def sql_name(self) -> str:
        """The table as SQL writes it."""
        return f"delta.{quoted(self.location)}" if self.is_path else ".".join(map(quoted, self._parts))

    @property
    def _parts(self) -> list[str]:
        return [part.strip("`") for part in self.name.split(".")]

    def full_name(self, spark: SparkSession) -> str:
        """Return the name of a table in a catalog with catalog and schema, in small letters: the case is ignored."""
        defaults = [spark.catalog.currentCatalog(), spark.catalog.currentDatabase()]
        return ".".join([*defaults[: max(0, _PARTS - len(self._parts))], *self._parts]).lower()

    def beside(self, name: str) -> "Table":
        """Return the table of that name in the same folder or catalog schema."""
        separator = "/" if self.is_path else "."
        parent, found, _ = self.name.rstrip("/").rpartition(separator)
        return Table(f"{parent}{separator}{name}" if found else name)

    def exists(self, spark: SparkSession) -> bool:
        """Tell whether there is such a Delta table."""
        if self.is_path:
            return bool(DeltaTable.isDeltaTable(spark, self.location))
        return spark.catalog.tableExists(self.sql_name)

    def read(self, spark: SparkSession, version: int | None = None) -> DataFrame:
        """Return the rows of the table, as they are or as of a version."""
        reader = spark.read.format("delta")
        reader = reader if version is None else reader.option("versionAsOf", version)
        return reader.load(self.location) if self.is_path else reader.table(self.sql_name)

    def columns(self, spark: SparkSession) -> list[str]:
        """Return the names of the columns; none if there is no such table. Works through Spark Connect, too."""
        try:
            return self.read(spark).columns
        except AnalysisException as error:
            if is_missing_table(error):
                return []
            raise

    def delta(self, spark: SparkSession) -> DeltaTable:
        """Return the table's handle."""
        return DeltaTable.forPath(spark, self.location) if self.is_path else DeltaTable.forName(spark, self.sql_name)

    def folder(self, spark: SparkSession) -> str:
        """Return the folder of the table's files, also of one that is named in a catalog."""
        return str(spark.sql(f"DESCRIBE DETAIL {self.sql_name}").select("location").collect()[0][0]).rstrip("/")

    def stream(self, spark: SparkSession) -> str | None:
        """Return the id of the stream that the table is bound to."""
        return self.properties(spark).get(STREAM_PROPERTY)

    def properties(self, spark: SparkSession) -> dict[str, str]:
        """Return the table's properties, with those of its protocol."""
        shown = {row.key: row.value for row in spark.sql(f"SHOW TBLPROPERTIES {self.sql_name}").collect()}
        if _HIDDEN not in shown.values():
            return shown
        # The table's detail hides nothing, but is a Spark job, and has nothing of the protocol.
        return shown | dict(self.delta(spark).detail().select("properties").collect()[0][0])

    def found_properties(self, spark: SparkSession) -> dict[str, str]:
        """Return the table's properties, of which an existing table has some; none if there is no such table."""
        return self.properties(spark) if self.exists(spark) else {}

    def set_properties(self, spark: SparkSession, properties: Mapping[str, str]) -> None:
        """Set properties of the table."""
        spark.sql(f"ALTER TABLE {self.sql_name} SET TBLPROPERTIES ({_pairs(properties)})")

    def alter(self, spark: SparkSession, statement: str) -> None:
        """Run a statement that changes the table.

        Raises:
            TableError: with the words of the engine, if it fails.
        """
        try:
            spark.sql(statement)
        except SPARK_ERRORS as error:
            raise TableError(
                f"{self.name} could not be changed: {gist(error)} The statement was: {statement}. Those before it have "
                f"been run; fix the cause, and start again to go on from there."
            ) from error

    def check(self, spark: SparkSession, expected: T.StructType) -> None:
        """Make sure that the table can take rows of the expected shape, or that its place is free.

        Raises:
            TableError: with all differences, or if the name stands for no Delta table, or is in no schema there is.
        """
        if not self.is_path:
            self._check_name(spark)
        if self.exists(spark):
            if not self.is_path:
                self._check_format(spark)
            check_table(self.name, expected, self.read(spark).schema)
        elif self.is_path and holds_files(spark, self.location):
            raise TableError(
                f"{self.name} holds files, but is not a Delta table. "
                f"Move them away, or name another path under output in the configuration."
            )

    def _check_name(self, spark: SparkSession) -> None:
        *schema, table = self._parts
        if len(schema) >= _PARTS or not all([*schema, table]):
            raise TableError(
                f"{self.name}: expected a path, which has a slash, or catalog.schema.table, schema.table or table. "
                f"Correct the name under output in the configuration."
            )
        try:
            is_there = not schema or spark.catalog.databaseExists(".".join(map(quoted, schema)))
        except AnalysisException:  # there is not even the catalog
            is_there = False
        if not is_there:
            raise TableError(
                f"{self.name}: there is no schema {'.'.join(schema)}. Create it with CREATE SCHEMA, in a catalog that "
                f"the session knows, or name another one under output in the configuration."
            )

    def _check_format(self, spark: SparkSession) -> None:
        """Make sure that what a catalog has under the name is a Delta table, and no view or table of another format."""
        try:
            self.delta(spark)
        except AnalysisException as error:
            raise TableError(
                f"{self.name} is not a Delta table: {gist(error)} Name a Delta table, or one that is not there yet."
            ) from error

    def create(
        self, spark: SparkSession, schema: T.StructType, statistics: list[str], properties: Mapping[str, str],
        clustering: Sequence[str] = (), checks: Mapping[str, str] = NO_CHECKS,
    ) -> None:  # fmt: skip
        """Create the table, or give the one that exists its properties.

        Args:
            spark: the session.
            schema: columns with comments.
            statistics: columns to keep minima and maxima of; for each file they cost time at every commit.
            properties: whose table it is.
            clustering: columns with statistics to put rows together by; not of a path, as delta-rs cannot write those.
            checks: conditions that every row must meet, whoever writes it, by name; for a new table.
        """
        settings = {
            "delta.checkpointInterval": str(CHECKPOINT_INTERVAL),
            LOG_PROPERTY: LOG_RETENTION,
            "delta.dataSkippingStatsColumns": ",".join(
                name if _PLAIN.fullmatch(name) else quoted(name) for name in with_order(schema, statistics)
            ),
            **{f"delta.constraints.{name}": condition for name, condition in checks.items()},
        }
        clustering = with_order(schema, clustering)
        # In SQL, as Delta's own builder does not know names of three parts.
        spark.sql(
            f"CREATE TABLE IF NOT EXISTS {self.sql_name} ({as_ddl(schema)}) USING delta "
            + (f"CLUSTER BY ({', '.join(map(quoted, clustering))}) " if clustering and not self.is_path else "")
            + f"TBLPROPERTIES ({_pairs({**settings, **properties})})"
        )
        if not properties.items() <= self.properties(spark).items():
            self.set_properties(spark, properties)

    def append(self, rows: DataFrame, about: Mapping[str, object] | None = None) -> None:
        """Append rows in one commit.

        Args:
            rows: the rows.
            about: what the history of the table says of it, such as ``of_batch``.
        """
        self._save(rows.write.option("userMetadata", json.dumps(about)) if about else rows.write)

    def append_once(self, rows: DataFrame, app: str, version: int, about: Mapping[str, object]) -> None:
        """Append rows in a transaction of Delta's: a second one of the same app and version changes nothing.

        Args:
            rows: the rows.
            app: whose transactions these are.
            version: which of them.
            about: what the history of the table says of it.
        """
        writer = rows.write.options(txnAppId=app, txnVersion=version, userMetadata=json.dumps(about))
        try:
            self._save(writer)
        except ConcurrentTransactionException:  # another one of the app was faster, perhaps the first of this version
            self._save(writer)

    def _save(self, writer: DataFrameWriter) -> None:
        writer = writer.format("delta").mode("append")
        writer.save(self.location) if self.is_path else writer.saveAsTable(self.sql_name)


def _pairs(properties: Mapping[str, str]) -> str:
    return ", ".join(f"{literal(key)} = {literal(value)}" for key, value in properties.items())
