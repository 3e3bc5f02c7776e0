"""Which model scored? The versions over time, and the decisions about them."""

from typing import Any

from clickscore.report import charts
from clickscore.report.periods import iso, utc
from clickscore.report.run_tables import RunTables
from clickscore.report.sections import NOTHING, Chart, Grid, Section, count, listed, moment, plural

MOST_ROWS = 100
"""Spans and decisions on the page, the newest ones."""
_QUESTION = "Which model scored?"


def section(tables: RunTables) -> Section:
    """Return the section about ``model_timeline`` and the versions in ``scored_clicks``."""
    # A span is a row of micro-batches that the same version has scored; a replay is none of them.
    found = tables.ask(
        """
        WITH turn AS (
          SELECT *, model_version IS DISTINCT FROM lag(model_version) OVER (ORDER BY batch_id) AS is_new
          FROM micro_batch WHERE scored > 0 AND batch_id >= 0
        ), numbered AS (SELECT *, sum(is_new::INTEGER) OVER (ORDER BY batch_id) AS span FROM turn)
        SELECT model_version, min(batch_id), max(batch_id), min(began_s), max(began_s), sum(scored)::BIGINT
        FROM numbered GROUP BY span, model_version ORDER BY span DESC LIMIT $1
        """,
        MOST_ROWS,
    )
    decisions = _decisions(tables)
    grids = (("Decisions, newest first", decisions),) if decisions else ()
    if not found:
        return Section("versions", _QUESTION, ("No micro-batch has scored a click.",), grids=grids)
    [names] = zip(*tables.ask("SELECT DISTINCT model_name FROM scored ORDER BY 1"), strict=True)
    newest = found[0]
    swaps = len(found) - 1
    said = [
        f"{listed(names)} version {newest[0]} has scored since micro-batch {newest[1]}, {moment(utc(newest[3]))} UTC. "
        + (f"The version changed {plural(swaps, 'time')}." if swaps else "It was never another version.")
    ]
    if tables.timeline is None:
        said.append(f"There is no model_timeline beside {tables.scored.name}, so decisions are not shown.")
    return Section("versions", _QUESTION, tuple(said), (_over_time(found),), grids)


def _over_time(spans: list[tuple[Any, ...]]) -> Chart:
    names = list(dict.fromkeys(f"version {row[0]}" for row in reversed(spans)))
    rows = [
        {"at": iso(start), "until": iso(end), "period": moment(utc(start)), "to": moment(utc(end)),
         "kind": f"version {version}", "number": clicks}
        for version, _, _, start, end, clicks in spans
    ]  # fmt: skip
    swaps = [
        {"at": iso(start), "period": moment(utc(start)), "name": f"version {version} takes over"}
        for version, _, _, start, _, _ in spans[:-1]
    ]
    grid = Grid(
        ("version", ">from micro-batch", ">to micro-batch", "from, UTC", "to, UTC", ">clicks"),
        tuple(
            (version, str(first), str(last), moment(utc(start)), moment(utc(end)), count(clicks))
            for version, first, last, start, end, clicks in spans
        ),
    )
    note = "A dashed line is a swap: the first micro-batch of another version."
    spec = charts.spans(rows, names, swaps, "start of the micro-batch, UTC")
    return Chart("versions-over-time", "The version that scored, over time", spec, grid, note)


def _decisions(tables: RunTables) -> Grid | None:
    if tables.timeline is None:
        return None
    # Rows from before there were other roles and events have none.
    found = tables.ask(
        """
        SELECT epoch_us(pinned_at) / 1e6, from_batch, model_name, model_version, coalesce(role, 'champion'),
          coalesce(event, 'scores'), reason
        FROM timeline ORDER BY pinned_at DESC, from_batch DESC LIMIT $1
        """,
        MOST_ROWS,
    )
    return Grid(
        ("decided, UTC", ">from micro-batch", "model", "version", "role", "event", "why"),
        tuple(
            (moment(utc(at)), str(batch), name, version, role, event, reason or NOTHING)
            for at, batch, name, version, role, event, reason in found
        ),
    )
