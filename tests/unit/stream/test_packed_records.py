"""Records that are packed with what has become of them, and come out the same."""

import json
from collections.abc import Sequence

import pyarrow as pa
import pytest
from tests.support.raw_records import raw_batch as raw

from clickscore.scoring.parsing import Parsed, parser
from clickscore.stream import packed_records
from clickscore.stream.packed_records import chunks, decoded, message, parsed_of, raw_of

CLICK = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("pages", pa.list_(pa.string())),
    ]
)
GOOD = json.dumps({"id": "a", "at": "2026-03-01T12:00:00.5Z", "pages": ["ü", None]}).encode()


def parsed(records: pa.RecordBatch) -> Parsed:
    return parser(CLICK).parse(records.column("value"))


def packed(*batches: pa.RecordBatch, duplicates: Sequence[int] = ()) -> pa.RecordBatch:
    """Pack each batch in a message of its own; the duplicates are told by their offsets."""
    messages = [message(decoded(batch, parsed(batch))) for batch in batches]
    marks = [bytes(row in duplicates for row in batch["source_offset"].to_pylist()) for batch in batches]
    return pa.RecordBatch.from_arrays([pa.array(messages, pa.binary()), pa.array(marks, pa.binary())],
                                      packed_records.PACKED.names)  # fmt: skip


def test_records_come_out_as_they_came_with_what_has_become_of_them() -> None:
    one, two = raw(GOOD, b"wrong", None), raw(b'{"at": 1}', GOOD, first=3)
    [chunk] = chunks([packed(one, two)])
    whole = pa.concat_batches([one, two])
    assert raw_of(chunk).drop_columns(["_duplicate"]) == whole
    clicks, rejections = parsed_of(chunk)
    assert (clicks.to_pylist(), rejections) == (parsed(whole).clicks.to_pylist(), parsed(whole).rejections)
    assert {row: why.reason for row, why in rejections.items()} == {
        1: "malformed_json",
        2: "tombstone",
        3: "missing_field",
    }


def test_duplicates_come_out_with_a_mark() -> None:
    [chunk] = chunks([packed(raw(GOOD, b"wrong"), raw(GOOD, first=2), duplicates=[2])])
    assert raw_of(chunk)["_duplicate"].to_pylist() == [False, False, True]


def test_messages_are_put_together_until_a_chunk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = [packed(raw(GOOD, GOOD, first=2 * number)) for number in range(5)]
    assert [len(chunk) for chunk in chunks(batches)] == [10]
    monkeypatch.setattr(packed_records, "CHUNK_RECORDS", 5)
    assert [len(chunk) for chunk in chunks(batches)] == [4, 4, 2]
    monkeypatch.setattr(packed_records, "CHUNK_BYTES", 1)
    assert [len(chunk) for chunk in chunks(batches)] == [2, 2, 2, 2, 2]


def test_records_that_are_alike_travel_compressed() -> None:
    records = raw(*[b'{"id": "%d", "page": "https://shop.example/products/shoes"}' % number for number in range(1_000)])
    assert len(message(decoded(records, parsed(records)))) < records.nbytes / 2
