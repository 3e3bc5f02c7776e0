from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.errors import ConfigError, TableError
from clickscore.scoring.contract import contract_of
from clickscore.scoring.features import Features, read_features
from clickscore.storage.table import Table
from clickscore.training.recent import check_kept, recent_examples
from clickscore.training.trainable import LABEL, SCORE, VERSION, VISIT_START, VISITOR

NOON = datetime(2026, 3, 29, 12)
DDL = (
    "id STRING, at TIMESTAMP, visitor STRING, price DOUBLE, quantity BIGINT, score DOUBLE, model_version STRING, "
    "scored_at TIMESTAMP"
)
CLICKS = [
    ("late", 0, "b", 1.0, 1),
    ("sold", -70, "a", 200.0, 2),
    ("seen", -80, "a", 3.0, None),
    ("last", -2 * 7 * 24 * 60 - 1, "old", 4.0, 4),
]
"""By id, minutes from noon, visitor, price and quantity; an hour later, the outcome of a visitor is known."""


def features_of(shop: Any, text: str) -> Features:
    (shop.home / "features.sql").write_text(text)
    return read_features(Path(shop.home / "features.sql"), contract_of(shop.config.click).click)


def test_scored_clicks_of_the_last_weeks_are_examples_as_soon_as_their_outcome_is_known(
    spark: SparkSession, shop: Any
) -> None:
    shop.set(outcome={"success": "price > 100", "unit": "visitor", "window": "1 hour"})
    features = features_of(shop, "SELECT price * 2 AS price, quantity + 1 AS _more FROM click")
    with pytest.raises(TableError, match="scored_clicks: expected the fields that features read, found no such table"):
        recent_examples(spark, shop.config, features, weeks=2)
    rows = [(click_id, NOON + timedelta(minutes=minutes), visitor, price, quantity, 0.25, "7", NOON)
            for click_id, minutes, visitor, price, quantity in CLICKS]  # fmt: skip
    Table(f"{shop.home}/scored_clicks").append(spark.createDataFrame(rows, DDL))

    found = recent_examples(spark, shop.config, features, weeks=2).toPandas().sort_values("price")
    assert list(found) == ["price", "_more", LABEL, VISIT_START, SCORE, VERSION, VISITOR]
    assert found["price"].tolist() == [6.0, 400.0]  # "late" is open, "last" is older than two weeks
    assert found["_more"].fillna(-1).tolist() == [-1, 3]
    assert found[[LABEL, SCORE, VERSION]].drop_duplicates().to_numpy().tolist() == [[1.0, 0.25, "7"]]
    assert found[VISIT_START].tolist() == [NOON - timedelta(minutes=80)] * 2
    assert found[VISITOR].nunique() == 1
    assert recent_examples(spark, shop.config, features, weeks=2, most=1).count() in (0, 2)  # no visit is parted

    fails_on_the_sale = "SELECT price * 2 AS price, CAST('a' || quantity AS BIGINT) AS q FROM click"
    found = recent_examples(spark, shop.config, features_of(shop, fails_on_the_sale), weeks=2)
    assert [row.price for row in found.collect()] == [6.0]


def test_field_that_the_table_does_not_have_is_named(spark: SparkSession, shop: Any) -> None:
    shop.set(outcome={"success": "price > 100", "unit": "visitor", "window": "1 hour"})
    Table(f"{shop.home}/scored_clicks").append(spark.createDataFrame([("c1", 1)], "id STRING, quantity BIGINT"))
    with pytest.raises(TableError, match="expected the fields that features read, found no column price"):
        recent_examples(spark, shop.config, features_of(shop, "SELECT price + quantity AS sum FROM click"), weeks=2)


def test_field_that_privacy_protects_is_no_feature_of_a_scored_click(shop: Any) -> None:
    shop.set(privacy={"fields": {"price": {"coarsen": 10}}})
    check_kept(shop.config, features_of(shop, "SELECT quantity AS quantity FROM click"))
    with pytest.raises(ConfigError, match=r"privacy\.fields.*\n.*found some for price: scored_clicks does not have"):
        check_kept(shop.config, features_of(shop, "SELECT price / quantity AS each FROM click"))
