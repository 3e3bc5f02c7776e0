"""Unknown fields of a run, counted for each day."""

from collections import Counter
from datetime import date, timedelta

import pyarrow as pa
from pyspark.errors import PySparkException

from clickscore.monitoring.report import Report
from clickscore.stream.field_counts import MOST_DAYS, MOST_FIELDS, Day, Days, FieldCounts, in_words

CLICK = pa.schema([("id", pa.string())])
MONDAY = date(2026, 3, 2)


def report(*records: bytes) -> Report:
    return Report(0, len(records), 0, len(records), 1, 0.5, None, "m", "1", sampled=records)


def counting(days: Days | None = None) -> FieldCounts:
    return FieldCounts(CLICK, days or {}, lambda _: None)


def test_fields_of_each_day_come_with_their_share_of_the_sample_the_newest_day_first() -> None:
    fields = counting()
    fields.add(report(b'{"id": "a", "ip": 1}', b'{"id": "b"}'), MONDAY)
    fields.add(report(b'{"id": "a", "ip": 1}', b"rubbish"), MONDAY)
    fields.add(report(b'{"utm": 1, "\\u001b[2J": 1}'), MONDAY + timedelta(days=1))
    assert list(fields.of_run()) == [
        "fields that the click schema does not have, in 1 sampled records of 2026-03-03: \\x1b[2J (100%), utm (100%)",
        "fields that the click schema does not have, in 4 sampled records of 2026-03-02: ip (50%)",
    ]


def test_days_of_earlier_runs_are_kept_but_are_none_of_this_run() -> None:
    fields = counting({"2026-03-01": Day(10, Counter(ip=5)), "2026-03-02": Day(1, Counter(ip=1))})
    fields.add(report(b'{"id": "a"}'), MONDAY)
    [said] = fields.of_run()
    assert said.endswith("in 2 sampled records of 2026-03-02: ip (50%)")
    assert len(list(in_words(fields.days))) == 2


def test_neither_days_nor_fields_grow_without_end() -> None:
    fields = counting()
    for number in range(MOST_DAYS + 5):
        many = report(*(b'{"f%d": 1}' % name for name in range(MOST_FIELDS + 5)))
        assert len(fields.add(many, MONDAY + timedelta(days=number))) == MOST_FIELDS
    assert len(fields.days) == MOST_DAYS
    assert min(fields.days) == "2026-03-07"
    assert {len(day.fields) for day in fields.days.values()} == {MOST_FIELDS}


def test_counts_that_cannot_be_kept_end_no_stream() -> None:
    def fail(_: Days) -> None:
        raise PySparkException("no space left")

    FieldCounts(CLICK, {}, fail).close()
