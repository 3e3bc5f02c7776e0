"""Orders tell what became of visits, each followed for an hour. Times are minutes since noon."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.errors import ConfigError, TableError
from clickscore.outcomes import joined
from clickscore.outcomes.label_table import read_labels
from clickscore.outcomes.labels import with_outcome
from clickscore.storage.table import Table

NOON = datetime(2026, 3, 1, 12)
LABELS = {"visitor": "who", "time": "ordered_at", "success": "status = 'paid'"}
OUTCOME = {"success": "price > 100", "unit": "session", "session": "visit", "window": "60 minutes"}
CLICKS = [("a", 0), ("b", 3), ("c", 50), ("d", 130)]


class Orders:
    """Scored clicks of a shop, whose visitors have one visit each, and the table of their orders."""

    def __init__(self, spark: SparkSession, shop: Any) -> None:
        self.spark, self.shop = spark, shop
        self.table = Table(f"{shop.home}/orders")
        rows = [(f"click-{visit}", visit, visit, NOON + timedelta(minutes=minute), 1.0, NOON + timedelta(days=9))
                for visit, minute in CLICKS]  # fmt: skip
        ddl = "id STRING, visitor STRING, visit STRING, at TIMESTAMP, price DOUBLE, scored_at TIMESTAMP"
        scored = Table(f"{shop.home}/scored_clicks")
        scored.append(spark.createDataFrame(rows, ddl))
        scored.set_properties(spark, {"clickscore.stream": "one"})
        self.configure(table=self.table.name)

    def configure(self, **labels: Any) -> None:
        self.shop.set(outcome={**OUTCOME, "labels": {**LABELS, **labels}})

    def order(self, *orders: tuple[str, int, str], table: str = "") -> None:
        rows = [(who, f"click-{who}", NOON + timedelta(minutes=minute), status) for who, minute, status in orders]
        frame = self.spark.createDataFrame(rows, "who STRING, click STRING, ordered_at TIMESTAMP, status STRING")
        if table:
            frame.write.parquet(table)
        else:
            self.table.append(frame.coalesce(1))

    def join(self) -> tuple[int, dict[str, bool | None]]:
        config = self.shop.config
        written = joined.join(self.spark, config, joined.definition(config), has_ended=False).written
        rows = self.shop.table("outcomes")[["unit_id", "success"]].itertuples(index=False, name=None)
        return written, dict(rows)

    def of_clicks(self) -> dict[str, float | None]:
        rows = with_outcome(self.spark, self.shop.config, "_outcome").select("visit", "_outcome").collect()
        return {row.visit: row._outcome for row in rows}


@pytest.fixture
def orders(spark: SparkSession, shop: Any) -> Orders:
    return Orders(spark, shop)


def test_visits_succeed_by_orders_in_their_time_and_late_orders_change_only_theirs(orders: Orders) -> None:
    orders.order(("b", 30, "paid"), ("b", 2, "paid"), ("a", 60, "paid"), ("a", 59, "open"), ("nobody", 70, "paid"))
    known = {"a": 0.0, "b": 1.0, "c": None, "d": None}  # c is over at 110, but orders are known until 70 only
    assert orders.of_clicks() == known
    assert orders.join() == (4, {"a": False, "b": True, "c": None, "d": None})
    orders.order(("c", 100, "paid"), ("a", 10, "paid"), ("nobody", 200, "paid"))
    assert orders.join() == (2, {"a": True, "b": True, "c": True, "d": None})
    orders.table.delta(orders.spark).update("who = 'b'", {"status": "'refunded'"})
    assert orders.join() == (1, {"a": True, "b": False, "c": True, "d": None})


def test_orders_may_name_the_click_and_stand_in_parquet_files(orders: Orders) -> None:
    folder = f"{orders.shop.home}/files"
    orders.order(("b", 30, "paid"), ("c", 130, "paid"), table=folder)
    orders.configure(table=folder, visitor=None, id="click")
    known = {"a": 0.0, "b": 1.0, "c": 0.0, "d": None}
    assert orders.of_clicks() == known
    assert orders.join() == (4, {"a": False, "b": True, "c": False, "d": None})
    assert orders.join()[0] == 0  # all labels are looked at again, and nothing differs


def test_table_that_does_not_have_what_the_configuration_names_is_refused(orders: Orders) -> None:
    def read(**labels: Any) -> None:
        orders.configure(**{"table": orders.table.name, **labels})
        read_labels(orders.spark, joined.definition(orders.shop.config), "id", "visitor", "at")

    with pytest.raises(TableError, match=r"labels\.table: expected a Delta table or .*, found neither at .*orders"):
        read()
    orders.order(("b", 30, "paid"))
    read()
    with pytest.raises(ConfigError) as caught:
        read(visitor="whom", time="ordered")
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        "outcome.labels.visitor", "outcome.labels.time",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"outcome\.labels\.time: expected a TIMESTAMP, found status string"):
        read(time="status")
    with pytest.raises(ConfigError, match=r"labels\.success: expected a Spark SQL condition on a row of .*orders"):
        read(success="paid")
