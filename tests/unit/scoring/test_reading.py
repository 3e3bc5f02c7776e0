import pickle
from typing import Any

import pyarrow as pa

from clickscore.scoring.contract import parse_ddl
from clickscore.scoring.reading import (
    PLAIN,
    Reading,
    column_of,
    needed_steps_of,
    reading_of,
    reading_problems,
    steps_of,
    with_reading,
    writing_order,
)

CLICK = parse_ddl(
    "id STRING, at TIMESTAMP, day DATE, price DOUBLE, seen ARRAY<STRUCT<at: TIMESTAMP>>, by MAP<STRING, DATE>", "here"
)


def test_reading_travels_with_its_field_beside_the_comment() -> None:
    reading = Reading(("a.b", "c"), None, "%Y%m%d", "UTC", True)
    field = with_reading(pa.field("at", pa.string(), metadata={"comment": "when"}), reading)
    [found] = pickle.loads(pickle.dumps(pa.schema([field.with_nullable(False)])))
    assert reading_of(found) == reading
    assert found.metadata[b"comment"] == b"when"


def test_field_that_is_read_as_usual_has_no_metadata() -> None:
    field = pa.field("at", pa.string())
    assert with_reading(field, PLAIN).metadata is None
    assert reading_of(field) == PLAIN


def test_record_needs_one_of_several_places_or_all_that_a_field_is_made_of() -> None:
    field = pa.field("id", pa.string())
    either = with_reading(field, Reading(("a", "b.c")))
    every = with_reading(field, Reading(("a", "b.c"), is_lenient=True, is_joined=True))
    assert steps_of(either) == steps_of(every) == needed_steps_of(every) == (("a",), ("b", "c"))
    assert needed_steps_of(either) == (("a",),)
    assert writing_order(pa.schema([either, every])) == [every, either]


def test_field_may_be_the_value_of_one_column() -> None:
    def column(**reading: Any) -> str | None:
        return column_of(with_reading(pa.field("id", pa.string()), Reading(**reading)))

    assert column() == "id"
    assert column(is_lenient=True) == "id"
    assert column(paths=("messageId",)) == "messageId"
    assert column(paths=("context.id",)) is None
    assert column(paths=("a", "b")) is None
    assert column(constant="x") is None


def test_what_is_said_of_no_field_or_of_one_that_cannot_be_read_so_is_a_problem() -> None:
    day, lenient = Reading(format="%Y%m%d", zone="UTC"), Reading(is_lenient=True)
    fields = "there are id, at, day, price, seen, by"
    assert reading_problems(CLICK, {"pric": day, "prise": lenient, "price": day, "day": day, "by": lenient}) == [
        f"click.from: there is no field pric; {fields}",
        f"click.lenient: there is no field prise; {fields}",
        "click.from.price: zone needs a TIMESTAMP, and the field has none",
        "click.from.price: format needs a TIMESTAMP or a DATE, and the field has none",
        "click.from.day: zone needs a TIMESTAMP, and the field has none",
        "click.lenient: by has times only, whose spellings are all read anyway",
    ]
    joined = Reading(("a", "b"), is_lenient=True, is_joined=True)
    assert reading_problems(CLICK, {"price": joined, "id": joined}) == [
        "click.from.price: concat makes a text, so the field must be a STRING"
    ]
    assert not reading_problems(CLICK, {"at": day, "seen": day, "price": lenient, "id": lenient})
