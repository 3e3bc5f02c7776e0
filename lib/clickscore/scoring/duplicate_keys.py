"""Keys that are there twice: readers of JSON differ in which of the two they take, so that a click with such is none.

All objects of a record count that the click schema reads, at any depth, and the record itself. What is inside a field
beyond the schema does not: nobody reads it.

A record with exactly as many keys as fields that are there has no room for a second one of the same name. It cannot
have fewer, so that two sums clear a whole batch, and two numbers nearly every record; only the others are looked into.
"""

import codecs
import json
from collections import Counter
from collections.abc import Iterable
from functools import reduce
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clickscore.scoring.record_tree import Node, plant
from clickscore.scoring.times import BLOCK

Counts = npt.NDArray[np.int64]

_LAST_BEFORE_COLON = ord('"')
"""No byte that stands between a key and its colon, a quote or white space, is above this one."""
_KEY_ENDS = (b'":', b" :", b"\t:", b"\n:", b"\r:")


class _Shape(NamedTuple):
    """Where in a value there are objects: in its fields, or in each of its elements or entries."""

    is_list: bool
    fields: dict[str, "_Shape"]
    each: "_Shape | None" = None


class KeyChecker:
    """Finds duplicate keys in the records of one click schema; built in each process, as it cannot be pickled."""

    def __init__(self, click: pa.Schema) -> None:
        """Find the objects in a record that the fields of a click are read from."""
        trees, places = plant(click)
        self._record = reduce(_merged, map(_shape_of_place, trees)) or _Shape(False, {})
        self._decode_any = msgspec.json.Decoder().decode
        self._read = [number for number, choices in enumerate(places) if choices]
        chosen = [place for choices in places for place in choices]
        self._is_countable = len(trees) == 1 and len(set(chosen)) == len(chosen) and not trees[0].has_lists
        self._members = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
        self._elements = msgspec.json.Decoder(list[msgspec.Raw] | None)

    def suspects(
        self, records: pa.BinaryArray, columns: list[pa.Array], passed: Counts, rejected: Iterable[int]
    ) -> dict[int, int]:
        """Return the records that may have a key twice, by their number, with how many colons could follow a key.

        Args:
            records: those that were decoded.
            columns: what they were decoded into, null where they were rejected.
            passed: how many objects each record has on the way to those values; 0 where it was rejected.
            rejected: numbers of those that were.
        """
        ends_a_key, bounds = _key_ends(records)
        if not self._is_countable:
            return dict(enumerate(np.diff(np.searchsorted(np.flatnonzero(ends_a_key), bounds)).tolist()))
        columns = [columns[number] for number in self._read]
        passed_over = sum(int(np.count_nonzero(ends_a_key[bounds[row] : bounds[row + 1]])) for row in rejected)
        within = [_keys_within(column) for column in columns if pa.types.is_nested(column.type)]
        present = sum(len(column) - column.null_count for column in columns) + sum(int(keys.sum()) for keys in within)
        present += int(passed.sum())
        if np.count_nonzero(ends_a_key) - passed_over == present:
            return {}
        pairs = np.diff(np.searchsorted(np.flatnonzero(ends_a_key), bounds))
        each = passed.copy()
        for column in columns:
            each += 1 if not column.null_count else column.is_valid().to_numpy(zero_copy_only=False)
        for keys in within:
            each += keys
        return {int(row): int(pairs[row]) for row in np.flatnonzero(pairs != each)}

    def find(self, record: bytes, pairs: int) -> str | None:
        """Return the path of a key that a record names twice, such as ``geo.city``; None if it names each once.

        Args:
            record: one that decoded well.
            pairs: how many colons in it could follow a key, in nested objects and texts as well.

        Raises:
            RecursionError: if it is nested too deeply to tell.
        """
        bare = record.removeprefix(codecs.BOM_UTF8)
        try:
            if _count_keys(self._decode_any(bare), has_escapes=b"\\" in bare) == pairs:
                return None  # as many keys as colons that follow one: none was there before
        except (msgspec.DecodeError, RecursionError, OverflowError):  # what nobody reads is deep, or out of range
            pass
        return self._look_at_object(bare, pairs, self._record, "")

    def _look(self, value: Any, shape: _Shape, path: str) -> str | None:
        if shape.is_list:
            elements = enumerate(self._elements.decode(value) or ())
            return self._first((element, shape.each, f"{path}[{number}]") for number, element in elements)
        text = bytes(value)
        return self._look_at_object(text, sum(map(text.count, _KEY_ENDS)), shape, path)

    def _look_at_object(self, text: bytes, pairs: int, shape: _Shape, path: str) -> str | None:
        members = self._members.decode(text)
        if not members:
            return None
        # The last of two members replaces the first, whose colon the sum then lacks. A sum that is too small for
        # another reason, such as a space before a colon, costs an exact look, which takes four times as long.
        if pairs != len(members) + b"".join(members.values()).count(b'":'):
            name = _named_twice(text)
            if name is not None:
                return _joined(path, name)
        if shape.each:
            return self._first((member, shape.each, _joined(path, name)) for name, member in members.items())
        if not shape.fields:
            return None
        return self._first((members[name], inner, _joined(path, name)) for name, inner in shape.fields.items()
                           if name in members)  # fmt: skip

    def _first(self, values: Iterable[tuple[Any, _Shape | None, str]]) -> str | None:
        found = (self._look(value, shape, path) for value, shape, path in values if shape)
        return next((path for path in found if path is not None), None)


def _count_keys(value: Any, has_escapes: bool) -> int:
    """Return how many keys the objects in a value of JSON have, at all depths."""
    if not has_escapes:  # no text holds a quote, and what is written here has one before a colon behind each key only
        written: bytes = msgspec.json.encode(value)
        return written.count(b'":')
    keys = 0
    if type(value) is dict:
        keys, value = len(value), value.values()
    for inner in value:
        if type(inner) in (dict, list):
            keys += _count_keys(inner, has_escapes)
    return keys


def _keys_within(column: pa.Array) -> Counts:
    """Return how many keys the objects in each value of a column have, at all depths; none where they are null."""
    kind = column.type
    keys = np.zeros(len(column), np.int64)
    if pa.types.is_struct(kind):
        for child in column.flatten():
            keys += child.is_valid().to_numpy(zero_copy_only=False) + _keys_within(child)
    elif pa.types.is_list(kind) or pa.types.is_map(kind):
        offsets = column.offsets.to_numpy()
        entries = column.items if pa.types.is_map(kind) else column.values
        in_entries = _keys_within(entries[offsets[0] : offsets[-1]]) + int(pa.types.is_map(kind))
        before = np.concatenate([[0], np.cumsum(in_entries)])
        keys = np.diff(before[offsets - offsets[0]]) * column.is_valid().to_numpy(zero_copy_only=False)
    return keys


def _shapes(fields: Iterable[pa.Field]) -> dict[str, _Shape]:
    found = ((field.name, _shape(field.type)) for field in fields)
    return {name: shape for name, shape in found if shape}


def _shape_of_place(node: Node) -> _Shape | None:
    """Return where the objects are in what stands at a place, those included that are only passed through."""
    if node.leaf:
        return _shape(node.leaf[0])
    if node.elements:
        each = _shape_of_place(node.elements)
        return each and _Shape(True, {}, each)
    found = {name: _shape_of_place(inner) for name, inner in node.fields.items()}
    return _Shape(False, {name: shape for name, shape in found.items() if shape})


def _merged(one: _Shape | None, other: _Shape | None) -> _Shape | None:
    """Return where there are objects by either of two shapes of the same place."""
    if not one or not other or one.is_list != other.is_list:
        return one or other
    fields = {name: _merged(one.fields.get(name), other.fields.get(name)) for name in one.fields | other.fields}
    return _Shape(one.is_list, {name: shape for name, shape in fields.items() if shape}, _merged(one.each, other.each))


def _shape(kind: pa.DataType) -> _Shape | None:
    """Return where the objects in values of a type are; None if it has none."""
    if pa.types.is_list(kind):
        each = _shape(kind.value_type)
        return each and _Shape(True, {}, each)
    if pa.types.is_map(kind):
        return _Shape(False, {}, _shape(kind.item_type))
    if pa.types.is_struct(kind):
        return _Shape(False, _shapes(kind))
    return None


def _named_twice(text: bytes) -> str | None:
    objects: list[list[tuple[str, Any]]] = []
    # The hook sees the inner objects first and the one that holds them last.
    json.loads(text, object_pairs_hook=objects.append, parse_int=str, parse_float=str)
    counts = Counter(name for name, _ in objects[-1])
    return next((name for name, count in counts.items() if count > 1), None)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _key_ends(records: pa.BinaryArray) -> tuple[npt.NDArray[np.bool_], Counts]:
    """Tell of each byte of the records whether it is a colon that could follow a key; and where each record begins.

    Every key of an object has such a colon behind it; colons within texts may look like one.
    """
    _, offsets, data = records.buffers()
    size = np.int64 if pa.types.is_large_binary(records.type) else np.int32
    bounds = np.frombuffer(offsets, size)[records.offset : records.offset + len(records) + 1].astype(np.int64)
    characters = np.frombuffer(data or b"", np.uint8)[bounds[0] : bounds[-1]]
    ends_a_key = np.empty(len(characters), bool)
    for begin in range(0, len(characters), BLOCK):
        block = characters[begin : begin + BLOCK]
        ends = np.equal(block, ord(":"), out=ends_a_key[begin : begin + BLOCK])
        ends[1:] &= block[:-1] <= _LAST_BEFORE_COLON
        if begin:
            ends[0] &= characters[begin - 1] <= _LAST_BEFORE_COLON
    return ends_a_key, bounds - bounds[0]
