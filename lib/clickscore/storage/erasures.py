"""The table ``erasures``, a ledger: which rows were taken out of the tables of a stream, for whom, or for their age.

It knows a visitor by a keyed hash alone. What is to be removed is written down before a row is touched, counted in one
version of the table; a second row for each table says that it was done. So an erasure that was killed anywhere is
finished by the next one, and at every moment the audit knows which rows may be missing. Retention has no visitor, and
so no key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.errors import ErasureError
from clickscore.storage.schemas import column
from clickscore.storage.table import STREAM_PROPERTY, Table

ERASURE, RETENTION = "erasure", "retention"
PLANNED, DONE = "planned", "done"

_EVENT = "planned: a row for each visitor, source, micro-batch and replay; done: one for each table"
_VERSION = "Version of the table: planned: in which the rows were counted; done: that has lost the last of them"
ERASURES = T.StructType(
    [
        column("erasure_id", T.LongType(), "Number of the request, or of the removal of old rows", nullable=False),
        column("kind", T.StringType(), "erasure: rows of visitors; retention: rows that are too old", nullable=False),
        column("event", T.StringType(), _EVENT, nullable=False),
        column("reference", T.StringType(), "Who asked for it, in your words; null for retention"),
        column("visitor_hash", T.StringType(), "HMAC-SHA-256 of the id of the visitor; null for done and retention"),
        column("key_id", T.StringType(), "Id of the key of the hash, not the key itself; null for retention"),
        column("older_than", T.TimestampType(), "Rows from before it are removed, UTC; null for erasures and done"),
        column("table_name", T.StringType(), "Table that loses the rows, without folder or schema", nullable=False),
        column("source", T.StringType(), "File, or topic and partition, of the rows; null for done"),
        column("batch_id", T.LongType(), "Micro-batch that wrote the rows; null for done"),
        column(
            "unit_hash", T.StringType(), "HMAC-SHA-256 of the unit, where rows of outcomes are erased; null for others"
        ),
        column("replay_id", T.LongType(), "Replay that had resolved the rows, of rejected_clicks; null for done"),
        column("rows", T.LongType(), "Rows that were there; null for done"),
        column("version", T.LongType(), _VERSION),
        column("written_at", T.TimestampType(), "When the job planned or finished it, UTC", nullable=False),
    ]
)
NAME = "erasures"


@dataclass(frozen=True)
class Request:
    """What a person has asked for, or retention.

    Attributes:
        erasure_id: its number.
        reference: who asked.
        key_id: of the key of the hashes; None for retention.
        visitors: their hashes.
        tables: names of those that had rows.
    """

    erasure_id: int
    reference: str | None
    key_id: str | None
    visitors: frozenset[str]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Erasures:
    """The ledger of the tables of one stream.

    Attributes:
        spark: the session.
        table: the ledger.
        app: whose transactions its commits are.
        key_id: of the key of the hashes that are written; None for retention.
    """

    spark: SparkSession
    table: Table
    app: str
    key_id: str | None

    @classmethod
    def of(cls, spark: SparkSession, scored: Table, stream: str, key_id: str | None) -> "Erasures":
        """Return the ledger beside the table of scored clicks of a stream."""
        return cls(spark, scored.beside(NAME), f"clickscore-erasure-{stream}", key_id)

    def read(self) -> DataFrame:
        """Return the rows of the ledger; none where nothing was erased."""
        return read_ledger(self.spark, self.table)

    def unfinished(self, kind: str = ERASURE) -> list[Request]:
        """Return the requests of a kind with tables that are planned and not done, oldest first."""
        names = ("erasure_id", "event", "reference", "key_id", "visitor_hash", "table_name")
        rows = self.read().where(F.col("kind") == kind).select(*names).distinct().collect()
        done = {(row.erasure_id, row.table_name) for row in rows if row.event == DONE}
        left = [row for row in rows if row.event == PLANNED and (row.erasure_id, row.table_name) not in done]
        found = []
        for erasure_id in sorted({row.erasure_id for row in left}):
            mine = [row for row in left if row.erasure_id == erasure_id]
            everybody = {row.visitor_hash for row in rows if row.erasure_id == erasure_id and row.visitor_hash}
            tables = tuple(sorted({row.table_name for row in mine}))
            found.append(Request(erasure_id, mine[0].reference, mine[0].key_id, frozenset(everybody), tables))
        return found

    def planned(self, erasure_id: int, table_name: str) -> DataFrame:
        """Return what is planned for a table: its rows of the ledger."""
        mine = (F.col("erasure_id") == erasure_id) & (F.col("event") == PLANNED)
        return self.read().where(mine & (F.col("table_name") == table_name))

    def has_planned(self, erasure_id: int, table_name: str) -> bool:
        """Tell whether a request has anything planned for a table."""
        return not self.planned(erasure_id, table_name).isEmpty()

    def newest(self) -> int:
        """Return the number of the newest request; 0 where there is none."""
        return int(self.read().agg(F.max("erasure_id")).collect()[0][0] or 0)

    def plan(self, counts: DataFrame, versions: Mapping[str, int], reference: str | None, newest: int) -> int:
        """Write down what is to be removed, and return the number of the request.

        Args:
            counts: ``table_name`` and ``rows``, with those columns of the ledger that the rows were counted by.
            versions: of each table, the one in which the rows were counted.
            reference: who asked.
            newest: the newest request before the rows were counted.

        Raises:
            ErasureError: if another erasure has planned something meanwhile.
        """
        self.table.create(self.spark, ERASURES, ["erasure_id", "batch_id"], {STREAM_PROPERTY: self.app})
        erasure_id, now = newest + 1, datetime.now(timezone.utc)
        version = F.create_map([F.lit(each) for pair in versions.items() for each in pair])[F.col("table_name")]
        known = {
            **{name: F.lit(None) for name in set(ERASURES.names) - set(counts.columns)},
            "erasure_id": F.lit(erasure_id), "kind": F.lit(_kind(self.key_id)), "event": F.lit(PLANNED),
            "reference": F.lit(reference), "key_id": F.lit(self.key_id), "version": version, "written_at": F.lit(now),
        }  # fmt: skip
        rows = counts.withColumns(known).select(*[F.col(field.name).cast(field.dataType) for field in ERASURES])
        self.table.append_once(rows.coalesce(1), f"{self.app}-{PLANNED}", erasure_id, {"erasure": erasure_id})
        # A transaction that another erasure was faster with changes nothing and says nothing.
        mine = self.read().where((F.col("erasure_id") == erasure_id) & (F.col("written_at") == F.lit(now)))
        if mine.isEmpty():
            raise ErasureError(
                f"{self.table.name}: another erasure has begun at the same moment as number {erasure_id}. Nothing was "
                f"removed; start again when it has ended."
            )
        return erasure_id

    def finish(self, request: Request, table_name: str, version: int | None) -> None:
        """Write down that the planned rows of a table are gone; ``version`` is the last one that has lost some."""
        row = {
            "erasure_id": request.erasure_id, "kind": _kind(request.key_id), "event": DONE,
            "reference": request.reference, "key_id": request.key_id, "table_name": table_name, "version": version,
            "written_at": datetime.now(timezone.utc),
        }  # fmt: skip
        rows: Sequence[Iterable[object]] = [tuple(row.get(name) for name in ERASURES.names)]
        frame = self.spark.createDataFrame(rows, ERASURES).coalesce(1)
        # A transaction of its own: one with a number below that of a later request would be taken for done.
        app = f"{self.app}-{DONE}-{table_name}-{request.erasure_id}"
        self.table.append_once(frame, app, 1, {"erasure": request.erasure_id})


def _kind(key_id: str | None) -> str:
    return RETENTION if key_id is None else ERASURE


def check_finished(spark: SparkSession, scored: Table, changed: Table) -> None:
    """Make sure that no rows of a table are planned to go: the plan counts them as they are now.

    Args:
        spark: the session.
        scored: the table of scored clicks, which the ledger is beside.
        changed: the table whose rows are to be changed.

    Raises:
        ErasureError: if some are.
    """
    ledger, name = Erasures(spark, scored.beside(NAME), "", None), name_of(changed)
    jobs = {ERASURE: "jobs/erase_visitors.py --apply with its ids", RETENTION: "jobs/maintain_tables.py"}
    for kind, job in jobs.items():
        if waiting := [request.erasure_id for request in ledger.unfinished(kind) if name in request.tables]:
            raise ErasureError(
                f"{ledger.table.name}: request {waiting[0]} is planned and not done, and its plan relies on the rows "
                f"of {changed.name} as they are now. Nothing was changed; run {job} first, then start again."
            )


def name_of(table: Table) -> str:
    """Return what the ledger calls a table: its name without folder or schema."""
    return table.name.rstrip("/").rpartition("/" if table.is_path else ".")[2].strip("`")


def known_visitors(spark: SparkSession, ledger: Table, key_id: str) -> tuple[frozenset[str], int]:
    """Return the hashes of all erased visitors that are known under a key, and how many are known under others."""
    is_erased = (F.col("kind") == ERASURE) & F.col("visitor_hash").isNotNull()
    known = read_ledger(spark, ledger).where(is_erased).select("key_id", "visitor_hash").distinct().collect()
    hashes = frozenset(row.visitor_hash for row in known if row.key_id == key_id)
    return hashes, sum(row.key_id != key_id for row in known)


def newest_version(spark: SparkSession, table: Table) -> int:
    """Return the version that a table has now."""
    return int(table.delta(spark).history(1).select("version").collect()[0][0])


def read_ledger(spark: SparkSession, table: Table) -> DataFrame:
    """Return the rows of a ledger; none where there is no such table."""
    if table.exists(spark):
        return table.read(spark)
    return spark.createDataFrame([], ERASURES)
