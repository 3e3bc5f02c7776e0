from io import StringIO
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.config.run import load
from clickscore.errors import ConfigError
from clickscore.training import training


def test_all_wrong_features_are_one_message_before_anything_is_started(tmp_path: Path) -> None:
    (tmp_path / "features.sql").write_text(
        "SELECT event_time AS t, device AS d, CAST(price AS DECIMAL(9, 2)) AS p, [price] AS l, "
        'price AS "a:b" FROM click'
    )
    registry = f"sqlite:///{tmp_path / 'mlflow.db'}"
    config = load(Path("conf/local.yaml"), [f"features={tmp_path / 'features.sql'}", f"model.registry={registry}"])

    def no_session() -> SparkSession:
        raise AssertionError("a session was asked for")

    with pytest.raises(ConfigError) as caught:
        training.run(config, no_session, Console(file=StringIO()), once=False)
    assert [problem.partition(" is ")[0] for problem in caught.value.problems[:4]] == ["t", "d", "p", "l"]
    assert caught.value.problems[4] == "a:b: lightgbm takes no ':' in the name of a feature; give it another name"
