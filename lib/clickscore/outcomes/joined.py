"""The table ``outcomes``: from ``scored_clicks``, one row per unit, kept up to date.

One commit holds all that a run changes, and says up to which version of ``scored_clicks`` it has looked. The next run
begins there: it looks again at the units of rows that were added since, and at those that were not closed. Rows are the
same whenever they are computed, so a run that is killed or repeated changes nothing twice. One that is overtaken, by
another run or by an erasure, begins anew: what it has read may be gone.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.config.outcome import Outcome
from clickscore.config.run import Config
from clickscore.console import warn
from clickscore.errors import ConfigError, OutcomeError, TableError
from clickscore.outcomes.label_table import LabelTable, follow_all, read_labels
from clickscore.outcomes.units import CENSORED, CLOSED, UNIT, follow, newest, outcomes, with_unit
from clickscore.retries import persistently
from clickscore.spark_errors import SPARK_ERRORS
from clickscore.storage import turns
from clickscore.storage.commit_settings import USER_METADATA, commit_settings
from clickscore.storage.erasures import check_finished, newest_version
from clickscore.storage.protocol import check_changeable
from clickscore.storage.schemas import OUTCOMES
from clickscore.storage.table import STREAM_PROPERTY, Table

NAME = "outcomes"
DEFINITION_PROPERTY = "clickscore.outcome"
"""Table property: what a success was when the rows were computed."""
CONFLICT_LIMIT_S = 120.0
"""How long to try again what another run of the job, or maintenance of ``outcomes``, has disturbed."""

SCORED_AT = "scored_at"
_LOOKED_UP_TO, _LABELS_UP_TO = "scored_version", "labels_version"
_FILE = "[^/]+$"
"""The name of a data file, which is unique; the folder before it is spelled in several ways."""


class Change(NamedTuple):
    """What a run has done: rows that it wrote, and the rows of the table by state."""

    written: int
    states: dict[str, int]


def run(config: Config, make_session: Callable[[], SparkSession], console: Console, has_ended: bool) -> None:
    """Bring ``outcomes`` up to date with ``scored_clicks``.

    Args:
        config: the run; needs ``outcome``.
        make_session: builds the session.
        console: where the counts go.
        has_ended: whether no more clicks will come.

    Raises:
        WiringError: if the definition does not fit the clicks, or a table is missing or another one's; nothing was
            written.
        OutcomeError: if other writers have always been faster, or the storage fails.
    """
    step = partial(join, make_session(), config, definition(config), has_ended)
    change = persistently(step, partial(warn, console), OutcomeError, CONFLICT_LIMIT_S)
    counts = ", ".join(f"{number:,} {state}" for state, number in sorted(change.states.items())) or "none"
    console.print(f"outcomes: {change.written:,} written; now {counts}", highlight=False, markup=False)


def definition(config: Config) -> Outcome:
    """Return what a success is.

    Raises:
        ConfigError: if the configuration does not say it.
    """
    if config.outcome is None:
        raise ConfigError("the configuration", ["outcome: missing; it says what a success is, and whose"])
    return config.outcome


def join(spark: SparkSession, config: Config, outcome: Outcome, has_ended: bool) -> Change:
    """Write the outcomes that have changed, in one commit.

    Raises:
        WiringError: if the definition does not fit the clicks, or a table is missing or another one's.
        ErasureError: if rows of either table are planned to be removed: they would be counted here once more.
    """
    scored = Table(config.output.scored)
    if not scored.exists(spark):
        raise TableError(f"output.scored: {scored.name} does not exist. Run jobs/score_stream.py first.")
    table, field = scored.beside(NAME), outcome.field(config.click.id, config.click.visitor)
    labels = read_labels(spark, outcome, config.click.id, config.click.visitor, config.click.time)
    follow(with_unit(scored.read(spark), field), outcome, config.click.time)  # before anything is made
    bind(spark, table, scored.stream(spark) or "", outcome)
    # In this order: an erasure that is not seen here takes a turn before its first row goes.
    turn = turns.newest(spark, table)
    for planned in (scored, table):
        check_finished(spark, scored, planned)
    version = newest_version(spark, scored)
    rows = scored.read(spark, version)
    clicks = with_unit(rows, field)
    before = table.read(spark)
    since = looked_up_to(spark, table)
    clock_us = rows.agg(newest(config.click.time, SCORED_AT)).collect()[0][0]
    if labels and clock_us is not None:
        clock_us = labels.clock_us(clock_us)
    if clock_us is not None:
        if since is not None and (changed := added(spark, scored, rows, since)) is not None:
            touched = with_unit(changed, field).select(UNIT)
            unsettled = before.where(F.col("state") != CLOSED).select(F.col("unit_id").alias(UNIT))
            if labels:
                touched = touched.union(labelled_anew(spark, table, labels, clicks))
            clicks = clicks.join(touched.union(unsettled).distinct(), UNIT, "left_semi")
        followed = follow_all(clicks, outcome, config.click.time, labels)
        found = outcomes(followed, config.click.time, clock_us, has_ended)
        read = {_LOOKED_UP_TO: version, _LABELS_UP_TO: labels.version if labels else None}
        with commit_settings(spark, {USER_METADATA: json.dumps(read), **turns.after(turn)}):
            written = merge(spark, table, found.unionByName(without_clicks(before, clicks)))
        if written is None:
            return join(spark, config, outcome, has_ended)
    else:
        written = 0
    states = table.read(spark).groupBy("state").count().collect()
    return Change(written, {row[0]: row[1] for row in states})


def bind(spark: SparkSession, table: Table, stream: str, outcome: Outcome) -> None:
    """Create the table, or make sure that it is of this stream and of this definition.

    Raises:
        TableError: if it is not.
    """
    table.check(spark, OUTCOMES)
    if table.exists(spark):
        check(spark, table, stream, outcome)
        check_changeable(spark, table, "its rows change as more becomes known", "run of jobs/join_outcomes.py")
    else:
        properties = {STREAM_PROPERTY: stream, DEFINITION_PROPERTY: _text(outcome)}
        table.create(spark, OUTCOMES, ["unit_id", "first_click"], properties)


def check(spark: SparkSession, table: Table, stream: str, outcome: Outcome) -> None:
    """Make sure that a table that exists is of this stream and of this definition.

    Raises:
        TableError: if it is not.
    """
    found = table.properties(spark)
    if (other := found.get(STREAM_PROPERTY)) != stream:
        raise TableError(
            f"{table.name} is of another stream: expected {stream}, found {other}. All tables of a run stand side by "
            f"side: name the right output.scored, or move {table.name} away."
        )
    if (other := found.get(DEFINITION_PROPERTY)) != _text(outcome):
        raise TableError(
            f"{table.name} has outcomes of another definition: expected {_text(outcome)}, found {other}. Set outcome "
            f"in the configuration back, or delete the table: the next jobs/join_outcomes.py makes it anew."
        )


def _text(outcome: Outcome) -> str:
    return json.dumps(outcome.model_dump(exclude_none=True), sort_keys=True)


def looked_up_to(spark: SparkSession, table: Table, of: str = _LOOKED_UP_TO) -> int | None:
    """Return the version of ``scored_clicks``, or of the labels, that the newest run has read, if the history tells."""
    version = F.get_json_object("userMetadata", f"$.{of}").cast("bigint")
    newest_first = table.delta(spark).history().where(version.isNotNull()).orderBy(F.desc("version"))
    found = newest_first.select(version).first()
    return int(found[0]) if found else None


def labelled_anew(spark: SparkSession, table: Table, labels: LabelTable, clicks: DataFrame) -> DataFrame:
    """Return the units that labels are about which the newest run has not seen; that may be all labels."""
    since = looked_up_to(spark, table, _LABELS_UP_TO) if labels.version is not None else None
    new = added(spark, labels.table, labels.found, since) if since is not None else None
    return labels.units(clicks, labels.found if new is None else new)


def added(spark: SparkSession, scored: Table, rows: DataFrame, since: int) -> DataFrame | None:
    """Return the rows in data files that a version did not have; None if that version is not known any more.

    A file that only compaction has written is among them: its units are looked at again, and stay as they are.
    """
    try:
        known = set(map(_name, scored.read(spark, since).inputFiles()))
    except SPARK_ERRORS:  # its log is cleaned away, or the table was replaced: then all rows are looked at
        return None
    new = sorted({name for name in map(_name, rows.inputFiles()) if name not in known})
    files = spark.createDataFrame([(name,) for name in new], "file STRING")
    name = F.regexp_extract(F.col("_metadata.file_path"), _FILE, 0)
    return rows.withColumn("_file", name).join(F.broadcast(files), F.col("_file") == F.col("file"), "left_semi")


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def without_clicks(before: DataFrame, clicks: DataFrame) -> DataFrame:
    """Return units that were not closed, and whose clicks are no longer there: they are ``censored``."""
    units = clicks.select(F.col(UNIT).alias("unit_id")).distinct()
    return before.where(F.col("state") != CLOSED).join(units, "unit_id", "left_anti").withColumn(
        "state", F.lit(CENSORED)
    ).select(OUTCOMES.names)  # fmt: skip


def merge(spark: SparkSession, table: Table, found: DataFrame) -> int | None:
    """Write the outcomes that differ from those in the table, and return how many did; None if the turn was over.

    A unit of which clicks were deleted since keeps the outcome it had, or is ``censored`` if it had none yet. Late
    clicks only add to a unit, or let it begin, and so end, earlier.
    """
    has_fewer = "found.first_click = outcome.first_click AND found.clicks < outcome.clicks"
    is_cut = f"(found.first_click > outcome.first_click OR {has_fewer})"
    is_same = " AND ".join(f"outcome.{name} <=> found.{name}" for name in OUTCOMES.names)
    done = (
        table.delta(spark)
        .alias("outcome")
        .merge(found.alias("found"), "outcome.unit_id = found.unit_id")
        .whenMatchedUpdate(f"{is_cut} AND outcome.state NOT IN ('{CLOSED}', '{CENSORED}')", {"state": F.lit(CENSORED)})
        .whenMatchedUpdateAll(f"NOT {is_cut} AND NOT ({is_same})")
        .whenNotMatchedInsertAll()
        .execute()
    )
    counts = done.first()
    return None if counts is None else int(counts.num_affected_rows)
