"""The table of a re-score: made by the first run, found again by the next ones, bound to what it is a re-score of."""

import json
from collections.abc import Mapping

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.batch.rescoring import Period, rescored_clicks
from clickscore.config.run import Config
from clickscore.errors import TableError
from clickscore.storage.erasures import ERASURE, NAME, PLANNED, name_of, read_ledger
from clickscore.storage.protocol import check_readable, check_writable
from clickscore.storage.schemas import Layout
from clickscore.storage.table import Table
from clickscore.stream.placement import check_apart

PROPERTY = "clickscore.rescore"
"""Table property: what the table is a re-score of, as JSON."""


def prepare(
    spark: SparkSession, config: Config, layout: Layout, into: str, period: Period, about: Mapping[str, str]
) -> Table:
    """Return the table to write, which is there afterwards and says what it is a re-score of.

    Args:
        spark: the session.
        config: the run.
        layout: the columns of its tables.
        into: the name of the table.
        period: which clicks.
        about: what scores them: model and features.

    Raises:
        TableError: if it is a part of the run, another table, of another re-score, or of clicks that were erased since.
    """
    table = Table(into)
    check_apart(spark, config, "--into", table)
    check_readable(spark, table)
    table.check(spark, rescored_clicks(layout))
    scored = Table(config.output.scored)
    mine = {
        "scored": scored.delta(spark).detail().select("id").collect()[0][0], "period": str(period), **about,
    }  # fmt: skip
    if not table.exists(spark):
        if period.of(scored.read(spark), layout.time).isEmpty():
            raise TableError(f"--from, --to: {scored.name} has no click {period}. Widen the range.")
        version = scored.delta(spark).history(1).select("version").collect()[0][0]
        properties = {PROPERTY: json.dumps({**mine, "version": version})}
        table.create(spark, rescored_clicks(layout), [layout.time, "batch_id"], properties)
    else:
        check_writable(spark, table, table.properties(spark))
    found = _about(spark, table)
    if {key: found.get(key) for key in mine} != mine:
        held = f"holds another re-score, {found}" if found else "does not say which re-score it holds"
        raise TableError(f"--into: {table.name} {held}; this one would be {mine}. Name a new table, or drop that one.")
    _check_nobody_erased(spark, scored, table, int(found["version"]))
    return table


def version_of(spark: SparkSession, table: Table) -> int:
    """Return the version of ``scored_clicks`` that a table from ``prepare`` is a re-score of."""
    return int(_about(spark, table)["version"])


def _about(spark: SparkSession, table: Table) -> dict[str, str | int]:
    about: dict[str, str | int] = json.loads(table.properties(spark).get(PROPERTY, "{}"))
    return about


def _check_nobody_erased(spark: SparkSession, scored: Table, table: Table, version: int) -> None:
    """Make sure that no visitor was erased from the clicks since the version that the table is a re-score of.

    Raises:
        TableError: if one was: the table has it already, or would get it from the old version.
    """
    is_asked_for = (F.col("kind") == ERASURE) & (F.col("event") == PLANNED) & (F.col("table_name") == name_of(scored))
    if not read_ledger(spark, scored.beside(NAME)).where(is_asked_for & (F.col("version") >= version)).isEmpty():
        raise TableError(
            f"--into: {table.name} is a re-score of version {version} of {scored.name}, and rows were erased "
            f"from that table since: the re-score contains them, or would take them from the old version. Drop "
            f"{table.name} (for a table by path, delete the folder), and start again: it is created without them."
        )
