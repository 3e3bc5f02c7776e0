from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from clickscore.scoring.values import decimal_reader, digits, lenient_reader

DECIMAL = pa.decimal128(5, 2)


@pytest.mark.parametrize(("kind", "value", "expected"), [
    (pa.int32(), "1", 1), (pa.int32(), "-7", -7), (pa.int32(), Decimal("5.0"), 5), (pa.int32(), "5.0", 5),
    (pa.int32(), "1e2", 100), (pa.int32(), 2**31 - 1, 2**31 - 1), (pa.int64(), str(-(2**63)), -(2**63)),
    (pa.int8(), "0e999999999", 0),
    (pa.float64(), "8.25", 8.25), (pa.float64(), 8, 8.0), (pa.float64(), Decimal("0.1"), 0.1),
    (pa.float64(), "1e-400", 0.0), (pa.float32(), "3.4028235e38", 3.4028235e38),
    (pa.bool_(), True, True), (pa.bool_(), "true", True), (pa.bool_(), "False", False), (pa.bool_(), "1", True),
    (pa.bool_(), 0, False),
    (pa.string(), "x", "x"), (pa.string(), 12, "12"), (pa.string(), digits("1.50"), "1.50"),
    (pa.string(), digits("1e5"), "1e5"), (pa.string(), False, "false"),
])  # fmt: skip
def test_lenient_field_takes_the_value_in_another_type(kind: pa.DataType, value: Any, expected: Any) -> None:
    found = lenient_reader(kind, "x")(value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(("kind", "value"), [
    (pa.int32(), "5.5"), (pa.int32(), Decimal("5.5")), (pa.int32(), "2147483648"), (pa.int32(), "1e999999999"),
    (pa.int32(), "1_0"), (pa.int32(), " 1"), (pa.int32(), "١٢"), (pa.int32(), "0x10"), (pa.int32(), ""),
    (pa.int32(), "+1"), (pa.int32(), True), (pa.int32(), "1e" + "9" * 30),
    (pa.float64(), "NaN"), (pa.float64(), "Infinity"), (pa.float64(), "1e999"), (pa.float64(), "8,25"),
    (pa.float64(), 10**400), (pa.float32(), "3.4028236e38"), (pa.float64(), []),
    (pa.bool_(), "yes"), (pa.bool_(), 2), (pa.bool_(), Decimal("1.0")), (pa.bool_(), None),
    (pa.string(), []), (pa.string(), {}), (pa.string(), None),
])  # fmt: skip
def test_lenient_field_takes_no_guess(kind: pa.DataType, value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"Expected `x`|Number out of range"):
        lenient_reader(kind, "x")(value)


def test_decimal_takes_a_text_only_where_it_may() -> None:
    for text in ("12.34", "1e1"):
        assert decimal_reader(DECIMAL, "x", True)(text) == Decimal(text)
        with pytest.raises(TypeError, match="got `str`"):
            decimal_reader(DECIMAL, "x", False)(text)
    for text in ("1_0", " 1.00 ", "١٢", "NaN", "1.555", "1000", "1e999999999", "1e-999999999"):
        with pytest.raises(ValueError, match="Expected `x`"):
            decimal_reader(DECIMAL, "x", True)(text)
    with pytest.raises(TypeError, match="got `null`"):
        decimal_reader(DECIMAL, "x", False)(None)
