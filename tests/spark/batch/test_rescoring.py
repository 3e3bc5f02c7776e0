from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from clickscore.batch.rescoring import Period, features_digest, plain, rescored, rescored_clicks
from clickscore.stream.definition import Definition

NOON = datetime(2026, 3, 1, 12)


def test_each_click_gets_a_second_score_beside_its_first(spark: SparkSession, definition: Definition) -> None:
    layout = definition.layout
    common = {"at": NOON, "visitor": "v", "quantity": None, "model_name": "small", "model_version": "1",
              "scored_at": NOON, "source": "a.jsonl", "batch_id": 4}  # fmt: skip
    clicks = [{**common, "id": "c1", "price": 5.25, "score": 0.5}, {**common, "id": "c2", "price": 6.0, "score": 0.25}]
    scored = spark.createDataFrame([tuple(c.get(name) for name in layout.scored.names) for c in clicks], layout.scored)
    model: Any = SimpleNamespace(label="small version 2")

    def score(click: Column) -> Column:
        failed = F.when(click["price"] == 6, "scoring_failed")
        return F.struct(F.when(failed.isNull(), click["price"]).alias("score"), failed.alias("reason"),
                        F.lit(None).cast("string").alias("detail"))  # fmt: skip

    rows = rescored(scored, layout, score, model, "abc")
    assert rows.columns == rescored_clicks(layout).names
    one, two = rows.orderBy("id").collect()
    assert (one.price, one.at, one.old_score, one.new_score, one.reason) == (5.25, NOON, 0.5, 5.25, None)
    assert (one.old_model, one.new_model, one.features_digest) == ("small version 1", "small version 2", "abc")
    assert (one.source, one.source_offset, one.batch_id) == ("a.jsonl", None, 4)
    assert (two.old_score, two.new_score, two.reason) == (0.25, None, "scoring_failed")


def test_period_is_of_the_times_of_the_clicks(spark: SparkSession) -> None:
    clicks = spark.createDataFrame([(NOON.replace(hour=hour),) for hour in (10, 11, 12)], "`the time` TIMESTAMP")
    since, until = (datetime(2026, 3, 1, hour, tzinfo=timezone.utc) for hour in (11, 12))
    assert Period(since, until).of(clicks, "the time").collect() == [(NOON.replace(hour=11),)]
    assert Period().of(clicks, "the time").count() == 3
    assert str(Period(since)) == "from 2026-03-01 11:00:00+00:00 to the last one"


def test_field_of_a_click_that_was_read_elsewhere_stands_under_its_own_name(definition: Definition) -> None:
    contract = plain(definition.contract)
    assert contract.click.names == definition.contract.click.names
    assert contract.click.equals(pa.schema([field.remove_metadata() for field in definition.contract.click]))
    assert not any(field.metadata for field in contract.click)


def test_digest_is_that_of_the_file(shop: Any, tmp_path: Path) -> None:
    before = features_digest(shop.config)
    copy = tmp_path / "features.sql"
    copy.write_text(shop.config.features.read_text() + "\n")
    shop.set(features=str(copy))
    assert len(before) == 64
    assert features_digest(shop.config) != before
