import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from clickscore.errors import SourceError

MakeClick = Callable[..., dict[str, Any]]


def test_delta_table_of_typed_columns_is_scored_once_per_row(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    table = str(shop.home / "clicks")
    rows = "SELECT id, TIMESTAMP '2026-03-01 12:00:00.123456' AS at, visitor, price, 1 AS quantity FROM VALUES "
    spark.sql(rows + "('c1', 'v', 1.5D), ('c2', NULL, 2.5D) AS t(id, visitor, price)").write.format("delta").save(table)
    shop.set(source={"kind": "delta", "table": table})
    shop.run(spark)
    spark.sql(rows + "('c3', 'v', 3.5D) AS t(id, visitor, price)").write.format("delta").mode("append").save(table)
    shop.run(spark)
    assert shop.scored[["id", "price"]].to_numpy().tolist() == [["c1", 1.5], ["c3", 3.5]]
    assert shop.rejected["reason"].tolist() == ["missing_field"]
    assert set(shop.scored["at"]) == {pd.Timestamp("2026-03-01T12:00:00.123456Z")}
    assert len(set(shop.scored["source"])) == 2
    assert all(source.endswith(".parquet") for source in [*shop.scored["source"], *shop.rejected["source"]])


def test_delta_column_of_json_is_parsed(spark: SparkSession, shop: Any, make_click: MakeClick) -> None:
    table = str(shop.home / "bronze")
    rows = [(json.dumps(make_click(1)),), ("rubbish",), (None,)]
    spark.createDataFrame(rows, "body STRING").write.format("delta").save(table)
    shop.set(source={"kind": "delta", "table": table, "column": "body"})
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1"]
    assert shop.rejected["reason"].tolist() == ["malformed_json", "tombstone"]
    shop.set(source={"kind": "delta", "table": table, "column": "boddy"})
    with pytest.raises(SourceError, match="has no column boddy; it has body"):
        shop.run(spark)


def test_deleted_rows_in_a_delta_source_stop_the_stream_unless_told_to_skip(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    table = str(shop.home / "bronze")
    for number in (1, 2):
        spark.createDataFrame([(json.dumps(make_click(number)),)], "body STRING").write.format("delta").mode(
            "append"
        ).save(table)
    shop.set(source={"kind": "delta", "table": table, "column": "body"})
    shop.run(spark)
    spark.sql(f"DELETE FROM delta.`{table}` WHERE body LIKE '%c1%'")
    with pytest.raises(StreamingQueryException, match="DELTA_SOURCE"):
        shop.run(spark)
    shop.set(source={"kind": "delta", "table": table, "column": "body", "changes": "skip"})
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1", "c2"]
