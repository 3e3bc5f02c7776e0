from pathlib import Path
from typing import Any

import mlflow
import nbformat
import pytest
from mlflow import MlflowClient
from nbclient import NotebookClient
from pyspark.sql import SparkSession


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


def test_scores_of_the_demo_tell_buyers_from_others(demo: Any) -> None:
    clicks = demo.table("scored_clicks")
    buyers = set(clicks.loc[clicks["event_type"] == "purchase", "session_id"])
    bought = clicks["session_id"].isin(buyers)
    assert clicks.loc[bought, "score"].mean() > 1.5 * clicks.loc[~bought, "score"].mean()
    assert len(clicks) + len(demo.table("rejected_clicks")) == demo.records


@pytest.mark.parametrize(
    ("name", "pictures"), [("explore_scores", 3), ("investigate_click", 1), ("train_and_register", 1)]
)
def test_notebook_runs_over_the_tables_of_the_demo(demo: Any, name: str, pictures: int) -> None:
    notebook = nbformat.read(f"notebooks/{name}.ipynb", as_version=4)
    places = notebook.cells[1]
    here = {"build/demo": str(demo.home), "conf/local.yaml": str(demo.config_file)}
    assert any(place in places.source for place in here)
    for place, instead in here.items():
        places.source = places.source.replace(place, instead)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": "notebooks"}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == pictures
    assert not [output for output in outputs if output.output_type == "error"]
    built = Path("build/test")
    built.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, built / f"{name}.ipynb")
