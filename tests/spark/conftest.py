"""A scorer that Spark computes itself, for tests of what is done with outcomes."""

from collections.abc import Callable

import pytest
from pyspark.sql import Column
from pyspark.sql import functions as F

from clickscore.storage.schemas import Layout
from clickscore.stream.pipeline import Score


@pytest.fixture(scope="session")
def column_scorer() -> Callable[..., Score]:
    """Return a scorer whose score is the price, and which fails on clicks of a price of 6."""

    def scorer(layout: Layout, *more: Column) -> Score:
        def outcome(value: Column) -> Column:
            click = F.from_json(value.cast("string"), layout.click)
            malformed = F.when(value.startswith(F.unhex(F.lit("FF"))), "invalid_encoding").otherwise("malformed_json")
            missing = F.when(click["id"].isNotNull() & click["at"].isNull(), "missing_field")
            failed = F.when(click["price"] == 6, "scoring_failed")
            reason = F.when(click.isNull() | click["id"].isNull(), malformed).otherwise(F.coalesce(missing, failed))
            is_click = click["id"].isNotNull() & click["at"].isNotNull()
            fields = [F.when(is_click, click[name]).alias(name) for name in layout.click.names]
            score = F.when(reason.isNull(), click["price"]).alias("score")
            return F.struct(
                *fields, score, *more, reason.alias("reason"), F.concat(F.lit("why: "), reason).alias("detail")
            )

        return outcome

    return scorer
