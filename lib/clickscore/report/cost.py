"""What did it cost? CPU time of the job per million records, over time."""

from clickscore.report import charts
from clickscore.report.periods import iso, label, name_of, width_for
from clickscore.report.run_tables import RunTables
from clickscore.report.sections import Chart, Grid, Section, count, plural

_QUESTION = "What did it cost?"
_MILLION = 1e6


def section(tables: RunTables) -> Section:
    """Return the section about CPU time."""
    if tables.metrics is None:
        return _unknown(f"CPU time is not in the tables, there is no stream_metrics beside {tables.scored.name}.")
    # Only some rows have CPU time: that of their own records, and of those since the last one that has it.
    tables.ask(
        """
        CREATE OR REPLACE TEMP TABLE cost AS
        SELECT max(at_s) AS at_s, sum(read)::BIGINT AS read, sum(cpu_seconds) AS cpu_s FROM (
          SELECT epoch_us(finished_at) / 1e6 AS at_s, read, cpu_seconds,
            count(cpu_seconds) OVER (ORDER BY batch_id DESC) AS interval
          FROM metrics
        ) GROUP BY interval HAVING sum(cpu_seconds) IS NOT NULL
        """
    )
    [(first_s, last_s, read, cpu_s)] = tables.ask("SELECT min(at_s), max(at_s), sum(read), sum(cpu_s) FROM cost")
    if not read:
        return _unknown(f"No row of {tables.metrics.name} has CPU time and records.")
    width = width_for(last_s - first_s)
    found = tables.ask(
        """
        SELECT floor(at_s / $1) * $1 AS period, sum(read)::BIGINT, sum(cpu_s), sum(cpu_s) / sum(read) * 1e6
        FROM cost GROUP BY period HAVING sum(read) > 0 ORDER BY period
        """,
        width,
    )
    said = (
        f"{cpu_s:,.0f} CPU seconds for {plural(int(read), 'record')}: {cpu_s / read * _MILLION:,.0f} per million. "
        f"It is the time of all processes of the job on the machine of the driver; in local mode, that is all of it."
    )
    kind, title = "CPU seconds", "CPU seconds per million records"
    rows = [
        {"at": iso(start), "period": label(start, width), "kind": kind, "number": per_million}
        for start, *_, per_million in found
    ]
    grid = Grid(
        ("from, UTC", ">records", ">CPU seconds", ">per million records"),
        tuple((label(start, width), count(read), f"{cpu_s:,.1f}", count(each)) for start, read, cpu_s, each in found),
    )
    note = "A run that has just begun, and one that has little to do, costs more per record than a busy one."
    spec = charts.lines_over_time(rows, (kind,), title)
    return Section("cost", _QUESTION, (said,), (Chart("cost", f"{title}, by {name_of(width)}", spec, grid, note),))


def _unknown(why: str) -> Section:
    return Section("cost", _QUESTION, (f"Unknown: {why} make bench measures what clicks cost on a machine.",))
