"""How much is rejected: when a person is told, and when a run ends."""

import json
from typing import Any

import pyarrow as pa
from pyspark.sql import Row

from clickscore.monitoring.report import Report
from clickscore.scoring import Contract
from clickscore.stream.batch_counts import BatchCounts
from clickscore.stream.rejected_share import LEAST_RECORDS, RejectLimit, RejectWarning, describe

CLICK = pa.schema([("id", pa.string()), ("at", pa.timestamp("us", "UTC"))])
NO_ID: dict[str, Any] = {"cause": "missing_field: id is missing", "example": b'{"no": 1}'}


def counts(read: int, rejected: int, duplicates: int = 0, **found: Any) -> BatchCounts:
    return BatchCounts(read, duplicates, rejected, 0, None, None, ["f"], **{"listed": [], **found})


def report(read: int, rejected: int, duplicates: int | None = None, **found: Any) -> Report:
    scored = read - rejected - (duplicates or 0)
    return Report(0, read, scored, rejected, 1, 0.5, None, "m", "1", duplicates=duplicates, **found)


def test_micro_batch_above_the_limit_is_refused_with_cause_example_and_what_to_do() -> None:
    listed = [Row(value=b'{"no": 1}', reason="missing_field", detail="id is missing")]
    error = RejectLimit(0.9, CLICK).refusal(counts(100, 91, listed=listed), 7)
    assert str(error) == (
        "batch 7: more is rejected than reject_limit (90%) allows: 91 of 100 records (91%) were rejected, most often "
        'missing_field: id is missing; for example {"no": 1}. Do they fit the click schema? jobs/try_clicks.py shows '
        "what becomes of a sample, and why. Nothing of this micro-batch was written, and the next start tries it "
        "again: fix the configuration, or raise the limit, and start again."
    )


def test_micro_batch_at_the_limit_or_of_a_few_records_is_not_refused() -> None:
    limit = RejectLimit(0.9, CLICK)
    assert limit.refusal(counts(100, 90), 7) is None
    assert limit.refusal(counts(LEAST_RECORDS - 1, LEAST_RECORDS - 1), 7) is None
    assert RejectLimit(1.0, CLICK).refusal(counts(100, 100), 7) is None


def test_duplicates_are_no_records_for_the_limit() -> None:
    assert RejectLimit(0.9, CLICK).refusal(counts(1_000, 100, duplicates=895), 7)
    assert RejectLimit(0.9, CLICK).refusal(counts(1_000, 50, duplicates=945), 7) is None


def test_warning_comes_once_until_the_share_has_fallen() -> None:
    watch = RejectWarning(0.5, CLICK)
    told = [watch.add(report(100, rejected, **NO_ID)) for rejected in (50, 51, 100, 50, 60)]
    assert [bool(warning) for warning in told] == [False, True, False, False, True]
    assert str(told[1]).startswith("51 of 100 records (51%) were rejected, most often missing_field: id is missing")


def test_small_micro_batches_are_judged_together() -> None:
    watch = RejectWarning(0.5, CLICK)
    assert [watch.add(report(20, 20, duplicates=0, **NO_ID)) for _ in range(4)] == [None] * 4
    assert str(watch.add(report(60, 4, duplicates=40))).startswith("84 of 100 records (84%) were rejected, most often")


def test_example_in_a_wrapping_comes_with_the_way_out_and_one_from_outside_is_harmless_and_short(
    contract: Contract,
) -> None:
    wrapped = json.dumps({"payload": {"id": "a", "at": 1}}).encode()
    assert "In this example, the click stands under payload: write under click: from: {" in describe(
        1, 1, "missing_field: id is missing", wrapped, contract.click
    )
    told = describe(1, 1, None, b"\x1b[2J\xff" + b"x" * 500, contract.click)
    assert r"for example \x1b[2J\xff" in told
    assert "x" * 160 not in told
    assert "for example" not in describe(1, 1, None, b"a person", contract.click, quotes=False)
    assert describe(1, 1, None, None, contract.click).startswith("1 of 1 records (100%) were rejected. Do they fit")


def test_keys_within_a_field_are_a_part_of_its_value_and_not_named_where_nothing_may_be_quoted(
    contract: Contract,
) -> None:
    click = {"id": "a", "at": 1}
    inner = json.dumps({"tags": {"a person": click}}).encode()
    assert 'under tags."a person"' in describe(1, 1, None, inner, contract.click)
    assert "a person" not in describe(1, 1, None, inner, contract.click, quotes=False)
    outer = json.dumps({"payload": click}).encode()
    assert "under payload" in describe(1, 1, None, outer, contract.click, quotes=False)
