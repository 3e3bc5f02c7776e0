"""Raw records become clicks: each record is decoded into the fields of the click schema, or gets a rejection."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clickscore import reasons
from clickscore.scoring import decoding, stored_clicks, times
from clickscore.scoring.decoding import Decoder, Rejection
from clickscore.scoring.duplicate_keys import KeyChecker
from clickscore.scoring.reading import place_of, steps_of
from clickscore.scoring.record_tree import TWICE, is_sure
from clickscore.scoring.record_types import constant_of
from clickscore.scoring.wire import column_reader, wire_of


class Parsed(NamedTuple):
    """What has become of some records.

    Attributes:
        clicks: one row per record, in the same order, with the fields of the click schema; all nullable, and all null
            where the record was rejected.
        rejections: why, by the number of the row.
    """

    clicks: pa.StructArray
    rejections: dict[int, Rejection]


class Parser:
    """Turns raw records into clicks of one schema; built in each process, as it cannot be pickled."""

    def __init__(self, click: pa.Schema) -> None:
        """Compile the schema: the fields of a click, of which those that are not nullable are required."""
        self._decoder = Decoder(click)
        is_json = wire_of(click) is None
        self._keys = KeyChecker(click) if is_json else None
        self._columns = column_reader(self._decoder.open, click)
        self._click, self._names = click, click.names
        self._places = [field.with_name(place_of(field)) for field in click]
        self._fields = [field.with_nullable(True) for field in click]
        paths = {field.name: steps_of(field) for field in click}
        self._constants = {name: constant_of(click.field(name)) for name, choices in paths.items() if not choices}
        self._unsure = {name for name, choices in paths.items() if len(choices) > 1 or not all(map(is_sure, choices))}

    def parse(self, records: pa.BinaryArray | pa.LargeBinaryArray | pa.StructArray) -> Parsed:
        """Decode every record, each on its own: no record raises, and none changes what becomes of another.

        Args:
            records: one JSON object each, or what the configuration says; null for a record without a value. Or clicks
                of a table, with the fields of the schema in its order.
        """
        if not len(records):
            return Parsed(pa.array([], pa.struct(self._fields)), {})
        if pa.types.is_struct(records.type):
            columns = stored_clicks.columns_of(records, self._click)
            absent = stored_clicks.missing(columns, self._click)
            return Parsed(pa.StructArray.from_arrays(_blanked(columns, list(absent)), fields=self._fields), absent)
        if not self._columns:
            return self._parse_each(records)
        groups = list(self._columns.columns(records, decoding.MAX_RECORD_BYTES))
        return self._parse_others(records, groups) if groups else self._parse_each(records)

    def _parse_others(self, records: pa.BinaryArray, groups: list[tuple[Any, list[pa.Array]]]) -> Parsed:
        """Decode the records that are in no group, and put the groups between them."""
        is_left = np.ones(len(records), bool)
        for rows, _ in groups:
            is_left[rows] = False
        left = np.flatnonzero(is_left)
        clicks = [pa.StructArray.from_arrays(columns, fields=self._fields) for _, columns in groups]
        if len(clicks) == 1 and not len(left):
            return Parsed(clicks[0], {})
        rest = self._parse_each(records.take(pa.array(left)))
        order = np.argsort(np.concatenate([*(rows for rows, _ in groups), left]))
        rejections = {int(left[row]): rejection for row, rejection in rest.rejections.items()}
        return Parsed(pa.concat_arrays([*clicks, rest.clicks]).take(pa.array(order)), rejections)

    def _parse_each(self, records: pa.BinaryArray) -> Parsed:
        if not len(records):
            return Parsed(pa.array([], pa.struct(self._fields)), {})
        values: list[bytes | None] = records.to_numpy(zero_copy_only=False).tolist()
        rejections = _screen(records, values, is_text=self._keys is not None)
        clicks = self._decoder.decode_all(values, rejections, times.rows_with_fine_fractions(records))
        columns = self._to_columns(clicks, rejections)
        columns = _blanked(columns, [row for row in rejections if clicks[row] is not self._decoder.blank])
        if self._keys:
            passed = self._decoder.passed_objects(clicks)
            passed[list(rejections)] = 0
            suspects = self._keys.suspects(records, columns, passed, rejections)
            twice = _find_duplicate_keys(self._keys, suspects, values, rejections)
            columns = _blanked(columns, list(twice))
            rejections |= twice
        return Parsed(pa.StructArray.from_arrays(columns, fields=self._fields), rejections)

    def _to_columns(self, clicks: list[Any], rejections: dict[int, Rejection]) -> list[pa.Array]:
        columns = []
        is_click = [click is not self._decoder.blank for click in clicks]
        for place, name, found in zip(self._places, self._names, self._decoder.columns(clicks), strict=True):
            values = found
            if name in self._constants:
                values = [self._constants[name] if is_one else None for is_one in is_click]
            elif name in self._unsure:
                _check(values, place, rejections, is_click)
            columns.append(_to_column(values, place, rejections))
        return columns


def _find_duplicate_keys(
    keys: KeyChecker, suspects: dict[int, int], values: list[bytes | None], rejections: dict[int, Rejection]
) -> dict[int, Rejection]:
    found = {}
    for row, pairs in suspects.items():
        value = values[row]
        if row in rejections or value is None:
            continue
        try:
            path = keys.find(value, pairs)
        except RecursionError:
            found[row] = Rejection(reasons.MALFORMED, "nested too deeply")
            continue
        if path is not None:
            found[row] = Rejection(reasons.DUPLICATE_KEY, decoding.cut(f"expected each key once, found {path} twice"))
    return found


def _screen(records: pa.BinaryArray, values: list[bytes | None], is_text: bool) -> dict[int, Rejection]:
    """Reject what should not even be decoded: nothing at all, far too much, and bytes that are not text.

    Bytes that are not text have no other reason, as large as they may be: the reason tells how to read ``raw``.
    """
    rejections: dict[int, Rejection] = {}
    limit = decoding.MAX_RECORD_BYTES
    if records.null_count:
        absent = Rejection(reasons.TOMBSTONE, "expected a JSON object, found no value at all")
        absent = absent if is_text else absent._replace(detail="expected a record, found no value at all")
        rejections |= {row: absent for row, value in enumerate(values) if value is None}
    if (pc.max(pc.binary_length(records)).as_py() or 0) > limit:
        for row, value in enumerate(values):
            if value is not None and len(value) > limit:
                rejections[row] = Rejection(reasons.TOO_LARGE, f"expected at most {limit} bytes, found {len(value)}")
    if not is_text:
        return rejections
    try:
        records.cast(pa.large_string() if pa.types.is_large_binary(records.type) else pa.string())
    except pa.ArrowInvalid:
        for row, value in enumerate(values):
            if value is not None and (fault := decoding.encoding_fault(value)):
                rejections[row] = fault
    return rejections


def _check(values: list[Any], field: pa.Field, rejections: dict[int, Rejection], is_click: list[bool]) -> None:
    """Reject clicks that lack a required value, or have an entry of a list twice, which the decoder does not know."""
    for row, value in enumerate(values):
        if value is None and is_click[row] and not field.nullable:
            rejections.setdefault(row, Rejection(reasons.MISSING_FIELD, decoding.cut(f"{field.name} is missing")))
        elif value is TWICE:
            values[row] = None
            detail = decoding.cut(f"expected each entry once, found that of {field.name} twice")
            rejections.setdefault(row, Rejection(reasons.DUPLICATE_KEY, detail))


def _blanked(columns: list[pa.Array], rows: list[int]) -> list[pa.Array]:
    """Return the columns with null in some rows."""
    if not rows:
        return columns
    is_blank = np.zeros(len(columns[0]), bool)
    is_blank[rows] = True
    # Only the bits that say what is null are made anew: to copy the values would cost more than the rows are worth.
    names = [str(number) for number in range(len(columns))]
    blanked: list[pa.Array] = pa.StructArray.from_arrays(columns, names, mask=pa.array(is_blank)).flatten()
    return blanked


def _to_column(values: list[Any], field: pa.Field, rejections: dict[int, Rejection]) -> pa.Array:
    try:
        return _to_array(values, field)
    except _MISFITS:
        return _to_array(_fitting(values, field, rejections), field)


def _fitting(values: list[Any], field: pa.Field, rejections: dict[int, Rejection]) -> list[Any]:
    """Reject the values that their JSON type allows, but their column does not: a time that is in no year of UTC."""
    fitting = list(values)
    for row, value in enumerate(values):
        try:
            _to_array([value], field)
        except _MISFITS as error:
            fitting[row] = None
            is_time = isinstance(error, _NoTimeError)
            detail = str(error) if is_time else f"{field.name}: {error}"
            rejections[row] = Rejection(reasons.INVALID_TIME if is_time else reasons.WRONG_TYPE, decoding.cut(detail))
    return fitting


def _to_array(values: list[Any], field: pa.Field) -> pa.Array:
    kind = field.type
    if not pa.types.is_timestamp(kind):
        return _checked(pa.array(values, kind), field.name)
    # Arrow asks each time for the offset of its zone; differences cost it a quarter of that.
    try:
        spans = [value - times.EPOCH for value in values]
    except TypeError:  # one is null, an epoch number, or has no zone
        spans = [times.since_epoch(value) for value in values]
    return _checked(pa.array(spans, pa.duration("us")).view(kind), field.name)


class _NoTimeError(Exception):
    """Raised when a time is one only in its own zone: the last evening of 9999 in New York is in no year of UTC."""


_MISFITS = (pa.ArrowInvalid, UnicodeEncodeError, OverflowError, _NoTimeError)


def _checked(array: pa.Array, path: str) -> pa.Array:
    """Return the array, if each time in it, nested ones too, is within the years that readers of tables know."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        ends = pc.min_max(array.cast(pa.int64()))
        first, last = ends["min"].as_py(), ends["max"].as_py()
        if first is not None and (first < times.FIRST_TIME_US or last > times.LAST_TIME_US):
            raise _NoTimeError(f"{path}: expected a time in the years 1 to 9999 of UTC")
    elif pa.types.is_struct(kind):
        for field, child in zip(kind, array.flatten(), strict=True):
            _checked(child, f"{path}.{field.name}")
    elif pa.types.is_list(kind) or pa.types.is_map(kind):
        _checked(array.items if pa.types.is_map(kind) else array.flatten(), f"{path}[...]")
    return array


def parser(click: pa.Schema) -> Parser:
    """Return the parser of a click schema; each process makes it once."""
    # As bytes, because schemas that differ in nothing but how a field is read, which is metadata, are equal.
    return _parser(click.serialize().to_pybytes())


@lru_cache(maxsize=8)
def _parser(click: bytes) -> Parser:
    return Parser(pa.ipc.read_schema(pa.py_buffer(click)))
