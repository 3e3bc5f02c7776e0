"""The small shop of tests/data, and exported folders, for tests without Spark."""

from pathlib import Path

import pytest
from tests.support.exported import Exported, export_demo, export_small

from clickscore.scoring import Contract, Features, read_contract, read_features

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def contract() -> Contract:
    return read_contract(DATA / "click.ddl", "id", "at", "visitor")


@pytest.fixture(scope="session")
def features(contract: Contract) -> Features:
    return read_features(DATA / "features.sql", contract.click)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, registry_uri: str) -> Exported:
    """The exported model of the shop of tests/data; nobody changes the folder."""
    return export_small(tmp_path_factory.mktemp("exported"), registry_uri)


@pytest.fixture(scope="session")
def demo_model(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """An exported model of the features of conf/; nobody changes the folder."""
    return export_demo(tmp_path_factory.mktemp("exported"))
