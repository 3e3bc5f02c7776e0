from pathlib import Path

import pytest
from tests.support.run_tables import Run

from clickscore.scoring import Contract


@pytest.fixture
def run(tmp_path: Path, contract: Contract) -> Run:
    """Two micro-batches: three clicks and a rejected record, then one click of the second version."""
    run = Run(tmp_path / "run", contract.click)
    run.score(0, [{"id": "a"}, {"id": "b"}, {"id": "c"}])
    run.reject(0, [{"raw": '{"id": "anna"', "detail": "cut at 'anna'"}])
    run.score(1, [{"id": "d"}], version="2")
    run.decide({}, {"from_batch": 1, "model_version": "2"})
    return run
