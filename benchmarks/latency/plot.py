"""The picture of the latency benchmark."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common.charts import draw_parts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"product": "#0b6e8a", "recipe": "#d1662b"}
GOALS_S = {"p50": 0.5, "p99": 1.5}
"""What the product should reach at 5,000 clicks/s."""
PERCENTILES = ("p50_s", "p95_s", "p99_s")
MARKERS = ("o", "|", "D")
BAND, MARKER = 6, 7
"""Points: height of the band from p50 to p99, and size of its marks."""
PANEL, PARTS_PANEL = 5.6, 5.4
"""Inches: width of a panel of percentiles, and of the parts of a micro-batch."""
ROW, HEAD = 0.36, 1.5
"""Inches: height of a row of percentiles, and of what stands above and below them all."""
LEAST_HEIGHT = 3.6
DPI = 150
MINOR_LABELS = "25"
"""First digits of the numbers between powers of ten that are labelled."""
SIDE = 0.32
"""Share of the width that is left free on both sides, for the numbers."""
NEAR = 9
"""Points between a mark and its number."""
NAMES = {"kafka": "Kafka", "folder": "the landing folder"}

Row = tuple[int, str, dict[str, Any]]


def draw(latency: dict[str, Any], fixed_cost: dict[str, Any], file: Path) -> None:
    """Draw percentiles of the latency by source, and what a small micro-batch is spent on."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    rows = {source: _rows(rates) for source, rates in latency.items()}
    widths = [PANEL] * len(rows) + ([PARTS_PANEL] if fixed_cost else [])
    height = max(LEAST_HEIGHT, HEAD + ROW * max((len(found) for found in rows.values()), default=0))
    figure, grid = plt.subplots(1, len(widths), figsize=(sum(widths), height), squeeze=False, layout="constrained",
                                gridspec_kw={"width_ratios": widths})  # fmt: skip
    panels = list(grid[0])
    for panel, (source, found) in zip(panels, rows.items(), strict=False):
        _draw_latency(panel, f"Click created to visible, from {NAMES[source]}", found)
        panel.sharex(panels[0])
    if fixed_cost:
        bars = {f"{source}\n{system}": found for source, systems in fixed_cost.items()
                for system, found in systems.items()}  # fmt: skip
        draw_parts(panels[-1], "Fixed cost of a micro-batch", bars)
    figure.savefig(file, dpi=DPI)
    plt.close(figure)


def _rows(rates: dict[str, Any]) -> list[Row]:
    return [(int(rate), system, found) for rate, systems in rates.items() for system, found in systems.items()]


def _draw_latency(panel: "Axes", title: str, rows: list[Row]) -> None:
    for place, (_, system, found) in enumerate(rows):
        colour, values = COLOURS[system], [found[key] for key in PERCENTILES]
        panel.plot([values[0], values[-1]], [place, place], color=colour, linewidth=BAND, alpha=0.35)
        for value, marker in zip(values, MARKERS, strict=True):
            panel.plot(value, place, marker, color=colour, markersize=MARKER, markeredgewidth=2)
        text: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 8, "color": colour}
        note = "" if found["keeps_up"] else ", cannot keep up"
        panel.annotate(f"{values[0]:.2g}", (values[0], place), (-NEAR, 0), ha="right", **text)
        panel.annotate(f"{values[-1]:.2g} s{note}", (values[-1], place), (NEAR, 0), ha="left", **text)
    for name, goal in GOALS_S.items():
        panel.axvline(goal, color="#888888", linewidth=0.9, linestyle=":", zorder=0)
        panel.annotate(f"goal {name}", (goal, 1), (2, -2), xycoords=("data", "axes fraction"), fontsize=7, va="top",
                       textcoords="offset points", color="#666666")  # fmt: skip
    panel.set_yticks(range(len(rows)), [f"{rate:,}/s {system}" for rate, system, _ in rows], fontsize=9)
    panel.set_ylim(len(rows) - 0.4, -0.9)
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:g}"[-1] in MINOR_LABELS else "")
    panel.tick_params(axis="x", which="both", labelsize=8)
    panel.margins(x=SIDE)
    panel.set_xlabel("seconds: ● p50   | p95   ◆ p99", fontsize=9)
    panel.set_title(title, fontsize=11, loc="left")
    panel.spines[["top", "right"]].set_visible(False)
