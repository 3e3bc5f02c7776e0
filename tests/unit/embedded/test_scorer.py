import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.support.exported import Exported, simulated

from clickscore import embedded
from clickscore.embedded.scorer import CALL_RECORDS, as_binary
from clickscore.embedded.vectors import ONNX_TOLERANCE
from clickscore.errors import ConfigError, ModelError, UntrustedModelError
from clickscore.export.odd_records import odd_records
from clickscore.registry.registry import fetch_current
from clickscore.scoring import ClickScorer, LoadedModel, read_contract, read_features
from clickscore.scoring.models import load
from shopsim.records import Faults

RECORDS = 2_000
CLICK = {"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 80.0, "quantity": 3}


@pytest.fixture(scope="module")
def scorer(small: Exported) -> embedded.EmbeddedScorer:
    return embedded.load(small.folder)


def click_scorer(exported: Exported, place: Path) -> ClickScorer:
    """Return the scorer of the other shapes, with the model from the registry."""
    config = exported.config
    contract = read_contract(config.click.ddl, config.click.id, config.click.time, config.click.visitor)
    model = fetch_current(config.model, place)
    loaded = LoadedModel(model.inputs, load(model.kind, model.folder), config.model.picks)
    return ClickScorer(contract, read_features(config.features, contract.click), loaded)


def damaged(records: Sequence[bytes | None], count: int) -> list[bytes | None]:
    """Return records with a byte that is another, or cut off there."""
    rng = np.random.default_rng(3)
    found: list[bytes | None] = [None, b"", b"\xff\xfe{}", b"\xef\xbb\xbf" + (records[0] or b"")]
    while len(found) < count:
        record = records[rng.integers(len(records))] or b"{}"
        place = int(rng.integers(len(record) + 1))
        found.append(record[:place] + (rng.bytes(1) + record[place + 1 :] if rng.random() < 0.8 else b""))
    return found


@pytest.mark.parametrize("shop", ["small", "demo_model"])
def test_outcomes_are_those_of_the_scorer_of_the_other_shapes_to_the_last_bit(
    shop: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    exported: Exported = request.getfixturevalue(shop)
    expected_scorer = click_scorer(exported, tmp_path)
    config = exported.config
    contract = read_contract(config.click.ddl, config.click.id, config.click.time, config.click.visitor)
    odd = [record.encode() for record in odd_records(contract, read_features(config.features, contract.click))]
    faults = Faults(malformed=0.1, duplicate=0.05, late=0.05, poison=0.05)
    clicks = simulated(700, 7, faults).to_pylist() if shop == "demo_model" else []
    records = [*odd, *clicks]
    records += damaged(records, RECORDS - len(records))
    expected = expected_scorer.score(pa.array(records, pa.binary()))
    found = embedded.load(exported.folder).score_many(records)
    assert len(found) == RECORDS
    names = contract.click.names
    assert [(one.click, one.score, one.reason, one.detail) for one in found] == [
        ({name: row[name] for name in names}, row["score"], row["reason"], row["detail"])
        for row in expected.to_pylist()
    ]
    verdicts = [one.verdict for one in found]
    assert verdicts.count("scored") > 200
    assert len({one.reason for one in found}) > 7


@pytest.mark.parametrize("shop", ["small", "demo_model"])
def test_onnx_model_scores_alike(shop: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(shop).folder
    records = simulated(700, 9, Faults(poison=0.1)).to_pylist() if shop == "demo_model" else [json.dumps(CLICK)]
    native = embedded.load(folder).score_many(records)
    found = embedded.load(folder, onnx=True).score_many(records)
    assert [one.score for one in found] == pytest.approx([one.score for one in native], rel=0, abs=ONNX_TOLERANCE)


def test_one_record_is_scored_like_many(scorer: embedded.EmbeddedScorer) -> None:
    rejected = scorer.score("no click")
    assert (rejected.verdict, rejected.score, rejected.scores) == ("rejected", None, {"score": None})
    assert (rejected.reason, rejected.click["id"]) == ("malformed_json", None)
    scored = scorer.score(json.dumps(CLICK).encode())
    assert (scored.verdict, scored.reason, scored.detail) == ("scored", None, None)
    assert scored.score == scored.scores["score"] == scorer.score_many([b"", CLICK])[1].score
    assert scored.click == {**CLICK, "at": datetime(2026, 3, 1, 12, tzinfo=timezone.utc)}


def test_no_records_have_no_outcomes(scorer: embedded.EmbeddedScorer) -> None:
    assert scorer.score_many(iter([])) == []


def test_more_records_than_a_call_takes_keep_their_order(scorer: embedded.EmbeddedScorer) -> None:
    ids = [f"c{number}" for number in range(CALL_RECORDS + 10)]
    assert [one.click["id"] for one in scorer.score_many({**CLICK, "id": name} for name in ids)] == ids


def test_dictionary_may_hold_times(scorer: embedded.EmbeddedScorer) -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    assert scorer.score({**CLICK, "at": moment}) == scorer.score(CLICK)
    assert as_binary([{"day": date(2026, 3, 1)}]).to_pylist() == [b'{"day": "2026-03-01"}']


def test_dictionary_that_is_no_json_is_the_programs_own_mistake(scorer: embedded.EmbeddedScorer) -> None:
    with pytest.raises(TypeError, match="a record has a set, which JSON does not know"):
        scorer.score({**CLICK, "price": {1}})


@pytest.mark.parametrize(("record", "reason"), [(None, "tombstone"), ("\ud800", "invalid_encoding")])
def test_record_without_a_text_is_rejected(scorer: embedded.EmbeddedScorer, record: Any, reason: str) -> None:
    assert scorer.score(record).reason == reason


def test_threads_share_a_scorer(scorer: embedded.EmbeddedScorer) -> None:
    clicks = [{**CLICK, "price": float(price)} for price in range(200)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(scorer.score, clicks)) == scorer.score_many(clicks)


def test_check_finds_no_difference_where_it_was_exported(demo_model: Exported) -> None:
    assert embedded.load(demo_model.folder).check() == []


def test_changed_file_is_not_loaded(small: Exported, tmp_path: Path) -> None:
    folder = shutil.copytree(small.folder, tmp_path / "copy")
    with (folder / "model.lgb").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(
        UntrustedModelError, match=r"copy: .*nothing of it was loaded.*\n  - model.lgb: expected SHA-256"
    ):
        embedded.load(folder)


def without(folder: Path, **changes: Any) -> Path:
    """Change the manifest of a folder."""
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return folder


def test_folder_without_an_onnx_model_says_why(small: Exported, tmp_path: Path) -> None:
    folder = shutil.copytree(small.folder, tmp_path / "copy")
    files = {name: digest for name, digest in embedded.load(folder).manifest.files.items() if name != "model.onnx"}
    without(folder, files=files, without_onnx="it splits on categories")
    with pytest.raises(ConfigError, match=r"there is no model.onnx: it splits on categories"):
        embedded.load(folder, onnx=True)


def test_model_of_an_unknown_kind_is_refused(small: Exported, tmp_path: Path) -> None:
    folder = shutil.copytree(small.folder, tmp_path / "copy")
    model = json.loads((folder / "manifest.json").read_text())["model"]
    with pytest.raises(ConfigError, match="expected lightgbm or onnx, found xgboost"):
        embedded.load(without(folder, model=model | {"kind": "xgboost"}))


def test_file_that_holds_no_model_is_named(small: Exported, tmp_path: Path) -> None:
    folder = shutil.copytree(small.folder, tmp_path / "copy")
    (folder / "model.onnx").write_bytes(b"no model")
    digest = embedded.manifest.sha256(b"no model")
    files = json.loads((folder / "manifest.json").read_text())["files"] | {"model.onnx": digest}
    with pytest.raises(ModelError, match=r"model.onnx cannot be loaded: "):
        embedded.load(without(folder, files=files), onnx=True)
