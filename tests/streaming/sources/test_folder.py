import gzip
import json
import os
import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession
from rich.console import Console
from tests.support.interruption import run_until

from clickscore.errors import SourceError
from clickscore.reconciliation import audit
from clickscore.sources.unreadable_files import GONE
from clickscore.storage.table import Table

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


def test_file_is_read_once_it_has_its_name_whatever_its_time(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    whole = lines(make_click(1), make_click(2))
    halves = [shop.landing / name for name in (".a.jsonl.tmp", "_b.jsonl", "c.jsonl.part", "d.jsonl.tmp")]
    for half in halves:
        half.write_bytes(whole[:70])
    ahead = shop.land("ahead.jsonl", make_click(9))
    in_centuries = time.time() + 270 * 365 * 86_400
    os.utime(ahead, (in_centuries, in_centuries))
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c9"]
    halves[2].write_bytes(whole)
    halves[2].rename(shop.landing / "c.jsonl")
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c9", "c1", "c2"]
    old = shop.land("old.jsonl", make_click(3))
    a_year_ago = time.time() - 365 * 86_400
    os.utime(old, (a_year_ago, a_year_ago))
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c9", "c1", "c2", "c3"]
    assert len(shop.rejected) == 0
    for half in halves:
        half.unlink(missing_ok=True)
    is_whole, said = proven(spark, shop)
    assert is_whole, said


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


ODD_NAMES = [
    "50%.jsonl", "%20.jsonl", "a\nb.jsonl", "a*b?.jsonl", "{x}.jsonl", "[y].jsonl", "back\\slash.jsonl", " lead.jsonl",
    "trail .jsonl", "x" * 240 + ".jsonl", "é日.jsonl", "e\u0301.jsonl", "#frag?q=1.jsonl", "a+b&c.jsonl",
    "\u00a0nbsp.jsonl", "\u2028line.jsonl", "tab\t.jsonl", "quote'\".jsonl", "dt=2026-03-01T12:00/a.jsonl",
    "f[o]/b.jsonl", "a b/{c,d}/c.jsonl", "100%25/%41.jsonl", "x:/y:z/d.jsonl",
]  # fmt: skip


def test_files_and_folders_of_any_name_are_read_once_and_proven(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    for number, name in enumerate(ODD_NAMES):
        shop.land(name, make_click(number))
    shop.run(spark)
    shop.run(spark)
    assert sorted(shop.scored["id"]) == sorted(f"c{number}" for number in range(len(ODD_NAMES)))
    assert len(shop.rejected) == 0
    is_whole, said = proven(spark, shop)
    assert is_whole, said


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


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_far_too_long_line_is_one_row_with_its_beginning_and_its_size(
    spark: SparkSession, shop: Any, make_click: MakeClick, compress: Callable[[bytes], bytes]
) -> None:
    size = 20 * 1024**2
    content = lines(make_click(1)) + b"x" * size + b"\n" + lines(make_click(2)) + b"y" * size
    shop.land_bytes("a.jsonl" if compress is bytes else "a.jsonl.gz", compress(content))
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1", "c2"]
    rejected = shop.rejected
    assert rejected["reason"].tolist() == ["too_large"] * 2
    assert {raw[0] for raw in rejected["raw"]} == {"x", "y"}
    assert all(raw.endswith(f" [cut off: the line has {size} bytes]") for raw in rejected["raw"])
    assert max(map(len, rejected["raw"])) < 3 * 1024**2
    is_whole, said = proven(spark, shop)
    assert is_whole, said


def test_link_to_a_folder_that_is_read_already_is_refused(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land("2026-03-01/a.jsonl", make_click(1))
    (shop.landing / "latest").symlink_to("2026-03-01")
    with pytest.raises(SourceError, match=r"latest is a link to a folder that is read under another name as well"):
        shop.run(spark)
    (shop.landing / "latest").rename(shop.landing / ".latest")
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1"]


def test_file_that_is_gone_between_planning_and_reading_is_rejected_by_name(
    spark: SparkSession, shop: Any, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land("a.jsonl", make_click(1))
    shop.land_bytes("empty.jsonl", b"")
    lost = shop.land("b 100%.jsonl", make_click(2), "rubbish")
    with monkeypatch.context() as until_then:
        until_then.setattr(Table, "append", fail)
        with pytest.raises(StreamingQueryException):
            shop.run(spark)
    aside = lost.rename(shop.home / "aside.jsonl")
    seen = shop.run(spark)
    assert "rejects as a whole what was moved or deleted before it was read (1): " in seen
    assert "b%20100%25.jsonl. Land it once more, under another name" in seen
    assert shop.scored["id"].tolist() == ["c1"]
    assert shop.rejected[["reason", "detail"]].to_numpy().tolist() == [["unreadable_file", GONE]]
    assert shop.rejected["source"][0] == f"file:{shop.landing}/b%20100%25.jsonl"
    is_whole, said = proven(spark, shop)
    assert is_whole, said
    assert "1 file was unreadable, or gone before, and rejected as a whole" in said
    assert f"{shop.landing}/b%20100%25.jsonl" in said
    aside.rename(shop.landing / "once more.jsonl")
    assert "moved or deleted" not in shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1", "c2"]
    assert shop.rejected["reason"].tolist() == ["unreadable_file", "malformed_json"]


def test_file_that_is_gone_between_the_two_commits_is_rejected_unless_its_clicks_are_scored(
    spark: SparkSession, shop: Any, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [shop.land("scored.jsonl", make_click(1)), shop.land("rubbish.jsonl", "rubbish")]
    run_until("scored", shop, spark, monkeypatch)
    for file in files:
        file.unlink()
    assert "rejects as a whole what was moved or deleted before it was read (1)" in shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1"]
    assert shop.rejected[["reason", "source"]].to_numpy().tolist() == [
        ["unreadable_file", f"file:{shop.landing}/rubbish.jsonl"]
    ]
    is_whole, said = proven(spark, shop)
    assert is_whole, said


def fail(*_: object) -> None:
    raise ArithmeticError("ended before anything was written")
