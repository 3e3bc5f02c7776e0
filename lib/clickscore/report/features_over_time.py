"""Features of the scored clicks, computed anew by the features file and counted in bins, period by period."""

import json
from collections import defaultdict

import pyarrow as pa

from clickscore.report.bins import QUANTILES, bin_of, edges_of
from clickscore.report.run_tables import RunTables
from clickscore.scoring.feature_engine import quoted, sql_type
from clickscore.scoring.features import Features

Counts = dict[str, dict[int, dict[int, int]]]
"""Clicks by feature, by the start of a period, and by bin."""

_FOR_EDGES = 100_000
"""Clicks of the reference that set the edges of the bins; all are counted in them."""
_PERIOD = "_period"


def count_features(tables: RunTables, features: Features, width: int, periods: list[int]) -> Counts:
    """Count the clicks of some periods in bins of each feature that is a number.

    Args:
        tables: the tables of the run.
        features: the features file; the fields that it reads must be in ``scored_clicks``.
        width: of the periods, in seconds.
        periods: their starts, in seconds since 1970; the first one is the reference, whose tenths are the bins.

    Raises:
        TableError: if the features cannot be computed from the rows.
    """
    numbers = [field.name for field in features.schema if _is_number(field.type)]
    if not numbers:
        return {}
    _define(tables, features, numbers, width)
    reference = periods[0]
    [(held,)] = tables.ask(f"FROM click SELECT count(*) WHERE {_PERIOD} = $1", reference)
    quantiles = ", ".join(f"quantile_disc({quoted(name)}, {list(QUANTILES)})" for name in numbers)
    # Every nth click, by a hash of its id: the same ones in each report.
    [found] = tables.ask(
        f"FROM feature SELECT {quantiles} WHERE {_PERIOD} = $1 AND _hash % $2 = 0", reference, held // _FOR_EDGES + 1
    )
    bins = {name: bin_of(name, edges_of(edges or ())) for name, edges in zip(numbers, found, strict=True)}
    places = [f"b{number}" for number in range(len(numbers))]
    columns = ", ".join(f"{bins[name]} AS {place}" for name, place in zip(numbers, places, strict=True))
    sets = ", ".join(f"({_PERIOD}, {place})" for place in places)
    rows = tables.ask(
        f"""
        FROM (FROM feature SELECT {_PERIOD}, {columns} WHERE {_PERIOD} IN (SELECT unnest($1::BIGINT[])))
        SELECT {_PERIOD}, count(*), {", ".join(places)} GROUP BY GROUPING SETS ({sets})
        """,
        periods,
    )
    counts: Counts = {name: defaultdict(dict) for name in numbers}
    for period, clicks, *found_bins in rows:
        # Of the bins, the one that the row is grouped by is there, and no other.
        [(name, number)] = [pair for pair in zip(numbers, found_bins, strict=True) if pair[1] is not None]
        counts[name][period][number] = clicks
    return counts


def _define(tables: RunTables, features: Features, numbers: list[str], width: int) -> None:
    """Create the views ``click``, as the features file reads it, and ``feature``, its numbers as DOUBLE."""
    fields = ", ".join(
        f"{quoted(name)}::{sql_type(features.click.field(name).type)} AS {quoted(name)}" for name in features.reads
    )
    period = f"(floor(_event_s / {width}) * {width})::BIGINT AS {_PERIOD}"
    by_id = f"hash({quoted(tables.contract.id)}) AS _hash"
    tables.database.execute(f"CREATE OR REPLACE TEMP VIEW click AS FROM scored SELECT {fields}, {period}, {by_id}")
    casts = ", ".join(f"TRY_CAST({quoted(name)} AS DOUBLE) AS {quoted(name)}" for name in numbers)
    select = _with_columns(tables, features.select, (_PERIOD, "_hash"))
    tables.database.execute(f"CREATE OR REPLACE TEMP VIEW feature AS FROM ({select}) SELECT {casts}, {_PERIOD}, _hash")


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


def _is_number(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(type_)
        or pa.types.is_floating(type_)
        or pa.types.is_decimal(type_)
        or pa.types.is_boolean(type_)
    )
