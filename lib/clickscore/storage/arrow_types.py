"""Arrow types become Spark's, with everything that a table keeps: whether a field may be null, and its comment."""

import pyarrow as pa
from pyspark.sql import types as T

_PLAIN: dict[pa.DataType, T.DataType] = {
    pa.string(): T.StringType(),
    pa.binary(): T.BinaryType(),
    pa.bool_(): T.BooleanType(),
    pa.int8(): T.ByteType(),
    pa.int16(): T.ShortType(),
    pa.int32(): T.IntegerType(),
    pa.int64(): T.LongType(),
    pa.float32(): T.FloatType(),
    pa.float64(): T.DoubleType(),
    pa.timestamp("us", tz="UTC"): T.TimestampType(),
    pa.date32(): T.DateType(),
}
_COMMENT = "comment"


def as_spark(schema: pa.Schema, has_comments: bool = True) -> T.StructType:
    """Return the columns of Spark that hold the same values.

    Args:
        schema: fields of the types that a click, its features and its outcome may have, also nested in lists,
            structs and maps; a comment is metadata.
        has_comments: whether comments are carried over; the result of a UDF must not have any.

    Returns:
        The same fields, nullable or not at all depths, with ``{"comment": ...}`` as metadata where there is a comment.
        Elements of arrays and values of maps may be null.

    Raises:
        TypeError: for a type that none of these columns has.
    """
    return T.StructType([_field(field, has_comments) for field in schema])


def _field(field: pa.Field, has_comments: bool) -> T.StructField:
    comment = (field.metadata or {}).get(_COMMENT.encode()) if has_comments else None
    metadata = {} if comment is None else {_COMMENT: comment.decode()}
    return T.StructField(field.name, _type(field.type, has_comments), field.nullable, metadata)


def _type(kind: pa.DataType, has_comments: bool) -> T.DataType:
    if pa.types.is_list(kind):
        return T.ArrayType(_type(kind.value_type, has_comments))
    if pa.types.is_map(kind):
        return T.MapType(_type(kind.key_type, has_comments), _type(kind.item_type, has_comments))
    if pa.types.is_struct(kind):
        return T.StructType([_field(field, has_comments) for field in kind])
    if pa.types.is_decimal(kind):
        return T.DecimalType(kind.precision, kind.scale)
    if kind not in _PLAIN:
        raise TypeError(f"expected an Arrow type that a click or its outcome may have, found {kind}")
    return _PLAIN[kind]
