"""The outcomes of visitors: whose unit a row of ``outcomes`` is, also when the clicks of the unit are gone.

A session has no visitor of its own: whose it is, only its clicks tell, and they leave ``scored_clicks`` first. So the
plan of an erasure has a keyed hash of each unit, by which one that was killed in between finds the rows. Units without
a row are in the plan as well: a job that joins outcomes at this moment may be about to write it.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import arrow_udf

from clickscore.config.run import Config
from clickscore.erasure.visitor_rows import NUMBER, Holder, holders
from clickscore.erasure.visitors import Visitors
from clickscore.outcomes.joined import DEFINITION_PROPERTY, NAME
from clickscore.scoring.contract import Contract
from clickscore.scoring.privacy_rules import hashed
from clickscore.storage.schemas import quoted
from clickscore.storage.table import Table

UNIT_ID, UNIT_HASH = "unit_id", "unit_hash"


def all_holders(
    spark: SparkSession, config: Config, contract: Contract, visitors: Visitors, key: bytes | None = None
) -> list[Holder]:
    """Return the tables of a run that may have rows of some visitors, ``outcomes`` last, if it is there.

    Args:
        spark: the session.
        config: the run.
        contract: what a click is, and what the tables keep of it.
        visitors: who is asked about.
        key: of the ledger; without it, nothing can be planned.
    """
    found = holders(config, contract, visitors)
    table = Table(config.output.scored).beside(NAME)
    if not table.exists(spark):
        return found
    definition = json.loads(table.properties(spark)[DEFINITION_PROPERTY])
    if definition["unit"] == "visitor":
        units = partial(_visitors, visitors=visitors)
    else:
        field = definition.get("session", contract.id)
        units = partial(_units_of_clicks, scored=found[0], field=field)

    def find(rows: DataFrame) -> DataFrame:
        return rows.join(F.broadcast(units(rows.sparkSession)), UNIT_ID)

    if key is None:
        return [*found, Holder(table, (UNIT_ID,), find)]
    with_hash = partial(with_unit_hash, key=key)
    return [
        *found,
        Holder(
            table, (UNIT_ID,), lambda rows: with_hash(find(rows)), (UNIT_HASH,), with_hash,
            lambda session: with_hash(units(session)).select(NUMBER, UNIT_HASH),
        ),
    ]  # fmt: skip


def _visitors(spark: SparkSession, visitors: Visitors) -> DataFrame:
    return spark.createDataFrame(
        [*zip(visitors.stored, range(len(visitors.stored)), strict=True)], f"{UNIT_ID} STRING, {NUMBER} INT"
    )


def _units_of_clicks(spark: SparkSession, scored: Holder, field: str) -> DataFrame:
    """Return the units of the clicks of visitors; one that has clicks of several is of the first of them."""
    clicks = scored.find(scored.table.read(spark))
    unit = F.col(quoted(field)).cast("string").alias(UNIT_ID)
    return clicks.groupBy(unit).agg(F.min(NUMBER).alias(NUMBER)).where(F.col(UNIT_ID).isNotNull())


def with_unit_hash(rows: DataFrame, key: bytes) -> DataFrame:
    """Add ``unit_hash STRING``, the HMAC-SHA-256 of ``unit_id`` under the key of the ledger."""

    def hash_all(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        for units in batches:
            yield pa.array([hashed(unit, key) for unit in units.to_pylist()], pa.string())

    as_column = cast(Callable[[str], Column], arrow_udf(hash_all, T.StringType()))
    return rows.withColumn(UNIT_HASH, as_column(UNIT_ID))
