"""Sizes, intervals and references, as people write them."""

import pytest
from pydantic import TypeAdapter, ValidationError

from clickscore.config.fields import Milliseconds, Reference, Size, interval_ms, interval_text, nearest


@pytest.mark.parametrize(
    ("text", "value"),
    [("10 minutes", 600_000), ("1 hour", 3_600_000), ("250 milliseconds", 250), ("400 days", 34_560_000_000)],
)
def test_interval_is_read_in_milliseconds(text: str, value: int) -> None:
    assert TypeAdapter(Milliseconds).validate_python(text) == value


@pytest.mark.parametrize("text", ["400 days", "1 hour", "90 minutes", "1 millisecond", "1,001 milliseconds"])
def test_interval_is_shown_in_its_largest_unit(text: str) -> None:
    assert interval_text(interval_ms(text.replace(",", ""))) == text


@pytest.mark.parametrize("text", ["10", "ten minutes", "0 seconds", 10])
def test_what_is_no_interval_is_refused(text: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Milliseconds).validate_python(text)


def test_size_has_binary_units() -> None:
    assert TypeAdapter(Size).validate_python("2 MiB") == 2 * 1024 * 1024


@pytest.mark.parametrize("text", ["env:KAFKA_PASSWORD", "file:/run/secrets/kafka", "secret:shop/kafka-password"])
def test_reference_says_where_a_secret_is(text: str) -> None:
    assert TypeAdapter(Reference).validate_python(text) == text


@pytest.mark.parametrize("text", ["hunter2", "env:", "secret:scope", "vault:x"])
def test_anything_else_may_be_the_secret_itself(text: str) -> None:
    with pytest.raises(ValidationError, match="expected a reference to a secret"):
        TypeAdapter(Reference).validate_python(text)


def test_nearest_name_is_hinted_at() -> None:
    assert nearest("topic", ["topics", "start"]) == "; did you mean topics?"
    assert nearest("xyz", ["topics", "start"]) == ""


def test_what_nothing_can_count_is_too_much() -> None:
    with pytest.raises(ValueError, match=r"expected an interval of 36,500 days at most, found '36501 days'"):
        interval_ms("36501 days")
    assert interval_ms("36500 days") == 36_500 * 86_400_000
    for size in ("9000000000 GiB", 2**63):
        with pytest.raises(ValueError, match="less than or equal to 9223372036854775807"):
            TypeAdapter(Size).validate_python(size)
