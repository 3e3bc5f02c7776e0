from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from clickscore.errors import StreamError
from clickscore.registry.version import ModelVersion
from clickscore.scoring.models import BOOSTER
from clickscore.storage.checkpoint import Checkpoint, read_checkpoint
from clickscore.storage.fence import RUN_PROPERTY
from clickscore.storage.stream_id import read_stream_id
from clickscore.storage.table import STREAM_PROPERTY, Table, of_batch
from clickscore.stream.definition import read_definition
from clickscore.stream.output_tables import bind
from clickscore.stream.preflight import Wiring


@pytest.fixture
def wire(spark: SparkSession, shop: Any) -> Callable[[], Wiring]:
    def wire() -> Wiring:
        config = shop.config
        scored, rejected = Table(config.output.scored), Table(config.output.rejected)
        return Wiring(
            config=config,
            definition=read_definition(config),
            model=ModelVersion("m", "1", "run", "d" * 64, pa.schema([]), Path(), BOOSTER),
            checkpoint=read_checkpoint(spark, config.checkpoint),
            scored=scored,
            rejected=rejected,
            timeline=scored.beside("model_timeline"),
            metrics=scored.beside("stream_metrics"),
            watch=None,
            gaps=(),
        )

    return wire


def test_tables_are_bound_to_the_stream_of_the_checkpoint_and_to_the_last_run(
    spark: SparkSession, shop: Any, wire: Callable[[], Wiring]
) -> None:
    first, second = bind(spark, wire()), bind(spark, wire())
    assert first.stream == second.stream == read_stream_id(spark, shop.config.checkpoint)
    for name in ("scored_clicks", "rejected_clicks", "model_timeline"):
        properties = Table(str(shop.home / name)).properties(spark)
        assert properties[STREAM_PROPERTY] == first.stream
        assert properties[RUN_PROPERTY] == second.fence.run_id
    second.fence.check()
    with pytest.raises(StreamError, match="has taken the stream over"):
        first.fence.check()


def test_run_that_looked_at_the_checkpoint_before_another_one_began_adopts_its_id(
    spark: SparkSession, wire: Callable[[], Wiring]
) -> None:
    early = wire()
    assert early.checkpoint.stream is None
    assert bind(spark, wire()).stream == bind(spark, early).stream


def append_a_row(spark: SparkSession, table: Table, about: dict[str, object]) -> None:
    values = {"string": "x", "timestamp": datetime(2026, 3, 1), "double": 0.5, "int": 1, "bigint": 1}
    schema = table.read(spark).schema
    row = tuple(values[field.dataType.simpleString()] for field in schema)
    table.append(spark.createDataFrame([row], schema), about)


def test_tables_know_up_to_which_micro_batch_they_hold_the_clicks(
    spark: SparkSession, shop: Any, wire: Callable[[], Wiring]
) -> None:
    wiring = wire()
    binding = bind(spark, wiring)
    new = binding.tables(spark, wiring, Checkpoint(shop.config.checkpoint, binding.stream, -1, -1))
    assert (new.scored_upto, new.rejected_upto) == (-1, -1)
    # Killed between the two commits: micro-batch 4 is planned and scored, its rejected clicks are not written.
    append_a_row(spark, wiring.scored, of_batch(binding.stream, 4))
    append_a_row(spark, wiring.rejected, of_batch(binding.stream, 3))
    replayed = binding.tables(spark, wiring, Checkpoint(shop.config.checkpoint, binding.stream, 4, 3))
    assert (replayed.scored_upto, replayed.rejected_upto) == (4, 3)
