"""Ids that come twice, as arrays of hashes."""

import numpy as np
import pyarrow as pa

from clickscore.stream import deduplication
from clickscore.stream.deduplication import first_sightings


def hashes(*numbers: int) -> deduplication.Hashes:
    return np.array([[number, number] for number in numbers], np.uint64).reshape(-1, 2)


def test_first_of_equal_ids_is_new() -> None:
    assert first_sightings(hashes(5, 3, 5, 3, 1), []).tolist() == [True, True, False, False, True]


def test_id_seen_in_any_slice_is_not_new() -> None:
    assert first_sightings(hashes(5, 3, 9), [hashes(1, 5), hashes(), hashes(9)]).tolist() == [False, True, False]


def test_ids_that_agree_in_one_hash_only_are_different() -> None:
    here, before = np.array([[7, 1], [7, 2]], np.uint64), np.array([[7, 3]], np.uint64)
    assert first_sightings(here, [before]).tolist() == [True, True]


def test_record_without_an_id_is_never_new_and_never_a_duplicate() -> None:
    assert first_sightings(hashes(0, 0, 4), []).tolist() == [False, False, True]


def raw(*records: bytes) -> pa.RecordBatch:
    count = len(records)
    return pa.RecordBatch.from_pydict(
        {"value": list(records), "source": ["clicks-0"] * count, "source_offset": list(range(count))},
        schema=pa.schema([("value", pa.binary()), ("source", pa.string()), ("source_offset", pa.int64())]),
    )


def test_packed_records_come_back_as_they_were_with_their_marks() -> None:
    records = raw(b'{"id":"a"}', b"wrong", b'{"id":"b"}')
    packed = deduplication._pack_batch(records, pa.array(["a", None, "b"]))
    rows = []
    for message, ids in zip(packed["records"], packed["hashes"], strict=True):
        marks = pa.py_buffer(np.array([True] * (len(ids.as_py()) // 16)).tobytes())
        rows += deduplication._unpack_batch(message.as_buffer(), marks).to_pylist()
    found = {row["source_offset"]: (row["value"], row["_duplicate"]) for row in rows}
    assert found == {0: (b'{"id":"a"}', True), 1: (b"wrong", True), 2: (b'{"id":"b"}', True)}
