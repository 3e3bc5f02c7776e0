"""For tests of your own three files: what a configuration makes of a few records, in this process and without Spark.

Example::

    from clickscore import testing

    CLICK = {"event_id": "c1", "event_time": "2026-03-01T12:00:00Z", "event_type": "view_product", ...}

    def test_view_of_a_product_is_marked():
        [features] = testing.features("conf/local.yaml", [CLICK])
        assert features["is_product_view"] == 1.0

    def test_click_without_an_id_is_rejected():
        [outcome] = testing.score("conf/local.yaml", [{**CLICK, "event_id": None}], "build/model")
        assert outcome["reason"] == "missing_field"
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from clickscore.config.run import load
from clickscore.scoring import ClickScorer, Contract, Features, LoadedModel, load_booster, read_features
from clickscore.scoring.contract import contract_of
from clickscore.scoring.features import check_features
from clickscore.scoring.parsing import parser

__all__ = ["features", "score"]

Record = Mapping[str, Any] | str | bytes | None
"""A raw record: bytes or text as they come, the object that the JSON is made of, or None for no value at all.

Where ``source.value`` says Avro or Protobuf, bytes are read so if no record is a text or an object; those are JSON.
"""


def features(config: str | Path, records: Iterable[Record]) -> list[dict[str, Any]]:
    """Compute the features of records, one dictionary for each, by the names and in the types of the features file.

    Args:
        config: the configuration, of which ``click`` and ``features`` are used.
        records: clicks that the contract accepts.

    Raises:
        ConfigError: if the configuration, the click schema or the features file cannot be used.
        AssertionError: if the contract rejects a record, or one of its features cannot be computed; with the reason.
    """
    records = list(records)
    contract, definition = _read(config, records)
    clicks, rejections = parser(contract.click).parse(_binary(records))
    assert not rejections, f"rejected, by number of the record: {rejections}"
    computed = definition.compute(clicks)
    assert not computed.failures, f"not computed, by number of the record: {computed.failures}"
    found: list[dict[str, Any]] = computed.values[0].to_pylist()
    return found


def score(config: str | Path, records: Iterable[Record], model: str | Path | LoadedModel) -> list[dict[str, Any]]:
    """Score records as the stream does, one dictionary for each: the click's fields, ``score``, ``reason``, ``detail``.

    Args:
        config: the configuration, of which ``click`` and ``features`` are used.
        records: anything; what is not a click gets a ``reason``.
        model: the folder of a LightGBM Booster, as MLflow has logged it, or a loaded model.

    Raises:
        ConfigError: if the configuration, the click schema or the features file cannot be used.
        SignatureError: if the features file does not produce what the model asks for.
    """
    records = list(records)
    contract, definition = _read(config, records)
    loaded = model if isinstance(model, LoadedModel) else load_booster(Path(model))
    check_features(definition.schema, loaded.inputs, definition.where)
    outcomes: list[dict[str, Any]] = ClickScorer(contract, definition, loaded).score(_binary(records)).to_pylist()
    return outcomes


def _read(config: str | Path, records: list[Record]) -> tuple[Contract, Features]:
    run = load(Path(config))
    is_raw = not any(isinstance(record, str | Mapping) for record in records)
    contract = contract_of(run.click, value=run.source.value if is_raw else None)
    return contract, read_features(run.features, contract.click)


def _binary(records: Iterable[Record]) -> pa.BinaryArray:
    return pa.array([json.dumps(one) if isinstance(one, Mapping) else one for one in records], pa.binary())
