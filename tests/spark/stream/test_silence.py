from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from clickscore.config.model import Model
from clickscore.stream.silence import ENDS, LIMIT, ending_silent_workers, limit_s

ENDPOINT = Model.model_validate({
    "uri": "endpoint:http://models/invocations",
    "endpoint": {"name": "m", "version": "7", "inputs": "price DOUBLE", "rows": 500, "concurrency": 4},
})  # fmt: skip
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


def test_limit_allows_for_the_requests_of_a_chunk_to_an_endpoint_and_for_a_search(spark: SparkSession) -> None:
    with ending_silent_workers(spark, ENDPOINT):
        assert limit_s(spark) == 120 + (5 + 20) * 30


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("2m", 120), ("2min", 120), ("1h", 3_600)])
def test_limit_that_an_operator_has_set_stays(spark: SparkSession, text: str, seconds: int) -> None:
    spark.conf.set(LIMIT, text)
    with ending_silent_workers(spark, MODEL):
        assert limit_s(spark) == seconds
        assert spark.conf.get(ENDS) == "false"
    assert limit_s(spark) == seconds
