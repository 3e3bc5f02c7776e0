"""Trackers that are known by their fields."""

from pathlib import Path

import pytest
import yaml

from clickscore.samples.sample_file import read_sample
from clickscore.shops.survey import survey
from clickscore.shops.trackers import SIGNATURES, adapted, recognise

CONTRACTS = Path("conf/trackers")


@pytest.mark.parametrize("folder", sorted(CONTRACTS.iterdir()), ids=lambda folder: folder.name)
def test_sample_of_each_ready_made_contract_is_recognised(folder: Path) -> None:
    assert recognise(survey(read_sample(str(folder / "sample.jsonl"), 100).to_pylist(), "here")) == folder.name


def test_each_signature_has_a_contract() -> None:
    assert set(SIGNATURES) == {folder.name for folder in CONTRACTS.iterdir()}


def test_field_that_few_records_have_is_no_sign() -> None:
    whole = b'{"uuid": "a", "event": "x", "distinct_id": "u", "timestamp": "2026-03-01T12:00:00Z"}'
    bare = b'{"uuid": "a", "event": "x"}'
    assert recognise(survey([whole] * 4 + [bare], "here")) == "posthog"
    assert recognise(survey([whole] * 2 + [bare] * 3, "here")) is None


@pytest.mark.parametrize("name", SIGNATURES)
def test_files_of_a_contract_get_folders_and_tables_of_the_new_shop(name: str) -> None:
    texts = {file: (CONTRACTS / name / file).read_text() for file in ("click.ddl", "features.sql", "run.yaml")}
    found = adapted(texts, name, "conf/my #1: shop", "mine")["run.yaml"]
    config = yaml.safe_load(found)
    assert config["click"]["schema"] == "conf/my #1: shop/click.ddl"
    assert config["features"] == "conf/my #1: shop/features.sql"
    assert "build/shops/mine/scored_clicks" in found
    assert "models:/mine_propensity@champion" in found
    assert "trackers" not in found
