"""Features of the scored clicks, computed anew by the features file and counted in bins, period by period."""

import json
from itertools import islice

from clickscore.report.bins import QUANTILES, counts_below, edges_of, in_bins
from clickscore.report.run_tables import RunTables
from clickscore.scoring.feature_engine import quoted, sql_type
from clickscore.scoring.features import Features, is_number

Counts = dict[str, dict[int, dict[int, int]]]
"""Clicks by feature, by the start of a period, and by bin."""

_FOR_EDGES = 100_000
"""Clicks of the reference that set the edges of the bins; all are counted in them."""
_PERIOD = "_period"
_BESIDE = (_PERIOD, "_time", "_hash")
"""Columns that stand beside the features: period and time of the click, and a hash of its id."""
_MICROSECONDS = 1_000_000


def count_features(tables: RunTables, features: Features, width: int, periods: list[int]) -> Counts:
    """Count the clicks of some periods in bins of each feature that is a number.

    Args:
        tables: the tables of the run.
        features: the features file; the fields that it reads must be in ``scored_clicks``.
        width: of the periods, in seconds.
        periods: their starts, in seconds since 1970; the first one is the reference, whose tenths are the bins.

    Raises:
        duckdb.Error: if the features cannot be computed from the rows.
        TableError: if a file of the table cannot be read.
    """
    numbers = [field.name for field in features.schema if is_number(field.type)]
    if not numbers:
        return {}
    _define(tables, features, numbers, width)
    edges = _edges(tables, numbers, width, periods[0])
    aggregates = {name: counts_below(name, edges[name]) for name in numbers}
    rows = tables.ask(
        f"FROM feature SELECT {_PERIOD}, {', '.join(part for parts in aggregates.values() for part in parts)} "
        f"WHERE {_PERIOD} IN (SELECT unnest($1::BIGINT[])) GROUP BY {_PERIOD}",
        periods,
    )
    counts: Counts = {name: {} for name in numbers}
    for period, *counted in rows:
        found = iter(counted)
        for name, parts in aggregates.items():
            counts[name][period] = in_bins(list(islice(found, len(parts))))
    return counts


def _edges(tables: RunTables, numbers: list[str], width: int, reference: int) -> dict[str, list[float]]:
    """Return the edges of each feature's bins: the tenths of the reference."""
    # A range of the column itself lets delta-rs and Arrow pass over files of other times.
    span = (reference * _MICROSECONDS, (reference + width) * _MICROSECONDS)
    where = "WHERE _time >= make_timestamptz($1) AND _time < make_timestamptz($2)"
    [(held,)] = tables.ask(f"FROM feature SELECT count(*) {where}", *span)
    quantiles = ", ".join(f"quantile_disc({quoted(name)}, {list(QUANTILES)})" for name in numbers)
    # Every nth click, by a hash of its id: the same ones in each report.
    [found] = tables.ask(f"FROM feature SELECT {quantiles} {where} AND _hash % $3 = 0", *span, held // _FOR_EDGES + 1)
    return {name: edges_of(values or ()) for name, values in zip(numbers, found, strict=True)}


def _define(tables: RunTables, features: Features, numbers: list[str], width: int) -> None:
    """Create the views ``click``, as the features file reads it, and ``feature``, its numbers as DOUBLE."""
    fields = ", ".join(
        f"{quoted(name)}::{sql_type(features.click.field(name).type)} AS {quoted(name)}" for name in features.reads
    )
    time, click_id = quoted(tables.contract.time), quoted(tables.contract.id)
    more = f"(floor(_event_s / {width}) * {width})::BIGINT AS {_PERIOD}, {time} AS _time, hash({click_id}) AS _hash"
    tables.database.execute(f"CREATE OR REPLACE TEMP VIEW click AS FROM scored SELECT {fields}, {more}")
    casts = ", ".join(f"TRY_CAST({quoted(name)} AS DOUBLE) AS {quoted(name)}" for name in numbers)
    select = _with_columns(tables, features.select, _BESIDE)
    beside = ", ".join(_BESIDE)
    tables.database.execute(f"CREATE OR REPLACE TEMP VIEW feature AS FROM ({select}) SELECT {casts}, {beside}")


def _with_columns(tables: RunTables, select: str, names: tuple[str, ...]) -> str:
    """Return the select of the features file with further columns of the click."""
    [(own,), (more,)] = (
        tables.ask("SELECT json_serialize_sql($1::VARCHAR)", text)[0]
        for text in (select, f"FROM click SELECT {', '.join(names)}")
    )
    tree, columns = json.loads(own), json.loads(more)
    tree["statements"][0]["node"]["select_list"] += columns["statements"][0]["node"]["select_list"]
    [(text,)] = tables.ask("SELECT json_deserialize_sql($1::JSON)", json.dumps(tree))
    return str(text)
