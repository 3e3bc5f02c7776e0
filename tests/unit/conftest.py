"""The small shop of tests/data, for tests without Spark."""

from pathlib import Path

import pytest

from clickscore.scoring import Contract, Features, read_contract, read_features

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def contract() -> Contract:
    return read_contract(DATA / "click.ddl", "id", "at", "visitor")


@pytest.fixture(scope="session")
def features(contract: Contract) -> Features:
    return read_features(DATA / "features.sql", contract.click)
