"""Clicks that a stream has scored are scored again by another version, into a table of their own, and compared."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession
from tests.support.wire import avro_bytes

from clickscore.batch import rescore
from clickscore.storage.table import Table

RunJob = Callable[..., Any]


def test_clicks_are_scored_again_once_and_compared(
    shop: Any, spark: SparkSession, make_click: Callable[..., Any], registry_uri: str, run_job: RunJob,
    register_booster: Callable[..., str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    register_booster(registry_uri, seed=2, name="again", alias="champion")
    register_booster(registry_uri, seed=1, name="again", alias="next")
    shop.set(model={"uri": "models:/again@champion", "registry": registry_uri})
    for day in range(3):
        at = f"2026-03-0{day + 1}T12:00:00.000001Z"
        shop.land(f"{day}.jsonl", *[make_click(10 * day + number, at=at, visitor=f"v{day}") for number in range(10)])
        shop.run(spark)
    monkeypatch.setattr(rescore, "CHUNK_CLICKS", 10)
    config, into = ("--config", str(shop.config_file)), str(shop.home / "again")

    # With the version that has scored them: the record that a click goes back into gives the same score, to the bit.
    done = run_job("score_batch", *config, "--compare", "--by", "visitor")
    assert done.status == 0, done.err
    rows = {line.split()[1]: line.replace("│", " ").split() for line in done.out.splitlines() if line.startswith("│")}
    assert rows["all"][1:4] == ["30", "0", "0"]
    assert {"2026-03-01", "2026-03-02", "2026-03-03", "v0", "v1", "v2"} <= set(rows)

    append_once, commits = Table.append_once, 0

    def append_and_end(table: Table, *arguments: Any) -> None:
        nonlocal commits
        append_once(table, *arguments)
        commits += 1
        if commits == 2:
            raise KeyboardInterrupt

    asked = ("--alias", "next", "--rescore", "--into", into, "--from", "2026-03-01T12:00:00.000001Z")
    with monkeypatch.context() as until_then:
        until_then.setattr(Table, "append_once", append_and_end)
        with pytest.raises(KeyboardInterrupt):
            run_job("score_batch", *config, *asked)
    assert len(shop.table("again")) == 20
    done = run_job("score_batch", *config, *asked, "--compare")
    assert done.status == 0, done.err
    again = shop.table("again")
    assert sorted(again["id"]) == sorted(shop.scored["id"])
    assert set(again["old_model"]) == {"again version 1"}
    assert set(again["new_model"]) == {"again version 2"}
    assert again["new_score"].notna().all()
    assert again["old_score"].tolist() == [
        dict(zip(shop.scored["id"], shop.scored["score"], strict=True))[each] for each in again["id"]
    ]
    changed = int((again["old_score"] != again["new_score"]).sum())
    rows = {line.split()[1]: line.replace("│", " ").split() for line in done.out.splitlines() if line.startswith("│")}
    assert rows["all"][1:4] == ["30", "0", str(changed)]
    assert changed
    assert run_job("score_batch", *config, *asked).status == 0
    assert len(shop.table("again")) == 30
    assert run_job("score_batch", *config, "--compare", "--into", into).out.count("2026-03-0") == 3

    def refused(*arguments: str) -> str:
        done = run_job("score_batch", *config, *arguments)
        assert (done.status, done.out) == (2, ""), done
        return str(done.err)

    scored = str(shop.home / "scored_clicks")
    assert "are the same place" in refused("--rescore", "--into", scored)
    assert "holds another re-score" in refused("--rescore", "--into", into)
    assert "there is no table" in refused("--compare", "--into", str(shop.home / "nowhere"))
    assert "there is no models:/again/9" in refused("--compare", "--version", "9")
    assert "has no column countri" in refused("--compare", "--by", "countri")
    assert "--from, --to:" in refused("--rescore", "--into", str(shop.home / "new"), "--from", "2027-01-01")
    assert not (shop.home / "new").exists()
    assert "--rescore needs --into" in refused("--rescore")


def test_click_that_came_as_avro_gets_the_same_score_again_though_as_json_it_would_be_too_large(
    shop: Any, spark: SparkSession, run_job: RunJob
) -> None:
    table, file = str(shop.home / "clicks"), shop.home / "click.avsc"
    kinds = {"id": "string", "at": {"type": "long", "logicalType": "timestamp-micros"}, "visitor": "string",
             "prices": {"type": "array", "items": "double"}, "ratio": "float"}  # fmt: skip
    schema = {"type": "record", "name": "Click", "fields": [{"name": n, "type": kind} for n, kind in kinds.items()]}
    file.write_text(json.dumps(schema))
    (shop.home / "click.ddl").write_text("id STRING NOT NULL, at TIMESTAMP NOT NULL, visitor STRING NOT NULL, "
                                         "prices ARRAY<DOUBLE>, ratio FLOAT")  # fmt: skip
    (shop.home / "features.sql").write_text("SELECT prices[2] * 100 AS double_price, ratio AS quantity FROM click\n")
    rng = np.random.default_rng(7)
    records = [
        avro_bytes(schema, {"id": f"c{number}", "at": 1_772_366_400_000_001, "visitor": "v", "ratio": rng.uniform(0, 4),
                            "prices": rng.uniform(0, 2, length).tolist()})
        for number, length in enumerate([3, 60_000, 4])
    ]  # fmt: skip
    spark.createDataFrame([(bytearray(each),) for each in records], "payload BINARY").write.format("delta").save(table)
    shop.set(
        source={"kind": "delta", "table": table, "column": "payload", "value": {"format": "avro", "schema": str(file)}},
        click={"schema": str(shop.home / "click.ddl"), "id": "id", "time": "at", "visitor": "visitor"},
        features=str(shop.home / "features.sql"),
    )
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c0", "c1", "c2"]
    done = run_job("score_batch", "--config", str(shop.config_file), "--rescore", "--into", str(shop.home / "again"))
    assert done.status == 0, done.err
    again = shop.table("again").sort_values("id")
    assert again["detail"].tolist() == [None] * 3
    assert again["new_score"].tolist() == again["old_score"].tolist() == shop.scored["score"].tolist()
