"""Is the stream keeping up? Rate, lag and durations of its micro-batches."""

from datetime import datetime

from clickscore.report import charts
from clickscore.report.periods import iso, label, name_of, utc, width_for
from clickscore.report.run_tables import RunTables
from clickscore.report.sections import NOTHING, Chart, Figure, Grid, Section, count, duration, moment, plural, unit_of

_QUESTION = "Is it keeping up?"
_PHASES = ("choose the model", "read, score, commit", "commit the rejected", "around it")
NEWEST = 200
"""Micro-batches whose durations are shown."""


def figures(tables: RunTables, now: datetime) -> tuple[Figure, ...]:
    """Return the numbers at the top of the page."""
    [(scored, still_open, newest_s)] = tables.ask(
        "SELECT sum(scored)::BIGINT, sum(still_open)::BIGINT, max(began_s) FROM micro_batch"
    )
    age = (now - utc(newest_s)).total_seconds()
    return (
        Figure("clicks scored", count(scored)),
        Figure("records rejected", count(still_open)),
        Figure("since the newest micro-batch", duration(age)),
    )


def section(tables: RunTables) -> Section:
    """Return the section about rate, lag and durations."""
    [(first_s, last_s, batches)] = tables.ask(
        "SELECT min(began_s), max(began_s), count(DISTINCT batch_id) FROM micro_batch WHERE batch_id >= 0"
    )
    if not batches:
        return Section("progress", _QUESTION, ("The tables hold rows of replays, and none of the stream.",))
    width = width_for(last_s - first_s)
    sentences, lag = _lag(tables, width)
    words, durations = _durations(tables)
    about = f"{plural(batches, 'micro-batch')} from {moment(utc(first_s))} to {moment(utc(last_s))} UTC."
    found = [chart for chart in (_rate(tables, width), lag, durations, _phases(tables, width)) if chart]
    return Section("progress", _QUESTION, (about, *words, *sentences), tuple(found))


def _rate(tables: RunTables, width: int) -> Chart:
    found = tables.ask(
        """
        SELECT floor(began_s / $1) * $1 AS period, sum(scored)::BIGINT, sum(rejected)::BIGINT
        FROM micro_batch WHERE batch_id >= 0 GROUP BY period ORDER BY period
        """,
        width,
    )
    kinds = ("scored", "rejected")
    rows = [
        {"at": iso(start), "until": iso(start + width), "period": label(start, width), "kind": kind, "number": number}
        for start, *numbers in found
        for kind, number in zip(kinds, numbers, strict=True)
    ]  # fmt: skip
    per = name_of(width)
    grid = Grid(
        ("from, UTC", ">scored", ">rejected", ">records per second"),
        tuple(
            (label(start, width), count(scored), count(rejected), f"{(scored + rejected) / width:,.1f}")
            for start, scored, rejected in found
        ),
    )
    spec = charts.bars_over_time(rows, kinds, f"records per {per}", (charts.BLUE, charts.RED))
    return Chart("rate", f"Records per {per}, by the start of their micro-batch", spec, grid)


def _lag(tables: RunTables, width: int) -> tuple[tuple[str, ...], Chart | None]:
    found = tables.ask(
        """
        SELECT floor(epoch_us(scored_at) / 1e6 / $1) * $1 AS period,
          approx_quantile(epoch_us(scored_at) / 1e6 - _event_s, [0.5, 0.95]) AS quantiles, count(*) AS clicks
        FROM scored WHERE batch_id >= 0 GROUP BY period ORDER BY period
        """,
        width,
    )
    if not found:
        return (), None
    size, unit = unit_of(max(abs(quantiles[1]) for _, quantiles, _ in found))
    kinds = ("half of the clicks", "95% of the clicks")
    rows = [
        {"at": iso(start), "period": label(start, width), "kind": kind, "number": value / size}
        for start, quantiles, _ in found
        for kind, value in zip(kinds, quantiles, strict=True)
    ]
    grid = Grid(
        ("from, UTC", ">clicks", *(f">{kind} within" for kind in kinds)),
        tuple((label(start, width), count(clicks), *map(duration, values)) for start, values, clicks in found),
    )
    half, most = map(duration, found[-1][1])
    said = (
        f"In the newest {name_of(width)}, half of the clicks were scored within {half} of the click, 95% within {most}."
    )
    note = "Time from the click until its micro-batch was scored. Old clicks that were loaded late count as late."
    spec = charts.lines_over_time(rows, kinds, f"lag in {unit}", (charts.BLUE, charts.ORANGE))
    return (said,), Chart("lag", f"Lag in {unit}: scored_at minus {tables.contract.time}", spec, grid, note)


def _phases(tables: RunTables, width: int) -> Chart | None:
    """Draw what the micro-batches of a period took on average, by phase; Spark's part where the rows have it."""
    if tables.metrics is None:
        return None
    found = tables.ask(
        """
        SELECT floor(epoch_us(finished_at) / 1e6 / $1) * $1 AS period, count(*),
          coalesce(avg(phase_seconds['choose_model']), 0), coalesce(avg(phase_seconds['score']), 0),
          coalesce(avg(phase_seconds['reject']), 0),
          coalesce(avg(phase_seconds['spark.triggerExecution'] - phase_seconds['batch']), 0)
        FROM metrics GROUP BY period ORDER BY period
        """,
        width,
    )
    if not found:
        return None
    rows = [
        {"at": iso(start), "until": iso(start + width), "period": label(start, width), "kind": kind, "number": seconds}
        for start, _, *phases in found
        for kind, seconds in zip(_PHASES, phases, strict=True)
    ]  # fmt: skip
    grid = Grid(
        ("from, UTC", ">micro-batches", *(f">{kind}" for kind in _PHASES)),
        tuple((label(start, width), count(batches), *map(duration, phases)) for start, batches, *phases in found),
    )
    note = "Around it is what Spark does before and after the job's part: look at the source, write its logs."
    title = f"Phases of a micro-batch, in seconds, on average of each {name_of(width)}"
    return Chart("phases", title, charts.bars_over_time(rows, _PHASES, "seconds"), grid, note)


def _durations(tables: RunTables) -> tuple[tuple[str, ...], Chart | None]:
    ended: dict[int, datetime] = {}
    for _, commit in tables.of_batches():
        if commit.batch_id >= 0:
            ended[commit.batch_id] = max(commit.at, ended.get(commit.batch_id, commit.at))
    newest = sorted(ended)[-NEWEST:]
    began = tables.ask(
        """
        SELECT batch_id, min(began_s), sum(scored + rejected)::BIGINT FROM micro_batch
        WHERE batch_id IN (SELECT unnest($1::BIGINT[])) GROUP BY batch_id ORDER BY batch_id
        """,
        newest,
    )
    # The clocks of the job and of the storage may differ.
    found = [(batch, start, max(0.0, ended[batch].timestamp() - start), records) for batch, start, records in began]
    if not found:
        return ("The log of the tables no longer says when the micro-batches were committed.",), None
    size, unit = unit_of(max(took for _, _, took, _ in found))
    rows = [
        {"at": iso(start), "period": moment(utc(start)), "name": str(batch), "number": took / size}
        for batch, start, took, _ in found
    ]
    grid = Grid(
        (">micro-batch", "began, UTC", ">records", ">took", ">records per second"),
        tuple(
            (str(batch), moment(utc(start)), count(records), duration(took), count(records / took) if took else NOTHING)
            for batch, start, took, records in reversed(found)
        ),
    )
    times = sorted(took for _, _, took, _ in found)
    newest_ones = f"the newest {plural(len(found), 'micro-batch')}"
    said = (
        f"Of {newest_ones}, the median one took {duration(times[len(times) // 2])}, the longest {duration(times[-1])}."
    )
    note = "From the moment at which the micro-batch was given to the job until the last commit of its rows."
    title = f"Duration of each of {newest_ones}, in {unit}"
    return (said,), Chart("durations", title, charts.points_over_time(rows, f"duration in {unit}"), grid, note)
