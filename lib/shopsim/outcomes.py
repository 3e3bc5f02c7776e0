"""What became of raw records, in whichever shape they were scored, in one form that can be compared.

The readers share no code with the scorer: tables are read by delta-rs, the service is asked over HTTP. A scored click
is known by its id, a rejected record by its bytes.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import httpx
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

REQUEST_RECORDS = 500
PATIENCE_S = 60.0
LATIN = "invalid_encoding"
"""The reason whose ``raw`` holds each byte as the character of that number, because the bytes are no UTF-8."""

SCORED = "SELECT {id} AS id, score FROM scored"
REJECTED = "SELECT raw, reason, detail FROM rejected"


class Outcome(NamedTuple):
    """What became of one record.

    Attributes:
        record: the id of a scored click, the bytes of a rejected record.
        reason: why it was rejected; None for a scored click.
        detail: what exactly was wrong with it.
        score: of a scored click.
    """

    record: str | bytes
    reason: str | None
    detail: str | None
    score: float | None


class Agreement(NamedTuple):
    """How the outcomes of two shapes compare.

    Attributes:
        verdicts: records with another verdict, reason or detail, or that only one of the two has.
        scores: clicks with another score, if only by its last bit.
        worst: largest difference between two scores of a click.
    """

    verdicts: int
    scores: int
    worst: float


def compare(expected: Iterable[Outcome], found: Iterable[Outcome]) -> Agreement:
    """Compare what became of the same records in two shapes."""
    one, other = list(expected), list(found)
    verdicts = Counter(outcome[:3] for outcome in one)
    verdicts.subtract(outcome[:3] for outcome in other)
    scores = {outcome.record: outcome.score for outcome in other if outcome.score is not None}
    differences = [
        abs(outcome.score - scores[outcome.record])
        for outcome in one
        if outcome.score is not None and scores.get(outcome.record) not in (None, outcome.score)
    ]
    return Agreement(sum(map(abs, verdicts.values())), len(differences), max(differences, default=0.0))


def of_tables(scored: str, rejected: str, click_id: str) -> list[Outcome]:
    """Read what is in the two tables of a run."""
    builder = QueryBuilder().register("scored", DeltaTable(scored)).register("rejected", DeltaTable(rejected))
    clicks = pa.table(builder.execute(SCORED.format(id=f'"{click_id}"'))).to_pylist()
    others = pa.table(builder.execute(REJECTED)).to_pylist()
    return [Outcome(row["id"], None, None, row["score"]) for row in clicks] + [
        Outcome(_bytes(row["raw"], row["reason"]), row["reason"], row["detail"], None) for row in others
    ]


def _bytes(raw: str, reason: str) -> bytes:
    return raw.encode("latin-1" if reason == LATIN else "utf-8")


def of_service(url: str, records: Sequence[bytes], click_id: str) -> Iterator[Outcome]:
    """Ask a running service, some records at a time.

    Raises:
        httpx.HTTPStatusError: if it does not answer with 200.
    """
    with httpx.Client(timeout=PATIENCE_S) as client:
        for first in range(0, len(records), REQUEST_RECORDS):
            part = records[first : first + REQUEST_RECORDS]
            answer = client.post(url, content=b"\n".join(part), headers={"Content-Type": "application/x-ndjson"})
            for record, found in zip(part, answer.raise_for_status().json()["outcomes"], strict=True):
                yield _outcome(record, found["reason"], found["detail"], found["score"], click_id)


def of_scorer(
    score: Callable[[Sequence[bytes]], Iterable[tuple[str | None, str | None, float | None]]],
    records: Sequence[bytes], click_id: str,
) -> Iterator[Outcome]:  # fmt: skip
    """Ask a scorer in this process, which returns reason, detail and score of each record."""
    for record, found in zip(records, score(records), strict=True):
        yield _outcome(record, *found, click_id)


def _outcome(record: bytes, reason: str | None, detail: str | None, score: float | None, click_id: str) -> Outcome:
    return Outcome(record if reason else str(json.loads(record)[click_id]), reason, detail, score)
