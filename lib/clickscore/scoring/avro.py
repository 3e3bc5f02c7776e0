"""Records of Avro become objects and values: unions a branch, enums a symbol, logical types what they stand for.

A schema that refers to itself is refused: one record could lead so deep that the process ends.
"""

import datetime as dt
import io
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import fastavro
import pyarrow as pa
from fastavro.read import LOGICAL_READERS
from fastavro.schema import SchemaParseException

from clickscore.reasons import INVALID_TIME, MALFORMED_AVRO, UNKNOWN_SCHEMA
from clickscore.scoring import avro_columns
from clickscore.scoring.framing import HEADER_BYTES, BySchema
from clickscore.scoring.record_groups import ReadColumns
from clickscore.scoring.times import BEYOND_YEARS, EPOCH
from clickscore.scoring.values import scaled
from clickscore.scoring.wire import UndecodableError, Wire

_TAKEN = {"decimal", "date", *(f"{local}timestamp-{unit}" for local in ("", "local-")
                               for unit in ("millis", "micros", "nanos"))}  # fmt: skip
"""Logical types that are read as such; of others, a UUID or a time of day, the text or the number is taken."""
_NO_BYTES = {"null"}
_LOCAL_EPOCH = EPOCH.replace(tzinfo=None)


class AvroSchema(NamedTuple):
    """A schema as fastavro has parsed it.

    Attributes:
        whole: the schema.
        named: the types in it that have a name.
    """

    whole: Any
    named: dict[str, Any]


class AvroOpener:
    """Takes records of Avro apart.

    Attributes:
        start: at which byte the value begins, after the id of its schema.
        read_as: the schema that the configuration names beside a registry; None for the one that a record names.
    """

    def __init__(self, wire: Wire) -> None:
        """Prepare the schema file, or the way to the registry.

        Raises:
            UndecodableError: if the schema file cannot be used.
        """
        file = parsed([wire.schema.decode("utf-8-sig", "replace")]) if wire.schema is not None else None
        self.start = HEADER_BYTES if wire.registry else 0
        self.read_as = file.whole if file and wire.registry else None
        self.schema_of: Callable[[bytes], AvroSchema]
        if wire.registry:
            self.schema_of = _by_registry(wire).reader_of
        else:
            assert file, "the configuration has one of them"
            self.schema_of = lambda _: file

    def __call__(self, record: bytes) -> Any:
        """Return the objects and values of a record; raises UndecodableError."""
        return _open(self.schema_of(record).whole, self.read_as, self.start, record)

    def column_reader(self, header: bytes, click: pa.Schema) -> ReadColumns | None:
        """Return what reads the records of a schema at once; None if they are read one by one, or as another schema."""
        schema = self.schema_of(header)
        is_read = self.read_as is None and avro_columns.reads(*schema, click)
        return partial(avro_columns.read_columns, *schema, click) if is_read else None


def _by_registry(wire: Wire) -> BySchema[AvroSchema]:
    from clickscore.scoring.schema_registry import SchemaRegistry  # without a registry, its client may be missing

    registry = SchemaRegistry(wire)

    def schema_of(id: int) -> AvroSchema:
        schema = registry.schema(id, "AVRO")
        parts = [other for _, other in registry.referenced(schema)]
        return parsed([part.schema_str or "" for part in (*parts, schema)])

    return BySchema(MALFORMED_AVRO, schema_of)


def parsed(texts: Sequence[str]) -> AvroSchema:
    """Return a schema as fastavro reads with it.

    Args:
        texts: schemas as JSON, each after those that it refers to; the last one is meant.

    Raises:
        UndecodableError: if it is no schema, or one that records cannot be read with.
    """
    named: dict[str, Any] = {}
    schema: Any = None
    try:
        for text in texts:
            schema = fastavro.parse_schema(_plain(json.loads(text)), named_schemas=named)
        _check(schema, named, ())
    except (ValueError, KeyError, TypeError, SchemaParseException, RecursionError) as error:
        raise UndecodableError(UNKNOWN_SCHEMA, f"no usable schema of Avro: {type(error).__name__}: {error}") from None
    return AvroSchema(schema, named)


def _open(schema: Any, as_schema: Any, start: int, record: bytes) -> Any:
    data = io.BytesIO(record)
    data.seek(start)
    try:
        found = fastavro.schemaless_reader(data, schema, as_schema)
    except OverflowError:
        raise UndecodableError(INVALID_TIME, BEYOND_YEARS) from None
    except EOFError:  # its message names an object of Python, another one each time
        detail = f"expected more than the {len(record)} bytes of the record, as its schema says"
        raise UndecodableError(MALFORMED_AVRO, detail) from None
    except Exception as error:  # fastavro names no errors of its own: wrong bytes end in whatever line they meet
        detail = f"the record does not fit its schema: {type(error).__name__}: {error}"
        raise UndecodableError(MALFORMED_AVRO, detail) from None
    if (end := data.tell()) != len(record):
        detail = f"expected the record to end after {end} bytes, as its schema says, found {len(record)}"
        raise UndecodableError(MALFORMED_AVRO, detail)
    return found


def _plain(schema: Any) -> Any:
    """Return a schema without the logical types that are not read as such."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _plain(value) if key in ("type", "items", "values", "fields") else value
        for key, value in schema.items()
        if key != "logicalType" or value in _TAKEN
    }


def _check(schema: Any, named: dict[str, Any], above: tuple[str, ...]) -> bool:
    """Tell whether a value takes any bytes; refuse types within themselves, and lists of what takes none."""
    if isinstance(schema, list):
        for branch in schema:
            _check(branch, named, above)
        return True  # the number of the branch
    if isinstance(schema, str):
        if schema in above:
            raise ValueError(f"{schema} refers to itself, which is not supported")
        return _check(named[schema], named, above) if schema in named else schema not in _NO_BYTES
    kind = schema["type"]
    if kind in ("record", "error"):
        inner = (*above, schema["name"])
        takes_bytes = [_check(field["type"], named, inner) for field in schema["fields"]]
        return any(takes_bytes)
    if kind == "array" and not _check(schema["items"], named, above):
        # A few bytes could promise any number of them.
        raise ValueError("has an array of elements that take no bytes, which is not supported")
    if kind == "map":
        _check(schema["values"], named, above)
    if kind == "fixed":
        return bool(schema["size"])
    return kind in ("array", "map", "enum") or (kind not in _NO_BYTES)


def _since(epoch: dt.datetime, nanoseconds: int, *_: object) -> dt.datetime:
    return epoch + dt.timedelta(microseconds=nanoseconds // 1_000)


def _day(days: int, *_: object) -> dt.date:
    return _LOCAL_EPOCH.date() + dt.timedelta(days=days)


def _decimal(unscaled: bytes, schema: Any, *_: object) -> Any:
    return scaled(unscaled, schema.get("scale", 0))


LOGICAL_READERS |= {
    # fastavro's own raises several errors for a day of no year, which do not tell it from wrong bytes.
    "int-date": _day,
    # fastavro's own rounds to the digits that the schema promises, and takes ten minutes for a megabyte of them.
    "bytes-decimal": _decimal,
    "fixed-decimal": _decimal,
    "long-timestamp-nanos": partial(_since, EPOCH),
    "long-local-timestamp-nanos": partial(_since, _LOCAL_EPOCH),
}
