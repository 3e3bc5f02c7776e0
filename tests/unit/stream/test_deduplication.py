"""Ids that come twice, as arrays of hashes."""

import numpy as np
import pandas as pd
import pyarrow as pa

from clickscore.stream import deduplication
from clickscore.stream.deduplication import BUCKETS, first_sightings, mark


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


def raw(*records: bytes, first: int = 0) -> pa.RecordBatch:
    count = len(records)
    return pa.RecordBatch.from_pydict(
        {"value": list(records), "source": ["clicks-0"] * count, "source_offset": list(range(first, first + count))},
        schema=pa.schema([("value", pa.binary()), ("source", pa.string()), ("source_offset", pa.int64())]),
    )


def buckets() -> list[pd.DataFrame]:
    """Two batches of a micro-batch; the second has both ids of the first once more, and each a record without one."""
    first, second = raw(b"a", b"wrong", b"b"), raw(b"b", b"a", b"wrong", first=3)
    packed = [
        deduplication._pack_batch(first, pa.array(["a", None, "b"])),
        deduplication._pack_batch(second, pa.array(["b", "a", None])),
    ]
    rows = pa.Table.from_batches(packed).to_pandas()
    assert rows["bucket"].between(0, BUCKETS - 1).all()
    return [bucket for _, bucket in rows.sort_values("first", ascending=False).groupby("bucket")]


def unpacked(marked: pd.DataFrame) -> list[tuple[int, bytes, bool]]:
    rows = []
    for message, marks in marked.itertuples(index=False):
        rows += deduplication._unpack_batch(pa.py_buffer(message), pa.py_buffer(marks)).to_pylist()
    return [(row["source_offset"], row["value"], row["_duplicate"]) for row in rows]


def test_all_records_but_the_first_of_an_id_are_duplicates_in_whatever_order_a_bucket_comes() -> None:
    found = [row for bucket in buckets() for row in unpacked(mark(bucket, [])[0])]
    assert sorted(found) == [
        (0, b"a", False), (1, b"wrong", False), (2, b"b", False),
        (3, b"b", True), (4, b"a", True), (5, b"wrong", False),
    ]  # fmt: skip


def test_id_that_was_seen_before_is_a_duplicate_and_is_not_remembered_again() -> None:
    found, remembered = [], 0
    for bucket in buckets():
        _, fresh = mark(bucket, [])
        marked, again = mark(bucket, [deduplication._sorted(fresh)])
        found += unpacked(marked)
        remembered += len(again)
    assert sorted(value for _, value, is_duplicate in found if not is_duplicate) == [b"wrong", b"wrong"]
    assert remembered == 0
