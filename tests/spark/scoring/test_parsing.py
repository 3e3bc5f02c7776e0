import json
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from clickscore.scoring.decoding import MAX_RECORD_BYTES
from clickscore.scoring.parsing import MAX_KEPT_BYTES, parse
from clickscore.storage.schemas import raw as raw_columns

CLICK = T.StructType(
    [
        T.StructField("id", T.StringType(), False),
        T.StructField("at", T.TimestampType(), False),
        T.StructField("price", T.DoubleType()),
        T.StructField("amount", T.DecimalType(5, 2)),
        T.StructField("tags", T.ArrayType(T.StringType())),
        T.StructField(
            "geo", T.StructType([T.StructField("lat", T.DoubleType()), T.StructField("at", T.TimestampType())])
        ),
    ]
)
BOM = b"\xef\xbb\xbf"
NOON = "2026-03-01T12:00:00Z"


def raw(spark: SparkSession, *records: bytes | None) -> DataFrame:
    rows = [(bytearray(r) if r is not None else None, "part-0", number, None) for number, r in enumerate(records)]
    return spark.createDataFrame(rows, raw_columns()).coalesce(1)


def rejections(frame: DataFrame) -> list[tuple[str | None, str | None]]:
    rows = frame.select("_rejection.reason", "_raw").collect()
    return [(row[0], row[1]) for row in rows]


def record(**fields: Any) -> bytes:
    return json.dumps({"id": "a", "at": NOON, **fields}).encode()


def test_good_clicks_keep_their_values_types_and_lineage(spark: SparkSession) -> None:
    parsed = parse(raw(spark, record(price=1, amount="1.50", tags=["x", None], geo={"lat": 2.5}), record()), CLICK)
    chosen = ["id", "CAST(at AS STRING) AS at", "price", "amount", "tags", "geo.lat", "source", "source_offset"]
    expected = spark.createDataFrame(
        [
            ("a", "2026-03-01 12:00:00", 1.0, 1.5, ["x", None], 2.5, "part-0", 0),
            ("a", "2026-03-01 12:00:00", None, None, None, None, "part-0", 1),
        ],
        "id STRING, at STRING, price DOUBLE, amount DOUBLE, tags ARRAY<STRING>, lat DOUBLE, "
        "source STRING, source_offset BIGINT",
    ).selectExpr("id", "at", "price", "CAST(amount AS DECIMAL(5,2)) amount", "tags", "lat", "source", "source_offset")
    assert_df_equality(parsed.selectExpr(*chosen), expected)
    assert rejections(parsed) == [(None, None), (None, None)]


def test_every_record_comes_out_once_and_in_order(spark: SparkSession) -> None:
    parsed = parse(raw(spark, record(id="1"), b"rubbish", None, record(id="2"), b"[]"), CLICK)
    rows = parsed.select("id", "source_offset", "_rejection.reason").collect()
    assert [tuple(row) for row in rows] == [
        ("1", 0, None),
        (None, 1, "malformed_json"),
        (None, 2, "tombstone"),
        ("2", 3, None),
        (None, 4, "not_an_object"),
    ]


def test_rejected_record_keeps_its_text_unchanged_and_a_good_one_does_not(spark: SparkSession) -> None:
    bad = b'{"id":"a",  "at":"caf\xc3\xa9"}\r'
    assert rejections(parse(raw(spark, bad, record()), CLICK)) == [("invalid_time", bad.decode()), (None, None)]


def test_invalid_utf8_is_rejected_even_in_a_field_that_nobody_reads(spark: SparkSession) -> None:
    bad = b'{"id":"a","at":"' + NOON.encode() + b'","unknown":"\xff"}'
    assert rejections(parse(raw(spark, bad), CLICK)) == [("invalid_encoding", bad.decode("iso-8859-1"))]


def test_record_of_5_mb_is_too_large_and_kept_whole(spark: SparkSession) -> None:
    huge = record(id="x" * 5_000_000)
    parsed = parse(raw(spark, huge, record()), CLICK, keep_all=True)
    assert rejections(parsed) == [("too_large", huge.decode()), (None, record().decode())]


def test_record_that_is_too_large_and_no_text_says_how_to_read_its_bytes(spark: SparkSession) -> None:
    huge = record(id="x" * MAX_RECORD_BYTES) + b"\xff"
    assert rejections(parse(raw(spark, huge, record()), CLICK, keep_all=True)) == [
        ("invalid_encoding", huge.decode("iso-8859-1")),
        (None, record().decode()),
    ]


def test_duplicate_keys_are_rejected_but_unknown_nested_and_quoted_ones_are_not(spark: SparkSession) -> None:
    twice = b'{"id":"a","at":"' + NOON.encode() + b'","id":"b"}'
    spaced = b'{ "id" : "a", "at" : "' + NOON.encode() + b'", "id" : "b" }'
    # The space hides one key, so that the others are as many as the fields that are there.
    partly = b'{"id" :"a","at":"' + NOON.encode() + b'","id":"b"}'
    parsed = parse(raw(spark, twice, spaced, partly, record(unknown={"id": 1}), record(id='":":" :')), CLICK)
    assert [reason for reason, _ in rejections(parsed)] == ["duplicate_key"] * 3 + [None, None]


def test_odd_records_with_unknown_fields_are_clicks_or_rejected_but_never_raise(spark: SparkSession) -> None:
    noon = b'{"id":"a","at":"' + NOON.encode() + b'","x":'
    long_number, deep = b"9" * 5_000, b'{"y":' + b"[" * 990 + b"]" * 990 + b"}"
    parsed = parse(
        raw(
            spark,
            BOM + noon + b"1}",
            noon + b'{"y":' + long_number + b"}}",
            noon + deep + b"}",
            BOM + BOM + noon + b"1}",
        ),
        CLICK,
    )
    reasons = [reason for reason, _ in rejections(parsed)]
    assert reasons[:2] == [None, None]
    assert reasons[2] in (None, "malformed_json")
    assert reasons[3] == "malformed_json"


def test_value_that_does_not_fit_its_column_is_rejected(spark: SparkSession) -> None:
    parsed = parse(raw(spark, record(amount="1234567.5"), record(amount="1.5")), CLICK)
    assert [tuple(row) for row in parsed.selectExpr("_rejection.reason", "CAST(amount AS DOUBLE)").collect()] == [
        ("wrong_type", None),
        (None, 1.5),
    ]


def test_times_may_have_a_zone_none_or_be_epoch_numbers(spark: SparkSession) -> None:
    times = [NOON, "2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00", 1772366400, 1772366400000, 1772366400000000]
    parsed = parse(raw(spark, *[record(at=time) for time in times]), CLICK)
    assert {row[0] for row in parsed.selectExpr("unix_micros(at)").collect()} == {1772366400000000}
    edges = parse(raw(spark, record(at="0001-01-01T00:00:00Z"), record(at="9999-12-31T23:59:59.999999Z")), CLICK)
    assert edges.where("_rejection IS NULL").count() == 2


def test_time_that_is_in_year_0_or_10000_of_utc_is_none_wherever_it_stands(spark: SparkSession) -> None:
    early, late = "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"
    parsed = parse(raw(spark, record(at=early), record(at=late), record(geo={"at": late}), record(geo={})), CLICK)
    assert [reason for reason, _ in rejections(parsed)] == ["invalid_time"] * 3 + [None]


def test_raw_records_beyond_the_budget_are_left_out_and_marked(spark: SparkSession) -> None:
    bad = b"x" * (MAX_KEPT_BYTES // 2)
    parsed = parse(raw(spark, bad, bad, bad), CLICK).select("_kept", "_raw").collect()
    assert [(row[0], row[1] is not None) for row in parsed] == [(True, True), (True, True), (False, False)]
    everything = parse(raw(spark, bad, bad, bad), CLICK, keep_all=True).select("_kept").collect()
    assert [row[0] for row in everything] == [True, True, True]


def test_field_names_need_not_be_python_names(spark: SparkSession) -> None:
    click = T.StructType([T.StructField("page-url", T.StringType()), T.StructField("class", T.LongType())])
    row = parse(raw(spark, b'{"page-url":"/x","class":3}'), click).first()
    assert row is not None
    assert (row["page-url"], row["class"]) == ("/x", 3)
