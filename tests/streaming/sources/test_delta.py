import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pandas as pd
import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession
from rich.console import Console
from tests.support.wire import avro_bytes

from clickscore.errors import SourceError, StreamError
from clickscore.reconciliation import audit

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
    with pytest.raises(SourceError, match="has no column boddy; did you mean body"):
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


def test_data_file_that_is_gone_from_a_delta_source_is_no_unreadable_file(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    table = shop.home / "bronze"
    spark.createDataFrame([(json.dumps(make_click(1)),)], "body STRING").write.format("delta").save(str(table))
    shop.set(source={"kind": "delta", "table": str(table), "column": "body"})
    for file in table.glob("*.parquet"):
        file.unlink()
    with pytest.raises(StreamError, match=r"batch 0: file:.*parquet cannot be read: .* data file of a Delta table"):
        shop.run(spark)
    assert shop.rejected.empty


AS_MICROSECONDS = "map('timestampFormat', \"yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX\")"


@pytest.mark.parametrize(
    ("column", "made_of"),
    [
        ("payload", "struct(id, at, visitor, price, quantity)"),
        ("the.pay`load", "struct(id, at, visitor, price, quantity)"),
        ("the.pay`load", "to_variant_object(struct(id, at, visitor, price, quantity))"),
        (
            "the.pay`load",
            f"encode(to_json(struct(id, at, visitor, price, quantity), {AS_MICROSECONDS}), 'UTF-8')",
        ),
    ],
    ids=["STRUCT", "odd STRUCT", "odd VARIANT", "odd BINARY"],
)
def test_column_of_clicks_may_be_structured_and_have_any_name(
    spark: SparkSession, shop: Any, column: str, made_of: str
) -> None:
    table, name = str(shop.home / "clicks"), f"`{column.replace('`', '``')}`"
    rows = spark.sql(
        f"SELECT {made_of} AS {name}, 1 AS other FROM (SELECT *, TIMESTAMP '2026-03-01 12:00:00.123456' AS at, "
        f"1 AS quantity FROM VALUES ('c1', 'v', 1.5D), ('c2', NULL, 2.5D), ('c3', 'v', double('NaN')) "
        f"AS t(id, visitor, price))"
    )
    rows.write.format("delta").save(table)
    shop.set(source={"kind": "delta", "table": table, "column": column})
    shop.run(spark)
    assert shop.scored[["id", "price"]].to_numpy().tolist() == [["c1", 1.5]]
    assert set(shop.scored["at"]) == {pd.Timestamp("2026-03-01T12:00:00.123456Z")}
    assert len(shop.rejected) == 2
    seen = StringIO()
    assert audit.run(shop.config, lambda: spark, Console(file=seen, width=160), None, None), seen.getvalue()


def test_column_that_holds_no_clicks_is_refused(spark: SparkSession, shop: Any) -> None:
    table = str(shop.home / "bronze")
    spark.sql("SELECT '{}' AS body, 1 AS number, array('a') AS list").write.format("delta").save(table)
    for column, said in (
        ("number", "number of .* is int; expected a STRING or BINARY"),
        ("Body", "has no column Body; did you mean body"),
        ("list", r"list of .* is array<string>; expected"),
    ):
        shop.set(source={"kind": "delta", "table": table, "column": column})
        with pytest.raises(SourceError, match=said):
            shop.run(spark)
        assert not (shop.home / "checkpoint").exists()


def test_binary_column_may_hold_avro_and_a_text_column_may_not(spark: SparkSession, shop: Any) -> None:
    table, file = str(shop.home / "clicks"), shop.home / "click.avsc"
    fields = [("id", "string"), ("at", {"type": "long", "logicalType": "timestamp-millis"}), ("visitor", "string")]
    schema = {"type": "record", "name": "Click", "fields": [{"name": name, "type": kind} for name, kind in fields]}
    file.write_text(json.dumps(schema))
    good = avro_bytes(schema, {"id": "c1", "at": 1_772_366_400_000, "visitor": "v"})
    rows = [(bytearray(good), "x"), (bytearray(b"\xff" + good), "x"), (None, "x")]
    spark.createDataFrame(rows, "payload BINARY, body STRING").write.format("delta").save(table)
    source = {"kind": "delta", "table": table, "value": {"format": "avro", "schema": str(file)}}
    shop.set(source={**source, "column": "body"})
    with pytest.raises(SourceError, match=r"source\.column: expected a BINARY column for .* avro, found body of"):
        shop.run(spark)
    shop.set(source={**source, "column": "payload"})
    assert "3 records in 1 micro-batch: 1 scored, 2 rejected" in shop.run(spark)
    assert list(shop.scored["id"]) == ["c1"]
    assert sorted(shop.rejected["reason"]) == ["malformed_avro", "tombstone"]
    seen = StringIO()
    assert audit.run(shop.config, lambda: spark, Console(file=seen, width=160), None, None), seen.getvalue()


def test_columns_in_another_spelling_than_the_fields_of_a_click_are_refused(spark: SparkSession, shop: Any) -> None:
    table = str(shop.home / "clicks")
    rows = spark.sql("SELECT 'c1' AS ID, current_timestamp() AS At, 'v' AS visiter, 1.5D AS PRICE, 1 AS more")
    rows.write.format("delta").save(table)
    shop.set(source={"kind": "delta", "table": table})
    with pytest.raises(SourceError) as caught:
        shop.run(spark)
    said = str(caught.value)
    for problem in (
        "id is there as ID",
        "at is there as At",
        "visitor is missing; did you mean visiter",
        "price is there",
    ):
        assert problem in said
    assert "quantity" not in said
    assert not (shop.home / "checkpoint").exists()


def test_fields_may_be_read_from_columns_of_other_names(spark: SparkSession, shop: Any) -> None:
    table = str(shop.home / "raw")
    spark.sql(
        "SELECT 'm1' AS messageId, named_struct('at', '2026-03-01T12:00:00Z') AS context, 'v1' AS user, 3.0D AS price"
    ).write.format("delta").save(table)
    readings = {
        "id": "messageId", "at": "context.at", "visitor": ["User", "user", "anonymous"], "quantity": {"constant": 2},
    }  # fmt: skip
    shop.set(
        source={"kind": "delta", "table": table},
        click={"schema": "tests/data/click.ddl", "id": "id", "time": "at", "visitor": "visitor",
               "from": {**readings, "id": "messageID"}},
    )  # fmt: skip
    with pytest.raises(SourceError, match=r"messageID is there as messageId.* say in click\.from which column"):
        shop.run(spark)
    shop.set(click={"schema": "tests/data/click.ddl", "id": "id", "time": "at", "visitor": "visitor", "from": readings})
    assert "1 record in 1 micro-batch: 1 scored" in shop.run(spark)
    assert shop.scored[["id", "visitor", "quantity"]].to_numpy().tolist() == [["m1", "v1", 2]]
    seen = StringIO()
    assert audit.run(shop.config, lambda: spark, Console(file=seen, width=160), None, None), seen.getvalue()


def test_typed_rows_are_audited_whatever_number_is_in_them(spark: SparkSession, shop: Any) -> None:
    table = str(shop.home / "clicks")
    for part in range(3):  # files
        rows = spark.sql(
            f"SELECT concat('c{part}-', number) AS id, TIMESTAMP '2026-03-01 12:00:00.123456' AS at, 'v' AS visitor, "
            f"price, 1 AS quantity, X'00ff' AS raw_bytes, CAST(1.5 AS DECIMAL(20, 9)) AS cents, float('NaN') AS other, "
            f"array(struct(double('NaN') AS deep)) AS nested, DATE '0001-01-01' AS day FROM VALUES "
            f"('nan', double('NaN')), ('zero', -0.0D), ('infinity', double('Infinity')), ('null', NULL) "
            f"AS t(number, price)"
        )
        rows.coalesce(1).write.format("delta").mode("append").save(table)
    shop.set(source={"kind": "delta", "table": table})
    shop.run(spark)
    assert sorted(shop.scored["id"]) == [f"c{part}-{number}" for part in range(3) for number in ("null", "zero")]
    assert len(shop.rejected) == 6
    seen = StringIO()
    assert audit.run(shop.config, lambda: spark, Console(file=seen, width=160), None, None), seen.getvalue()
