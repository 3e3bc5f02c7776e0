"""A contract that has changed since the tables were created: what differs, what can be done, what is accepted now."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore import reasons
from clickscore.config.run import Config
from clickscore.errors import TableError
from clickscore.scoring.contract import Contract
from clickscore.scoring.features import Features
from clickscore.scoring.parsing import parser
from clickscore.storage.protocol import check_readable, check_writable
from clickscore.storage.schema_changes import Change, changes, statements
from clickscore.storage.schemas import REPLAY_ID, REPLAYED
from clickscore.storage.table import Table
from clickscore.stream.definition import define_contract, define_layout
from clickscore.stream.pipeline import MOST_LISTED, MOST_LISTED_BYTES
from clickscore.stream.raw_column import raw_bytes

OF_THE_CONTRACT = (
    reasons.INVALID_ENCODING, reasons.MALFORMED, reasons.NOT_AN_OBJECT, reasons.DUPLICATE_KEY, reasons.MISSING_FIELD,
    reasons.WRONG_TYPE, reasons.INVALID_TIME, reasons.FEATURE_FAILED,
)  # fmt: skip
"""Reasons that click schema and features alone decide about."""
RECENT = timedelta(days=1)
"""Age of the rejected records that are looked at, counted from the newest one."""


@dataclass(frozen=True)
class TableChanges:
    """What differs between a table and what a run writes to it.

    Attributes:
        table: the table, which exists.
        found: the differences.
        statements: what makes up for those that can be made up for.
    """

    table: Table
    found: list[Change]
    statements: list[str]


def table_changes(spark: SparkSession, config: Config, contract: Contract) -> list[TableChanges]:
    """Compare the tables that exist with what a run writes to them; those without a difference are left out."""
    layout, found = define_layout(config, contract), []
    shapes = {Table(config.output.scored): layout.scored, Table(config.output.rejected): layout.rejected}
    for table, shape in shapes.items():
        if table.exists(spark):
            differences = changes(shape, table.read(spark).schema, REPLAYED.names)
            if differences:
                actions = statements(table.sql_name, differences, table.properties(spark))
                found.append(TableChanges(table, differences, actions))
    return found


def apply_contract(spark: SparkSession, config: Config, console: Console) -> None:
    """Change the tables so that they take what a run writes, if that loses nothing; reads no click.

    Raises:
        WiringError: if the contract or a table cannot be used, or a difference cannot be made up for; no table is
            changed then.
    """
    contract = define_contract(config)
    for table in (Table(config.output.scored), Table(config.output.rejected)):
        check_readable(spark, table)
        check_writable(spark, table, table.found_properties(spark))
    found = table_changes(spark, config, contract)
    problems = [f"{each.table.name}: {change.what}; {change.way_out}"
                for each in found for change in each.found if change.way_out]  # fmt: skip
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise TableError(f"the tables cannot take the clicks of {config.click.ddl}, and were not changed:\n{lines}")
    for each in found:
        for statement in each.statements:
            each.table.alter(spark, statement)
            console.print(statement, highlight=False, markup=False, soft_wrap=True)
    if not any(each.statements for each in found):
        console.print(f"the tables take the clicks of {config.click.ddl} as they are", highlight=False, markup=False)


def accepted_now(spark: SparkSession, config: Config, contract: Contract, features: Features) -> str | None:
    """Say how many of some recently rejected records click schema and features would accept today.

    Returns:
        A sentence, or None if there is no such record.
    """
    rejected = Table(config.output.rejected)
    if not rejected.exists(spark):
        return None
    rows = rejected.read(spark)
    [(newest,)] = rows.agg(F.max("received_at")).collect()
    if not newest:
        return None
    # A span of time and a limit: no more of a large table is read than that.
    rows = rows.where(F.col("received_at") > F.lit(newest - RECENT))
    if REPLAY_ID in rows.columns:
        rows = rows.where("replay_id IS NULL")
    fits = F.col("reason").isin(*OF_THE_CONTRACT) & (F.octet_length("raw") <= MOST_LISTED_BYTES)
    some = rows.where(fits).select(raw_bytes().alias("record"), "reason").limit(MOST_LISTED).collect()
    return describe_accepted([(bytes(row.record), row.reason) for row in some], contract, features)


def describe_accepted(records: Iterable[tuple[bytes, str]], contract: Contract, features: Features) -> str | None:
    """Say how many of some rejected records would be accepted.

    Args:
        records: each as it came from the source, and the reason that it has in the table.
        contract: what a click is.
        features: what is computed from it.
    """
    was = list(records)
    if not was:
        return None
    clicks, rejections = parser(contract.click).parse(pa.array([record for record, _ in was], pa.binary()))
    refused = rejections.keys() | features.compute(clicks).failures.keys()
    read, taken = Counter(reason for _, reason in was), Counter(
        reason for row, (_, reason) in enumerate(was) if row not in refused
    )  # fmt: skip
    seen = f"of {len(was):,} recent records that click schema or features have rejected"
    if not taken:
        return f"{seen}, none would be accepted now"
    listed = ", ".join(f"{count:,} of {read[reason]:,} {reason}" for reason, count in taken.most_common())
    return f"{seen}, {taken.total():,} would be accepted now ({listed}); jobs/replay_rejected.py scores them"
