"""The manifest fits the schemas of Kubernetes and of the Spark operator, and the image has what it names."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubeflow_spark_api.models import SparkV1beta2SparkApplicationSpec

from clickscore.config.run import load

MANIFEST = list(yaml.safe_load_all(Path("conf/k8s/clickscore.yaml").read_text()))
APPLICATION = MANIFEST[-1]
SERVICE = list(yaml.safe_load_all(Path("conf/k8s/serve.yaml").read_text()))
KUBERNETES = "1.37"
DOCKERFILE = Path("conf/k8s/Dockerfile").read_text()
VERSIONS = dict(re.findall(r"^([\w-]+)==([\w.]+)", Path("requirements.txt").read_text(), re.MULTILINE))


def unknown(tree: Any, model: Any) -> list[str]:
    """Return the keys of a tree that the model, made from it, has dropped."""
    if isinstance(tree, dict):
        known = model if isinstance(model, dict) else {}
        return [key for key in tree if key not in known] + [
            f"{key}.{name}" for key in tree if key in known for name in unknown(tree[key], known[key])
        ]
    if isinstance(tree, list):
        return [name for part, known in zip(tree, model, strict=True) for name in unknown(part, known)]
    return []


def checked(spec: dict[str, Any]) -> list[str]:
    found = SparkV1beta2SparkApplicationSpec.from_dict(spec)
    assert found
    return unknown(spec, found.to_dict())


@pytest.mark.parametrize("part", [*MANIFEST[:-1], *SERVICE], ids=lambda part: part["kind"])
def test_part_is_one_that_kubernetes_knows(part: dict[str, Any]) -> None:
    kubernetes_validate.validate(part, KUBERNETES, strict=True)


def test_application_is_one_that_the_operator_knows() -> None:
    assert (APPLICATION["apiVersion"], APPLICATION["kind"]) == ("sparkoperator.k8s.io/v1beta2", "SparkApplication")
    assert checked(APPLICATION["spec"]) == []


def test_misspelled_key_would_be_found() -> None:
    assert checked({**APPLICATION["spec"], "executor": {"instanzes": 4}}) == ["executor.instanzes"]


def test_configuration_in_the_manifest_loads(tmp_path: Path) -> None:
    text = next(part for part in MANIFEST if part["kind"] == "ConfigMap")["data"]["run.yaml"]
    (tmp_path / "run.yaml").write_text(text.replace("/opt/clickscore/", ""))
    config = load(tmp_path / "run.yaml")
    assert config.health
    assert config.health.port == APPLICATION["spec"]["driver"]["ports"][0]["containerPort"]
    driver, executor = APPLICATION["spec"]["driver"], APPLICATION["spec"]["executor"]
    assert set(driver["envSecretKeyRefs"]) == set(re.findall(r"env:(\w+)", text))
    assert "envSecretKeyRefs" not in executor
    assert driver["volumeMounts"] == executor["volumeMounts"]
    places = [config.output.scored, config.output.rejected, config.checkpoint]
    assert {str(Path(place).parent) for place in places} == {driver["volumeMounts"][0]["mountPath"]}


def test_microservice_is_asked_where_it_listens(tmp_path: Path) -> None:
    _, settings, deployment, service = SERVICE
    text = settings["data"]["run.yaml"]
    (tmp_path / "run.yaml").write_text(text.replace("/opt/clickscore/", ""))
    config = load(tmp_path / "run.yaml").service
    assert config
    pod = deployment["spec"]["template"]
    [container] = pod["spec"]["containers"]
    assert (container["ports"][0]["containerPort"], config.host) == (config.port, "0.0.0.0")
    assert {name["name"] for name in container["env"]} == set(re.findall(r"env:(\w+)", text))
    assert service["spec"]["selector"] == pod["metadata"]["labels"] == deployment["spec"]["selector"]["matchLabels"]
    assert container["image"] == APPLICATION["spec"]["image"]
    assert Path(container["command"][1].removeprefix("/opt/clickscore/")).is_file()
    assert ",service]" in DOCKERFILE


def test_image_has_the_spark_that_was_tested_and_files_that_are_there() -> None:
    assert f"apache/spark:{VERSIONS['pyspark']}-" in DOCKERFILE
    assert APPLICATION["spec"]["sparkVersion"] == VERSIONS["pyspark"]
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in sources.split():
            assert list(Path().glob(source)), source
    job = APPLICATION["spec"]["mainApplicationFile"].removeprefix("local:///opt/clickscore/")
    assert Path(job).is_file()
