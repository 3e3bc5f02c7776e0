import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from clickscore.scoring.contract import parse_ddl
from clickscore.scoring.duplicate_keys import KeyChecker
from clickscore.scoring.parsing import Parser

CLICK = parse_ddl("id STRING, geo STRUCT<city: STRING, tags: MAP<STRING, INT>>, list ARRAY<STRUCT<a: INT>>", "here")
CHECKER = KeyChecker(CLICK)


def suspects(*records: dict[str, Any]) -> dict[int, int]:
    raw = pa.array([json.dumps(record, separators=(",", ":")).encode() for record in records], pa.binary())
    clicks, rejections = Parser(CLICK).parse(raw)
    return CHECKER.suspects(raw, clicks.flatten(), np.zeros(len(raw), np.int64), rejections)


def test_record_with_as_many_keys_as_values_is_not_looked_into() -> None:
    whole = {"id": "a", "geo": {"city": "b", "tags": {"x": 1, "y": None}}, "list": [{"a": 1}, {}, None, {"a": 2}]}
    assert suspects(whole, {"id": "a", "list": []}, {}) == {}


def test_record_with_more_keys_is_looked_into() -> None:
    assert suspects({"id": "a"}, {"id": None}, {"geo": {"other": 1}}, {"id": '":'}) == {1: 1, 2: 2, 3: 2}


@pytest.mark.parametrize(("record", "pairs", "path"), [
    (b'{"id":"a","id":"b"}', 2, "id"),
    (b'\xef\xbb\xbf{"id":"a","id":"b"}', 2, "id"),
    (b'{"id":"a","x":{"id":"b"}}', 3, None),
    (b'{"x":{"id":"b"},"x":{"id":"b"}}', 4, "x"),
    (b'{"x" :1,"y":{"z" : 2}}', 3, None),
    (b'{"id":"a\\":b"}', 2, None),
    (b'{"x":{"id":"b","id":"b"}}', 3, None),
    (b'{"geo":null,"list":[null]}', 2, None),
    (b'{"id":"a","id":"\\u0022:"}', 2, "id"),
    (b'{"x":{"y":1e999},"z":123456789012345678901234567890}', 3, None),
    (b'{"x":123456789012345678901234567890,"x":1}', 2, "x"),
])  # fmt: skip
def test_only_a_key_of_an_object_that_somebody_reads_counts(record: bytes, pairs: int, path: str | None) -> None:
    assert CHECKER.find(record, pairs) == path
