from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.errors import ConfigError
from clickscore.scoring.contract import feature_types, read_contract


def test_comments_and_not_null_come_from_the_ddl(spark: SparkSession, shop: Any) -> None:
    click = read_contract(shop.config).click
    assert (click["id"].nullable, click["price"].nullable) == (False, True)
    assert click["price"].metadata["comment"] == "Price of what was looked at"


def test_features_have_the_types_that_spark_gives_them(spark: SparkSession, shop: Any) -> None:
    types = feature_types(spark, read_contract(shop.config), "features.sql")
    assert types.simpleString() == "struct<double_price:double,quantity:int>"


@pytest.mark.parametrize("select", ["prize AS x", "sum(price) AS x", "nonsense(price) AS x", "price AS x y"])
def test_expression_that_is_none_of_a_single_click_is_refused(spark: SparkSession, shop: Any, select: str) -> None:
    file = shop.home / "features.sql"
    Path(file).write_text(f"SELECT {select} FROM click")
    shop.set(features=str(file))
    with pytest.raises(ConfigError, match=str(file)):
        feature_types(spark, read_contract(shop.config), str(file))


def test_demo_contract_fits_its_features(spark: SparkSession) -> None:
    from clickscore.config.run import load

    config = load(Path("conf/local.yaml"))
    types = feature_types(spark, read_contract(config), str(config.features))
    assert {field.dataType.simpleString() for field in types} == {"double"}
