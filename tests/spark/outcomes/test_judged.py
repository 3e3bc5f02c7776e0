from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from clickscore.outcomes.judged import judged_clicks
from clickscore.storage.table import Table

NOON = datetime(2026, 3, 1, 12)
DDL = (
    "id STRING, at TIMESTAMP, visit STRING, price DOUBLE, score DOUBLE, model_name STRING, model_version STRING, "
    "scored_at TIMESTAMP"
)
CLICKS = [
    ("a", -90, 1.0, 0.5, "shop", "1"), ("a", -80, 200.0, 0.7, "shop", "1"), ("b", -70, 1.0, 0.1, "shop", "1"),
    ("c", -75, 1.0, 0.2, "shop", "2"), ("d", -75, 1.0, 0.3, "other", "1"), ("open", 0, 1.0, 0.9, "shop", "1"),
    (None, -80, 1.0, 0.8, "shop", "1"),
]  # fmt: skip
"""By visit, minutes from noon, price, score, model and version; an hour later, the outcome of a visit is known."""


def test_version_is_judged_on_its_own_clicks_whose_outcome_is_known(spark: SparkSession, shop: Any) -> None:
    shop.set(outcome={"success": "price > 100", "unit": "session", "session": "visit", "window": "1 hour"})
    rows = [(f"c{number}", NOON + timedelta(minutes=minutes), visit, price, score, model, version, NOON)
            for number, (visit, minutes, price, score, model, version) in enumerate(CLICKS)]  # fmt: skip
    Table(f"{shop.home}/scored_clicks").append(spark.createDataFrame(rows, DDL))

    units, clicks = judged_clicks(spark, shop.config, "shop", "1")
    assert units == 2
    assert sorted(zip(clicks.score, clicks.success, strict=True)) == [(0.1, 0.0), (0.5, 1.0), (0.7, 1.0)]
    by_score = dict(zip(clicks.score, clicks.unit, strict=True))
    assert by_score[0.5] == by_score[0.7] != by_score[0.1]

    units, clicks = judged_clicks(spark, shop.config, "shop", "1", most=1)
    assert units == 2  # all of them, whatever the sample
    assert sorted(clicks.score) in ([], [0.1], [0.5, 0.7])  # no unit is parted
    assert judged_clicks(spark, shop.config, "shop", "9")[0] == 0
