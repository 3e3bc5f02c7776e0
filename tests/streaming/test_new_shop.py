"""From a file of clicks that nobody has prepared to scored rows, as a newcomer goes."""

from io import StringIO
from pathlib import Path

import deltalake
import pytest
from pyspark.sql import SparkSession
from rich.console import Console
from tests.support.jobs import job_module
from tests.support.newcomer import sample

from clickscore.config.run import load
from clickscore.stream import app
from clickscore.training import training

HISTORY, LANDED, CUT_OFF = 800, 100, 2


def test_newcomer_gets_from_a_sample_over_a_trained_model_to_scored_rows(
    spark: SparkSession, registry_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, records in (("history", sample(HISTORY)), ("landing", sample(LANDED, HISTORY))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "clicks.jsonl").write_text("\n".join(records) + "\n")
    clicks, config = str(tmp_path / "history" / "clicks.jsonl"), tmp_path / "newcomer" / "run.yaml"
    assert job_module("new_shop").main([clicks, "--out", str(config.parent)]) == 0
    assert job_module("try_clicks").main(["--config", str(config), clicks]) == 0
    assert capsys.readouterr().out.count("800 records: 784 would be scored (98.0%), 16 rejected") == 2

    places = [f"source.path={tmp_path}/landing", f"checkpoint={tmp_path}/checkpoint", f"model.registry={registry_uri}",
              f"output.scored={tmp_path}/scored_clicks", f"output.rejected={tmp_path}/rejected_clicks",
              f"training.clicks={tmp_path}/history"]  # fmt: skip
    run, seen = load(config, places), Console(file=StringIO())
    training.run(run, lambda: spark, seen, once=True)
    app.run(run, lambda: spark, seen)
    scored, rejected = (
        deltalake.DeltaTable(str(tmp_path / f"{name}_clicks")).to_pandas() for name in ("scored", "rejected")
    )
    assert sorted(scored["hit_id"]) == [f"h-{n:05d}" for n in range(HISTORY, HISTORY + LANDED) if n % 50 != 49]
    assert scored["score"].between(0, 1).all()
    assert rejected["reason"].tolist() == ["malformed_json"] * CUT_OFF
