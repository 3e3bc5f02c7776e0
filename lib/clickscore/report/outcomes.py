"""Were the scores right? What became of the clicks of each version, from ``outcomes``, as soon as units have closed."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from clickscore.config.outcome import Outcome
from clickscore.outcomes.measures import (
    Bin,
    Clicks,
    Estimate,
    Integers,
    area_under_roc,
    calibration,
    deciles,
    log_loss,
    success_share,
)
from clickscore.report import charts
from clickscore.report.periods import DAY, iso, label
from clickscore.report.run_tables import RunTables
from clickscore.report.sections import NOTHING, Chart, Grid, Section, count, plural, share
from clickscore.scoring.feature_engine import quoted

MOST_CLICKS = 1_000_000
"""Clicks that are judged, those of some units if there are more; their intervals are narrow enough for any chart."""
MOST_VERSIONS = 6
"""Versions that are judged, the newest ones of each role; a chart has as many colours."""
_SHARES = 1_000_000
"""Parts of the hashes of units, of which a sample takes some."""
_QUESTION = "Were the scores right?"
_INTERVAL = "95% interval, with units as clusters"


@dataclass(frozen=True)
class Judged:
    """The clicks of a version whose outcome is known.

    Attributes:
        name: the version and its role, as people read it.
        clicks: what it scored.
        day: of each click, in days since 1970.
    """

    name: str
    clicks: Clicks
    day: Integers


def section(tables: RunTables, outcome: Outcome | None) -> Section:
    """Return the section about ``outcomes``.

    Args:
        tables: those of the run.
        outcome: what a success is, if the configuration says it.
    """
    if tables.outcomes is None:
        unknown = f"Unknown: there is no table outcomes beside {tables.scored.name}. jobs/join_outcomes.py writes it."
        return Section("outcomes", _QUESTION, (unknown,))
    if outcome is None:
        unknown = f"Unknown: to read {tables.outcomes.name}, the configuration must have the section outcome."
        return Section("outcomes", _QUESTION, (unknown,))
    states: dict[str, int] = dict(tables.ask("SELECT state, count(*) FROM outcomes GROUP BY state"))
    [[successes, closed_clicks]] = tables.ask(
        "SELECT count(*) FILTER (success), coalesce(sum(clicks), 0)::BIGINT FROM outcomes WHERE state = 'closed'"
    )
    said = [_units_said(outcome.unit, states, successes)]
    part = min(1.0, MOST_CLICKS / max(closed_clicks, 1))
    judged = [one for role in _roles(tables) for one in _judged(tables, outcome, role, part)]
    if not judged:
        return Section("outcomes", _QUESTION, (*said, "No click of a version has a known outcome yet."))
    if part < 1:
        said.append(f"The rest of this section covers {share(part, 1)} of the {outcome.unit}s, chosen at random.")
    return Section(
        "outcomes", _QUESTION, tuple(said), tuple(chart for chart in _charts(judged) if chart.grid.rows),
        (("Versions", _versions(judged)),),
    )  # fmt: skip


def _units_said(unit: str, states: dict[str, int], successes: int) -> str:
    closed = states.get("closed", 0)
    waiting = f"{count(states.get('open', 0))} are still open, and {count(states.get('censored', 0))} are censored"
    return (
        f"Of {plural(closed, unit)} whose time is over, {count(successes)} succeeded "
        f"({share(successes, closed)}); {waiting}: these count as neither."
    )


def _roles(tables: RunTables) -> list[tuple[str, str, str]]:
    """Return what is said of a role beside its versions, and its columns of version and score."""
    challenger = ("challenger_version", "challenger_score")
    is_there = set(challenger) <= set(tables.scored.rows.schema.names)
    return [("", "model_version", "score"), *([(" as challenger", *challenger)] if is_there else [])]


def _judged(tables: RunTables, outcome: Outcome, role: tuple[str, str, str], part: float) -> list[Judged]:
    name, version, score = role
    field = quoted(outcome.field(tables.contract.id, tables.contract.visitor))
    newest = tables.ask(
        f"FROM scored SELECT {version} WHERE {version} IS NOT NULL GROUP BY 1 ORDER BY max(scored_at) DESC LIMIT $1",
        MOST_VERSIONS,
    )
    versions = [row[0] for row in newest][::-1]
    found = tables.ask_columns(
        f"""
        FROM scored JOIN outcomes ON CAST({field} AS VARCHAR) = unit_id AND {quoted(tables.contract.time)} < until
        SELECT list_position($3, {version}) - 1 AS version, floor(_event_s / $4)::BIGINT AS day, {score} AS score,
          success::DOUBLE AS success, (hash(unit_id) >> 1)::BIGINT AS unit
        WHERE state = 'closed' AND hash(unit_id) % $1 < $2 AND {score} IS NOT NULL AND list_contains($3, {version})
        """,
        _SHARES, round(part * _SHARES), versions, DAY,
    )  # fmt: skip
    clicks = Clicks(found["score"], found["success"], found["unit"])
    judged = []
    for place, each in enumerate(versions):
        if (mine := found["version"] == place).any():
            chosen = Clicks(clicks.score[mine], clicks.success[mine], clicks.unit[mine])
            judged.append(Judged(f"version {each}{name}", chosen, found["day"][mine]))
    return judged


def _charts(judged: list[Judged]) -> list[Chart]:
    return [_by_day(judged), _calibration(judged), _by_decile(judged)]


def _by_day(judged: list[Judged]) -> Chart:
    rows, cells = [], []
    for one in judged:
        for day in np.unique(one.day).tolist():
            mine = one.day == day
            clicks = Clicks(one.clicks.score[mine], one.clicks.success[mine], one.clicks.unit[mine])
            if (area := area_under_roc(clicks)) is None:
                continue
            start, loss = float(day * DAY), log_loss(clicks)
            low, high = _ends(area)
            rows.append({"at": iso(start), "period": label(start, DAY), "kind": one.name, "middle": area.value,
                         "low": low, "high": high})  # fmt: skip
            cells.append((label(start, DAY), one.name, count(len(clicks.score)), _text(area), _text(loss)))
    spec = charts.band_over_time(rows, [one.name for one in judged], "AUC", ("95% from", "AUC", "95% to"))
    grid = Grid(("day of the click", "version", ">clicks", ">AUC", ">log loss"), tuple(cells))
    note = (
        f"How probably a click with success has a higher score than one without; 0.5 is chance. Band: {_INTERVAL}. "
        f"Days on which nobody or everybody succeeded are left out."
    )
    return Chart("outcomes-auc", "AUC by day and version", spec, grid, note)


def _calibration(judged: list[Judged]) -> Chart:
    found = [(one.name, each.score, each) for one in judged for each in calibration(one.clicks)]
    spec = charts.intervals(_rows(found), [one.name for one in judged], "mean score", "share of success", True)
    grid = Grid(
        ("version", ">mean score", ">share of success", ">clicks"),
        tuple((name, f"{score:.3f}", _text(each.success), count(each.clicks)) for name, score, each in found),
    )
    note = f"On the dashed line, scores are the probabilities of success. Ten bins; bars: {_INTERVAL}."
    return Chart("outcomes-calibration", "Share of success by score", spec, grid, note)


def _by_decile(judged: list[Judged]) -> Chart:
    found, cells = [], []
    for one in judged:
        base = success_share(one.clicks).value
        for number, each in enumerate(deciles(one.clicks), 1):
            found.append((one.name, float(number), each))
            lift = f"{each.success.value / base:.2f}" if base else NOTHING
            cells.append((one.name, str(number), _text(each.success), lift, count(each.clicks)))
    spec = charts.intervals(_rows(found), [one.name for one in judged], "tenth of the scores", "share of success")
    grid = Grid(("version", ">tenth of the scores", ">share of success", ">lift", ">clicks"), tuple(cells))
    note = f"The first tenth has the highest scores. Lift is its share over that of all clicks. Bars: {_INTERVAL}."
    return Chart("outcomes-deciles", "Share of success by tenth of the scores", spec, grid, note)


def _rows(found: list[tuple[str, float, Bin]]) -> charts.Rows:
    return [
        {"kind": name, "x": place, "number": each.success.value, "low": low, "high": high, "clicks": each.clicks}
        for name, place, each in found
        for low, high in [_ends(each.success)]
    ]


def _versions(judged: list[Judged]) -> Grid:
    return Grid(
        ("version", ">clicks", ">units", ">share of success", ">AUC", ">log loss"),
        tuple(
            (one.name, count(len(one.clicks.score)), count(len(np.unique(one.clicks.unit))),
             _text(success_share(one.clicks)), _text(area_under_roc(one.clicks)), _text(log_loss(one.clicks)))
            for one in judged
        ),
    )  # fmt: skip


def _ends(found: Estimate) -> tuple[float | None, float | None]:
    return (found.low, found.high) if isfinite(found.low) else (None, None)


def _text(found: Estimate | None) -> str:
    if found is None:
        return NOTHING
    low, _ = _ends(found)
    return f"{found.value:.3f}" if low is None else f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
