"""DuckDB computes features: one locked-down database per process and click schema, each query prepared once.

Planning a query costs more than running it for a few clicks. So the clicks of the moment are handed over through an
object that the prepared query reads anew each time, and the optimizer is off: there is one table, read once, in order.
"""

import os
import threading
import warnings
from typing import Any

import pyarrow as pa

_MEMORY = "512MB"
"""What DuckDB may keep at a time: many times the features of 10,000 clicks. It does not count what a function makes of
a single value on its way, such as repeat() with a large number."""
_WORDS = 300
"""Characters of DuckDB's words that are kept: they can quote a value of the click, of any length."""
_THREADS = 1
"""Spark runs as many workers as there are cores, and with one thread rows come out in the order they went in."""
_SETTINGS = (
    f"SET threads = {_THREADS}",
    f"SET memory_limit = '{_MEMORY}'",
    "SET temp_directory = ''",
    "SET preserve_insertion_order = true",
    "SET TimeZone = 'UTC'",
    "PRAGMA disable_optimizer",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
"""In this order: each of the last ones forbids some of those before it."""
_SQL_TYPES = {
    pa.bool_(): "BOOLEAN", pa.int8(): "TINYINT", pa.int16(): "SMALLINT", pa.int32(): "INTEGER", pa.int64(): "BIGINT",
    pa.uint8(): "UTINYINT", pa.uint16(): "USMALLINT", pa.uint32(): "UINTEGER", pa.uint64(): "UBIGINT",
    pa.float32(): "FLOAT", pa.float64(): "DOUBLE", pa.string(): "VARCHAR", pa.large_string(): "VARCHAR",
    pa.binary(): "BLOB", pa.large_binary(): "BLOB", pa.date32(): "DATE", pa.time64("us"): "TIME",
    pa.month_day_nano_interval(): "INTERVAL", pa.null(): "NULL",
}  # fmt: skip


class FeatureError(Exception):
    """Raised when DuckDB cannot compute the features of a chunk of clicks; says why in DuckDB's words."""


class Engine:
    """A DuckDB of its own that sees nothing but the clicks it is given, no files, no network and no other settings."""

    def __init__(self, read: pa.Schema) -> None:
        """Open the database.

        Args:
            read: the fields of a click that queries may name, in the order in which clicks will come.
        """
        # Not at the top: Spark's daemon imports this module and forks its workers, which DuckDB's threads do not
        # survive; and importing the scorer stays fast.
        import duckdb

        # The copy that this warns of is of a few hundred kilobytes; the way without it plans the query each time.
        warnings.filterwarnings("ignore", "Arrow output on a DB-API result")
        self._duckdb = duckdb
        self._schema = pa.schema([pa.field(field.name, _wall_time(field.type)) for field in read])
        self._no_clicks = _none(self._schema)
        self._prepared: dict[str, str] = {}
        self._lock = threading.Lock()
        self._open()

    def _open(self) -> None:
        self._clicks = _Clicks(self._no_clicks)
        self._prepared.clear()
        self._connection = self._duckdb.connect(":memory:")
        for statement in _SETTINGS:
            self._connection.execute(statement)
        self._connection.register("click", self._clicks)

    def run(self, query: str, clicks: pa.RecordBatch) -> pa.RecordBatch:
        """Return one row per click, in the same order.

        Raises:
            FeatureError: if DuckDB cannot compute the query for one of these clicks.
        """
        columns = [
            column if column.type == field.type else column.cast(field.type)
            for column, field in zip(clicks.columns, self._schema, strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        with self._lock:
            try:
                return self._execute(query, batch)
            except (self._duckdb.FatalException, self._duckdb.InternalException, self._duckdb.ConnectionException):
                self._open()  # after one of these, this database refuses whatever comes
            except self._duckdb.Error as error:
                raise FeatureError(_words(error)) from None
            try:
                return self._execute(query, batch)
            except self._duckdb.Error as error:
                raise FeatureError(_words(error)) from None

    def schema(self, query: str) -> pa.Schema:
        """Return the names and types of what a query computes, without a click.

        Raises:
            FeatureError: if DuckDB cannot make sense of the query.
        """
        return pa.schema([(field.name, field.type) for field in self.run(query, self._no_clicks).schema])

    def ask(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """Return the answer of DuckDB's own functions and catalog."""
        with self._lock:
            return self._connection.execute(query, list(values)).fetchall()

    def _execute(self, query: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        name = self._prepared.get(query)
        if name is None:
            name = f"features_{len(self._prepared)}"
            self._connection.execute(f"PREPARE {name} AS {query}")
            self._prepared[query] = name
        self._clicks.rows = batch
        try:
            found: pa.Table = self._connection.execute(f"EXECUTE {name}").to_arrow_table()
        finally:
            self._clicks.rows = self._no_clicks
        if found.num_rows != batch.num_rows:
            raise FeatureError(f"it gives {found.num_rows} rows for {batch.num_rows} clicks")
        return found.combine_chunks().to_batches()[0] if found.num_rows else _none(found.schema)


class _Clicks:
    """What DuckDB knows as ``click``: it asks for the rows of the moment each time that a query runs."""

    def __init__(self, rows: pa.RecordBatch) -> None:
        self.rows = rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.rows.__arrow_c_stream__(requested_schema)


_engines: dict[tuple[int, pa.Schema], Engine] = {}


def engine_of(read: pa.Schema) -> Engine:
    """Return this process's engine for clicks of these fields; a process that was forked makes one of its own."""
    key = (os.getpid(), read)
    if key not in _engines:
        _engines[key] = Engine(read)
    return _engines[key]


def tried(
    engine: Engine, query: str, clicks: pa.RecordBatch, first: int = 0
) -> tuple[list[pa.RecordBatch | None], dict[int, str]]:
    """Run a query over clicks, and where it raises over halves of them, until the clicks to blame stand alone.

    Returns:
        The results in the order of the clicks, None for a single click that raises; and its row with DuckDB's words.
    """
    if not clicks.num_rows:
        return [], {}
    try:
        return [engine.run(query, clicks)], {}
    except FeatureError as error:
        if clicks.num_rows == 1:
            return [None], {first: str(error)}
    half = clicks.num_rows // 2
    left, failed_left = tried(engine, query, clicks.slice(0, half), first)
    right, failed_right = tried(engine, query, clicks.slice(half), first + half)
    return left + right, failed_left | failed_right


def sql_type(type_: pa.DataType) -> str:
    """Return DuckDB's name of an Arrow type."""
    if pa.types.is_timestamp(type_):
        return "TIMESTAMP_NS" if type_.unit == "ns" else "TIMESTAMP"
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision},{type_.scale})"
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return f"{sql_type(type_.value_type)}[]"
    if pa.types.is_map(type_):
        return f"MAP({sql_type(type_.key_type)}, {sql_type(type_.item_type)})"
    if pa.types.is_struct(type_):
        return f"STRUCT({', '.join(f'{quoted(field.name)} {sql_type(field.type)}' for field in type_)})"
    return _SQL_TYPES.get(type_, str(type_).upper())


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _wall_time(type_: pa.DataType) -> pa.DataType:
    """Return the type in which DuckDB gets a field: hour() of a time without zone is the same on every host."""
    return pa.timestamp("us") if pa.types.is_timestamp(type_) else type_


def _none(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def _words(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:_WORDS]
