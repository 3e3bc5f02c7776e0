"""An exported folder becomes a scorer: raw records in, one outcome for each, by the same function as the stream."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from math import inf
from pathlib import Path
from typing import Any

import pyarrow as pa

from clickscore.embedded.manifest import BOOSTER_FILE, CLICK, FEATURES, ONNX_FILE, Manifest, read_manifest
from clickscore.embedded.vectors import ONNX_TOLERANCE, differences, evaluate, read_vectors
from clickscore.errors import ConfigError, ModelError
from clickscore.scoring import ClickScorer, Contract, Features, LoadedModel, read_contract, read_features
from clickscore.scoring import models as native
from clickscore.scoring.features import check_features
from clickscore.scoring.isolation import Tolerance, describe
from clickscore.scoring.onnx_models import load_onnx

CALL_RECORDS = 4_096
"""Records in one call of the scorer: more cost memory, and gain no speed."""
TOLERANCE = Tolerance(time_limit_s=10, count=inf, hangs=inf)
"""The model may fail as often as it likes, for as long as the program lives; each failure is a click's own outcome."""
FILES = {native.BOOSTER: BOOSTER_FILE, native.ONNX: ONNX_FILE}
"""The file of each kind of model."""
_LIBRARIES = {native.BOOSTER: "lightgbm", native.ONNX: "onnxruntime"}

Record = Mapping[str, Any] | str | bytes | None
"""A raw record: bytes or text as they come, the object that the JSON is made of, or None for no value at all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has become of a record.

    Attributes:
        verdict: ``scored`` or ``rejected``.
        score: the score; None for a rejected record.
        scores: every score column, ``score`` first; the values are None for a rejected record.
        click: the fields of the click, all None for a record that could not be decoded.
        reason: why the record is rejected, a code as in ``rejected_clicks``; None for a scored click.
        detail: the reason in words.
    """

    verdict: str
    score: float | None
    scores: Mapping[str, float | None]
    click: Mapping[str, Any]
    reason: str | None
    detail: str | None


class EmbeddedScorer:
    """Scores raw records with the files of an exported folder.

    Several threads may call it. A model that hangs is interrupted after ten seconds in the main thread only.

    Attributes:
        manifest: what was exported: model, version, inputs, outputs.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, contract: Contract, features: Features, model: LoadedModel,
        tolerance: float,
    ) -> None:  # fmt: skip
        """Put the parts together; ``load`` reads them from a folder.

        Args:
            folder: the exported folder.
            manifest: its manifest.
            contract: what a click is.
            features: what is computed from it.
            model: scores it.
            tolerance: by how much its scores may differ from those of the test vectors.
        """
        self.manifest, self._tolerance = manifest, tolerance
        self._folder, self._contract, self._features, self._model = folder, contract, features, model
        self._scorer = ClickScorer(contract, features, model)

    def score(self, record: Record) -> Outcome:
        """Score one raw record; whatever is wrong with it becomes its outcome.

        Args:
            record: JSON as bytes or text; a dictionary is written as JSON first, with dates and times in ISO 8601.

        Raises:
            TypeError: if a dictionary holds what JSON cannot.
        """
        return self.score_many([record])[0]

    def score_many(self, records: Iterable[Record]) -> list[Outcome]:
        """Score raw records; one outcome for each, in their order. Many in one call cost far less than one by one."""
        raw = as_binary(records)
        calls = [raw.slice(first, CALL_RECORDS) for first in range(0, len(raw), CALL_RECORDS)]
        return [outcome for call in calls for outcome in self._outcomes(call)]

    def check(self) -> list[str]:
        """Score the test vectors of the folder; return what differs here from where it was exported, if anything.

        Another version of DuckDB or of the model's library, or another processor, may make a difference.
        """
        expected = read_vectors(self._folder)
        records = [vector.record for vector in expected]
        found = evaluate(records, self._contract, self._features, self._model)
        return differences(expected, found, self._tolerance)

    def _outcomes(self, raw: pa.BinaryArray) -> Iterator[Outcome]:
        columns = self._scorer.score(raw)
        names = self._contract.click.names
        for row in columns.to_pylist():
            scores = {name: row[name] for name in self._model.outputs}
            reason = row["reason"]
            yield Outcome(
                "rejected" if reason else "scored", scores["score"], scores, {name: row[name] for name in names},
                reason, row["detail"],
            )  # fmt: skip


def load(folder: str | Path, onnx: bool = False) -> EmbeddedScorer:
    """Load an exported folder; nothing is loaded before the digests of its files are checked.

    Args:
        folder: what ``jobs/export_model.py`` has written.
        onnx: score with ``model.onnx`` and onnxruntime, in a program that has no LightGBM. Scores differ from those of
            the model's own file by at most 1e-6.

    Raises:
        ConfigError: if the folder is none of those.
        UntrustedModelError: if a file is missing or has changed.
        ModelError: if the model cannot be loaded, for instance because its library is missing.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    click = manifest.click
    contract = read_contract(folder / CLICK, click.id, click.time, click.visitor, readings=click.readings)
    features = read_features(folder / FEATURES, contract.click)
    check_features(features.schema, manifest.input_schema, features.where)
    kind = native.ONNX if onnx else manifest.model.kind
    if kind not in FILES:
        raise ConfigError(str(folder), [f"model.kind: expected {' or '.join(FILES)}, found {kind}"])
    if FILES[kind] not in manifest.files:
        raise ConfigError(str(folder), [f"there is no {FILES[kind]}: {manifest.without_onnx}"])
    predict = load_file(folder / FILES[kind], kind, manifest.input_schema.names)
    model = LoadedModel(manifest.input_schema, predict, manifest.outputs, TOLERANCE)
    tolerance = 0.0 if kind == manifest.model.kind else ONNX_TOLERANCE
    return EmbeddedScorer(folder, manifest, contract, features, model, tolerance)


def load_file(file: Path, kind: str, inputs: list[str]) -> native.Predict:
    """Load the file of a model, which must have been checked before.

    Args:
        file: ``model.lgb`` or ``model.onnx``.
        kind: ``lightgbm`` or ``onnx``.
        inputs: names of what the model asks for.

    Raises:
        ModelError: if it cannot be loaded, or takes other inputs.
    """
    try:
        predict = native.load(kind, file.parent) if kind == native.BOOSTER else load_onnx(file, inputs)
    except ModuleNotFoundError as error:
        other = ", or score with onnxruntime by load(folder, onnx=True)" if kind == native.BOOSTER else ""
        raise ModelError(
            f"{file}: the Python package {error.name} is missing: pip install {_LIBRARIES[kind]}{other}"
        ) from None
    except Exception as error:  # what a library raises for a file that is none of its own has no common class
        raise ModelError(f"{file} cannot be loaded: {describe(error)}") from error
    if predict is None:
        raise ModelError(f"{file}: expected one matrix, or inputs of these names: {', '.join(inputs)}")
    return predict


def as_binary(records: Iterable[Record]) -> pa.BinaryArray:
    """Return records as the scorer takes them."""
    return pa.array([_as_bytes(one) for one in records], pa.binary())


def _as_bytes(record: Record) -> bytes | None:
    text = _as_json(record) if isinstance(record, Mapping) else record
    # Half a character, which UTF-8 cannot write, makes the record one that cannot be decoded.
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def _as_json(record: Mapping[str, Any]) -> str:
    return json.dumps(dict(record), default=_iso)


def _iso(value: object) -> str:
    if isinstance(value, date):  # a datetime is one, too
        return value.isoformat()
    raise TypeError(f"a record has a {type(value).__name__}, which JSON does not know")
