"""Records that were rejected, as the contract of today sees them."""

import json

from clickscore.scoring import Contract, Features
from clickscore.stream.contract_changes import describe_accepted

CLICK = {"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v"}


def test_records_that_would_be_accepted_are_counted_by_the_reason_they_had(
    contract: Contract, features: Features
) -> None:
    good, bad = (json.dumps(click).encode() for click in (CLICK, {**CLICK, "at": "soon"}))
    found = [(good, "wrong_type"), (good, "wrong_type"), (bad, "wrong_type"), (good, "invalid_time"),
             (b"\xff", "invalid_encoding")]  # fmt: skip
    assert describe_accepted(found, contract, features) == (
        "of 5 recent records that click schema or features have rejected, 3 would be accepted now (2 of 3 "
        "wrong_type, 1 of 1 invalid_time); jobs/replay_rejected.py scores them"
    )


def test_nothing_is_promised_where_nothing_would_change(contract: Contract, features: Features) -> None:
    assert describe_accepted([(b"{", "malformed_json")], contract, features) == (
        "of 1 recent records that click schema or features have rejected, none would be accepted now"
    )
    assert describe_accepted([], contract, features) is None
