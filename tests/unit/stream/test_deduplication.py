"""Raw records on their way through the search for duplicates, packed by the hash of their id."""

import pandas as pd
import pyarrow as pa
from tests.support.raw_records import raw_batch

from clickscore.scoring.parsing import parser
from clickscore.stream import deduplication
from clickscore.stream.deduplication import BUCKETS
from clickscore.stream.packed_records import PACKED, chunks, decoded, raw_of
from clickscore.stream.seen_ids import in_order, mark

CLICK = pa.schema([pa.field("id", pa.string(), nullable=False)])
A, B, WRONG = b'{"id": "a"}', b'{"id": "b"}', b"wrong"


def by_bucket(*values: bytes, first: int = 0) -> pa.RecordBatch:
    raw = raw_batch(*values, first=first)
    parsed = parser(CLICK).parse(raw.column("value"))
    return deduplication._by_bucket(decoded(raw, parsed), parsed.clicks.field("id"))


def buckets() -> list[pd.DataFrame]:
    """Two batches of a micro-batch; the second has both ids of the first once more, and each a record without one."""
    rows = pa.Table.from_batches([by_bucket(A, WRONG, B), by_bucket(B, A, WRONG, first=3)]).to_pandas()
    assert rows["bucket"].between(0, BUCKETS - 1).all()
    return [bucket for _, bucket in rows.sort_values("first", ascending=False).groupby("bucket")]


def unpacked(marked: pd.DataFrame) -> list[tuple[int, bytes, bool]]:
    messages = pa.RecordBatch.from_pandas(marked[PACKED.names], preserve_index=False)
    rows = [row for chunk in chunks([messages]) for row in raw_of(chunk).to_pylist()]
    return [(row["source_offset"], row["value"], row["_duplicate"]) for row in rows]


def test_all_records_but_the_first_of_an_id_are_duplicates_in_whatever_order_a_bucket_comes() -> None:
    found = [row for bucket in buckets() for row in unpacked(mark(bucket, [])[0])]
    assert sorted(found) == [
        (0, A, False),
        (1, WRONG, False),
        (2, B, False),
        (3, B, True),
        (4, A, True),
        (5, WRONG, False),
    ]


def test_id_that_was_seen_before_is_a_duplicate_and_is_not_remembered_again() -> None:
    found, remembered = [], 0
    for bucket in buckets():
        _, fresh = mark(bucket, [])
        marked, again = mark(bucket, [in_order(fresh)])
        found += unpacked(marked)
        remembered += len(again)
    assert sorted(value for _, value, is_duplicate in found if not is_duplicate) == [WRONG, WRONG]
    assert remembered == 0
