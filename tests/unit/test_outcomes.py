"""The comparison of shapes finds every difference, and takes nothing else for one."""

from pathlib import Path

import deltalake
import pyarrow as pa
import pytest

from shopsim.outcomes import Agreement, Outcome, compare, of_scorer, of_tables

SCORED, REJECTED = Outcome("c1", None, None, 0.25), Outcome(b"rubbish", "malformed_json", "no", None)


def test_equal_outcomes_in_another_order_agree() -> None:
    assert compare([SCORED, REJECTED], [REJECTED, SCORED]) == Agreement(0, 0, 0.0)


@pytest.mark.parametrize("found", [
    [SCORED, REJECTED._replace(reason="wrong_type")], [SCORED, REJECTED._replace(detail="other words")],
    [SCORED._replace(record="c2"), REJECTED],
])  # fmt: skip
def test_record_with_another_verdict_is_counted_on_both_sides(found: list[Outcome]) -> None:
    assert compare([SCORED, REJECTED], found) == Agreement(2, 0, 0.0)


def test_record_that_is_missing_or_twice_is_counted() -> None:
    assert compare([SCORED, REJECTED], [SCORED]).verdicts == 1
    assert compare([SCORED], [SCORED, SCORED]).verdicts == 1


def test_score_that_differs_by_its_last_bit_is_counted() -> None:
    assert compare([SCORED], [SCORED._replace(score=0.25 + 2**-54)]) == Agreement(0, 1, 2**-54)


def test_click_is_known_by_its_id_and_a_rejected_record_by_its_bytes() -> None:
    answers = [(None, None, 0.25), ("malformed_json", "no", None)]
    found = of_scorer(lambda _: answers, [b'{"event_id": "c1"}', b"rubbish"], "event_id")
    assert list(found) == [SCORED, REJECTED]


def test_tables_give_rejected_records_back_as_bytes(tmp_path: Path) -> None:
    scored = pa.table({"event_id": ["c1"], "score": [0.25]})
    reasons = ["malformed_json", "malformed_json", "invalid_encoding"]
    rejected = pa.table({"raw": ["rubbish", "é", "é"], "reason": reasons, "detail": ["no", "no", "byte 0"]})
    deltalake.write_deltalake(tmp_path / "scored", scored)
    deltalake.write_deltalake(tmp_path / "rejected", rejected)
    found = of_tables(str(tmp_path / "scored"), str(tmp_path / "rejected"), "event_id")
    assert found[:2] == [SCORED, REJECTED]
    assert [outcome.record for outcome in found[2:]] == ["é".encode(), b"\xe9"]
