import json
import re
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from pyspark.sql import SparkSession

from clickscore.errors import (
    CheckpointError,
    ConfigError,
    ModelError,
    ModelNotFoundError,
    PreflightError,
    SignatureError,
    SourceError,
    StreamError,
    TableError,
)
from clickscore.registry.registry import fetch_current
from clickscore.scoring.isolation import Tolerance
from clickscore.sources.folder import read_batch
from clickscore.storage.stream_id import read_stream_id
from clickscore.storage.table import STREAM_PROPERTY, Table
from clickscore.stream import pipeline
from clickscore.stream.definition import read_definition
from clickscore.stream.deployment import Deployment

MakeClick = Callable[..., dict[str, Any]]

SCORED = ["id", "at", "visitor", "price", "quantity", "score", "model_name", "model_version", "scored_at", "source",
          "source_offset", "batch_id"]  # fmt: skip


def test_every_record_is_scored_or_rejected_and_knows_where_it_came_from(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land("a.jsonl", make_click(1), "rubbish", make_click(2, price="x"), "", make_click(3))
    shop.run(spark)
    scored, rejected = shop.scored, shop.rejected
    assert list(scored.columns) == SCORED
    assert scored["id"].tolist() == ["c1", "c3"]
    assert rejected["reason"].tolist() == ["empty_record", "malformed_json", "wrong_type"]
    assert rejected["raw"].tolist() == ["", "rubbish", json.dumps(make_click(2, price="x"))]
    assert set(scored["source"]) == set(rejected["source"]) == {f"file:{shop.landing}/a.jsonl"}
    assert scored["score"].between(0, 1).all()
    [pinned] = shop.table("model_timeline").to_dict("records")
    assert (pinned["from_batch"], pinned["model_name"], pinned["model_version"]) == (0, "small_model", "1")
    assert set(scored["model_version"]) == {"1"}


def test_click_at_the_edge_of_time_is_scored(spark: SparkSession, shop: Any, make_click: MakeClick) -> None:
    shop.land("a.jsonl", make_click(1, at="0001-01-01T00:00:00Z"), make_click(2, at="9999-12-31T23:59:59Z"))
    assert "2 scored" in shop.run(spark)
    assert spark.read.format("delta").load(str(shop.home / "scored_clicks")).count() == 2


def test_second_run_only_reads_what_is_new_however_late_it_is(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land("a.jsonl", make_click(1, at="2026-03-01T12:00:00Z"))
    shop.run(spark)
    assert "0 records in 0 micro-batches" in shop.run(spark)
    shop.land("b.jsonl", make_click(2, at="2019-01-01T00:00:00Z"))
    shop.run(spark)
    assert shop.scored[["id", "batch_id"]].to_numpy().tolist() == [["c1", 0], ["c2", 1]]
    assert len(shop.table("model_timeline")) == 1


def test_stream_and_batch_give_the_same_scores_to_the_last_bit(
    spark: SparkSession, shop: Any, make_click: MakeClick, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    for part in range(3):
        shop.land(f"{part}.jsonl", *[make_click(part * 100 + n, price=rng.uniform(0, 200)) for n in range(100)])
    shop.set(source={"kind": "folder", "path": str(shop.landing), "max_bytes": 1})
    shop.run(spark)
    streamed = shop.scored.set_index("id")
    assert sorted(set(streamed["batch_id"])) == [0, 1, 2]
    definition, model = read_definition(shop.config), fetch_current(shop.config.model, tmp_path / "model")
    score = Deployment(spark, shop.config.model).score_with(
        definition.contract, definition.features, model, Tolerance(time_limit_s=10, count=0)
    )
    outcomes = pipeline.with_outcomes(read_batch(spark, str(shop.landing)), score)
    batch = outcomes.select("_outcome.id", "_outcome.score").toPandas().set_index("id")
    assert len(batch) == 300
    assert (batch["score"] == streamed["score"].loc[batch.index]).all()


def test_micro_batch_of_nothing_but_rubbish_goes_to_the_rejected_clicks(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land("a.jsonl", *[b"x" * 5_000 for _ in range(300)])
    seen = shop.run(spark)
    assert "300 in" in seen
    assert len(shop.rejected) == 300
    assert len(shop.scored) == 0
    assert set(shop.rejected["raw"]) == {"x" * 5_000}


def test_click_that_lacks_a_required_feature_is_rejected_with_its_raw_record(
    spark: SparkSession, shop: Any, make_click: MakeClick, registry_uri: str, register_classifier: Callable[..., None]
) -> None:
    features = pd.DataFrame({"double_price": [1.0, 2.0], "quantity": [1, 2]})
    register_classifier(registry_uri, features, "needs_quantity")
    shop.set(model={"uri": "models:/needs_quantity@champion", "registry": registry_uri})
    shop.land("a.jsonl", make_click(1, quantity=None), make_click(2))
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c2"]
    [row] = shop.rejected.to_dict("records")
    assert (row["reason"], row["raw"]) == ("missing_feature", json.dumps(make_click(1, quantity=None)))


def test_another_shop_runs_by_configuration_alone(
    spark: SparkSession, shop: Any, registry_uri: str, register_classifier: Callable[..., None]
) -> None:
    (shop.home / "hit.ddl").write_text(
        "`hit-no` BIGINT NOT NULL, ts TIMESTAMP NOT NULL, who STRING NOT NULL, secs INT, "
        "basket STRUCT<total: DECIMAL(9,2)>"
    )
    (shop.home / "hit.sql").write_text("SELECT secs / 60 AS minutes, basket.total AS total FROM click")
    rng = np.random.default_rng(1)
    features = pd.DataFrame({"minutes": rng.uniform(0, 5, 50), "total": rng.uniform(0, 90, 50)})
    register_classifier(registry_uri, features, "other_shop")
    shop.set(
        click={"schema": str(shop.home / "hit.ddl"), "id": "hit-no", "time": "ts", "visitor": "who"},
        features=str(shop.home / "hit.sql"),
        model={"uri": "models:/other_shop@champion", "registry": registry_uri},
    )
    hit = {"hit-no": 1, "ts": 1772366400000, "who": "w", "secs": 90, "basket": {"total": 12.50}}
    shop.land("hits.ndjson", hit, {**hit, "hit-no": "two"})
    shop.run(spark)
    [row] = shop.table("scored_clicks").to_dict("records")
    assert (row["hit-no"], row["ts"]) == (1, pd.Timestamp("2026-03-01T12:00:00Z"))
    loaded = mlflow.sklearn.load_model("models:/other_shop@champion")
    assert row["score"] == loaded.predict_proba(np.array([[1.5, 12.5]]))[0, 1]
    assert shop.rejected["reason"].tolist() == ["wrong_type"]


def test_click_without_an_optional_struct_is_scored_though_the_struct_has_a_required_field(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    fields = Path("tests/data/click.ddl").read_text()
    fields += ", geo STRUCT<country: STRING NOT NULL, at: STRUCT<lat: DOUBLE NOT NULL>>"
    fields += ", device STRUCT<os: STRING NOT NULL> NOT NULL"
    (shop.home / "click.ddl").write_text(fields)
    shop.set(click={"schema": str(shop.home / "click.ddl"), "id": "id", "time": "at", "visitor": "visitor"})
    device = {"device": {"os": "x"}}
    geos = [{}, {"geo": None}, {"geo": {"country": "CH"}}, {"geo": {"country": "CH", "at": {"lat": 1}}}]
    shop.land("a.jsonl", *(make_click(number, **geo, **device) for number, geo in enumerate(geos)))
    shop.land("b.jsonl", make_click(7, **device, geo={}), make_click(8, **device, geo={"country": "CH", "at": {}}),
              make_click(9, device={}))  # fmt: skip
    shop.run(spark)
    assert shop.scored["geo"].tolist() == [
        None, None, {"country": "CH", "at": None}, {"country": "CH", "at": {"lat": 1.0}},
    ]  # fmt: skip
    assert sorted(shop.rejected["detail"]) == [
        "device.os is missing",
        "geo.at.lat is missing",
        "geo.country is missing",
    ]


def test_run_of_a_few_clicks_that_the_model_fails_on_says_so_at_the_end(
    spark: SparkSession, moody: Any, make_click: MakeClick
) -> None:
    moody.land("a.jsonl", *(make_click(number, price=moody.raises) for number in range(3)), "rubbish")
    assert (
        "warning: the model has failed on 3 of the 3 clicks that it was asked about, most often: scoring_failed: "
        "ValueError: what is this?" in moody.run(spark)
    )


def test_run_that_rejects_nearly_everything_says_so_and_writes_nothing_above_the_limit(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    clicks = [make_click(number) for number in range(95)]
    shop.land("a.jsonl", *({"payload": click} for click in clicks), *["rubbish"] * 5)
    shop.set(reject_limit=0.9)
    with pytest.raises(StreamError) as refused:
        shop.run(spark)
    assert "batch 0: more is rejected than reject_limit (90%) allows: 100 of 100 records (100%)" in str(refused.value)
    assert len(shop.scored) == len(shop.rejected) == 0
    assert set(shop.table("model_timeline")["event"]) == {"scores", "withdrawn"}

    [mapping] = re.findall(r"write under click: from: ({.*?})", str(refused.value))
    shop.set(click={**yaml.safe_load(shop.config_file.read_text())["click"], "from": yaml.safe_load(mapping)})
    assert "warning" not in shop.run(spark)
    assert (len(shop.scored), len(shop.rejected)) == (95, 5)

    shop.land("b.jsonl", *clicks, *({"payload": click, "ip": "::1"} for click in clicks[:30]))
    seen = shop.run(spark)
    assert (
        "warning: 95 of 125 records (76%) were rejected, most often missing_field: payload is missing; for example {"
        in seen
    )
    assert (len(shop.scored), len(shop.rejected)) == (125, 100)
    [said] = re.findall("fields that the click schema does not have, in 50 sampled records of .*: (.*)", seen)
    assert {"id", "ip", "price"} <= {name.split()[0] for name in said.split(", ")}


def test_person_sees_a_line_per_micro_batch_and_a_summary(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    now = datetime.now(timezone.utc) - timedelta(seconds=30)
    shop.land("a.jsonl", make_click(1, at=now.isoformat()), "rubbish")
    seen = shop.run(spark)
    [line] = [line for line in seen.splitlines() if line.startswith("batch ")]
    assert "2 in" in line
    assert "1 scored" in line
    assert "1 rejected" in line
    assert "clicks/s" in line
    assert "small_model v1" in line
    assert "2 records in 1 micro-batch: 1 scored, 1 rejected" in seen
    assert str(shop.home / "scored_clicks") in seen
    assert "c1" in seen
    assert "█" in seen
    assert "Next:" in seen


def nothing_written(shop: Any) -> bool:
    return not any(
        (shop.home / name).exists() for name in ("scored_clicks", "rejected_clicks", "model_timeline", "checkpoint")
    )


def test_wrong_wiring_stops_before_anything_is_written(spark: SparkSession, shop: Any, make_click: MakeClick) -> None:
    shop.land("a.jsonl", make_click(1))
    whole = yaml.safe_load(shop.config_file.read_text())
    broken_ddl, broken_sql, other_sql = shop.home / "b.ddl", shop.home / "b.sql", shop.home / "o.sql"
    broken_ddl.write_text("id STRING NOT")
    notes = shop.home / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("no table")
    broken_sql.write_text("SELECT prize AS double_price FROM click")
    other_sql.write_text("SELECT price AS prize FROM click")
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"source": {"kind": "folder", "path": str(shop.home / "nowhere")}}, SourceError, "no such folder"),
        ({"source": {"kind": "delta", "table": str(shop.home / "nowhere")}}, SourceError, "no such Delta table"),
        ({"click": {**whole["click"], "schema": str(broken_ddl)}}, ConfigError, "expected fields in Spark DDL"),
        ({"click": {**whole["click"], "visitor": "user"}}, ConfigError, "click.visitor is user"),
        ({"features": str(broken_sql)}, ConfigError, "prize"),
        ({"features": str(other_sql)}, SignatureError, "missing: double_price DOUBLE"),
        ({"model": {**whole["model"], "uri": "models:/small_model@nobody"}}, ModelNotFoundError, "@champion"),
        ({"output": {"scored": str(notes), "rejected": "x"}}, TableError, "is not a Delta table"),
        ({"output": {"scored": str(shop.landing), "rejected": "x"}}, ConfigError, "are the same place"),
    ]
    for change, error, text in cases:
        shop.set(**{**whole, **change})
        with pytest.raises(error, match=text):
            shop.run(spark)
        assert nothing_written(shop), change


def test_everything_that_is_wrong_is_told_at_once(
    spark: SparkSession, shop: Any, registry_uri: str, register_classifier: Callable[..., None]
) -> None:
    register_classifier(registry_uri, pd.DataFrame({"double_price": [1.0, 2.0], "stock": [1, 2]}), "wants_stock")
    shop.set(
        source={"kind": "folder", "path": str(shop.home / "nowhere")},
        model={"uri": "models:/wants_stock@champion", "registry": registry_uri},
        output={"scored": str(shop.landing.parent / "notes"), "rejected": str(shop.home / "rejected_clicks")},
    )
    (shop.home / "notes").mkdir()
    (shop.home / "notes" / "a.txt").write_text("no table")
    with pytest.raises(PreflightError) as caught:
        shop.run(spark)
    assert [type(problem) for problem in caught.value.problems] == [SourceError, TableError, SignatureError]
    message = str(caught.value)
    assert message.startswith("the run cannot start, for 3 reasons:\n1. source.path: no such folder")
    assert "\n2. " in message
    assert "- missing: stock BIGINT" in message
    assert not (shop.home / "checkpoint").exists()
    assert not (shop.home / "rejected_clicks").exists()


def test_model_whose_registry_is_damaged_is_refused(spark: SparkSession, shop: Any) -> None:
    damaged = shop.home / "damaged.db"
    damaged.write_text("this is no database, but long enough to be taken for one" * 100)
    shop.set(model={"uri": "models:/small_model@champion", "registry": f"sqlite:///{damaged}"})
    with pytest.raises(ModelError, match="cannot be fetched from sqlite"):
        shop.run(spark)


def test_table_of_another_schema_is_refused(spark: SparkSession, shop: Any, make_click: MakeClick) -> None:
    spark.sql("SELECT 1 AS id").write.format("delta").save(str(shop.home / "scored_clicks"))
    shop.land("a.jsonl", make_click(1))
    with pytest.raises(TableError, match="id: expected string, the table has int"):
        shop.run(spark)
    assert len(shop.table("scored_clicks")) == 1


def test_checkpoint_and_tables_that_do_not_belong_together_are_refused(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land("a.jsonl", make_click(1))
    shop.run(spark)
    first, own = shop.config.output, shop.config.checkpoint

    shop.set(checkpoint=str(shop.home / "other_checkpoint"))
    with pytest.raises(PreflightError) as caught:
        shop.run(spark)
    assert [type(problem) for problem in caught.value.problems] == [CheckpointError] * 4  # one for each table
    assert all("is new: clicks that are in the table" in str(problem) for problem in caught.value.problems)
    assert len(shop.scored) == 1
    assert not (shop.home / "other_checkpoint").exists()

    shop.set(checkpoint=own, deduplicate={"window": "10 minutes"})
    with pytest.raises(CheckpointError, match=r"began without it.*Remove deduplicate"):
        shop.run(spark)

    outputs = {name: str(shop.home / "second" / f"{name}_clicks") for name in ("scored", "rejected")}
    shop.set(checkpoint=str(shop.home / "second" / "checkpoint"), output=outputs, deduplicate=None)
    shop.run(spark)
    shop.set(output=first.model_dump())
    with pytest.raises(PreflightError, match="belongs to stream"):
        shop.run(spark)

    shop.set(checkpoint=own)
    (shop.home / "rejected_clicks").rename(shop.home / "moved")
    with pytest.raises(CheckpointError, match="rejected_clicks does not exist"):
        shop.run(spark)


def test_checkpoint_of_an_earlier_version_is_taken_over_and_keeps_its_id(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land("a.jsonl", make_click(1), "rubbish")
    shop.run(spark)
    # Before, a stream was known by the id of Spark's query: the tables had that, and the checkpoint had no other.
    checkpoint = shop.home / "checkpoint"
    old = json.loads((checkpoint / "metadata").read_text())["id"]
    for name in ("scored_clicks", "rejected_clicks", "model_timeline"):
        table = Table(str(shop.home / name))
        assert table.stream(spark) != old
        table.set_properties(spark, {STREAM_PROPERTY: old})
    shutil.rmtree(checkpoint / "clickscore-stream")
    shutil.rmtree(shop.home / "stream_metrics")  # which it did not have
    (checkpoint / "commits" / "0").unlink()  # and it was killed before the end of its micro-batch
    (checkpoint / "commits" / ".0.crc").unlink()
    for name in ("scored_clicks", "rejected_clicks"):
        bind_commit_to(shop.home / name, old)
    shop.land("b.jsonl", make_click(2))
    shop.run(spark)
    assert read_stream_id(spark, str(checkpoint)) == old
    assert Table(str(shop.home / "scored_clicks")).stream(spark) == old
    assert shop.scored[["id", "batch_id"]].to_numpy().tolist() == [["c1", 0], ["c2", 1]]
    assert len(shop.rejected) == 1


def bind_commit_to(table: Path, stream: str) -> None:
    """Let the commit of the first micro-batch say that it is of another stream."""
    [commit] = [file for file in table.glob("_delta_log/*.json") if '\\"batch\\"' in file.read_text()]
    was = re.findall(r'\\"stream\\": ?\\"([^\\]+)', commit.read_text())[0]
    commit.write_text(commit.read_text().replace(was, stream))
    for checksum in (commit.with_suffix(".crc"), commit.with_name(f".{commit.name}.crc")):
        checksum.unlink(missing_ok=True)


def test_catalog_tables_work_like_paths(spark: SparkSession, shop: Any, make_click: MakeClick) -> None:
    spark.sql("CREATE SCHEMA IF NOT EXISTS shop_schema")
    shop.set(output={"scored": "shop_schema.scored_clicks", "rejected": "shop_schema.rejected_clicks"})
    try:
        shop.land("a.jsonl", make_click(1), "rubbish")
        shop.run(spark)
        shop.land("b.jsonl", make_click(2))
        shop.run(spark)
        assert spark.table("shop_schema.scored_clicks").count() == 2
        assert spark.table("shop_schema.rejected_clicks").count() == 1
        assert spark.table("shop_schema.model_timeline").count() == 1
        comments = {row.col_name: row.comment for row in spark.sql("DESCRIBE shop_schema.scored_clicks").collect()}
        assert comments["price"] == "Price of what was looked at"
        assert comments["score"] == "Prediction of the model for the click"
    finally:
        spark.sql("DROP SCHEMA shop_schema CASCADE")
