"""Raw records become clicks: each record is decoded into the fields of the click schema, or gets a rejection."""

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from clickscore import reasons
from clickscore.scoring import decoding
from clickscore.scoring.decoding import Decoder, Rejection
from clickscore.storage.schemas import OUTCOME

MAX_KEPT_BYTES = 256 * 1024
"""Rejected records that one Arrow batch may carry along to the driver, in bytes; the rest is fetched in a second pass.

An Arrow batch holds 10,000 records, so a micro-batch of a million records brings 25 MB to the driver at the worst.
"""


def parse(raw: DataFrame, click: T.StructType, keep_all: bool = False) -> DataFrame:
    """Decode every record; exactly one row comes out for each row that goes in, in the same order.

    Args:
        raw: ``value BINARY`` with one JSON object each, and columns of lineage, as in ``schemas.raw``.
        click: the fields of a click; NOT NULL fields are required.
        keep_all: keep the raw record in every row, also of good clicks and beyond ``MAX_KEPT_BYTES``.

    Returns:
        The click's fields, all nullable and null where the record was rejected, then the lineage, unchanged, then the
        columns of ``schemas.OUTCOME``: ``_rejection`` (null for a good click), ``_duplicate`` (false), ``_raw`` and
        ``_kept``, which tells whether ``_raw`` holds the record or was left out to save memory.
    """
    click_json = click.json()

    def decode(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield decode_batch(batch, click_json, keep_all)

    return raw.mapInArrow(decode, parsed_columns(raw.schema, click))


def parsed_columns(raw: T.StructType, click: T.StructType) -> T.StructType:
    """Return the columns that ``parse`` makes of raw records."""
    fields = [T.StructField(field.name, field.dataType) for field in click.fields]
    lineage = [field for field in raw.fields if field.name != VALUE]
    return T.StructType([*fields, *lineage, *OUTCOME])


VALUE = "value"
_ENDS_A_KEY = np.isin(np.arange(256), list(b'" \t\n\r'))
"""Whether a byte can stand between a key and its colon."""
_REJECTION_TYPE = pa.struct([("reason", pa.string()), ("detail", pa.string())])

Rejections = dict[int, Rejection]
"""The rejected rows of a batch, by their number."""


@lru_cache(maxsize=4)
def _decoder(click_json: str) -> tuple[Decoder, pa.Schema]:
    click = T.StructType.fromJson(json.loads(click_json))
    nullable = T.StructType([T.StructField(field.name, field.dataType) for field in click.fields])
    return Decoder(click), to_arrow_schema(nullable, timezone="UTC")


def decode_batch(
    batch: pa.RecordBatch, click_json: str, keep_all: bool, max_kept_bytes: int = MAX_KEPT_BYTES
) -> pa.RecordBatch:
    """Decode an Arrow batch of raw records; see ``parse``."""
    decoder, columns = _decoder(click_json)
    values = batch.column(VALUE)
    lineage = [name for name in batch.schema.names if name != VALUE]
    records: list[bytes | None] = values.to_pylist()
    rejections = _screen(values, records)
    clicks = _decode(records, decoder, rejections)
    arrays = _to_arrays(clicks, columns, rejections)
    _reject_duplicate_keys(values, records, arrays, decoder, rejections)
    late = [row for row in rejections if clicks[row] is not decoder.blank]
    if late:
        arrays = _blanked(arrays, late)
    rejection = _rejection_array(rejections, len(records))
    raw, kept = _raw_arrays(records, rejections, keep_all, max_kept_bytes)
    no_duplicate = pa.repeat(False, len(records))
    return pa.RecordBatch.from_arrays(
        [*arrays, *map(batch.column, lineage), rejection, no_duplicate, raw, kept],
        names=[*columns.names, *lineage, *(field.name for field in OUTCOME)],
    )


def _screen(values: pa.BinaryArray, records: list[bytes | None]) -> Rejections:
    """Reject what should not even be decoded: nothing at all, far too much, and bytes that are no text.

    Bytes that are no text have no other reason, as large as they may be: the reason tells how to read ``raw``.
    """
    rejections: Rejections = {}
    limit = decoding.MAX_RECORD_BYTES
    if values.null_count:
        absent = Rejection(reasons.TOMBSTONE, "expected a JSON object, found no value at all")
        rejections |= {row: absent for row, record in enumerate(records) if record is None}
    if (pc.max(pc.binary_length(values)).as_py() or 0) > limit:
        for row, record in enumerate(records):
            if record is not None and len(record) > limit:
                rejections[row] = Rejection(reasons.TOO_LARGE, f"expected at most {limit} bytes, found {len(record)}")
    try:
        values.cast(pa.string())
    except pa.ArrowInvalid:
        for row, record in enumerate(records):
            if record is not None and (fault := decoding.encoding_fault(record)):
                rejections[row] = fault
    return rejections


def _decode(records: list[bytes | None], decoder: Decoder, rejections: Rejections) -> list[Any]:
    # An empty record is no click, and ends the quick loop as any other that is none.
    wanted = [b"" if record is None or row in rejections else record for row, record in enumerate(records)]
    clicks: list[Any] = []
    while len(clicks) < len(wanted):
        try:
            clicks.extend(map(decoder.decode_good, islice(wanted, len(clicks), None)))
        except decoding.UNDECODABLE:
            row = len(clicks)
            click = decoder.blank if row in rejections else decoder.decode(wanted[row])
            if type(click) is Rejection:
                rejections[row] = click
                click = decoder.blank
            clicks.append(click)
    return clicks


def _to_arrays(clicks: list[Any], columns: pa.Schema, rejections: Rejections) -> list[pa.Array]:
    names = [f"f{number}" for number in range(len(columns))]
    fields = [list(map(attrgetter(name), clicks)) for name in names]
    return [_to_array(values, column, rejections) for values, column in zip(fields, columns, strict=True)]


def _blanked(arrays: list[pa.Array], rows: list[int]) -> list[pa.Array]:
    """Return the arrays with null in some rows."""
    is_blank = np.zeros(len(arrays[0]), bool)
    is_blank[rows] = True
    positions = pa.array(np.arange(len(is_blank)), mask=is_blank)
    return [array.take(positions) for array in arrays]


def _to_array(values: list[Any], column: pa.Field, rejections: Rejections) -> pa.Array:
    if pa.types.is_timestamp(column.type) and int in set(map(type, values)):
        values = decoding.to_times(values)
    try:
        return _checked(pa.array(values, column.type))
    except _MISFITS:
        return pa.array(_fitting(values, column, rejections), column.type)


def _fitting(values: list[Any], column: pa.Field, rejections: Rejections) -> list[Any]:
    """Reject the values that their JSON type allows, but their column does not: a decimal with too many digits."""
    fitting = list(values)
    for row, value in enumerate(values):
        try:
            _checked(pa.array([value], column.type))
        except _MISFITS as error:
            fitting[row] = None
            reason = reasons.INVALID_TIME if isinstance(error, _NoTimeError) else reasons.WRONG_TYPE
            rejections[row] = Rejection(reason, decoding.cut(f"{column.name}: {error}"))
    return fitting


class _NoTimeError(Exception):
    """Raised when a time is one only in its own zone: the last evening of 9999 in New York is in no year of UTC."""


_MISFITS = (pa.ArrowInvalid, UnicodeEncodeError, OverflowError, _NoTimeError)


def _checked(array: pa.Array) -> pa.Array:
    """Return the array, if each time in it, nested ones too, is within the years that readers of tables know."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        ends = pc.min_max(array.cast(pa.int64()))
        first, last = ends["min"].as_py(), ends["max"].as_py()
        if first is not None and (first < decoding.FIRST_TIME_US or last > decoding.LAST_TIME_US):
            raise _NoTimeError("expected a time in the years 1 to 9999 of UTC")
    elif pa.types.is_struct(kind) or pa.types.is_list(kind):
        parts = array.flatten()
        for part in parts if isinstance(parts, list) else [parts]:
            _checked(part)
    elif pa.types.is_map(kind):
        _checked(array.items)
    return array


def _reject_duplicate_keys(
    values: pa.BinaryArray, records: list[bytes | None], arrays: list[pa.Array], decoder: Decoder,
    rejections: Rejections,
) -> None:  # fmt: skip
    # A record with exactly as many keys as fields that are there has no room for a second one of the same name:
    # comparing the two numbers for the whole batch at once spares nearly every record the exact look.
    pairs = _count_pairs(values)
    present = np.zeros(len(records), np.int64)
    for array in arrays:
        present += 1 if not array.null_count else array.is_valid().to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(pairs != present).tolist():
        record = records[row]
        if row in rejections or record is None:
            continue
        try:
            if decoder.names_a_key_twice(record, int(pairs[row])):
                rejections[row] = Rejection(reasons.DUPLICATE_KEY, "expected each key once")
        except RecursionError:
            rejections[row] = Rejection(reasons.MALFORMED, "nested too deeply")


def _count_pairs(values: pa.BinaryArray) -> npt.NDArray[np.int64]:
    """Count in each record how often a colon follows a quote or white space: at least once for every key."""
    _, offsets, data = values.buffers()
    bounds = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    characters = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
    colons = np.flatnonzero(characters == ord(":"))
    key_ends = colons[_ENDS_A_KEY[characters[colons - 1]]]
    return np.diff(np.searchsorted(key_ends, bounds))


def _rejection_array(rejections: Rejections, count: int) -> pa.Array:
    column: list[dict[str, str] | None] = [None] * count
    for row, rejection in rejections.items():
        column[row] = rejection._asdict()
    return pa.array(column, _REJECTION_TYPE)


def _raw_arrays(
    records: list[bytes | None], rejections: Rejections, keep_all: bool, budget: int
) -> tuple[pa.Array, pa.Array]:
    raw: list[str | None] = [None] * len(records)
    kept = [keep_all] * len(records)
    for row in range(len(records)) if keep_all else sorted(rejections):
        record = records[row]
        budget -= len(record or b"")
        if keep_all or budget >= 0:
            raw[row], kept[row] = decoding.as_text(record), True
    return pa.array(raw, pa.string()), pa.array(kept)
