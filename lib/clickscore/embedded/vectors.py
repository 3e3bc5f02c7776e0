"""Test vectors: raw records with what must become of them, for a program in any language that reads the folder."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isclose, isfinite
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from clickscore.embedded.manifest import VECTORS
from clickscore.errors import ConfigError
from clickscore.scoring import ClickScorer, Contract, Features, LoadedModel
from clickscore.scoring.parsing import parser

ONNX_TOLERANCE = 1e-6
"""Largest difference of a score by ``model.onnx`` from that of the model's own file."""


@dataclass(frozen=True)
class Vector:
    """A line of ``test_vectors.jsonl``.

    Attributes:
        record: the raw record.
        verdict: ``scored`` or ``rejected``.
        reason: why it is rejected.
        features: the inputs of the model, null for a record that has none. A BIGINT is a text of digits, NaN and
            infinities are texts as well: JSON of other languages would not keep them.
        scores: the score columns, null for a rejected record.
    """

    record: str
    verdict: str
    reason: str | None
    features: dict[str, Any] | None
    scores: dict[str, float] | None


def evaluate(records: list[str], contract: Contract, features: Features, model: LoadedModel) -> list[Vector]:
    """Return what becomes of raw records."""
    raw = pa.array(records, pa.string()).cast(pa.binary())
    outcomes = ClickScorer(contract, features, model).score(raw)
    reasons = outcomes.field("reason").to_pylist()
    scores = {name: outcomes.field(name).to_pylist() for name in model.outputs}
    clicks, rejections = parser(contract.click).parse(raw)
    computed = features.compute(clicks, model.inputs)
    types = {field.name: field.type for field in model.inputs}
    without = rejections.keys() | computed.failures.keys()
    return [
        Vector(
            record,
            "rejected" if reasons[row] else "scored",
            reasons[row],
            None if row in without else _portable(computed.values[0][row].as_py(), types),
            None if reasons[row] else {name: scores[name][row] for name in model.outputs},
        )
        for row, record in enumerate(records)
    ]


def _portable(row: Mapping[str, Any], types: Mapping[str, pa.DataType]) -> dict[str, Any]:
    return {name: _portable_value(value, types[name]) for name, value in row.items()}


def _portable_value(value: Any, type_: pa.DataType) -> Any:
    if value is None:
        return None
    if type_ == pa.int64():
        return str(value)
    if pa.types.is_floating(type_) and not isfinite(value):
        return "NaN" if value != value else ("Infinity" if value > 0 else "-Infinity")
    return value


def as_lines(vectors: Iterable[Vector]) -> bytes:
    """Return the content of ``test_vectors.jsonl``."""
    return b"".join(msgspec.json.encode(vector) + b"\n" for vector in vectors)


def read_vectors(folder: Path) -> list[Vector]:
    """Read the test vectors of an exported folder.

    Raises:
        ConfigError: if there are none that can be read.
    """
    file = folder / VECTORS
    try:
        return [msgspec.json.decode(line, type=Vector) for line in file.read_bytes().splitlines()]
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(file), [f"expected test vectors, one JSON object in a line: {error}"]) from None


def differences(expected: list[Vector], found: list[Vector], tolerance: float = 0.0) -> list[str]:
    """Say which records have become something else; scores may differ by the tolerance, everything else may not."""
    return [
        f"{each.record[:80]!r}: expected {_gist(each)}, found {_gist(other)}"
        for each, other in zip(expected, found, strict=True)
        if (each.verdict, each.reason, each.features) != (other.verdict, other.reason, other.features)
        or not _is_close(each.scores, other.scores, tolerance)
    ]


def _is_close(expected: dict[str, float] | None, found: dict[str, float] | None, tolerance: float) -> bool:
    if expected is None or found is None:
        return expected is found
    return expected.keys() == found.keys() and all(
        isclose(expected[name], found[name], rel_tol=0, abs_tol=tolerance) for name in expected
    )


def _gist(vector: Vector) -> str:
    return f"{vector.reason or vector.scores} with the features {vector.features}"
