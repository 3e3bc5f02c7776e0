"""Wrappings: what a record is when the click stands within something else, and what to do about it."""

import binascii
import math
import re
import shlex
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa
import yaml

from clickscore.config.record_path import path_text
from clickscore.console import visible
from clickscore.scoring.reading import reading_of, steps_of

FRAME_BYTES = 5
"""Length of the frame that a schema registry's clients put before a record: byte 0, four bytes of the schema's id."""
_LINE_OF_MANY = re.compile(
    rb"\s*(?:[\[{}\]]+|\"[^\"\\]*\"\s*:\s*(?:[\[{]|\"(?:[^\"\\]|\\.)*\"|[\w.+-]+|\[.*\]|{.*}))\s*,?\s*"
)
"""One line of a JSON document that goes over several lines: a bracket, or a key with the begin of its value."""
_ELEMENT = re.compile(rb"\s*\[?\s*{.*}\s*[,\]]\s*\]?\s*")
"""One line of an array that has a line for each element."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_FROM_TEXT = {"JSON": "fromjson", "base64": "@base64d | fromjson"}
"""How jq reads the object in a text."""

_decode: Any = msgspec.json.Decoder().decode
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True)
class Wrapping:
    """A wrapping that was recognised.

    Attributes:
        what: what the record is.
        remedy: what to write into the configuration, or to do with the records.
    """

    what: str
    remedy: str

    def __str__(self) -> str:
        """Return both in one sentence; names in it come from the record."""
        return visible(f"{self.what}: {self.remedy}")


def recognise(record: bytes, click: pa.Schema, names_inner: bool = True) -> Wrapping | None:
    """Return the wrapping of a record; None for one that is not wrapped in a known way.

    Args:
        record: a raw record that was rejected.
        click: the fields of a click, with how they are read.
        names_inner: whether keys within a field of the record may be named, which are a part of its value.
    """
    if record[:1] == b"\0" and len(record) > FRAME_BYTES:
        number = int.from_bytes(record[1:FRAME_BYTES], "big")
        return Wrapping(
            f"the record begins with the frame of a schema registry (byte 0, then schema id {number})",
            "name its format and the registry: source: {value: {format: avro, registry: URL}}, or protobuf",
        )
    try:
        value = _decode(record)
    except _UNDECODABLE:
        return _of_many_lines(record) or _as_text(record, click)
    match value:
        case dict():
            return _in_object(value, click, names_inner)
        case list():
            return Wrapping("the record is a JSON array", "write each element as one line: jq -c '.[]' FILE")
        case str():
            return _as_text(value.encode(errors="replace"), click)
    return _of_many_lines(record)


def _of_many_lines(record: bytes) -> Wrapping | None:
    if _ELEMENT.fullmatch(record):
        return Wrapping("the record is one line of a JSON array", "write each element as one line: jq -c '.[]' FILE")
    if _LINE_OF_MANY.fullmatch(record):
        return Wrapping(
            "the record is one line of JSON that was written over several lines",
            "write each click as one line: jq -c . FILE, or jq -c '.[]' FILE if the file is an array",
        )
    return None


def _as_text(text: bytes, click: pa.Schema) -> Wrapping | None:
    """Recognise a record that is a text, quoted or bare, which holds the click."""
    how, inner = _inner(text)
    if not inner or not _known(inner, click):
        return None
    read = f"jq -Rc '(fromjson? // .) | {_FROM_TEXT[how]}' FILE"
    return Wrapping(f"the record is a text that holds the click as {how}", f"write it as an object: {read}")


def _inner(text: bytes) -> tuple[str, dict[str, Any]]:
    """Return the object that a text holds, as JSON or as JSON in base64; an empty one if it holds none."""
    for how, content in (("JSON", text), ("base64", _from_base64(text))):
        try:
            value = _decode(content)
        except _UNDECODABLE:
            continue
        if isinstance(value, dict):
            return how, value
    return "", {}


def _from_base64(text: bytes) -> bytes:
    if not _BASE64.fullmatch(text):
        return b""
    try:
        return urlsafe_b64decode(text.translate(bytes.maketrans(b"+/", b"-_")).rstrip(b"=") + b"==")
    except binascii.Error:
        return b""


def _in_object(record: dict[str, Any], click: pa.Schema, names_inner: bool) -> Wrapping | None:
    """Recognise an object with the click under one of its keys, or of those of its objects: where most of it stands."""
    most, found = _known(record, click), None
    for place, value, above in _places(record, names_inner):
        how, inner = _content(value)
        if (known := _known(inner, click)) > most:
            most, found = known, (place, value, above, how)
    return _at(*found, click) if found else None


def _places(
    record: dict[str, Any], goes_in: bool, above: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield the path, the value and the object around it, of the keys of an object and, if need be, those in it."""
    for key, value in record.items():
        if place := path_text((*above, key)):
            yield place, value, record
        if goes_in and isinstance(value, dict):
            yield from _places(value, goes_in=False, above=(key,))


def _content(value: Any) -> tuple[str, dict[str, Any]]:
    """Return the object that a value is or holds, and how: an empty one if it holds none."""
    match value:
        case dict():
            return "object", value
        case [dict() as first, *_]:
            return "batch", first
        case str():
            return _inner(value.encode(errors="replace"))
    return "", {}


def _at(place: str, value: Any, around: dict[str, Any], how: str, click: pa.Schema) -> Wrapping:
    if how == "object":
        envelope = ", in Kafka Connect's envelope" if place == "payload" and "schema" in around else ""
        return Wrapping(
            f"the click stands under {place}{envelope}", f"write under click: from: {_mapping(place, click)}"
        )
    if how == "batch":
        return Wrapping(f"the record is a batch of {len(value):,} under {place}",
                        f"write each element as a record: jq -c {shlex.quote(f'.{place}[]')} FILE")  # fmt: skip
    return Wrapping(f"the click stands as {how} in the text under {place}",
                    f"write it as an object: jq -c {shlex.quote(f'.{place} | {_FROM_TEXT[how]}')} FILE")  # fmt: skip


def _known(record: Mapping[str, Any], click: pa.Schema) -> int:
    """Count the fields of a click that begin at one of the keys."""
    return sum(any(steps[0] in record for steps in steps_of(field)) for field in click)


def _mapping(place: str, click: pa.Schema) -> str:
    """Return the section ``click.from`` of a configuration, in one line, for fields that stand at another place."""
    mapping: dict[str, Any] = {}
    for field in click:
        reading = reading_of(field)
        if reading.constant is not None:
            mapping[field.name] = {"constant": reading.constant}
            continue
        paths = [f"{place}.{path}" for path in reading.paths or (path_text((field.name,)),)]
        spelling = {"format": reading.format, "zone": reading.zone}
        keys = {
            "path": paths if len(paths) > 1 else paths[0],
            **{key: value for key, value in spelling.items() if value},
        }
        mapping[field.name] = keys if len(keys) > 1 else keys["path"]
    text: str = yaml.safe_dump(mapping, default_flow_style=True, width=math.inf, sort_keys=False, allow_unicode=True)
    return text.strip()
