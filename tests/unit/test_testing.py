"""Users test their own three files: features and verdicts of a few records, without Spark."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pytest
import yaml
from tests.support.wire import avro_bytes

from clickscore import testing
from clickscore.errors import SignatureError

CONFIG = "conf/local.yaml"
CLICK = {
    "event_id": "c1", "event_time": "2026-03-01T12:00:00Z", "event_type": "view_product", "visitor_id": "v1",
    "session_id": "s1", "page_url": "https://shop.example.com/p/1", "price": 8.0, "search_query": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    [features] = testing.features(CONFIG, [CLICK])
    rng = np.random.default_rng(1)
    rows = rng.uniform(0, 24, (400, len(features)))
    hour = list(features).index("hour_of_day")
    data = lightgbm.Dataset(rows, rows[:, hour] > 12, feature_name=list(features))
    folder = tmp_path_factory.mktemp("model")
    lightgbm.train({"objective": "binary", "verbosity": -1}, data, 5).save_model(folder / "model.lgb")
    return folder


def test_features_of_a_click_come_by_name_in_the_order_of_the_file() -> None:
    [features] = testing.features(CONFIG, [CLICK])
    assert list(features)[:2] == ["is_product_view", "is_cart_step"]
    assert features["is_product_view"] == 1.0
    assert features["hour_of_day"] == 12.0
    assert features["log_price"] == pytest.approx(2.0794415416798357, abs=1e-15)
    assert features["search_length"] is None


def test_record_that_is_not_a_click_fails_the_test_with_the_reason() -> None:
    with pytest.raises(AssertionError, match=r"1: Rejection\(reason='missing_field'"):
        testing.features(CONFIG, [CLICK, {**CLICK, "event_id": None}])


def test_records_are_scored_like_in_the_stream(model: Path) -> None:
    night, evening = ({**CLICK, "event_time": f"2026-03-01T{hour}:00:00Z"} for hour in ("02", "22"))
    early, late, broken, none = testing.score(CONFIG, [night, evening, b"{", None], model)
    assert early["score"] < 0.5 < late["score"]
    assert (broken["reason"], none["reason"]) == ("malformed_json", "tombstone")
    assert early["event_id"] == "c1"


def test_nested_records_with_other_names_and_odd_times_are_scored_like_flat_ones(model: Path, tmp_path: Path) -> None:
    run = yaml.safe_load(Path(CONFIG).read_text())
    run["click"] |= {
        "from": {
            "event_id": "messageId",
            "event_time": ["sentAt", "timestamp"],
            "visitor_id": ["userId", "anonymousId"],
            "page_url": "context.page.url",
            "session_id": "context.params[key=session].value",
            "price": 'properties.products[0]."unit price"',
            "event_type": {"constant": "view_product"},
        },
        "lenient": ["price"],
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run))
    track = {
        "messageId": "c1", "timestamp": "2026-03-01 12:00:00 UTC", "anonymousId": "v1", "userId": None,
        "context": {"page": {"url": CLICK["page_url"]}, "params": [{"key": "session", "value": "s1"}]},
        "properties": {"products": [{"unit price": "8.00"}]}, "search_query": None, "integrations": {"All": True},
    }  # fmt: skip
    late = {**track, "timestamp": 1772402400}
    assert testing.features(tmp_path / "run.yaml", [track]) == testing.features(CONFIG, [CLICK])
    flat = testing.score(CONFIG, [CLICK, {**CLICK, "event_time": "2026-03-01T22:00:00Z"}], model)
    *scored, broken = testing.score(tmp_path / "run.yaml", [track, late, {**track, "anonymousId": None}], model)
    assert scored == flat
    assert (broken["reason"], broken["detail"]) == ("missing_field", "userId or anonymousId is missing")


def test_model_that_asks_for_other_features_is_refused(tmp_path: Path) -> None:
    data = lightgbm.Dataset(np.random.default_rng(1).random((50, 1)), np.arange(50) % 2, feature_name=["weight"])
    lightgbm.train({"objective": "binary", "verbosity": -1}, data, 1).save_model(tmp_path / "model.lgb")
    with pytest.raises(SignatureError, match="missing: weight DOUBLE"):
        testing.score(CONFIG, [CLICK], tmp_path)


def test_example_of_the_module_is_python_and_needs_no_spark() -> None:
    example = (testing.__doc__ or "").partition("Example::")[2].replace(", ...}", "}")
    ast.parse("\n".join(line[4:] for line in example.splitlines()))
    asked = "import clickscore.testing, sys; print([m for m in ('pyspark', 'mlflow') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_example_of_the_documentation_passes_as_it_stands(model: Path, tmp_path: Path) -> None:
    [example] = re.findall(r"^```python\n(.*?)^```", Path("docs/testing.md").read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "test_my_shop.py").write_text(example)
    (tmp_path / "conf").symlink_to(Path("conf").resolve())
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "model").symlink_to(model)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_shop.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout


def test_bytes_are_read_as_the_source_says_and_objects_as_json(tmp_path: Path) -> None:
    types = {"price": "double"}
    schema = {"type": "record", "name": "Click", "fields": [
        {"name": name, "type": types.get(name, "string")} for name, value in CLICK.items() if value is not None
    ]}  # fmt: skip
    (tmp_path / "click.avsc").write_text(json.dumps(schema))
    tree = yaml.safe_load(Path(CONFIG).read_text())
    value = {"format": "avro", "schema": str(tmp_path / "click.avsc")}
    tree["source"] = {"kind": "kafka", "bootstrap_servers": "b:9092", "topics": "clicks", "value": value}
    (config := tmp_path / "run.yaml").write_text(yaml.safe_dump(tree))
    [from_avro] = testing.features(config, [avro_bytes(schema, CLICK)])
    [from_json] = testing.features(config, [CLICK])
    assert from_avro == from_json
