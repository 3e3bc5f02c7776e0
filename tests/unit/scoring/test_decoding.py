import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from clickscore.scoring.decoding import (
    MAX_DETAIL_CHARS,
    UNUSUAL_IN_A_ROW,
    WITHOUT_A_TRY,
    Decoder,
    Rejection,
    cut,
    encoding_fault,
)

TIME = pa.timestamp("us", tz="UTC")
CLICK = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("at", TIME, nullable=False),
        pa.field("count", pa.int32()),
        pa.field("page-url", pa.string()),
        pa.field("price", pa.float64()),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("geo", pa.struct([pa.field("lat", pa.float64(), nullable=False)])),
    ]
)
GOOD = b'{"id":"a","at":"2026-03-01T12:00:00Z"'
UTC = dt.timezone.utc


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(CLICK)


def reason(decoder: Decoder, record: bytes) -> tuple[str, str]:
    rejection = decoder.decode(record)
    assert isinstance(rejection, Rejection)
    return rejection.reason, rejection.detail


def test_field_that_is_required_may_follow_one_that_is_not() -> None:
    decoder = Decoder(pa.schema([pa.field("a", pa.string()), pa.field("b", pa.int64(), nullable=False)]))
    assert reason(decoder, b'{"a":"x"}') == ("missing_field", "b is missing")
    click = decoder.decode(b'{"b":1}')
    assert (click.f0, click.f1) == (None, 1)
    assert (decoder.blank.f0, decoder.blank.f1) == (None, None)


def test_good_record_keeps_every_value(decoder: Decoder) -> None:
    click = decoder.decode(GOOD + b',"count":3,"page-url":"/x","price":2,"tags":["a"],"geo":{"lat":1.5},"other":{}}')
    assert (click.f0, click.f2, click.f3, click.f4) == ("a", 3, "/x", 2.0)
    assert click.f1 == dt.datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert (click.f5, click.f6) == (["a"], {"lat": 1.5})


def test_byte_order_mark_before_a_record_is_passed_over(decoder: Decoder) -> None:
    assert decoder.decode(b"\xef\xbb\xbf" + GOOD + b"}").f0 == "a"
    assert reason(decoder, b"\xef\xbb\xbf[]") == ("not_an_object", "Expected `object`, got `array`")


@pytest.mark.parametrize("marks", [2, 5_000])
def test_more_than_one_byte_order_mark_is_no_json(decoder: Decoder, marks: int) -> None:
    assert reason(decoder, b"\xef\xbb\xbf" * marks + GOOD + b"}")[0] == "malformed_json"


def test_absent_and_null_fields_are_none(decoder: Decoder) -> None:
    click = decoder.decode(GOOD + b',"count":null}')
    assert (click.f2, click.f3) == (None, None)


@pytest.mark.parametrize(
    ("record", "expected", "detail"),
    [
        (b"", "empty_record", "found nothing"),
        (b" \r", "empty_record", "found nothing"),
        (b"not json", "malformed_json", "malformed"),
        (GOOD, "malformed_json", "truncated"),
        (GOOD + b"} {}", "malformed_json", "trailing characters"),
        (GOOD + b',"price":NaN}', "malformed_json", "invalid character"),
        (b'{"x":' + b"[" * 100_000, "malformed_json", "nested too deeply"),
        (b"[1,2", "malformed_json", "truncated"),
        (b"5 apples", "malformed_json", "trailing characters"),
        (b'{"id":5,"at":"2026-03-01T12:00:00Z"', "malformed_json", "truncated"),
        (b'{"id":5,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "malformed_json", "nested too deeply"),
        (b"[1,2]", "not_an_object", "got `array`"),
        (b"null", "not_an_object", "got `null`"),
        (b'"text"', "not_an_object", "got `str`"),
        (b'{"at":"2026-03-01T12:00:00Z"}', "missing_field", "id is missing"),
        (b'{"ID":"a","at":"2026-03-01T12:00:00Z"}', "missing_field", "id is missing"),
        (b'{"id":null,"at":"2026-03-01T12:00:00Z"}', "missing_field", "id is null"),
        (GOOD + b',"geo":{}}', "missing_field", "geo.lat is missing"),
        (GOOD + b',"count":1.5}', "wrong_type", "$.count"),
        (GOOD + b',"count":"1"}', "wrong_type", "$.count"),
        (GOOD + b',"count":2147483648}', "wrong_type", "<= 2147483647"),
        (GOOD + b',"price":1e999}', "wrong_type", "out of range"),
        (GOOD + b',"tags":[1]}', "wrong_type", "$.tags[0]"),
        (b'{"id":"a","at":true}', "wrong_type", "$.at"),
        (b'{"id":"a","at":"yesterday"}', "invalid_time", "$.at"),
        (b'{"id":"a","at":"2026-02-30T12:00:00Z"}', "invalid_time", "$.at"),
        (b'{"id":"a","at":-5}', "invalid_time", "$.at"),
    ],
)  # fmt: skip
def test_bad_record_gets_the_exact_reason(decoder: Decoder, record: bytes, expected: str, detail: str) -> None:
    found, text = reason(decoder, record)
    assert found == expected
    assert detail in text


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (pa.int8(), ["-128", "127"], ["128", "1.0", "true"]),
        (pa.int16(), ["32767"], ["-32769"]),
        (pa.int64(), ["9223372036854775807"], ["9223372036854775808"]),
        (pa.float32(), ["3.4028234663852886e38", "-3.4028235e38", "1"], ["3.4028236e38", '"1"']),
        (pa.float64(), ["1.7976931348623157e308"], ["1e999", "false"]),
        (pa.bool_(), ["true"], ["1", '"true"']),
        (pa.date32(), ['"2026-03-01"'], ["20000"]),
        (
            pa.decimal128(5, 2),
            ["2", "1.5", "1.500", "5e2", "-0.0", "0e-999999999"],
            ['"1.50"', "true", "1.555", "1000"],
        ),
        (pa.map_(pa.string(), pa.int32()), ["{}", '{"a":1,"b":null}'], ['{"a":"1"}', "[]"]),
        (pa.list_(TIME), ['["2026-03-01T12:00:00Z"]', "[1772366400]"], ["[true]", "[[]]"]),
        (pa.struct([pa.field("a b", pa.string())]), ["{}", '{"a b":null}'], ['{"a b":1}', "[]"]),
    ],
    ids=str,
)
def test_each_type_takes_its_own_values_and_null(kind: pa.DataType, good: list[str], bad: list[str]) -> None:
    decoder = Decoder(pa.schema([pa.field("x", kind)]))
    for value in [*good, "null"]:
        assert not isinstance(decoder.decode(b'{"x":%s}' % value.encode()), Rejection)
    for value in bad:
        assert reason(decoder, b'{"x":%s}' % value.encode())[0] == "wrong_type"


@pytest.mark.parametrize("text", ["12.34", "1_0", " 1.00 ", "١٢", "1e1", "NaN", "Infinity", ""])
def test_decimal_is_a_number_of_json_and_never_a_text(text: str) -> None:
    for kind, value in ((pa.decimal128(5, 2), "%s"), (pa.list_(pa.decimal128(5, 2)), "[%s]")):
        decoder = Decoder(pa.schema([pa.field("x", kind)]))
        expected, detail = reason(decoder, (value % f'"{text}"').join(['{"x":', "}"]).encode())
        assert expected == "wrong_type"
        assert detail.startswith("Expected `decimal(5,2)`, got `str` - at `$.x")


def test_decimal_keeps_all_its_digits() -> None:
    decoder = Decoder(pa.schema([pa.field("x", pa.decimal128(38, 18))]))
    number = "12345678901234567890.123456789012345678"
    assert decoder.decode(b'{"x":%s}' % number.encode()).f0 == Decimal(number)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e-400", "1e999999999", "1e-999999999", "1e" + "9" * 30,
                                    "1e-" + "9" * 30, "9" * 400, "9" * 10_000, "0." + "0" * 10_000 + "1"])  # fmt: skip
@pytest.mark.parametrize("kind", [pa.decimal128(38, 18), pa.decimal128(5, 2), pa.int64(), pa.float64(), pa.string()],
                         ids=str)  # fmt: skip
def test_number_of_any_size_is_a_value_or_a_wrong_type(kind: pa.DataType, number: str) -> None:
    decoder = Decoder(pa.schema([pa.field("x", kind)]))
    click = decoder.decode(b'{"x":%s}' % number.encode())
    if pa.types.is_floating(kind) and isinstance(click.f0 if not isinstance(click, Rejection) else None, float):
        assert click.f0 == 0
    else:
        assert isinstance(click, Rejection)
        assert (click.reason, "$.x" in click.detail) == ("wrong_type", True)


@pytest.mark.parametrize("time", ["10000-01-01T00:00:00Z", "+12026-03-01T12:00:00Z", "yesterday"])
def test_text_that_is_no_time_is_an_invalid_time_at_any_depth(time: str) -> None:
    inner = pa.struct([pa.field("at", TIME), pa.field("day", pa.date32())])
    click = pa.schema([("geo", inner), ("times", pa.list_(TIME)), ("by", pa.map_(pa.string(), inner)), ("e.t", TIME)])
    decoder = Decoder(click)
    for record, path in (('{"geo":{"at":"%s"}}', "$.geo.at"), ('{"geo":{"day":"%s"}}', "$.geo.day"),
                         ('{"times":["%s"]}', "$.times[0]"), ('{"by":{"a":{"at":"%s"}}}', "$.by[...].at"),
                         ('{"e.t":"%s"}', "$.e.t")):  # fmt: skip
        found, detail = reason(decoder, (record % time).encode())
        assert (found, detail.endswith(f" - at `{path}`")) == ("invalid_time", True)
    assert reason(decoder, b'{"geo":{"at":true}}')[0] == "wrong_type"
    assert reason(decoder, b'{"e.t":-5}')[0] == "invalid_time"


@pytest.mark.parametrize("name", ["a`b", "event.time", "x[0]", "$", "Straße"])
def test_reason_is_found_whatever_the_name_of_the_field(name: str) -> None:
    inner = pa.struct([pa.field(name, pa.int32(), nullable=False)])
    decoder = Decoder(pa.schema([pa.field(name, pa.int32(), nullable=False), ("geo", inner)]))
    key = name.encode()
    assert reason(decoder, b'{"%s":"1"}' % key) == ("wrong_type", f"Expected `int`, got `str` - at `$.{name}`")
    assert reason(decoder, b'{"%s":null}' % key) == ("missing_field", f"{name} is null")
    assert reason(decoder, b"{}") == ("missing_field", f"{name} is missing")
    assert reason(decoder, b'{"%s":1,"geo":{}}' % key) == ("missing_field", f"geo.{name} is missing")


def test_date_that_is_none_is_an_invalid_time() -> None:
    decoder = Decoder(pa.schema([pa.field("day", pa.date32())]))
    assert reason(decoder, b'{"day":"2026-02-30"}')[0] == "invalid_time"


def test_bytes_that_are_no_text_are_found() -> None:
    fault = encoding_fault(b'{"id":"\xff"}')
    assert fault == Rejection("invalid_encoding", "expected UTF-8, found invalid start byte at byte 7")
    assert encoding_fault("café".encode()) is None


def test_long_details_are_cut() -> None:
    assert len(cut("x" * 1000)) == MAX_DETAIL_CHARS


def test_records_are_decoded_in_their_order_and_those_that_are_none_are_rejected(decoder: Decoder) -> None:
    usual, unusual = GOOD + b"}", b'{"id":"b","at":"2026-03-01 12:00:00 UTC"}'
    records = [usual, None, unusual, b"{", usual, *[unusual] * 600, b"{", unusual, usual, b"[]"]
    rejections = {1: Rejection("tombstone", "nothing")}
    clicks = decoder.decode_all(records, rejections, unusual=[4])
    assert [click.f0 for click in clicks] == ["a", None, "b", None, "a", *["b"] * 600, None, "b", "a", None]
    assert {row: found.reason for row, found in rejections.items()} == {
        1: "tombstone", 3: "malformed_json", 605: "malformed_json", 608: "not_an_object",
    }  # fmt: skip


def test_usual_spelling_is_not_tried_where_another_one_comes_again_and_again() -> None:
    decoder, tries = Decoder(CLICK), []
    decode_good = decoder.decode_good

    def counted(record: bytes) -> object:
        tries.append(record)
        return decode_good(record)

    decoder.decode_good = counted
    unusual = b'{"id":"b","at":"2026-03-01 12:00:00 UTC"}'
    decoder.decode_all([unusual] * (UNUSUAL_IN_A_ROW + 2 * WITHOUT_A_TRY + 1), {}, unusual=())
    assert len(tries) == UNUSUAL_IN_A_ROW + 1
