"""The manifest fits the schemas of Kubernetes and of the Spark operator, and the image has what it names."""

import argparse
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubeflow_spark_api.models import SparkV1beta2SparkApplicationSpec
from tests.support.jobs import job_module

from clickscore.config.run import load

MANIFEST = list(yaml.safe_load_all(Path("conf/k8s/clickscore.yaml").read_text()))
APPLICATION = MANIFEST[-1]
SERVICE = list(yaml.safe_load_all(Path("conf/k8s/serve.yaml").read_text()))
[BATCH] = yaml.safe_load_all(Path("conf/k8s/batch.yaml").read_text())
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


@pytest.mark.parametrize("part", [*MANIFEST[:-1], *SERVICE, BATCH], ids=lambda part: part["kind"])
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


def test_batch_runs_beside_the_stream_with_its_configuration_and_its_settings() -> None:
    pod = BATCH["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    application, driver = APPLICATION["spec"], APPLICATION["spec"]["driver"]
    assert container["image"] == application["image"]
    assert BATCH["spec"]["concurrencyPolicy"] == "Forbid"
    submit = container["command"]
    [at] = [number for number, word in enumerate(submit) if word.endswith(".py")]
    assert Path(submit[at].removeprefix("/opt/clickscore/")).is_file()
    assert submit[at + 1 : at + 3] == application["arguments"]
    parsed = score_batch_arguments(submit[at + 1 :])
    assert {name["name"] for name in container["env"]} == set(driver["envSecretKeyRefs"])
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts["clicks"] == driver["volumeMounts"][0]["mountPath"]
    assert parsed.files.startswith(mounts["clicks"])
    assert mounts["configuration"] == driver["configMaps"][0]["path"]
    settings = dict(word.removeprefix("--conf=").split("=", 1) for word in submit if word.startswith("--conf="))
    assert settings.items() <= application["sparkConf"].items()


def score_batch_arguments(arguments: list[str]) -> argparse.Namespace:
    found: list[argparse.Namespace] = []
    with pytest.MonkeyPatch.context() as patch:
        module = job_module("score_batch")
        patch.setattr(module, "run_job", lambda parsed, _: found.append(parsed) or 0)
        assert module.main(arguments) == 0
    return found[0]


def test_image_has_the_spark_that_was_tested_and_files_that_are_there() -> None:
    assert f"apache/spark:{VERSIONS['pyspark']}-" in DOCKERFILE
    assert APPLICATION["spec"]["sparkVersion"] == VERSIONS["pyspark"]
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in sources.split():
            assert list(Path().glob(source)), source
    job = APPLICATION["spec"]["mainApplicationFile"].removeprefix("local:///opt/clickscore/")
    assert Path(job).is_file()
