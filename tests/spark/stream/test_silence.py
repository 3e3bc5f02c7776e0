from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from clickscore.config.model import Model
from clickscore.stream.silence import ENDS, LIMIT, ending_silent_workers, limit_s

MODEL = Model.model_validate({"uri": "models:/shop@champion", "registry": "sqlite:///mlflow.db"})


@pytest.fixture(autouse=True)
def as_before(spark: SparkSession) -> Iterator[None]:
    yield
    spark.conf.unset(LIMIT)
    spark.conf.unset(ENDS)


def test_limit_holds_as_long_as_the_run(spark: SparkSession) -> None:
    assert limit_s(spark) == 0
    with ending_silent_workers(spark, MODEL):
        assert limit_s(spark) == 350
        assert spark.conf.get(ENDS) == "true"
    assert limit_s(spark) == 0
    assert spark.conf.get(ENDS) == "false"


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("2m", 120), ("2min", 120), ("1h", 3_600)])
def test_limit_that_an_operator_has_set_stays(spark: SparkSession, text: str, seconds: int) -> None:
    spark.conf.set(LIMIT, text)
    with ending_silent_workers(spark, MODEL):
        assert limit_s(spark) == seconds
        assert spark.conf.get(ENDS) == "false"
    assert limit_s(spark) == seconds
