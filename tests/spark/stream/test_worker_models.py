from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.errors import UntrustedModelError
from clickscore.registry.registry import fetch_current
from clickscore.stream.deployment import Deployment
from clickscore.stream.worker_models import Served, _folder, forget, loaded


@pytest.fixture
def served(spark: SparkSession, shop: Any, tmp_path: Path) -> Served:
    model = shop.config.model
    version = fetch_current(model, tmp_path)
    # The key of another session's deployment may be the same: each test has one of its own.
    return replace(Deployment(spark, model).serve(version), key=f"{version.digest}-{tmp_path.name}")


def test_version_is_loaded_once_and_forgotten_with_its_files(served: Served) -> None:
    first = loaded(served)
    assert loaded(served) is first
    assert _folder(served.key).is_dir()
    forget(["another"])
    assert loaded(served) is first
    forget([served.key])
    assert not _folder(served.key).exists()
    assert loaded(served) is not first
    forget([served.key])


def test_files_that_were_not_registered_are_not_loaded(served: Served) -> None:
    with pytest.raises(UntrustedModelError, match="the files are not those that were registered"):
        loaded(replace(served, digest="0" * 64))
