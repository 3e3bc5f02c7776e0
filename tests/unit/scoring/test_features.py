import math
import multiprocessing
import pickle
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from clickscore.errors import ConfigError, SignatureError
from clickscore.scoring.features import Features, check_features, read_features

UTC_TIME = pa.timestamp("us", tz="UTC")
CLICK = pa.schema({"id": pa.string(), "time": UTC_TIME, "n": pa.int32(), "x": pa.float64(), "text": pa.string()})
SHOP = pa.schema({
    **dict.fromkeys(["event_id", "event_type", "visitor_id", "session_id", "page_url", "referrer"], pa.string()),
    **dict.fromkeys(["user_agent", "device", "channel", "country", "product_id", "category"], pa.string()),
    "event_time": UTC_TIME, "returning": pa.bool_(), "viewport_width": pa.int32(), "viewport_height": pa.int32(),
    "price": pa.float64(), "quantity": pa.int32(), "search_query": pa.string(), "dwell_ms": pa.int64(),
    "scroll_depth": pa.float64(),
})  # fmt: skip
MONDAY = datetime(2026, 3, 2, 17, 30, tzinfo=timezone.utc)
INPUTS = pa.schema([pa.field("b", pa.float64()), pa.field("a", pa.int64(), nullable=False)])


def clicks(*rows: dict[str, Any], fields: pa.Schema = CLICK) -> pa.StructArray:
    return pa.array(rows, pa.struct(list(fields)))


def features(folder: Path, selected: str, fields: pa.Schema = CLICK) -> Features:
    file = folder / "features.sql"
    file.write_text(f"SELECT {selected} FROM click")
    return read_features(file, fields)


def shop_features(**click: Any) -> dict[str, Any]:
    shipped = read_features(Path("conf/features.sql"), SHOP)
    return dict(shipped.compute(clicks(click, fields=SHOP)).values[0][0].as_py())


def test_features_have_the_types_that_duckdb_gives_them_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = features(tmp_path, "n / 2 AS half, click.time AS at, n > 1 AS many, upper(text) AS loud, n AS n")
    types = {"half": pa.float64(), "at": UTC_TIME, "many": pa.bool_(), "loud": pa.string(), "n": pa.int32()}
    assert found.schema == pa.schema(types)
    [values] = found.compute(clicks({"n": 3, "text": "é", "time": MONDAY}, {})).values
    assert values.type == pa.struct(list(found.schema))
    assert values[0].as_py() == {"half": 1.5, "at": MONDAY, "many": True, "loud": "É", "n": 3}
    assert set(values[1].as_py().values()) == {None}


def test_time_that_nanoseconds_cannot_hold_is_null_for_a_model(tmp_path: Path) -> None:
    found = features(tmp_path, "time AS at, CAST(time AS DATE) AS day")
    inputs = pa.schema({"at": pa.timestamp("ns", tz="UTC"), "day": pa.timestamp("ns", tz="UTC")})
    check_features(found.schema, inputs, "features.sql")
    years = [1, 1500, 1678, 2026, 2261, 2263, 9999]
    computed = found.compute(
        clicks(*({"time": datetime(year, 3, 1, 12, tzinfo=timezone.utc)} for year in years)), inputs
    )
    assert computed.failures == {}
    for name, hour in (("at", 12), ("day", 0)):
        times = computed.values[0].field(name).cast(pa.timestamp("us", tz="UTC")).to_pylist()
        assert times == [
            datetime(year, 3, 1, hour, tzinfo=timezone.utc) if year in (1678, 2026, 2261) else None for year in years
        ]


def test_each_model_gets_exactly_its_names_types_and_order(tmp_path: Path) -> None:
    # A whole number above one in a double input is what kills a batch when the cast is left to the model.
    found = features(tmp_path, "n AS a, n AS b, text AS c, x AS d")
    other = pa.schema({"d": pa.float32(), "a": pa.float64(), "c": pa.large_string()})
    first, second = found.compute(clicks({"n": 7, "text": "t", "x": 0.5}), INPUTS, other).values
    assert first.type == pa.struct([("b", pa.float64()), ("a", pa.int64())])
    assert first.to_pylist() == [{"b": 7.0, "a": 7}]
    assert second.type == pa.struct(list(other))
    assert second.to_pylist() == [{"d": 0.5, "a": 7.0, "c": "t"}]


def test_number_that_does_not_fit_the_input_is_null(tmp_path: Path) -> None:
    found = features(tmp_path, "x AS whole, x AS single, x AS double")
    inputs = pa.schema({"whole": pa.int32(), "single": pa.float32(), "double": pa.float64()})
    [values] = found.compute(clicks({"x": 1e300}, {"x": 2.5}), inputs).values
    assert values.to_pylist() == [
        {"whole": None, "single": None, "double": 1e300},
        {"whole": 2, "single": 2.5, "double": 2.5},
    ]


def test_nan_and_infinity_reach_a_floating_point_input_and_are_null_in_any_other(tmp_path: Path) -> None:
    found = features(tmp_path, "x AS whole, x AS single, n / 0 AS double")
    inputs = pa.schema({"whole": pa.int64(), "single": pa.float32(), "double": pa.float64()})
    [values] = found.compute(clicks({"x": math.nan, "n": 0}, {"x": -math.inf, "n": 1}), inputs).values
    nan, infinity = values.to_pylist()
    assert nan["whole"] is None
    assert math.isnan(nan["single"])
    assert math.isnan(nan["double"])
    assert infinity == {"whole": None, "single": -math.inf, "double": math.inf}


def test_click_whose_features_raise_is_found_and_the_rest_is_computed(tmp_path: Path) -> None:
    found = features(tmp_path, "CAST(text AS INT) AS a, n AS b")
    texts = [str(n) if n % 40 else f"{n}x" for n in range(100)]
    computed = found.compute(clicks(*[{"text": text, "n": n} for n, text in enumerate(texts)]), INPUTS)
    assert sorted(computed.failures) == [0, 40, 80]
    assert (
        computed.failures[40]
        == "Conversion Error: Could not convert string '40x' to INT32 when casting from source column text"
    )
    rows = computed.values[0].to_pylist()
    assert rows[40] == {"b": None, "a": None}
    assert [row["a"] for row in rows] == [n if n % 40 else None for n in range(100)]


def test_every_click_can_fail(tmp_path: Path) -> None:
    computed = features(tmp_path, "error(text) AS a").compute(clicks({"text": "p"}, {"text": "q"}))
    assert computed.failures == {0: "Invalid Input Error: p", 1: "Invalid Input Error: q"}
    assert len(computed.values[0]) == 2


def test_what_is_told_of_a_failure_is_cut(tmp_path: Path) -> None:
    computed = features(tmp_path, "CAST(text AS INT) AS a").compute(clicks({"text": "y" * 10_000}))
    assert len(computed.failures[0]) == 300


def test_rows_come_out_in_the_order_and_number_they_went_in(tmp_path: Path) -> None:
    count = 100_000
    numbers = pa.array(range(count), pa.int32())
    arrays = [numbers if field.name == "n" else pa.nulls(count, field.type) for field in CLICK]
    many = pa.StructArray.from_arrays(arrays, fields=list(CLICK))
    [values] = features(tmp_path, "n AS n").compute(many).values
    assert values.field("n").equals(numbers)


def test_slice_null_structs_and_no_clicks_at_all_keep_their_length(tmp_path: Path) -> None:
    found = features(tmp_path, "coalesce(n, -1) AS a")
    some = pa.array([{"n": 1}, None, {"n": 3}, {"n": 4}], pa.struct(list(CLICK)))
    assert [row["a"] for row in found.compute(some.slice(1, 2)).values[0].to_pylist()] == [-1, 3]
    [none] = found.compute(some.slice(0, 0), pa.schema({"a": pa.float64()})).values
    assert none.type == pa.struct([("a", pa.float64())])
    assert len(none) == 0


def test_feature_that_reads_no_field_is_computed_for_each_click(tmp_path: Path) -> None:
    assert features(tmp_path, "1 AS one").compute(clicks({}, {})).values[0].to_pylist() == [{"one": 1}] * 2


def test_feature_can_build_on_one_before_it_and_a_field_comes_before_a_feature(tmp_path: Path) -> None:
    found = features(tmp_path, "n * 2 AS double, double + 1 AS more, n + 1 AS n, n + 10 AS ten_more")
    [row] = found.compute(clicks({"n": 1})).values[0].to_pylist()
    assert row == {"double": 2, "more": 3, "n": 2, "ten_more": 11}


def test_name_of_a_feature_can_be_any_text(tmp_path: Path) -> None:
    found = features(tmp_path, 'n AS "my ""best"" feature", n AS "select"')
    inputs = pa.schema({"select": pa.float64(), 'my "best" feature': pa.int64()})
    assert found.compute(clicks({"n": 1}), inputs).values[0].to_pylist() == [{"select": 1.0, 'my "best" feature': 1}]


def test_text_fields_can_hold_json_and_lists_are_worked_on(tmp_path: Path) -> None:
    found = features(tmp_path, "json_extract_string(text, '$.a') AS a, list_sum([v * n FOR v IN [1, 2]]) AS b")
    assert found.compute(clicks({"text": '{"a": "é"}', "n": 2})).values[0].to_pylist() == [{"a": "é", "b": 6}]


def test_features_travel_to_another_process_and_through_a_fork(tmp_path: Path) -> None:
    found = features(tmp_path, "n + 1 AS a")
    assert found.compute(clicks({"n": 1})).values[0].to_pylist() == [{"a": 2}]
    assert pickle.loads(pickle.dumps(found)) == found
    with multiprocessing.get_context("fork").Pool(1) as pool:
        [values] = pool.apply(found.compute, (clicks({"n": 2}),)).values
    assert values.to_pylist() == [{"a": 3}]


def test_module_imports_neither_duckdb_nor_spark() -> None:
    names = "'duckdb', 'pyspark', 'py4j', 'mlflow', 'pandas'"
    code = f"import sys, clickscore.scoring.features; print([m for m in ({names}) if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_time_of_day_is_that_of_utc_on_any_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    code = f"""if True:
        import sys; sys.path.insert(0, "tests/unit/scoring")
        from pathlib import Path
        from test_features import MONDAY, clicks, features
        found = features(Path({str(tmp_path)!r}), "hour(time) AS h, hour(make_timestamp(0)) AS e, isodow(time) AS d")
        print(found.compute(clicks({{"time": MONDAY}})).values[0].to_pylist())"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[{'h': 17, 'e': 0, 'd': 1}]\n"


def test_file_with_a_byte_order_mark_comments_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    file = tmp_path / "f.sql"
    file.write_bytes(
        "\ufeff/* SELECT */ select n AS a, -- FROM click\r\n 'x -- y' AS b\r\nFROM click;\r\n-- end".encode()
    )
    assert read_features(file, CLICK).compute(clicks({"n": 1})).values[0].to_pylist() == [{"a": 1, "b": "x -- y"}]


def test_file_in_another_encoding_is_refused_with_the_position(tmp_path: Path) -> None:
    file = tmp_path / "f.sql"
    file.write_bytes("SELECT 'ä' AS a FROM click".encode("latin-1"))
    with pytest.raises(ConfigError, match="found the byte 0xe4 at position 8; save the file as UTF-8"):
        read_features(file, CLICK)


def test_file_that_cannot_be_read_is_a_wrong_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_features(tmp_path / "none.sql", CLICK)


def test_shipped_features_of_a_click() -> None:
    found = shop_features(
        event_type="add_to_cart", event_time=MONDAY, device="mobile", channel="affiliate", country="DE",
        returning=True, viewport_width=300, viewport_height=600, price=math.e, quantity=2, dwell_ms=0,
        scroll_depth=0.25, search_query="große Töpfe", referrer=None,
    )  # fmt: skip
    assert found == {
        "is_product_view": 0.0, "is_cart_step": 1.0, "is_search": 0.0, "is_removal": 0.0, "is_mobile": 1.0,
        "is_desktop": 0.0, "from_email": 0.0, "from_social": 0.0, "from_paid": 1.0, "from_direct": 0.0,
        "is_returning": 1.0, "is_domestic": 1.0, "hour_of_day": 17.0, "day_of_week": 0.0, "viewport_ratio": 0.5,
        "log_price": 1.0, "quantity": 2.0, "is_landing": 1.0, "log_dwell_s": 0.0, "scroll_depth": 0.25,
        "search_length": 11.0, "has_no_referrer": 1.0,
    }  # fmt: skip


def test_shipped_features_count_days_from_monday_and_divide_to_fractions() -> None:
    sunday = datetime(2026, 3, 8, tzinfo=timezone.utc)
    found = shop_features(event_time=sunday, dwell_ms=500)
    assert found["day_of_week"] == 6.0
    assert found["log_dwell_s"] == pytest.approx(math.log(1.5))


def test_shipped_features_that_have_no_value_are_null() -> None:
    for price in (None, 0.0, -1.0):
        assert shop_features(price=price)["log_price"] is None
    for dwell_ms in (None, -1000, -5000):
        assert shop_features(dwell_ms=dwell_ms)["log_dwell_s"] is None
    assert shop_features(viewport_width=300, viewport_height=0)["viewport_ratio"] is None
    assert {name for name, value in shop_features().items() if value is not None} == {"has_no_referrer"}


def test_feature_that_is_named_twice_is_refused() -> None:
    produced = pa.schema({"a": pa.int64(), "A": pa.int64(), "b": pa.int64()})
    with pytest.raises(SignatureError, match="twice: a"):
        check_features(produced, INPUTS, "features.sql")


def test_all_missing_extra_and_wrong_features_are_named_at_once() -> None:
    with pytest.raises(SignatureError) as caught:
        check_features(pa.schema({"a": pa.string(), "c": pa.int64()}), INPUTS, "features.sql")
    assert str(caught.value).splitlines() == [
        "features.sql does not produce what the model asks for:",
        "  - missing: b DOUBLE",
        "  - extra: c, which the model does not know",
        "  - wrong type: a is VARCHAR, the model wants BIGINT",
    ]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (pa.bool_(), pa.int64()), (pa.decimal128(9, 2), pa.float64()), (pa.float64(), pa.int32()),
        (pa.int8(), pa.bool_()), (pa.int64(), pa.string()), (UTC_TIME, pa.string()), (pa.date32(), UTC_TIME),
        (pa.list_(pa.float64()), pa.list_(pa.float64())),
    ],
)  # fmt: skip
def test_numbers_booleans_and_times_can_be_cast(found: pa.DataType, wanted: pa.DataType) -> None:
    check_features(pa.schema({"a": found}), pa.schema({"a": wanted}), "f.sql")


@pytest.mark.parametrize(
    ("found", "wanted"),
    [(pa.string(), pa.float64()), (UTC_TIME, pa.int64()), (pa.binary(), pa.string()), (pa.null(), pa.float64()),
     (pa.list_(pa.float64()), pa.float64()), (pa.int64(), UTC_TIME)],
)  # fmt: skip
def test_text_times_lists_and_bytes_are_no_numbers(found: pa.DataType, wanted: pa.DataType) -> None:
    with pytest.raises(SignatureError, match="wrong type: a is"):
        check_features(pa.schema({"a": found}), pa.schema({"a": wanted}), "f.sql")


def test_feature_that_is_meant_for_the_other_model_is_not_too_many() -> None:
    produced = pa.schema({"a": pa.int64(), "b": pa.int64(), "c": pa.int64()})
    check_features(produced, INPUTS, "f.sql", pa.schema({"c": pa.int64()}))
    with pytest.raises(SignatureError, match="extra: c"):
        check_features(produced, INPUTS, "f.sql")
