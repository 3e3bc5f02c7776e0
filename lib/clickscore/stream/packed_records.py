"""Records on their way through the search for duplicates: decoded, some hundred of a bucket in one Arrow message.

They are unpacked by the stage that scores them. So a record is decoded once, and is no row of the JVM in between.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.scoring.decoding import Rejection
from clickscore.scoring.parsing import Parsed
from clickscore.scoring.scorer import reason_columns
from clickscore.storage.schemas import DUPLICATE

RECORDS, IS_DUPLICATE = "records", "is_duplicate"
PACKED = T.StructType([T.StructField(RECORDS, T.BinaryType()), T.StructField(IS_DUPLICATE, T.BinaryType())])
"""A message with the records of a bucket, and a byte for each of them: whether it is a duplicate."""

COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
"""Of the messages: each is copied a dozen times, between processes and through the shuffle; its records are alike."""
_WITHOUT_THREADS = pa.ipc.IpcReadOptions(use_threads=False)
"""Threads double what it costs to read a message of some hundred records."""
CHUNK_RECORDS, CHUNK_BYTES = 10_000, 64 * 1024 * 1024
"""How many records, and bytes of them, are scored together at most, but for a message that has more by itself. Spark's
limits of an Arrow batch, unless the session sets others; those limit what a message has."""
_CLICK, _REASON, _DETAIL = "_click", "_reason", "_detail"


def is_packed(records: DataFrame) -> bool:
    """Tell whether the records of a micro-batch are packed."""
    return records.columns == PACKED.names


def count(records: DataFrame) -> int:
    """Return how many records there are, packed or not."""
    if not is_packed(records):
        return records.count()
    [row] = records.agg(F.sum(F.octet_length(IS_DUPLICATE))).collect()
    return row[0] or 0


def decoded(raw: pa.RecordBatch, parsed: Parsed) -> pa.RecordBatch:
    """Return raw records with what has become of them beside them, as it is packed."""
    reason, detail = reason_columns(parsed.rejections, len(raw))
    return raw.append_column(_CLICK, parsed.clicks).append_column(_REASON, reason).append_column(_DETAIL, detail)


def message(records: pa.RecordBatch) -> bytes:
    """Pack decoded records."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, records.schema, options=COMPRESSED) as stream:
        stream.write_batch(records)
    return bytes(sink.getvalue().to_pybytes())


def chunks(packed: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Unpack decoded records, and put them together for the scorer.

    Args:
        packed: messages, as in ``PACKED``.

    Yields:
        As many decoded records as are scored together, with ``_duplicate BOOLEAN``.
    """
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in packed:
        for content, marks in zip(*batch.columns, strict=True):
            records = _unpacked(content.as_buffer(), marks.as_buffer())
            if waiting and (rows + len(records) > CHUNK_RECORDS or size + records.nbytes > CHUNK_BYTES):
                yield _together(waiting)
                rows = size = 0
            waiting.append(records)
            rows, size = rows + len(records), size + records.nbytes
    if waiting:
        yield _together(waiting)


def _together(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Return the batches as one; the list is empty then, so that they are not in memory twice while it is scored."""
    whole = pa.concat_batches(batches)
    batches.clear()
    return whole


def _unpacked(content: pa.Buffer, marks: pa.Buffer) -> pa.RecordBatch:
    records = pa.ipc.open_stream(content, options=_WITHOUT_THREADS).read_next_batch()
    return records.append_column(DUPLICATE, pa.array(np.frombuffer(marks, bool)))


def parsed_of(records: pa.RecordBatch) -> Parsed:
    """Return what has become of decoded records."""
    clicks, reasons, details = map(records.column, (_CLICK, _REASON, _DETAIL))
    rows = np.flatnonzero(reasons.is_valid().to_numpy(zero_copy_only=False)).tolist()
    return Parsed(clicks, {row: Rejection(reasons[row].as_py(), details[row].as_py()) for row in rows})


def raw_of(records: pa.RecordBatch) -> pa.RecordBatch:
    """Return decoded records as they came, with ``_duplicate``."""
    return records.drop_columns([_CLICK, _REASON, _DETAIL])
