import gc
import json
import os
import pickle
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import infer_signature
from pyspark import SparkFiles
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import arrow_udf
from tests.support.endpoint import VERSION_HEADER, Reply, gateway

from clickscore.config.model import Model
from clickscore.errors import ModelError, UntrustedModelError
from clickscore.registry.registry import Registry, fetch_current
from clickscore.registry.trust import digest
from clickscore.registry.version import ModelVersion
from clickscore.scoring.isolation import Tolerance
from clickscore.stream import worker_models as workers
from clickscore.stream.definition import Definition
from clickscore.stream.deployment import Deployment

EXAMPLE = pd.DataFrame({"double_price": [1.0, 2.0], "quantity": [1.0, 2.0]})
STRICT = Tolerance(time_limit_s=30, count=0)


class Diary(mlflow.pyfunc.PythonModel):
    """Writes down when it is loaded; its answer to the example is what it is told to be."""

    def __init__(self, diary: str, answer: Any = 0.5) -> None:
        self.diary, self.answer, self.home = diary, answer, os.getpid()

    def load_context(self, context: object) -> None:
        self.me = self  # in a circle, as parts of many models are: only the garbage collector can take it away
        with Path(self.diary).open("a") as lines:
            lines.write(f"{os.getpid()}\n")
        if self.answer == "dies" and os.getpid() != self.home:  # MLflow loads it once when it is registered
            os._exit(7)

    def predict(self, context: object, model_input: pd.DataFrame) -> Any:
        if self.answer is None:
            raise RuntimeError("no luck")
        return [0.5 if self.answer == "dies" else self.answer] * len(model_input)


@pytest.fixture
def deploy(
    spark: SparkSession, registry_uri: str, tmp_path: Path, register_model: Callable[..., str]
) -> Callable[..., tuple[Deployment, ModelVersion]]:
    def register(name: str, answer: Any = 0.5, answers: list[float] | None = None) -> tuple[Deployment, ModelVersion]:
        version = register_model(mlflow.pyfunc.log_model, name, python_model=Diary(str(tmp_path / "diary"), answer),
                                 input_example=EXAMPLE, signature=infer_signature(EXAMPLE, [0.5]))  # fmt: skip
        if answers:
            found = fetch_current(
                Model(uri=f"models:/{name}@champion", registry=registry_uri, trust="pickle"), tmp_path / "p"
            )
            Registry(registry_uri).pin(name, version, found.digest, answers)
        (tmp_path / "diary").unlink(missing_ok=True)
        config = Model(uri=f"models:/{name}@champion", registry=registry_uri, trust="pickle")
        return Deployment(spark, config), fetch_current(config, tmp_path / "files")

    return register


def records(spark: SparkSession, count: int) -> DataFrame:
    click = '{"id":"a","at":"2026-03-01T12:00:00Z","visitor":"v","price":0.5,"quantity":2}'
    return spark.range(count, numPartitions=8).select(F.lit(click).cast("binary").alias("value"))


def loaded_in_workers(spark: SparkSession) -> list[list[str]]:
    def look(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        for batch in batches:
            yield pa.array([",".join(sorted(key for key, _ in workers._loaded))] * len(batch))

    rows = spark.range(8, numPartitions=8).select(arrow_udf(look, T.StringType())("id").alias("d")).collect()
    return [row.d.split(",") for row in rows]


def objects_in_workers(spark: SparkSession) -> list[tuple[int, int, set[str]]]:
    """Return for each task how many objects a collection looks at and passes over, and the answers of the diaries."""

    def look(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        for batch in batches:
            seen, spared = len(gc.get_objects()), gc.get_freeze_count()
            gc.unfreeze()
            answers = {str(each.answer) for each in gc.get_objects() if type(each).__name__ == "Diary"}
            gc.freeze()
            yield pa.array([f"{seen} {spared} {','.join(answers)}"] * len(batch))

    rows = spark.range(8, numPartitions=8).select(arrow_udf(look, T.StringType())("id").alias("d")).collect()
    found = [row.d.split(" ") for row in rows]
    return [(int(seen), int(spared), set(answers.split(","))) for seen, spared, answers in found]


def test_collections_after_each_task_pass_over_what_a_worker_has_loaded(
    spark: SparkSession, deploy: Callable[..., tuple[Deployment, ModelVersion]]
) -> None:
    deployment, model = deploy("diary_spared")
    deployment.warm_up(model, (None,))
    for seen, spared, _ in objects_in_workers(spark):
        assert seen < spared / 10


def test_version_is_loaded_once_in_a_worker_however_many_micro_batches_come(
    spark: SparkSession, tmp_path: Path, deploy: Callable[..., tuple[Deployment, ModelVersion]], definition: Definition
) -> None:
    deployment, model = deploy("diary_once")
    deployment.warm_up(model, (None,))
    clicks = records(spark, 20_000)
    for _ in range(4):
        score = deployment.score_with(definition.contract, definition.features, model, STRICT)
        assert clicks.select(score("value")["score"].alias("s")).where("s = 0.5").count() == 20_000
        deployment.keep_warm([model])
    loads = Counter((tmp_path / "diary").read_text().split())
    assert loads
    assert set(loads.values()) == {1}


def test_files_reach_the_workers_by_the_session_and_not_by_their_folder(
    spark: SparkSession, deploy: Callable[..., tuple[Deployment, ModelVersion]], definition: Definition
) -> None:
    deployment, model = deploy("diary_moved")
    deployment.serve(model)
    model.folder.rename(model.folder.with_name("gone"))
    score = deployment.score_with(definition.contract, definition.features, model, STRICT)
    assert records(spark, 1).select(score("value")["score"]).collect()[0][0] == 0.5


def test_retired_version_leaves_memory_and_disk_and_may_come_back(
    spark: SparkSession, deploy: Callable[..., tuple[Deployment, ModelVersion]], definition: Definition
) -> None:
    deployment, old = deploy("diary_old", 0.25)
    _, new = deploy("diary_new", 0.75)
    back = replace(old, folder=old.folder.with_name("back"))
    shutil.copytree(old.folder, back.folder)
    deployment.warm_up(old, (None,))
    on_disk = Path(SparkFiles.getRootDirectory(), f"clickscore-model-{old.digest}-0")
    assert on_disk.is_dir()
    assert any(f"{old.digest}-0" in keys for keys in loaded_in_workers(spark))
    deployment.warm_up(new, (None,))
    deployment.retire_all_but([new])
    score = deployment.score_with(definition.contract, definition.features, new, STRICT)
    assert records(spark, 8).select(score("value")["score"].alias("s")).where("s = 0.75").count() == 8
    assert not on_disk.exists()
    assert not old.folder.exists()
    assert not any({f"{old.digest}-0", f"{new.digest}-0"} <= set(keys) for keys in loaded_in_workers(spark))
    for _, _, answers in objects_in_workers(spark):
        assert "0.75" in answers
        assert "0.25" not in answers
    assert deployment.serve(back).key == f"{old.digest}-1"
    deployment.warm_up(back, (None,))


@pytest.mark.parametrize(("answer", "answers", "reason"), [
    (None, None, "it fails on its input example: RuntimeError: no luck"),
    ("dies", None, "Python worker exited unexpectedly"),
    (float("nan"), None, "it answers its input example with a score that is not a finite number"),
    (0.5, [0.5, 0.625], r".*expected \[0.5, 0.625\], found \[0.5, 0.5\]"),
])  # fmt: skip
def test_version_that_fails_its_trial_is_refused(
    answer: Any, answers: list[float] | None, reason: str, deploy: Callable[..., tuple[Deployment, ModelVersion]]
) -> None:
    deployment, model = deploy(f"trial_{abs(hash(reason))}", answer, answers)
    with pytest.raises(ModelError, match=rf"version 1 cannot be used for scoring: ({reason})"):
        deployment.warm_up(model, (None,))


def test_version_that_answers_as_when_it_was_registered_is_taken(
    deploy: Callable[..., tuple[Deployment, ModelVersion]],
) -> None:
    deployment, model = deploy("trial_good", 0.5, [0.5, 0.5 + 1e-9])
    deployment.warm_up(model, (None,))


def test_copy_that_somebody_changes_on_an_executor_is_not_loaded(
    spark: SparkSession, tmp_path: Path, deploy: Callable[..., tuple[Deployment, ModelVersion]]
) -> None:
    deployment, model = deploy("diary_changed", 0.125)
    served = deployment.serve(model)
    copy = Path(SparkFiles.getRootDirectory(), f"clickscore-model-{served.key}")
    shutil.copytree(model.folder, copy)
    (copy / "python_model.pkl").write_bytes(pickle.dumps(Bomb(tmp_path / "mark")))
    deployment.warm_up(model, (None,))
    assert not (tmp_path / "mark").exists()
    assert digest(copy) != model.digest


def test_bomb_among_the_files_of_a_version_never_goes_off(
    spark: SparkSession, registry_uri: str, tmp_path: Path, deploy: Callable[..., tuple[Deployment, ModelVersion]]
) -> None:
    _, model = deploy("diary_bomb", 0.5, [0.5, 0.5])
    client = mlflow.MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    stored = Path(client.get_model_version_download_uri("diary_bomb", model.version).removeprefix("file://"))
    (stored / "python_model.pkl").write_bytes(pickle.dumps(Bomb(tmp_path / "mark")))
    config = Model(uri="models:/diary_bomb@champion", registry=registry_uri)
    for trust, reason in ((None, "not those that were registered"), ("pickle", "not those that were registered")):
        with pytest.raises(UntrustedModelError, match=reason):
            Deployment(spark, config).warm_up(
                fetch_current(config.model_copy(update={"trust": trust}), tmp_path / "again"), (None,)
            )
    client.delete_model_version_tag("diary_bomb", model.version, "clickscore.digest")
    with pytest.raises(UntrustedModelError, match="a custom python_function is a pickle"):
        fetch_current(config, tmp_path / "again")
    assert not (tmp_path / "mark").exists()


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_second_run_of_a_session_asks_its_own_endpoint_for_the_same_version(
    spark: SparkSession, tmp_path: Path
) -> None:
    def halves(_: int, body: bytes) -> Reply:
        clicks = json.loads(body)["dataframe_split"]["data"]
        return Reply(body=json.dumps({"predictions": [0.5] * len(clicks)}).encode())

    for run in range(2):
        with gateway() as endpoint:
            endpoint.mood = halves
            section = {"name": "moved", "version_header": VERSION_HEADER, "inputs": "double_price DOUBLE"}
            config = Model.model_validate({"uri": f"endpoint:{endpoint.url}", "endpoint": section})
            model = fetch_current(config, tmp_path / str(run))
            before = endpoint.requests
            Deployment(spark, config).warm_up(model, (None,))
            assert endpoint.requests > before
