"""A run that ends where it hurts most: one of the two commits of its micro-batch is there."""

from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.support.shop import Shop

from clickscore.errors import StreamError
from clickscore.storage.table import Table


def run_until_scored(shop: Shop, spark: SparkSession, patch: pytest.MonkeyPatch) -> None:
    """Run until the scored clicks of a micro-batch are committed, and no rejected ones."""
    append = Table.append

    def append_and_end(table: Table, *arguments: Any) -> None:
        append(table, *arguments)
        if table.name.endswith("scored_clicks"):
            raise StreamError("ended between the two commits")

    with patch.context() as until_then:
        until_then.setattr(Table, "append", append_and_end)
        with pytest.raises(StreamError, match="between the two commits"):
            shop.run(spark)
