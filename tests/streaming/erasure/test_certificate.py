"""The end of an erasure: what is left in files, and the certificate that nothing is."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame

from clickscore.errors import ConfigError, ErasureError
from clickscore.storage.erasures import Erasures
from clickscore.storage.table import Table

NO_RETENTION = {"delta.deletedFileRetentionDuration": "interval 0 seconds"}


def tables(site: Any) -> list[Table]:
    return [Table(f"{site.home}/{name}") for name in ("scored_clicks", "rejected_clicks")]


def files_with(site: Any, *visitors: str) -> list[str]:
    """Return the data files, live or not, that have an id in a value or a statistic, read without Spark and Delta."""
    found = []
    for file in site.home.rglob("*.parquet"):
        text = f"{pq.read_table(file).to_pylist()} {pq.read_metadata(file).to_dict()}"
        if any(visitor in text for visitor in visitors):
            found.append(file.parent.name)
    return sorted(found)


def test_certificate_comes_when_no_file_has_an_id_any_more(site: Any, tmp_path: Path) -> None:
    file, (scored, rejected) = tmp_path / "certificate.json", tables(site)
    with pytest.raises(ConfigError, match="there is no folder nowhere; create it, or name another file"):
        site.finish(site.GONE, file=Path("nowhere/certificate.json"))
    rows: DataFrame = scored.read(site.spark).where("id = 'c1'").localCheckpoint()
    site.erase(site.GONE, site.ALSO_GONE)
    is_done, said = site.finish(site.GONE, site.ALSO_GONE, file=file)
    assert not is_done
    assert "scored_clicks: 2 files of older versions stay until " in said
    assert "There is no certificate yet." in said
    assert not file.exists()
    assert set(files_with(site, site.GONE)) == {"scored_clicks", "rejected_clicks"}

    for table in (scored, rejected):
        table.set_properties(site.spark, NO_RETENTION)
    is_done, said = site.finish(site.GONE, site.ALSO_GONE, file=file)
    assert is_done, said
    assert files_with(site, site.GONE, "visitor-two'", '"visitor-two"') == []
    told = json.loads(file.read_text())
    assert said.endswith(f"{file.read_text()}")
    assert site.GONE not in said
    assert [(each["table_name"], each["rows"], each["reference"]) for each in told["requests"]] == [
        ("rejected_clicks", 3, "request 7"), ("scored_clicks", 3, "request 7"),
    ]  # fmt: skip
    assert [(each["table"], each["rows"], each["old_files"]) for each in told["tables"]] == [
        ("scored_clicks", 0, 0), ("rejected_clicks", 0, 0),
    ]  # fmt: skip
    assert datetime.fromisoformat(told["certified_at"]) >= datetime.fromisoformat(told["requests"][0]["done_at"])
    assert site.audit()[0]

    scored.append(rows)  # as a click that comes later
    is_done, said = site.finish(site.GONE)
    assert not is_done
    assert (
        "scored_clicks: 1 row in a live file names an erased visitor. Either the click came after the erasure" in said
    )


def test_rows_that_deletion_vectors_hide_are_purged_once_the_request_is_done(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("killed")

    scored, rejected = tables(site)
    for table in (scored, rejected):
        table.set_properties(site.spark, {**NO_RETENTION, "delta.enableDeletionVectors": "true"})
    with monkeypatch.context() as patch, pytest.raises(OSError, match="killed"):
        patch.setattr(Erasures, "finish", fail)
        site.erase(site.GONE)
    with pytest.raises(ErasureError, match="request 1 is planned and not done, so nothing can be certified yet"):
        site.finish(site.GONE)
    site.erase(site.GONE)
    site.spark.sql(f"DELETE FROM {scored.sql_name} WHERE id = 'c3'")
    is_done, said = site.finish(site.GONE)
    assert is_done, said
    assert files_with(site, site.GONE, "'c3'") == []


def test_number_of_a_visitor_may_stand_for_anything_else_in_other_rows(
    site: Any, make_shop: Callable[[Path], Any], make_click: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    shop = make_shop(tmp_path / "numbered")
    ddl = shop.home / "click.ddl"
    ddl.write_text(Path("tests/data/click.ddl").read_text().replace("visitor  STRING", "visitor  BIGINT"))
    shop.set(
        click={"schema": str(ddl), "id": "id", "time": "at", "visitor": "visitor"},
        erasure=site.config.erasure.model_dump(mode="json"),
    )
    shop.land("a.jsonl", make_click(1, visitor=1), make_click(2, visitor=500), make_click(3, visitor=500, price="x"))
    shop.run(site.spark)
    shop.land("b.jsonl", make_click(4, visitor=600))
    shop.run(site.spark)
    numbered = replace(site, shop=shop, home=shop.home)
    numbered.erase("1")
    for table in tables(numbered):
        table.set_properties(site.spark, NO_RETENTION)
    is_done, said = numbered.finish("1")
    assert is_done, said
    assert numbered.table("scored_clicks")["visitor"].sort_values().tolist() == [500, 600]
    assert "texts and fields other than visitor: the id is a number, which may stand for anything there" in said
