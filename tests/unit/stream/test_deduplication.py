"""Raw records on their way through the search for duplicates, packed by the hash of their id."""

import pandas as pd
import pyarrow as pa

from clickscore.stream import deduplication
from clickscore.stream.deduplication import BUCKETS
from clickscore.stream.seen_ids import in_order, mark


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
        marked, again = mark(bucket, [in_order(fresh)])
        found += unpacked(marked)
        remembered += len(again)
    assert sorted(value for _, value, is_duplicate in found if not is_duplicate) == [b"wrong", b"wrong"]
    assert remembered == 0


def test_records_that_are_alike_travel_compressed() -> None:
    records = [b'{"id": "%d", "page": "https://shop.example/products/shoes"}' % number for number in range(1_000)]
    packed = deduplication._pack_batch(raw(*records), pa.array([str(number) for number in range(1_000)]))
    assert sum(map(len, packed.column("records").to_pylist())) < sum(map(len, records)) / 2
