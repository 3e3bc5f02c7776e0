import json
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from clickscore.config.outcome import Outcome
from clickscore.errors import ConfigError
from clickscore.scoring.contract import read_contract
from clickscore.scoring.features import read_features
from clickscore.storage.schemas import raw
from clickscore.training.training import LABEL, VISIT_START, labelled

CLICKS = [
    {"id": "a", "e.t": "2026-03-01T11:59:00Z", "v`s": "1", "sold": False, "price": 1.5},
    {"id": "b", "e.t": "2026-03-01T11:00:00Z", "v`s": "1", "sold": True, "price": None},
    {"id": "c", "e.t": "2026-03-02T12:00:00Z", "v`s": "2", "sold": False, "price": 2},
    {"id": "d", "e.t": "2026-03-02T13:00:00Z", "v`s": "3", "sold": True, "price": 3},
]


def examples(spark: SparkSession, folder: Path, session: str = "v`s", success: str = "sold") -> DataFrame:
    (folder / "click.ddl").write_text(
        "id STRING NOT NULL, `e.t` TIMESTAMP NOT NULL, `v``s` STRING NOT NULL, sold BOOLEAN, price DOUBLE, "
        "geo STRUCT<at: STRING NOT NULL>"
    )
    (folder / "features.sql").write_text('SELECT price > 1 AS "is.dear", price AS price FROM click')
    contract = read_contract(folder / "click.ddl", "id", "e.t", "v`s")
    features = read_features(folder / "features.sql", contract.click)
    rows = [(json.dumps(click).encode(), "f", None, None) for click in CLICKS] + [(b"rubbish", "f", None, None)]
    outcome = Outcome.model_validate({"success": success, "unit": "session", "session": session, "window": "1 hour"})
    return labelled(spark.createDataFrame(rows, raw()), contract, features, outcome)


def test_every_click_of_a_visit_that_is_over_has_its_label_whatever_the_names_of_the_fields(
    spark: SparkSession, tmp_path: Path
) -> None:
    found = examples(spark, tmp_path).toPandas().sort_values([VISIT_START, "price"])
    assert found["is.dear"].tolist() == [True, None, True, True]
    assert found[LABEL].fillna(-1).tolist() == [1.0, 1.0, 0.0, -1]
    starts = [("03-01", 11), ("03-01", 11), ("03-02", 12), ("03-02", 13)]
    assert found[VISIT_START].astype(str).str[:13].tolist() == [f"2026-{day} {hour}" for day, hour in starts]


def test_session_that_is_no_field_is_refused_with_the_nearest_one(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="outcome: a click has no field prise; did you mean price"):
        examples(spark, tmp_path, session="prise")


@pytest.mark.parametrize("success", ["sold = ", "gone", "id", "geo"])
def test_label_that_is_no_condition_is_refused(spark: SparkSession, tmp_path: Path, success: str) -> None:
    with pytest.raises(ConfigError, match=r"outcome\.success: expected a Spark SQL condition on the fields"):
        examples(spark, tmp_path, success=success)
