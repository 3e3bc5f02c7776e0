"""Lineage of a real stream, told to a server of this process."""

import json
from collections.abc import Callable
from typing import Any

from pyspark.sql import SparkSession
from tests.support.endpoint import Reply, gateway


def test_stream_tells_files_rows_and_version_and_goes_on_without_the_server(
    spark: SparkSession, shop: Any, make_click: Callable[..., dict[str, Any]]
) -> None:
    events = []

    def take(_: int, body: bytes) -> Reply:
        events.append(json.loads(body))
        return Reply()

    with gateway() as server:
        server.mood = take
        shop.set(lineage={"url": server.url})
        shop.land("1.jsonl", make_click(1), make_click(2), "rubbish")
        shop.run(spark)
    _, ended = events
    [folder] = ended["inputs"]
    assert (folder["namespace"], folder["name"]) == ("file", str(shop.home / "landing"))
    assert folder["inputFacets"]["clickscore_range"]["range"] == {
        "files": [str(shop.home / "landing" / "1.jsonl")], "count": 1,
    }  # fmt: skip
    assert folder["inputFacets"]["inputStatistics"]["rowCount"] == 3
    assert [(each["name"], each["outputFacets"]["outputStatistics"]["rowCount"]) for each in ended["outputs"]] == [
        (str(shop.home / "scored_clicks"), 2), (str(shop.home / "rejected_clicks"), 1),
    ]  # fmt: skip
    assert ended["run"]["facets"]["clickscore_micro_batch"]["model_version"] == shop.scored["model_version"][0]

    shop.land("2.jsonl", make_click(3))  # nobody listens at that port any more
    seen = shop.run(spark)
    assert "does not take events" in seen
    assert "has not been told of 1 micro-batch;" in seen
    assert shop.scored["id"].tolist() == ["c1", "c2", "c3"]
