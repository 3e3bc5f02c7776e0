"""What was rejected? Reasons over time, with one masked example of each."""

from typing import Any

from clickscore.report import charts
from clickscore.report.masking import masked_detail, masked_record
from clickscore.report.periods import iso, label, name_of, utc, width_for
from clickscore.report.run_tables import RunTables
from clickscore.report.sections import NOTHING, Chart, Grid, Section, count, moment, share

REST = "other reasons"
_COLOURS = len(charts.PALETTE)
"""Where there are more reasons, the rarest ones share the last colour."""
_QUESTION = "What was rejected?"


def section(tables: RunTables) -> Section:
    """Return the section about ``rejected_clicks``."""
    reasons = tables.ask(
        """
        SELECT reason, count(*) AS records, count(*) FILTER (_is_open), min(epoch_us(received_at)) / 1e6,
          max(epoch_us(received_at)) / 1e6, arg_max(detail, received_at), arg_max(left(raw, 1000), received_at)
        FROM rejected GROUP BY reason ORDER BY records DESC, reason
        """
    )
    if not reasons:
        return Section("rejections", _QUESTION, ("No record was rejected.",))
    [(scored,)] = tables.ask("SELECT sum(scored)::BIGINT FROM micro_batch")
    rejected = sum(row[1] for row in reasons)
    still_open = sum(row[2] for row in reasons)
    part = share(rejected, scored + still_open)
    most = f"{reasons[0][0]} ({share(reasons[0][1], rejected)} of the rejected)"
    said = (
        f"Rejected records: {count(rejected)}, {part} of all; most often {most}.",
        f"A replay has scored {count(rejected - still_open)} of them since."
        if rejected > still_open
        else "None of them has been scored by a replay.",
    )
    names = [row[0] for row in reasons]
    grids = (("Reasons", _counts(reasons, rejected)), ("The newest example of each reason, masked", _examples(reasons)))
    return Section("rejections", _QUESTION, said, (_over_time(tables, names),), grids)


def _counts(reasons: list[tuple[Any, ...]], rejected: int) -> Grid:
    return Grid(
        ("reason", ">records", ">of the rejected", ">not replayed", "first, UTC", "newest, UTC"),
        tuple(
            (reason, count(records), share(records, rejected), count(still_open), moment(utc(first)), moment(utc(last)))
            for reason, records, still_open, first, last, _, _ in reasons
        ),
    )


def _examples(reasons: list[tuple[Any, ...]]) -> Grid:
    return Grid(
        ("reason", "detail", "record: letters are x, digits are 0"),
        tuple(
            (reason, NOTHING if detail is None else masked_detail(detail), masked_record(raw) if raw else NOTHING)
            for reason, *_, detail, raw in reasons
        ),
    )


def _over_time(tables: RunTables, names: list[str]) -> Chart:
    [(first_s, last_s)] = tables.ask(
        "SELECT min(epoch_us(received_at)) / 1e6, max(epoch_us(received_at)) / 1e6 FROM rejected"
    )
    width = width_for(last_s - first_s)
    coloured = names if len(names) <= _COLOURS else [*names[: _COLOURS - 1], REST]
    found = tables.ask(
        """
        SELECT floor(epoch_us(received_at) / 1e6 / $1) * $1 AS period,
          CASE WHEN list_contains($2::VARCHAR[], reason) THEN reason ELSE $3 END AS kind, count(*)
        FROM rejected GROUP BY period, kind ORDER BY period, kind
        """,
        width, coloured, REST,
    )  # fmt: skip
    rows = [
        {"at": iso(start), "until": iso(start + width), "period": label(start, width), "kind": kind, "number": number}
        for start, kind, number in found
    ]  # fmt: skip
    periods = sorted({start for start, _, _ in found})
    numbers = {(start, kind): number for start, kind, number in found}
    grid = Grid(
        ("from, UTC", *(f">{kind}" for kind in coloured)),
        tuple((label(start, width), *(count(numbers.get((start, kind), 0)) for kind in coloured)) for start in periods),
    )
    title = f"Rejected records per {name_of(width)}, by reason"
    return Chart("reasons", title, charts.bars_over_time(rows, coloured, f"records per {name_of(width)}"), grid)
