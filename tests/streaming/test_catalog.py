"""A run whose tables have names in a catalog instead of paths."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import deltalake
import pytest
from pyspark.sql import SparkSession

from clickscore.errors import PreflightError, TableError

SCHEMA = "spark_catalog.shop"


@pytest.fixture
def catalog_shop(shop: Any, spark: SparkSession) -> Iterator[Any]:
    spark.sql(f"CREATE SCHEMA {SCHEMA} LOCATION '{shop.home / 'schema'}'")
    shop.set(output={"scored": f"{SCHEMA}.scored_clicks", "rejected": f"{SCHEMA}.rejected_clicks"})
    yield shop
    spark.sql(f"DROP SCHEMA {SCHEMA} CASCADE")


def described(spark: SparkSession, name: str) -> dict[str, Any]:
    [detail] = spark.sql(f"DESCRIBE DETAIL {SCHEMA}.{name}").collect()
    return dict(detail.asDict())


def test_tables_of_a_catalog_are_made_and_appended_to_exactly_once(
    spark: SparkSession, catalog_shop: Any, make_click: Callable[..., dict[str, Any]]
) -> None:
    shop = catalog_shop
    shop.land("a.jsonl", make_click(1), "rubbish")
    assert f"DESCRIBE HISTORY {SCHEMA}.scored_clicks" in shop.run(spark)
    shop.land("b.jsonl", make_click(2))
    shop.run(spark)
    shop.run(spark)
    scored = spark.table(f"{SCHEMA}.scored_clicks")
    assert sorted(row.id for row in scored.collect()) == ["c1", "c2"]
    assert spark.table(f"{SCHEMA}.rejected_clicks").count() == 1
    assert scored.schema["score"].metadata["comment"] == "Prediction of the model for the click"
    assert described(spark, "scored_clicks")["clusteringColumns"] == ["at", "visitor"]
    assert described(spark, "rejected_clicks")["clusteringColumns"] == ["received_at"]
    properties = described(spark, "scored_clicks")["properties"]
    assert "clickscore_finite_score" in {key.rpartition(".")[2] for key in properties}
    # All of a run stand in the same schema, and other readers find them there.
    names = {row.tableName for row in spark.sql(f"SHOW TABLES IN {SCHEMA}").collect()}
    assert names == {"scored_clicks", "rejected_clicks", "model_timeline", "stream_metrics"}
    assert len(deltalake.DeltaTable(str(Path(shop.home, "schema", "scored_clicks"))).to_pandas()) == 2


def test_schema_that_is_not_there_is_told_before_a_click_is_read(
    spark: SparkSession, shop: Any, make_click: Callable[..., dict[str, Any]]
) -> None:
    shop.land("a.jsonl", make_click(1))
    shop.set(output={"scored": "spark_catalog.nowhere.scored", "rejected": "spark_catalog.nowhere.rejected"})
    with pytest.raises(
        PreflightError, match=r"no schema spark_catalog\.nowhere\. Create it with CREATE SCHEMA"
    ) as caught:
        shop.run(spark)
    assert [type(problem) for problem in caught.value.problems] == [TableError] * 4
    assert not (shop.home / "checkpoint").exists()
