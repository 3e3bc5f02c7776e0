from pathlib import Path
from typing import Any

import mlflow
import nbformat
import pandas as pd
import pytest
from mlflow import MlflowClient
from nbclient import NotebookClient
from pyspark.sql import SparkSession

from clickscore.errors import ModelError
from clickscore.training.training import LABEL, VISIT_START, split_by_time


def test_model_beats_chance_without_knowing_the_outcome(demo: Any) -> None:
    client = MlflowClient(tracking_uri=demo.registry, registry_uri=demo.registry)
    version = client.get_model_version_by_alias("click_propensity", "champion")
    run = client.get_run(version.run_id)
    assert version.version == 1
    assert 0.70 < run.data.metrics["auc"] < 0.97
    assert run.data.metrics["log_loss"] < 0.4
    assert run.data.metrics["calibration_error"] < 0.05
    assert run.data.params["num_leaves"] == "31"
    plots = {file.path for file in client.list_artifacts(version.run_id, "plots")}
    assert plots == {"plots/roc.png", "plots/calibration.png", "plots/importance.png"}


def test_registered_model_has_signature_and_example(demo: Any) -> None:
    mlflow.set_tracking_uri(demo.registry)
    mlflow.set_registry_uri(demo.registry)
    model = mlflow.pyfunc.load_model("models:/click_propensity@champion")
    assert "log_dwell_s" in model.metadata.get_input_schema().input_names()
    assert len(model.predict(model.input_example)) == 5


def test_training_once_leaves_the_champion_alone(demo: Any, spark: SparkSession) -> None:
    assert "is there already; nothing trained" in demo.train(spark)


def test_no_visit_has_clicks_on_both_sides_of_the_split() -> None:
    start = pd.to_datetime(["2026-03-01", "2026-03-01", "2026-03-02", "2026-03-08", "2026-03-10", "2026-03-11"])
    examples = pd.DataFrame({"x": range(6), LABEL: [0, 1, 0, 1, 0, 1], VISIT_START: start})
    split = split_by_time(examples, 0.25)
    assert split.features["x"].tolist() == [0, 1, 2, 3]
    assert split.held_out_features["x"].tolist() == [4, 5]


def test_history_with_one_outcome_only_is_refused() -> None:
    start = pd.date_range("2026-03-01", periods=8)
    with pytest.raises(ModelError, match="do not have both outcomes"):
        split_by_time(pd.DataFrame({"x": range(8), LABEL: 0.0, VISIT_START: start}), 0.25)


def test_scores_of_the_demo_tell_buyers_from_others(demo: Any) -> None:
    clicks = demo.table("scored_clicks")
    buyers = set(clicks.loc[clicks["event_type"] == "purchase", "session_id"])
    bought = clicks["session_id"].isin(buyers)
    assert clicks.loc[bought, "score"].mean() > 1.5 * clicks.loc[~bought, "score"].mean()
    assert len(clicks) + len(demo.table("rejected_clicks")) == demo.records


@pytest.mark.parametrize(("name", "pictures"), [("explore_scores", 3), ("investigate_click", 1)])
def test_notebook_runs_over_the_tables_of_the_demo(demo: Any, name: str, pictures: int) -> None:
    notebook = nbformat.read(f"notebooks/{name}.ipynb", as_version=4)
    places = notebook.cells[1]
    assert "build/demo" in places.source
    places.source = places.source.replace("build/demo", str(demo.home)).replace(
        "conf/local.yaml", str(demo.config_file)
    )
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": "notebooks"}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == pictures
    assert not [output for output in outputs if output.output_type == "error"]
    built = Path("build/test")
    built.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, built / f"{name}.ipynb")
