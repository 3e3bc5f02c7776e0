"""A trial: a sample of raw records goes through contract, features and model, and what becomes of them is counted."""

import base64
import binascii
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clickscore.errors import SourceError
from clickscore.samples.unknown_fields import count_unknown
from clickscore.samples.wrappings import Wrapping, recognise
from clickscore.scoring import ClickScorer, Contract, Features, LoadedModel
from clickscore.scoring.decoding import Rejection
from clickscore.scoring.parsing import parser

AHEAD = timedelta(days=1)
"""A click cannot be from the future; a day allows for clocks and zones that are wrong."""
AGO = timedelta(days=3650)
"""Web shops had no such trackers ten years ago: a time before is more likely in the wrong unit."""
EXAMPLES = 5
MOST_LOOKED_AT = 100
"""Rejected records whose wrapping is looked for: where one has it, nearly all have."""
EXAMPLE_CHARS = 160


@dataclass(frozen=True)
class Group:
    """Rejected records of one reason.

    Attributes:
        count: how many.
        detail: what is said of the first one.
        example: the beginning of the first one.
    """

    count: int
    detail: str
    example: str


@dataclass(frozen=True)
class Trial:
    """What became of a sample.

    Attributes:
        records: how many there were.
        accepted: how many of them are clicks that the features and the model can score.
        rejections: the others by reason, the commonest first.
        unknown: fields that the contract does not have, with the number of records that have them.
        absent: fields of the contract that no click has.
        odd_times: clicks whose time is in the future or more than ten years ago.
        first: the earliest time of a click; None without a click.
        last: the latest.
        examples: some accepted clicks: id, time, features, and the score where there is a model.
        wrapping: what the rejected records, most often, have around the click; None if nothing is recognised.
        wrapped: how many of the rejected records that were looked at have it.
    """

    records: int
    accepted: int
    rejections: Mapping[str, Group]
    unknown: Mapping[str, int]
    absent: tuple[str, ...]
    odd_times: int
    first: datetime | None
    last: datetime | None
    examples: tuple[dict[str, Any], ...]
    wrapping: Wrapping | None = None
    wrapped: int = 0


def attempt(
    records: pa.BinaryArray, contract: Contract, features: Features, model: LoadedModel | None, now: datetime
) -> Trial:
    """Try a sample of records.

    Args:
        records: the raw records.
        contract: what a click is.
        features: what is computed from it.
        model: scores the clicks; without one, they get features only.
        now: the present, with a zone.
    """
    clicks, rejections = parser(contract.click).parse(records)
    computed = features.compute(clicks)
    rejections |= {
        row: Rejection("feature_failed", cause) for row, cause in computed.failures.items() if row not in rejections
    }
    scores: list[float | None] = [None] * len(records)
    if model:
        outcomes = ClickScorer(contract, features, model).score(records)
        scores = outcomes.field(next(iter(model.outputs))).to_pylist()
        texts = zip(outcomes.field("reason").to_pylist(), outcomes.field("detail").to_pylist(), strict=True)
        rejections = {row: Rejection(reason, detail) for row, (reason, detail) in enumerate(texts) if reason}
    accepted = [row for row in range(len(records)) if row not in rejections]
    times = clicks.field(contract.time).take(pa.array(accepted, pa.int64()))
    ends = pc.min_max(times)
    found = [recognise(records[row].as_py() or b"", contract.click) for row in sorted(rejections)[:MOST_LOOKED_AT]]
    wrappings = Counter(wrapping for wrapping in found if wrapping)
    return Trial(
        records=len(records),
        accepted=len(accepted),
        rejections=_grouped(records, rejections),
        unknown=count_unknown(records.to_pylist(), contract.click),
        absent=tuple(name for name in contract.click.names if clicks.field(name).null_count == len(clicks))
        if accepted else (),
        odd_times=sum(not now - AGO <= time <= now + AHEAD for time in times.to_pylist()),
        first=ends["min"].as_py(),
        last=ends["max"].as_py(),
        examples=tuple(
            {**{name: clicks.field(name)[row].as_py() for name in (contract.id, contract.time)},
             **computed.values[0][row].as_py(), **({"score": scores[row]} if model else {})}
            for row in accepted[:EXAMPLES]
        ),
        wrapping=max(wrappings, key=lambda wrapping: wrappings[wrapping], default=None),
        wrapped=max(wrappings.values(), default=0),
    )  # fmt: skip


def _grouped(records: pa.BinaryArray, rejections: Mapping[int, Rejection]) -> dict[str, Group]:
    counts = Counter(rejection.reason for rejection in rejections.values())
    groups = {}
    for reason, count in counts.most_common():
        row = min(row for row, rejection in rejections.items() if rejection.reason == reason)
        text = (records[row].as_py() or b"").decode("utf-8", "backslashreplace")
        example = text if len(text) <= EXAMPLE_CHARS else f"{text[:EXAMPLE_CHARS]}…"
        groups[reason] = Group(count, rejections[row].detail, example)
    return groups


def lines(content: Iterable[bytes]) -> pa.BinaryArray:
    """Return the records of a file of lines, as of a landing file: empty lines count, a byte order mark does not."""
    records = [line.rstrip(b"\r\n") for line in content]
    return pa.array([*(first.removeprefix(BOM_UTF8) for first in records[:1]), *records[1:]], pa.binary())


def from_base64(records: pa.BinaryArray, sample: str) -> pa.BinaryArray:
    """Return the records that lines hold in base64, as ``raw`` in ``rejected_clicks`` does.

    Args:
        records: the lines.
        sample: name of their file, for the message.

    Raises:
        SourceError: if a line is none.
    """
    found = []
    for number, line in enumerate(records.to_pylist(), 1):
        try:
            found.append(base64.b64decode(line, validate=True))
        except binascii.Error as error:
            raise SourceError(
                f"the sample {sample}: expected a record in base64 in line {number}, as source.value is not JSON, "
                f"found something else ({error}). Encode the records, or try JSON with --set "
                f"'source.value={{format: json}}'."
            ) from None
    return pa.array(found, pa.binary())
