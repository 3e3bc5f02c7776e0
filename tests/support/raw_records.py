"""Raw records as a stage of the stream gets them from a topic, but for their time."""

import pyarrow as pa

_KINDS = pa.schema([("value", pa.binary()), ("source", pa.string()), ("source_offset", pa.int64())])


def raw_batch(*values: bytes | None, first: int = 0) -> pa.RecordBatch:
    """Return records of one partition, with offsets from ``first`` on."""
    offsets = list(range(first, first + len(values)))
    columns = {"value": list(values), "source": ["clicks-0"] * len(values), "source_offset": offsets}
    return pa.RecordBatch.from_pydict(columns, schema=_KINDS)
