from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.errors import TableError
from clickscore.storage.model_decisions import TRAINED, WAITED, ModelDecisions
from clickscore.storage.table import Table


def test_decision_is_a_row_with_its_evidence_and_the_last_training_of_a_champion_is_found(
    spark: SparkSession, shop: Any
) -> None:
    scored = Table(f"{shop.home}/scored_clicks")
    scored.append(spark.createDataFrame([("c1",)], "id STRING"))
    scored.set_properties(spark, {"clickscore.stream": "one"})
    decisions = ModelDecisions.of(spark, scored)
    assert (decisions.is_there, decisions.last_training("shop", "1")) == (False, {})

    first = decisions.next_id()
    assert first == decisions.next_id()  # as long as nothing is decided, also for a job that is started again
    decisions.add(TRAINED, "too far off", "shop", "1", "2", {"units": 10.0, "calibration": 0.03})
    assert decisions.next_id() != first
    decisions.add(TRAINED, "asked for", "shop", "1", "3", {"units": 20.0})
    decisions.add(WAITED, "within bounds", "shop", "1", None, {"units": 30.0})
    assert decisions.last_training("shop", "1") == {"units": 20.0}
    assert decisions.last_training("shop", "2") == decisions.last_training("other", "1") == {}
    rows = decisions.read().drop("decided_at").orderBy("reason").collect()
    assert [tuple(row) for row in rows] == [
        ("trained", "asked for", "shop", "1", "3", {"units": 20.0}),
        ("trained", "too far off", "shop", "1", "2", {"units": 10.0, "calibration": 0.03}),
        ("waited", "within bounds", "shop", "1", None, {"units": 30.0}),
    ]

    scored.set_properties(spark, {"clickscore.stream": "another"})
    with pytest.raises(TableError, match="model_decisions is of another stream: expected another, found one"):
        ModelDecisions.of(spark, scored)


def test_table_of_the_name_with_other_columns_is_refused(spark: SparkSession, shop: Any) -> None:
    for name in ("scored_clicks", "model_decisions"):
        Table(f"{shop.home}/{name}").append(spark.createDataFrame([("c1",)], "id STRING"))
    with pytest.raises(TableError, match="model_decisions"):
        ModelDecisions.of(spark, Table(f"{shop.home}/scored_clicks"))
