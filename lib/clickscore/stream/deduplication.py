"""Deduplication: an id is scored once within a window of processing time, across micro-batches and restarts.

Spark's own operator has a key for each click: a state store call for it, and at every micro-batch a look at each id of
the window to see whether it has expired. It added 62% to the CPU time of the whole path where this one, with the same
800,000 ids, added 50%, before workers kept what they had read; and it drops what is late by its watermark. Here the key
is a bucket of ids. Records travel to their bucket packed, some hundred in one Arrow message; there the hashes of
their ids are compared with those of the window as whole arrays, and the state (``stream.seen_ids``) holds the window in
slices, each one binary value, so that what has expired leaves as a slice. Nothing is ever dropped for being late: the
window is one of processing time, and a click without a twin in it passes, whatever its event time.

The search comes before the scorer, which gets the records decoded (``stream.packed_records``). The id is held by the
first copy that decodes. One that is rejected later, for a feature or by the model, holds it too.
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
from clickscore.storage.schemas import VALUE
from clickscore.stream.packed_records import PACKED, RECORDS, decoded, message
from clickscore.stream.seen_ids import Hashes, SeenIds
from clickscore.stream.worker_memory import spare_imports

BUCKETS = 16
"""Keys of the state, fixed for the life of a checkpoint; also the most tasks that work on a micro-batch behind it."""

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


BUCKET = T.StructType(
    [
        T.StructField("bucket", T.IntegerType()),
        T.StructField("hashes", T.BinaryType()),
        T.StructField(RECORDS, T.BinaryType()),
        T.StructField("first", T.StringType()),
    ]
)
"""The records of a bucket in one message, with two hashes for each of their ids, and where the first came from."""


def mark_duplicates(raw: DataFrame, contract: Contract, window_ms: int) -> DataFrame:
    """Decode the records of a stream, and mark those whose id was seen within the window.

    Args:
        raw: as in ``schemas.raw``.
        contract: what a click is.
        window_ms: how long an id is remembered at least, in milliseconds of processing time.

    Returns:
        The same records, in another order, packed as in ``packed_records.PACKED``.
    """

    def pack(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            parsed = parser(contract.click).parse(batch.column(VALUE))
            yield _by_bucket(decoded(batch, parsed), parsed.clicks.field(contract.id))
            spare_imports("pack")

    marked: DataFrame = (
        raw.mapInArrow(pack, BUCKET)
        # In a stream this is the time of the micro-batch, which a replay finds in the offset log again.
        .withColumn("now", F.unix_millis(F.current_timestamp()))
        .groupBy("bucket")
        .transformWithStateInPandas(SeenIds(window_ms), PACKED, outputMode="Append", timeMode="None")
    )
    return marked


def _hash(ids: pa.Array) -> Hashes:
    present = ids.is_valid().to_numpy(zero_copy_only=False)
    texts = ids.cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False)
    columns = [pd.util.hash_array(texts, hash_key=key, categorize=False) * present for key in HASH_KEYS]
    return np.stack(columns, axis=1)


def _by_bucket(records: pa.RecordBatch, ids: pa.Array) -> pa.RecordBatch:
    hashes = _hash(ids)
    # Records without an id belong to any bucket; spread, so that a flood of malformed ones keeps all of them busy.
    spread = np.where(hashes.any(axis=1), hashes[:, 0], np.arange(len(hashes), dtype=np.uint64))
    buckets = (spread % np.uint64(BUCKETS)).astype(np.int32)
    order = np.argsort(buckets, kind="stable")
    records, hashes = records.take(pa.array(order)), hashes[order]
    numbers, begins = np.unique(buckets[order], return_index=True)
    ends = [*begins[1:], len(order)][: len(begins)]
    slices = [slice(begin, end) for begin, end in zip(begins, ends, strict=True)]
    first = [_position(records, int(begin)) for begin in begins]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(numbers, pa.int32()),
            pa.array([hashes[part].tobytes() for part in slices], pa.binary()),
            pa.array([message(records.slice(part.start, part.stop - part.start)) for part in slices], pa.binary()),
            pa.array(first, pa.string()),
        ],
        names=BUCKET.names,
    )


def _position(records: pa.RecordBatch, row: int) -> str:
    return f"{records['source'][row]}:{records['source_offset'][row].as_py() or 0:020d}"
