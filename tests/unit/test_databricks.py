"""The asset bundle fits Databricks' own models of it, and what it names is there; no workspace is asked."""

import re
import tomllib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from databricks.bundles.jobs import Job
from databricks.bundles.schemas import Schema
from databricks.bundles.volumes import Volume

from clickscore.config.run import load
from clickscore.config.source import KafkaSource
from clickscore.errors import ModelError
from clickscore.registry.registry import Registry, tracking_uri
from clickscore.storage.table import Table
from clickscore.training.registration import experiment_name

BUNDLE = yaml.safe_load(Path("databricks.yml").read_text())
JOBS: dict[str, Any] = BUNDLE["resources"]["jobs"]
TASKS = [task for job in JOBS.values() for task in job["tasks"]]
SCHEMAS = {"dev": "dev_ann_clickscore", "prod": "clickscore"}
HOME = {"workspace.file_path": "", "bundle.name": "clickscore"}


def filled(text: str, target: str) -> str:
    """Put the variables of a target in, as the command line does."""
    values = {f"var.{name}": str(variable["default"]) for name, variable in BUNDLE["variables"].items()}
    values |= {f"var.{name}": str(value) for name, value in BUNDLE["targets"][target].get("variables", {}).items()}
    # In development mode, the command line puts the user's name before that of a schema.
    values["resources.schemas.clickscore.name"] = SCHEMAS[target]
    return re.sub(r"\$\{([^}]+)\}", lambda found: {**values, **HOME}[found[1]], text)


def overrides(task: dict[str, Any], target: str) -> tuple[str, list[str]]:
    first, config, *more = [filled(each, target) for each in task["spark_python_task"]["parameters"]]
    assert first == "--config"
    assert set(more[::2]) == {"--set"}
    return config.lstrip("/"), [each.replace("=/conf/", "=conf/") for each in more[1::2]]


@pytest.mark.parametrize("name", JOBS)
def test_job_is_one_that_databricks_knows(name: str) -> None:
    assert Job.from_dict(JOBS[name]).as_dict()["name"].startswith("clickscore-")


def test_schema_and_volumes_are_ones_that_databricks_knows() -> None:
    for volume in BUNDLE["resources"]["volumes"].values():
        Volume.from_dict(volume)
    for schema in BUNDLE["resources"]["schemas"].values():
        Schema.from_dict(schema)
    for name, more in BUNDLE["targets"]["prod"]["resources"]["volumes"].items():
        Volume.from_dict({**BUNDLE["resources"]["volumes"][name], **more})
    Schema.from_dict({**BUNDLE["resources"]["schemas"]["clickscore"],
                      **BUNDLE["targets"]["prod"]["resources"]["schemas"]["clickscore"]})  # fmt: skip


def test_misspelled_key_would_be_found() -> None:
    with pytest.raises(ValueError, match="Unexpected field 'task_retry_modus'"):
        Job.from_dict({**JOBS["score_stream"], "continuous": {"task_retry_modus": "ON_FAILURE"}})


def test_every_variable_is_declared_and_used() -> None:
    used = set(re.findall(r"\$\{var\.(\w+)\}", Path("databricks.yml").read_text()))
    assert used == set(BUNDLE["variables"])
    assert {name for target in BUNDLE["targets"].values() for name in target.get("variables", {})} <= used


def test_every_file_of_a_task_is_there_and_every_cluster_and_task_it_names() -> None:
    for task in TASKS:
        assert Path(task["spark_python_task"]["python_file"]).is_file()
    for job in JOBS.values():
        clusters = {cluster["job_cluster_key"] for cluster in job["job_clusters"]}
        keys = {task["task_key"] for task in job["tasks"]}
        assert {task["job_cluster_key"] for task in job["tasks"]} == clusters
        assert {other["task_key"] for task in job["tasks"] for other in task.get("depends_on", [])} <= keys


@pytest.mark.parametrize("target", BUNDLE["targets"])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task["task_key"])
def test_every_task_loads_its_configuration(task: dict[str, Any], target: str) -> None:
    file, sets = overrides(task, target)
    config = load(Path(file), sets)
    schema = SCHEMAS[target]
    assert config.model.uri == f"models:/{target}.{schema}.click_propensity@champion"
    scored = Table(config.output.scored)
    assert (scored.is_path, scored.name) == (False, f"{target}.{schema}.scored_clicks")
    assert scored.beside("model_timeline").name == f"{target}.{schema}.model_timeline"
    assert config.checkpoint == f"/Volumes/{target}/{schema}/state/checkpoint"


def test_configuration_is_whole_without_the_bundle_and_keeps_its_secrets_in_a_scope() -> None:
    source = load(Path("conf/databricks.yaml")).source
    assert isinstance(source, KafkaSource)
    assert source.security.password == "secret:clickscore/kafka-password"


def test_stream_is_continuous_never_twice_and_tells_when_it_is_behind() -> None:
    stream = JOBS["score_stream"]
    assert stream["max_concurrent_runs"] == 1
    assert "pause_status" not in stream["continuous"]  # which would also start it in development
    assert stream["email_notifications"]["on_streaming_backlog_exceeded"]
    assert stream["job_clusters"][0]["new_cluster"]["data_security_mode"] == "SINGLE_USER"


def test_runs_of_models_in_unity_catalog_are_in_the_workspace() -> None:
    assert tracking_uri("databricks-uc") == "databricks"
    assert tracking_uri("databricks-uc://shop") == "databricks://shop"
    assert tracking_uri("https://mlflow.example.com") == "https://mlflow.example.com"


def test_experiment_in_a_workspace_is_a_path() -> None:
    assert experiment_name("databricks-uc", "main.shop.clicks") == "/Shared/main.shop.clicks"
    assert experiment_name("sqlite:///mlflow.db", "clicks") == "clicks"


def test_unity_catalog_is_asked_for_a_name_of_three_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Nowhere(SimpleHTTPRequestHandler):
        """A web server that has nothing."""

        def log_request(self, *_: object) -> None:
            asked.append(self.requestline)

        def log_error(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Nowhere) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DATABRICKS_HOST", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("DATABRICKS_TOKEN", "none")
        with pytest.raises(ModelError, match="databricks-uc does not answer"):
            Registry("databricks-uc").resolve("models:/main.shop.click_propensity@champion")
        server.shutdown()
    path = next(each for each in asked if "unity-catalog" in each)
    assert "name=main.shop.click_propensity&alias=champion" in path


def test_wheel_declares_neither_spark_nor_delta() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    assert not [each for each in project["dependencies"] if re.match(r"pyspark|delta", each)]
