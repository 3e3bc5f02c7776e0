import pyarrow as pa
import pytest
from pyspark.sql import types as T

from clickscore.storage.arrow_types import as_spark


@pytest.mark.parametrize(
    ("arrow", "spark"),
    [
        (pa.string(), T.StringType()),
        (pa.binary(), T.BinaryType()),
        (pa.bool_(), T.BooleanType()),
        (pa.int8(), T.ByteType()),
        (pa.int16(), T.ShortType()),
        (pa.int32(), T.IntegerType()),
        (pa.int64(), T.LongType()),
        (pa.float32(), T.FloatType()),
        (pa.float64(), T.DoubleType()),
        (pa.decimal128(5, 2), T.DecimalType(5, 2)),
        (pa.timestamp("us", tz="UTC"), T.TimestampType()),
        (pa.date32(), T.DateType()),
        (pa.list_(pa.int32()), T.ArrayType(T.IntegerType())),
        (pa.map_(pa.string(), pa.int64()), T.MapType(T.StringType(), T.LongType())),
    ],
    ids=str,
)
def test_type_becomes_the_one_that_holds_the_same_values(arrow: pa.DataType, spark: T.DataType) -> None:
    assert as_spark(pa.schema([pa.field("x", arrow)])) == T.StructType([T.StructField("x", spark)])


def test_not_null_and_comments_are_kept_at_all_depths() -> None:
    lat = pa.field("lat", pa.float64(), nullable=False, metadata={b"comment": "Breite, in °".encode()})
    schema = pa.schema(
        [
            pa.field("id", pa.string(), nullable=False, metadata={b"comment": b""}),
            pa.field("geo", pa.struct([lat, pa.field("lon", pa.float64())])),
            pa.field("visits", pa.list_(pa.struct([lat]))),
        ]
    )
    inner = T.StructField("lat", T.DoubleType(), False, {"comment": "Breite, in °"})
    assert as_spark(schema) == T.StructType(
        [
            T.StructField("id", T.StringType(), False, {"comment": ""}),
            T.StructField("geo", T.StructType([inner, T.StructField("lon", T.DoubleType())])),
            T.StructField("visits", T.ArrayType(T.StructType([inner]))),
        ]
    )


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.timestamp("ms", tz="UTC"), pa.large_string(), pa.null()])
def test_type_that_no_column_has_is_refused(kind: pa.DataType) -> None:
    with pytest.raises(TypeError, match=f"found {kind}".replace("[", r"\[")):
        as_spark(pa.schema([pa.field("x", kind)]))
