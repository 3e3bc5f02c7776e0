"""Raw records for the test vectors: clicks of any contract with odd values, and records that are none."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from clickscore.scoring import Contract, Features
from clickscore.scoring.reading import needed_steps_of, writing_order
from clickscore.scoring.record_tree import put

CLICKS = 200
"""Clicks with odd values: enough that each value of each field stands in a few of them."""
SEED = 20
_ABSENT = object()
"""Stands for a field that the record does not have."""

_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_TEXTS = (
    "a",
    "",
    " ",
    "0",
    "NULL",
    "Grüße, 世界",
    "e\u0301",
    "\U0001f6d2",
    'it\'s "so"; \\ --',
    "tab\tand\nline",
    "x" * 300,
)
_TIMES = (
    "2026-03-02T17:30:00Z", "2026-03-01T23:59:59.999999Z", "2024-02-29T00:00:00Z", "2026-07-05T04:05:06.7+02:00",
    "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2100-12-31T12:00:00-11:00", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
)  # fmt: skip
_DATES = ("2026-03-02", "2024-02-29", "1970-01-01", "0001-01-01", "9999-12-31")
_WHOLE = (1, 0, 2, -1, 17, 100, -128, 127)
_BITS = {pa.int8(): 8, pa.int16(): 16, pa.int32(): 32, pa.int64(): 64}
_NUMBERS = (19.5, 0, -0.0, 1, 0.1, -5.25, 1e-30, 1e30, 123456.789)


def odd_records(contract: Contract, features: Features) -> list[str]:
    """Return records for a contract, the same ones each time: first a plain click, then odd ones, then none.

    Texts that the features file compares with stand in the clicks, too: otherwise most of its branches would never be
    taken.
    """
    literals = [text.replace("''", "'") for text in _LITERAL.findall(features.select)]
    values = {field.name: _values(field, literals) for field in contract.click}
    rng = np.random.default_rng(SEED)
    plain = {name: choices[0] for name, choices in values.items()}
    clicks = [plain] + [
        {name: choices[rng.integers(len(choices))] for name, choices in values.items()} for _ in range(CLICKS)
    ]
    return [*(_text(contract, click, number) for number, click in enumerate(clicks)), *_none(contract, plain)]


def _text(contract: Contract, click: dict[str, Any], number: int = 0) -> str:
    record: dict[str, Any] = {}
    for field in writing_order(contract.click):
        for steps in needed_steps_of(field) if click[field.name] is not _ABSENT else ():
            put(record, steps, click[field.name])
    return json.dumps(record, ensure_ascii=bool(number % 2))  # escaped in half of them


def _none(contract: Contract, plain: dict[str, Any]) -> Iterator[str]:
    """Yield records that are no clicks."""
    whole = _text(contract, plain)
    yield from (
        "",
        "not a click",
        "null",
        "[]",
        '"text"',
        whole[:-1],
        whole[: len(whole) // 2],
        f"{whole}}}",
        f"[{whole}]",
    )
    for field in contract.click:
        yield _text(contract, plain | {field.name: {"an": ["object"]}})
        if not field.nullable:
            yield _text(contract, plain | {field.name: None})
            yield _text(contract, plain | {field.name: _ABSENT})
    yield _text(contract, plain | {contract.time: "yesterday"})
    yield _text(contract, plain | {contract.time: "2026-02-30T00:00:00Z"})
    first_key = needed_steps_of(contract.click.field(contract.id))[0][0]
    yield f"{whole[:-1]}, {json.dumps(first_key)}: {json.dumps(plain[contract.id])}}}"


def _values(field: pa.Field, literals: Sequence[str]) -> list[Any]:
    return [*_of_type(field.type, literals), *((None, _ABSENT) if field.nullable else ())]


def _of_type(kind: pa.DataType, literals: Sequence[str]) -> list[Any]:
    """Return values as JSON has them, the plainest first."""
    if pa.types.is_list(kind):
        items = _of_type(kind.value_type, literals)
        return [items[:1], [], items[:3], [None]]
    if pa.types.is_map(kind):
        items = _of_type(kind.item_type, literals)
        return [{"key": items[0]}, {}, {"key": items[-1], "größe": None}]
    if pa.types.is_struct(kind):
        choices = [_values(field, literals) for field in kind]
        rows = [dict(zip(kind.names, row, strict=True)) for row in ([c[0] for c in choices], [c[-1] for c in choices])]
        return [{name: value for name, value in row.items() if value is not _ABSENT} for row in rows]
    if pa.types.is_decimal(kind):
        return [0, 1, 0.5] if kind.scale and kind.precision > kind.scale else [0]
    if kind in _BITS:
        half = 2 ** (_BITS[kind] - 1)
        return [*_WHOLE, half - 1, -half]
    if pa.types.is_floating(kind):
        return list(_NUMBERS)
    if pa.types.is_boolean(kind):
        return [True, False]
    if pa.types.is_timestamp(kind):
        return list(_TIMES)
    if pa.types.is_date(kind):
        return list(_DATES)
    return [*dict.fromkeys((*literals, *_TEXTS))]
