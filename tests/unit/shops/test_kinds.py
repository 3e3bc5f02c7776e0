"""Types of values, the strictest that take all of them."""

from decimal import Decimal
from typing import Any

import pytest

from clickscore.shops.kinds import Kind, kind_of, time_kind


@pytest.mark.parametrize(("values", "kind"), [
    ([True, False], Kind("BOOLEAN")),
    (["true", "False"], Kind("BOOLEAN", True)),
    ([1, -2], Kind("BIGINT")),
    ([1, 2**63], Kind("STRING", True)),
    ([1, Decimal("2.5")], Kind("DOUBLE")),
    (["8.25", "-1"], Kind("DOUBLE", True)),
    ([8, "8.25"], Kind("DOUBLE", True)),
    (["1", 2], Kind("BIGINT", True)),
    (["08005", "9000"], Kind("STRING")),
    (["8,25"], Kind("STRING")),
    (["a", 1], Kind("STRING", True)),
    (["a", True], Kind("STRING", True)),
    (["2026-03-01"], Kind("DATE")),
    (["20260301"], Kind("BIGINT", True)),
    (["2026-03-01 12:00:00 UTC", "2026-03-01T12:00:00Z"], Kind("TIMESTAMP")),
    (["10/Oct/2026:13:55:36 -0700"], Kind("TIMESTAMP", format="%d/%b/%Y:%H:%M:%S %z")),
    (["10/Oct/2026:13:55:36 -0700", "yesterday"], Kind("STRING")),
    (["20260301120000"], Kind("BIGINT", True)),
    ([["a"], []], Kind("ARRAY<STRING>")),
    ([[1, None], [2]], Kind("ARRAY<BIGINT>")),
    ([[1, Decimal("2.5")]], Kind("ARRAY<DOUBLE>")),
    ([1, Decimal("1e400")], Kind("STRING", True)),
    ([Decimal("-1e999999999")], Kind("STRING", True)),
    (["9" * 300], Kind("DOUBLE", True)),
    (["9" * 5_000], Kind("STRING")),
    ([8, "9" * 5_000], Kind("STRING", True)),
    ([[1, Decimal("1e400")]], None),
    ([[Decimal("1e400")]], None),
    ([[1, "a"]], None),
    ([[1, 2**63]], None),
    ([[[1]]], None),
    (["a", ["a"]], None),
    (["a", {"b": 1}], None),
])  # fmt: skip
def test_kind_takes_all_values(values: list[Any], kind: Kind | None) -> None:
    assert kind_of(values, is_time=False, is_code=False) == kind


def test_digits_of_an_id_are_no_number() -> None:
    assert kind_of(["17", "18"], is_time=False, is_code=True) == Kind("STRING")


@pytest.mark.parametrize(("values", "kind"), [
    ([1_772_366_400, 1_772_366_401], Kind("TIMESTAMP")),
    (["1772366400123"], Kind("TIMESTAMP")),
    ([Decimal("1772366400.5")], Kind("TIMESTAMP")),
    (["Sun, 01 Mar 2026 12:00:00 GMT"], Kind("TIMESTAMP")),
    (["28.02.2026 12:00"], Kind("TIMESTAMP", format="%d.%m.%Y %H:%M")),
    (["10/Oct/2026:13:55:36 -0700"], Kind("TIMESTAMP", format="%d/%b/%Y:%H:%M:%S %z")),
    (["20260301120000"], Kind("TIMESTAMP", format="%Y%m%d%H%M%S")),
    (["2026-03-01"], Kind("TIMESTAMP", format="%Y-%m-%d")),
    (["13/02/2026 12:00", "01/02/2026 12:00"], Kind("TIMESTAMP", format="%d/%m/%Y %H:%M")),
    ([35, 120], None),
    (["soon"], None),
])  # fmt: skip
def test_times_are_read_as_they_are_written(values: list[Any], kind: Kind | None) -> None:
    assert time_kind(values, is_time=True, least=1.0) == kind


def test_day_and_month_that_could_be_swapped_are_read_so_that_the_sample_spans_less_time() -> None:
    days = time_kind(["01/03/2026 12:00", "02/03/2026 12:00"], is_time=True, least=1.0)
    months = time_kind(["03/01/2026 12:00", "03/02/2026 12:00"], is_time=True, least=1.0)
    assert (days, months) == (Kind("TIMESTAMP", format="%d/%m/%Y %H:%M"), Kind("TIMESTAMP", format="%m/%d/%Y %H:%M"))


def test_number_is_a_time_only_under_the_name_of_one() -> None:
    assert time_kind([1_772_366_400], is_time=False, least=1.0) is None
    assert time_kind(["2026-03-01T12:00:00Z"], is_time=False, least=1.0) == Kind("TIMESTAMP")


def test_some_bad_times_do_not_matter_where_fewer_are_enough() -> None:
    values = ["2026-03-01T12:00:00Z"] * 9 + ["soon"]
    assert time_kind(values, is_time=True, least=0.9) == Kind("TIMESTAMP")
    assert time_kind(values, is_time=True, least=1.0) is None
