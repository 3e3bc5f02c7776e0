"""Deduplication: an id is scored once within a window of processing time, across micro-batches and restarts.

Spark's own operator has a key for each click: a state store call for it, and at every micro-batch a look at each id of
the window to see whether it has expired. It added 62% to the CPU time of the whole path where this one, with the same
800,000 ids, added 50%, before workers kept what they had read; and it drops what is late by its watermark. Here the key
is a bucket of ids. Raw records travel to their bucket packed, some hundred in one Arrow message; there the hashes of
their ids are compared with those of the window as whole arrays, and the state (``stream.seen_ids``) holds the window in
slices, each one binary value, so that what has expired leaves as a slice. Nothing is ever dropped for being late: the
window is one of processing time, and a click without a twin in it passes, whatever its event time.

The search comes before the scorer, which then sees raw records as it does without it. The id is held by the first copy
that decodes. One that is rejected later, for a feature or by the model, holds it too.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.scoring.contract import Contract
from clickscore.scoring.parsing import parser
from clickscore.storage.schemas import DUPLICATE, VALUE, Layout
from clickscore.stream.seen_ids import Hashes, SeenIds
from clickscore.stream.worker_memory import spare_imports

BUCKETS = 16
"""Keys of the state, fixed for the life of a checkpoint; also the most tasks that work on a micro-batch behind it."""
COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")
"""Of the messages: each is copied a dozen times, between processes and through the shuffle; its records are alike."""

HASH_KEYS = ("clickscore-id-lo", "clickscore-id-hi")
"""Keys of two 64-bit hashes. Two of a billion ids are equal in 128 bits with a probability below 1e-20; then one click
would count as a duplicate of the other."""

PARTITIONS = "spark.sql.shuffle.partitions"
STATE_STORE = {
    "spark.sql.streaming.stateStore.providerClass":
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
    # A micro-batch writes the slices that it has changed, not the whole state.
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    # Counting keys costs a look-up for each of them.
    "spark.sql.streaming.stateStore.rocksdb.trackTotalNumberOfRows": "false",
}  # fmt: skip


def prepare_state(spark: SparkSession) -> None:
    """Set what this state needs in the session; a stream keeps it, as its checkpoint does."""
    for key, value in STATE_STORE.items():
        spark.conf.set(key, value)
    # Each partition is a state store that is opened and committed at every micro-batch, whether it has a bucket or not.
    partitions = int(spark.conf.get(PARTITIONS) or BUCKETS)
    spark.conf.set(PARTITIONS, str(min(partitions, BUCKETS)))


PACKED = T.StructType(
    [
        T.StructField("bucket", T.IntegerType()),
        T.StructField("hashes", T.BinaryType()),
        T.StructField("records", T.BinaryType()),
        T.StructField("first", T.StringType()),
    ]
)
MARKED = T.StructType([T.StructField("records", T.BinaryType()), T.StructField("is_duplicate", T.BinaryType())])


def mark_duplicates(raw: DataFrame, contract: Contract, layout: Layout, window_ms: int) -> DataFrame:
    """Mark the records of a stream whose id was seen within the window.

    Args:
        raw: as in ``schemas.raw``.
        contract: what a click is.
        layout: the columns of the tables.
        window_ms: how long an id is remembered at least, in milliseconds of processing time.

    Returns:
        The same records, in another order, with ``_duplicate BOOLEAN``.
    """

    def pack(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            clicks = parser(contract.click).parse(batch.column(VALUE)).clicks
            yield _pack_batch(batch, clicks.field(contract.id))
            spare_imports("pack")

    def unpack(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for message, marks in zip(*batch.columns, strict=True):
                yield _unpack_batch(message.as_buffer(), marks.as_buffer())
            spare_imports("unpack")

    marked: DataFrame = (
        raw.mapInArrow(pack, PACKED)
        # In a stream this is the time of the micro-batch, which a replay finds in the offset log again.
        .withColumn("now", F.unix_millis(F.current_timestamp()))
        .groupBy("bucket")
        .transformWithStateInPandas(SeenIds(window_ms), MARKED, outputMode="Append", timeMode="None")
    )
    is_duplicate = T.StructField(DUPLICATE, T.BooleanType())
    return marked.mapInArrow(unpack, T.StructType([*layout.raw, is_duplicate]))


def _hash(ids: pa.Array) -> Hashes:
    present = ids.is_valid().to_numpy(zero_copy_only=False)
    texts = ids.cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False)
    columns = [pd.util.hash_array(texts, hash_key=key, categorize=False) * present for key in HASH_KEYS]
    return np.stack(columns, axis=1)


def _pack_batch(raw: pa.RecordBatch, ids: pa.Array) -> pa.RecordBatch:
    hashes = _hash(ids)
    # Records without an id belong to any bucket; spread, so that a flood of malformed ones keeps all of them busy.
    spread = np.where(hashes.any(axis=1), hashes[:, 0], np.arange(len(hashes), dtype=np.uint64))
    buckets = (spread % np.uint64(BUCKETS)).astype(np.int32)
    order = np.argsort(buckets, kind="stable")
    raw, hashes = raw.take(pa.array(order)), hashes[order]
    numbers, begins = np.unique(buckets[order], return_index=True)
    ends = [*begins[1:], len(order)][: len(begins)]
    slices = [slice(begin, end) for begin, end in zip(begins, ends, strict=True)]
    first = [_position(raw, int(begin)) for begin in begins]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(numbers, pa.int32()),
            pa.array([hashes[part].tobytes() for part in slices], pa.binary()),
            pa.array([_message(raw.slice(part.start, part.stop - part.start)) for part in slices], pa.binary()),
            pa.array(first, pa.string()),
        ],
        names=PACKED.names,
    )


def _message(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=COMPRESSED) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def _position(raw: pa.RecordBatch, row: int) -> str:
    return f"{raw['source'][row]}:{raw['source_offset'][row].as_py() or 0:020d}"


def _unpack_batch(message: pa.Buffer, marks: pa.Buffer) -> pa.RecordBatch:
    records = pa.ipc.open_stream(message).read_next_batch()
    return records.append_column(DUPLICATE, pa.array(np.frombuffer(marks, bool)))
