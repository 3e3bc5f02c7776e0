"""What a person reads about a sample."""

from datetime import datetime, timezone
from io import StringIO
from typing import Any

from rich.console import Console

from clickscore.samples.report import print_trial, sentences
from clickscore.samples.trial import Group, Trial
from clickscore.samples.wrappings import Wrapping

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def trial(**found: Any) -> Trial:
    whole: dict[str, Any] = {
        "records": 200, "accepted": 150, "rejections": {}, "unknown": {}, "absent": (), "odd_times": 0, "first": NOON,
        "last": NOON, "examples": (),
    }  # fmt: skip
    return Trial(**{**whole, **found})


def test_first_sentence_counts_the_records() -> None:
    assert next(sentences(trial())) == "200 records: 150 would be scored (75.0%), 50 rejected"
    assert next(sentences(trial(records=0, accepted=0))) == "0 records: 0 would be scored, 0 rejected"


def test_unknown_fields_come_with_their_share_the_commonest_first() -> None:
    said = list(sentences(trial(unknown={"rare": 1, "ip": 100})))
    assert said[-1].endswith("with the share of records: ip (50%), rare (less than 1%)")


def test_odd_times_and_absent_fields_are_said() -> None:
    said = "\n".join(sentences(trial(odd_times=7, absent=("price",))))
    assert "7 times are in the future or more than ten years ago" in said
    assert "no click has: price" in said


def test_tables_show_reasons_and_features_and_obey_nothing_in_them() -> None:
    seen = StringIO()
    rejections = {"malformed_json": Group(50, "[red]no", "\x1b[2J{")}
    print_trial(
        Console(file=seen, width=120),
        trial(rejections=rejections, examples=({"id": "a", "price": 2.5, "n": None},)),
    )
    assert "malformed_json" in seen.getvalue()
    assert "[red]no" in seen.getvalue()
    assert "\\x1b[2J{" in seen.getvalue()
    assert "null" in seen.getvalue()


def test_wrapping_comes_before_all_else_with_what_to_write() -> None:
    wrapping = Wrapping("the click stands under payload", "write under click: from: {id: payload.id}")
    assert list(sentences(trial(wrapping=wrapping, wrapped=40)))[1] == (
        "in 40 of the first 50 rejected records, the click stands under payload: write under click: from: "
        "{id: payload.id}"
    )
