import gzip
import json
import os
import time
from collections.abc import Callable
from io import StringIO
from typing import Any

from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.reconciliation import audit

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


def proven(spark: SparkSession, shop: Any) -> tuple[bool, str]:
    seen = StringIO()
    return audit.run(shop.config, lambda: spark, Console(file=seen, width=400), None, None), seen.getvalue()


def test_file_whose_name_hadoop_cannot_take_is_rejected_as_a_file_and_the_stream_goes_on(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land("a.jsonl", make_click(1))
    shop.land("clicks-2026-03-01T12:00:00Z.jsonl", make_click(2))
    shop.run(spark)
    shop.land("b.jsonl", make_click(3))
    shop.land("x:y z.jsonl", make_click(4))
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1", "c3"]
    rejected = shop.rejected
    assert rejected["reason"].tolist() == ["unreadable_file"] * 2
    assert [source.rpartition("/")[2] for source in rejected["source"]] == [
        "clicks-2026-03-01T12:00:00Z.jsonl", "x:y%20z.jsonl",
    ]  # fmt: skip
    assert "Relative path in absolute URI" in rejected["detail"][0]
    is_whole, said = proven(spark, shop)
    assert is_whole, said
