"""What is not reached of a source is said, with what to do about it."""

from pathlib import Path
from typing import Any

import pytest

from clickscore.config.source import DeltaSource, FolderSource, KafkaSource
from clickscore.erasure import unreached
from clickscore.errors import SourceError

DAY_MS = 86_400_000
FOR_GOOD = "for good (retention.ms=-1, or the topic is compacted): write a tombstone for their keys"
KAFKA = KafkaSource(kind="kafka", bootstrap_servers="broker:9092", topics=("clicks",))


def said(source: object) -> list[str]:
    no_session: Any = None  # only a broker needs one
    return list(unreached.of_source(no_session, source))


def test_files_and_tables_that_are_read_are_named(tmp_path: Path) -> None:
    assert said(FolderSource(kind="folder", path=str(tmp_path))) == [
        f"{tmp_path}: the files that were read; delete or rewrite them yourself"
    ]
    assert said(DeltaSource(kind="delta", table="shop.bronze")) == [
        "shop.bronze: the table that is read; delete the rows there, and vacuum it"
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [("interval 1 week", "interval 1 week"), (" INTERVAL 2 days", " INTERVAL 2 days"), ("7 days", "INTERVAL 7 days")],
)
def test_interval_of_a_property_is_one_of_sql_in_either_spelling(written: str, read: str) -> None:
    assert unreached.as_sql(written) == read


def test_topics_are_named_with_their_retention(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"clicks": 7 * DAY_MS, "keyed": None}
    monkeypatch.setattr(unreached, "read_retention", lambda *_: kept)
    assert said(KAFKA) == [
        "topic clicks: its records stay for 7 days, 0:00:00 after they were written",
        f"topic keyed: its records stay {FOR_GOOD}",
    ]


@pytest.mark.parametrize(
    ("unit", "retention", "is_beyond"),
    [
        ({"unit": "session", "session": "visit"}, {"scored": "9 days"}, True),
        ({"unit": "session", "session": "visit"}, {"scored": "9 days", "outcomes": "10 days"}, True),
        ({"unit": "session", "session": "visit"}, {"scored": "9 days", "outcomes": "9 days"}, False),
        ({"unit": "session", "session": "visit"}, {"rejected": "9 days"}, False),
        ({"unit": "session", "session": "visit"}, None, False),
        ({"unit": "visitor"}, {"scored": "9 days"}, False),
    ],
)
def test_outcomes_that_outlive_their_clicks_are_nobodys(
    shop: Any, unit: dict[str, str], retention: dict[str, str] | None, is_beyond: bool
) -> None:
    shop.set(outcome={"success": "price > 9", "window": "1 hour", **unit}, retention=retention)
    assert unreached.is_beyond_clicks(shop.config) == is_beyond


def test_broker_that_does_not_tell_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise SourceError("source: broker:9092 cannot be read: no right.")

    monkeypatch.setattr(unreached, "read_retention", refuse)
    assert said(KAFKA) == [
        "the topics: it is not known how long their records stay: source: broker:9092 cannot be read: no right."
    ]
