"""A run that ends where it hurts most: after one of the things that a micro-batch makes durable, before the next.

The run ends by an error in this process, which leaves the same files behind as a kill at that point. The fault suite
(``tests/chaos``) kills a real process at each of these points.
"""

from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.support.shop import Shop

from clickscore.config.model import split_uri
from clickscore.errors import StreamError
from clickscore.registry.alias_follower import Follower
from clickscore.registry.registry import Registry
from clickscore.storage.model_timeline import Timeline
from clickscore.storage.table import Table
from clickscore.stream.active_models import ActiveModels

POINTS = {"planned": "in the offset log only", "pinned": "with its model", "scored": "between its two commits"}
"""How far a micro-batch may have come, each with what there is of it then."""


def run_until(
    point: str, shop: Shop, spark: SparkSession, patch: pytest.MonkeyPatch, batch: int = 0, moves_to: str | None = None
) -> None:
    """Run until a micro-batch has reached a point.

    Args:
        point: one of POINTS.
        shop: whose stream it is.
        spark: the session that runs it.
        patch: undone before this returns.
        batch: the number of the micro-batch.
        moves_to: the version that the model's alias moves to before the micro-batch begins; the stream has noticed.
    """
    note, append, models_for = Timeline.note, Table.append, ActiveModels.models_for
    end = StreamError(f"batch {batch} has ended {POINTS[point]}")

    def note_and_end(timeline: Timeline[Any], number: int, *arguments: Any) -> None:
        if (point, number) == ("planned", batch):
            raise end
        note(timeline, number, *arguments)
        if (point, number) == ("pinned", batch):
            raise end

    def append_and_end(table: Table, rows: Any, about: Any = None) -> None:
        append(table, rows, about)
        if point == "scored" and table.name.endswith("scored_clicks") and about["batch"] == batch:
            raise end

    def move_alias(models: ActiveModels, number: int, *arguments: Any) -> Any:
        if moves_to and number == batch:
            name, alias, _ = split_uri(shop.config.model.uri)
            Registry(shop.config.model.registry).set_alias(name, str(alias), moves_to)
            assert isinstance(models.champion, Follower)
            models.champion.poll()
            assert models.champion.current
            assert models.champion.current.version == moves_to
        return models_for(models, number, *arguments)

    with patch.context() as until_then:
        until_then.setattr(Timeline, "note", note_and_end)
        until_then.setattr(Table, "append", append_and_end)
        until_then.setattr(ActiveModels, "models_for", move_alias)
        with pytest.raises(StreamError, match=str(end)):
            shop.run(spark)


def end_within(commit: int, patch: pytest.MonkeyPatch) -> None:
    """Let a backfill end after so many commits of both output tables."""
    append_once, commits = Table.append_once, 0

    def append_and_end(table: Table, *arguments: Any) -> None:
        nonlocal commits
        append_once(table, *arguments)
        commits += table.name.endswith("_clicks")
        if commits == commit:
            raise StreamError("ended between two commits.")

    patch.setattr(Table, "append_once", append_and_end)
