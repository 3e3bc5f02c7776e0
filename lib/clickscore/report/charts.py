"""Charts in Vega-Lite, made with Altair: each takes rows, and fills the width of the page.

Colours of text, lines and grid are those of the page, light or dark, which sets them when it draws. Colours with a
meaning are set here, readable on both.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import altair as alt

from clickscore.report.sections import Spec

Rows = list[dict[str, Any]]

BLUE, ORANGE, GREEN, RED, GREY = "#4c8bd0", "#d9822b", "#3a9d6a", "#d1495b", "#8b929c"
PALE = "rgba(139, 146, 156, 0.25)"
PALETTE = (BLUE, ORANGE, GREEN, "#9a6fd0", "#c25b9b", "#5aa6a6", GREY)
"""Colours of categories, in their order; the last one is that of the rest."""
HEIGHT = 220
_STEP = 20
"""Height of a row, where the rows of a chart have names."""
_BETWEEN_CELLS = 0.06
"""Part of a cell."""
_MOST_TICKS = 6
"""On a time axis: labels of more run into each other on a phone."""
_POINT = 45
_TENTHS = ("10% below", "median", "10% above")
_CLOCK, _DAY = "%H:%M", "%b %d"
_TIME_LABELS = {
    "milliseconds": "%H:%M:%S", "seconds": "%H:%M:%S", "minutes": _CLOCK, "hours": _CLOCK, "day": _DAY, "date": _DAY,
    "week": _DAY, "month": "%b %Y", "quarter": "%b %Y", "year": "%Y",
}  # fmt: skip
"""Of a time axis, by the distance of its ticks; the usual ones have a clock of twelve hours."""


def bars_over_time(rows: Rows, names: Sequence[str], y_title: str, colours: Sequence[str] = PALETTE) -> Spec:
    """Draw bars from ``at`` to ``until``: ``number`` by ``kind``, stacked in the order of ``names``."""
    # Stacked here: a bar with two ends on the time axis would be stacked along that axis.
    tops: dict[str, float] = defaultdict(float)
    stacked = []
    for row in sorted(rows, key=lambda row: names.index(row["kind"])):
        low = tops[row["at"]]
        tops[row["at"]] = low + row["number"]
        stacked.append({**row, "low": low, "high": tops[row["at"]]})
    chart = _base(stacked).mark_rect().encode(
        x=_time_axis("at"), x2="until:T",
        y=alt.Y("low:Q", title=y_title, axis=alt.Axis(tickMinStep=1)), y2="high:Q",
        color=_colours("kind", names, colours),
        tooltip=[_tip("period", "from"), _tip("kind", "what"), _number("number", y_title)],
    )  # fmt: skip
    return _spec(chart, HEIGHT)


def lines_over_time(rows: Rows, names: Sequence[str], y_title: str, colours: Sequence[str] = PALETTE) -> Spec:
    """Draw one line with points per ``kind``, through ``number`` at ``at``."""
    chart = _base(rows).mark_line(point=alt.OverlayMarkDef(size=_POINT, filled=True)).encode(
        x=_time_axis("at"),
        y=alt.Y("number:Q", title=y_title, scale=alt.Scale(zero=True)),
        color=_colours("kind", names, colours),
        tooltip=[_tip("period", "from"), _tip("kind", "what"), _number("number", y_title)],
    )  # fmt: skip
    return _spec(chart, HEIGHT)


def points_over_time(rows: Rows, y_title: str) -> Spec:
    """Draw a point per row: ``number`` at ``at``, with its ``name``."""
    chart = _base(rows).mark_point(filled=True, size=_POINT, opacity=0.8, color=BLUE).encode(
        x=_time_axis("at"),
        y=alt.Y("number:Q", title=y_title, scale=alt.Scale(zero=True)),
        tooltip=[_tip("name", "micro-batch"), _tip("period", "at"), _number("number", y_title)],
    )  # fmt: skip
    return _spec(chart, HEIGHT)


def band_over_time(rows: Rows, names: Sequence[str], y_title: str, tips: Sequence[str] = _TENTHS) -> Spec:
    """Draw a line per ``kind`` through ``middle`` in a band from ``low`` to ``high``; ``tips`` are their names."""
    colour = _colours("kind", names, PALETTE)
    shown = zip(("low", "middle", "high"), tips, strict=True)
    named = [_tip("period", "from"), _tip("kind", "what"), *(_number(name, title) for name, title in shown)]
    y = alt.Y("low:Q", title=y_title)
    band = _base(rows).mark_area(opacity=0.25).encode(x=_time_axis("at"), y=y, y2="high:Q", color=colour)
    line = _base(rows).mark_line(point=alt.OverlayMarkDef(size=_POINT, filled=True)).encode(
        x=_time_axis("at"), y=alt.Y("middle:Q", title=y_title), color=colour, tooltip=named
    )  # fmt: skip
    return _spec(alt.layer(band, line), HEIGHT)


def intervals(rows: Rows, names: Sequence[str], x_title: str, y_title: str, has_diagonal: bool = False) -> Spec:
    """Draw per ``kind`` a line of points, ``number`` at ``x``, each with its interval from ``low`` to ``high``.

    Args:
        rows: what is drawn; ``low`` and ``high`` are None where there is no interval.
        names: the kinds in their order.
        x_title: of the horizontal axis.
        y_title: of the vertical axis.
        has_diagonal: whether to draw the line from 0 to 1 on which ``number`` is ``x``.
    """
    colour = _colours("kind", names, PALETTE)
    tips = [_tip("kind", "what"), _number("x", x_title), _number("number", y_title), _number("low", "95% from"),
            _number("high", "95% to"), _number("clicks", "clicks")]  # fmt: skip
    x = alt.X("x:Q", title=x_title, axis=alt.Axis(tickCount=_MOST_TICKS))
    bars = _base([row for row in rows if row["low"] is not None]).mark_rule(strokeWidth=2, opacity=0.5).encode(
        x=x, y=alt.Y("low:Q", title=y_title), y2="high:Q", color=colour
    )  # fmt: skip
    line = _base(rows).mark_line(point=alt.OverlayMarkDef(size=_POINT, filled=True)).encode(
        x=x, y=alt.Y("number:Q", title=y_title), color=colour, tooltip=tips
    )  # fmt: skip
    ends = [{"x": end, "number": end} for end in (0, 1)]
    diagonal = _base(ends).mark_line(strokeDash=[4, 3], color=GREY).encode(x=x, y="number:Q")
    return _spec(alt.layer(*([diagonal] if has_diagonal else []), bars, line), HEIGHT)


def spans(rows: Rows, names: Sequence[str], marks: Rows, x_title: str) -> Spec:
    """Draw a bar per row from ``at`` to ``until`` in the line of its ``kind``, and a rule at each of the marks."""
    tips = [_tip("kind", "version"), _tip("period", "from"), _tip("to", "to"), _number("number", "clicks")]
    lines = alt.Y("kind:N", title=None, sort=list(names))
    bars = _base(rows).mark_bar(height=_STEP // 2, color=BLUE, minBandSize=3).encode(
        x=_time_axis("at", x_title), x2="until:T", y=lines, tooltip=tips
    )  # fmt: skip
    # A version that has scored one micro-batch has a span of no width: its point is there all the same.
    starts = _base(rows).mark_point(filled=True, size=_POINT, color=BLUE).encode(
        x=_time_axis("at", x_title), y=lines, tooltip=tips
    )  # fmt: skip
    rules = _base(marks).mark_rule(strokeDash=[4, 3], size=2, color=RED).encode(
        x=_time_axis("at", x_title), tooltip=[_tip("name", "event"), _tip("period", "at")]
    )  # fmt: skip
    return _spec(alt.layer(bars, starts, *([rules] if marks else [])), 2 * _STEP * len(names))


def shares(rows: Rows, names: Sequence[str], x_title: str, y_title: str) -> Spec:
    """Draw a histogram per ``kind`` as a line of steps: ``number`` percent in the bin that begins at ``low``."""
    chart = _base(rows).mark_line(interpolate="step-after", strokeWidth=2).encode(
        x=alt.X("low:Q", title=x_title, axis=alt.Axis(tickCount=_MOST_TICKS)),
        y=alt.Y("number:Q", title=y_title),
        color=_colours("kind", names, PALETTE),
        tooltip=[_tip("kind", "what"), _tip("bin", x_title), _number("number", y_title)],
    )  # fmt: skip
    return _spec(chart, HEIGHT)


def heat(rows: Rows, names: Sequence[str], levels: Sequence[str], legend: str) -> Spec:
    """Draw a cell per ``name`` and ``period``, coloured by its ``level``, the first of which is the calmest."""
    cells = alt.Scale(paddingInner=_BETWEEN_CELLS)
    chart = _base(rows).mark_rect().encode(
        x=alt.X("period:O", title=None, scale=cells, axis=alt.Axis(labelAngle=-45, labelOverlap="greedy")),
        y=alt.Y("name:N", title=None, scale=cells, sort=list(names)),
        color=alt.Color(
            "level:N", title=legend, scale=alt.Scale(domain=list(levels), range=[PALE, ORANGE, RED])
        ),
        tooltip=[_tip("name", "what"), _tip("period", "from"), _number("number", legend)],
    )  # fmt: skip
    return _spec(chart, _STEP * len(names))


def _base(rows: Rows) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))


def _time_axis(name: str, title: str = "time, UTC") -> alt.X:
    axis = alt.Axis(tickCount=_MOST_TICKS, labelOverlap=True, format=_TIME_LABELS)
    return alt.X(f"{name}:T", title=title, scale=alt.Scale(type="utc"), axis=axis)


def _colours(name: str, names: Sequence[str], colours: Sequence[str]) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=list(islice(cycle(colours), len(names))))
    return alt.Color(f"{name}:N", title=None, scale=scale, legend=alt.Legend(symbolOpacity=1))


def _tip(name: str, title: str) -> alt.Tooltip:
    return alt.Tooltip(f"{name}:N", title=title)


def _number(name: str, title: str) -> alt.Tooltip:
    return alt.Tooltip(f"{name}:Q", title=title, format=",.4~g")


def _spec(chart: alt.Chart | alt.LayerChart | alt.FacetChart, height: int) -> Spec:
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")  # as wide as the page, axes included
    spec: Spec = chart.properties(width="container", height=height, autosize=fit).to_dict()
    return spec
