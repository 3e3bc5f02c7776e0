import gzip
import json
import os
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from clickscore.errors import SourceError

MakeClick = Callable[..., dict[str, Any]]


def lines(*records: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def test_gzip_nested_folders_bom_and_carriage_returns_are_read(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land_bytes("a.jsonl.gz", gzip.compress(lines(make_click(1))))
    shop.land_bytes("2026/03/b.json", lines(make_click(2)))
    shop.land_bytes("c.ndjson", b"\xef\xbb\xbf" + lines(make_click(3)).replace(b"\n", b"\r\n"))
    shop.land_bytes("d e[1].jsonl", lines(make_click(4))[:-1])
    shop.land_bytes("empty.jsonl", b"")
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1", "c2", "c3", "c4"]
    assert len(shop.rejected) == 0


def test_file_with_an_old_time_is_not_silently_ignored(spark: SparkSession, shop: Any, make_click: MakeClick) -> None:
    shop.land("new.jsonl", make_click(1))
    shop.run(spark)
    old = shop.land("old.jsonl", make_click(2))
    a_year_ago = time.time() - 365 * 86_400
    os.utime(old, (a_year_ago, a_year_ago))
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1", "c2"]


def test_file_that_is_being_written_is_read_only_when_it_has_its_name(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    whole = lines(make_click(1), make_click(2))
    halves = [shop.landing / name for name in (".a.jsonl.tmp", "_b.jsonl", "c.jsonl.part", "d.jsonl.tmp")]
    for half in halves:
        half.write_bytes(whole[:70])
    shop.land("z.jsonl", make_click(9))
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c9"]
    halves[2].write_bytes(whole)
    halves[2].rename(shop.landing / "c.jsonl")
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c9", "c1", "c2"]
    assert len(shop.rejected) == 0


def test_bad_gzip_is_rejected_as_a_file_and_the_stream_goes_on(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land("a.jsonl", make_click(1), "rubbish")
    shop.land_bytes("cut.jsonl.gz", gzip.compress(lines(*[make_click(n) for n in range(5_000)]))[:-200])
    shop.land_bytes("pla in.jsonl.gz", b"this is no gzip at all, but long enough to be one")
    shop.land_bytes(
        "flipped.jsonl.gz",
        bytes(
            b ^ 0x5A if 100 < n < 140 else b
            for n, b in enumerate(gzip.compress(lines(*[make_click(n) for n in range(200)])))
        ),
    )
    whole = gzip.compress(lines(make_click(3)))
    for name, place in (("crc", -8), ("size", -4)):
        shop.land_bytes(f"{name}.jsonl.gz", whole[:place] + bytes([whole[place] ^ 1]) + whole[place:][1:])
    seen = shop.run(spark)
    shop.land("b.jsonl", make_click(2))
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1", "c2"]
    rejected = shop.rejected
    assert rejected["reason"].tolist() == ["malformed_json"] + ["unreadable_file"] * 5
    files = rejected.loc[rejected["reason"] == "unreadable_file", "source"]
    assert sorted(file.rpartition("/")[2] for file in files) == [
        "crc.jsonl.gz",
        "cut.jsonl.gz",
        "flipped.jsonl.gz",
        "pla%20in.jsonl.gz",
        "size.jsonl.gz",
    ]
    assert "cut.jsonl.gz" in seen
    assert "7 in" in seen


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
