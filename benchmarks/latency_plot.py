"""The picture of the latency benchmark."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from durations import PARTS, TOTAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"product": "#0b6e8a", "recipe": "#d1662b"}
PART_COLOURS = {"latestOffset": "#9ecae1", "getBatch": "#dadaeb", "queryPlanning": "#c7c7c7", "walCommit": "#fdae6b",
                "addBatch": "#0b6e8a", "commitOffsets": "#fdd0a2", "other": "#eeeeee"}  # fmt: skip
GOALS_S = (0.5, 1.5)
"""What the product should reach at 5,000 clicks/s: p50 and p99."""
PERCENTILES = ("p50_s", "p95_s", "p99_s")
MARKERS = ("o", "|", "D")
WIDTH, ROW, HEAD = 11.0, 0.34, 1.5
"""Inches: of the picture, of a bar, and of what stands around the bars of a row of panels."""
DPI = 150
LONGEST_LABELLED_S = 0.04
"""Parts shorter than this share of the longest bar are not labelled."""


def draw(latency: dict[str, Any], fixed_cost: dict[str, Any], file: Path) -> None:
    """Draw percentiles of the latency above, and what a small micro-batch is spent on below."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    sources = list(latency) or list(fixed_cost)
    bars = [max((len(systems) for systems in (_rows(latency, source) for source in sources)), default=0),
            max((len(fixed_cost.get(source, {})) for source in sources), default=0)]  # fmt: skip
    heights = [ROW * count + HEAD for count in bars if count]
    figure, grid = plt.subplots(
        len(heights), len(sources), figsize=(WIDTH, sum(heights)), squeeze=False, sharex="row",
        gridspec_kw={"height_ratios": heights}, layout="constrained",
    )  # fmt: skip
    for column, source in enumerate(sources):
        panels = iter(grid[:, column])
        if bars[0]:
            _draw_latency(next(panels), source, _rows(latency, source))
        if bars[1]:
            _draw_parts(next(panels), source, fixed_cost.get(source, {}))
    figure.savefig(file, dpi=DPI)
    plt.close(figure)


def _rows(latency: dict[str, Any], source: str) -> list[tuple[int, str, dict[str, Any]]]:
    return [(int(rate), system, found) for rate, systems in latency.get(source, {}).items()
            for system, found in systems.items()]  # fmt: skip


def _draw_latency(panel: "Axes", source: str, rows: list[tuple[int, str, dict[str, Any]]]) -> None:
    for place, (_, system, found) in enumerate(rows):
        colour, values = COLOURS[system], [found[key] for key in PERCENTILES]
        panel.plot(values, [place] * len(values), color=colour, linewidth=5, alpha=0.35, solid_capstyle="round")
        for value, marker in zip(values, MARKERS, strict=True):
            panel.plot(value, place, marker, color=colour, markersize=7, markeredgewidth=2)
        panel.annotate(f"{values[0]:.2g} s", (values[0], place), (-8, 0), textcoords="offset points", ha="right",
                       va="center", fontsize=8, color=colour)  # fmt: skip
        note = "" if found["keeps_up"] else ", does not keep up"
        panel.annotate(f"{values[-1]:.2g} s{note}", (values[-1], place), (8, 0), textcoords="offset points", ha="left",
                       va="center", fontsize=8, color=colour)  # fmt: skip
    for goal in GOALS_S:
        panel.axvline(goal, color="#888888", linewidth=0.8, linestyle=":", zorder=0)
    panel.set_yticks(range(len(rows)), [f"{rate:,}/s  {system}" for rate, system, _ in rows])
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.margins(x=0.3)
    panel.invert_yaxis()
    panel.set_xlabel("seconds from created to visible: ● p50, | p95, ◆ p99; dotted: goals for p50 and p99")
    panel.set_title(f"Latency, clicks from the {source}" if source == "folder" else "Latency, clicks from Kafka")
    _bare(panel)


def _draw_parts(panel: "Axes", source: str, systems: dict[str, Any]) -> None:
    longest = max((found[f"{TOTAL}_s"] for found in systems.values()), default=0.0)
    for place, found in enumerate(systems.values()):
        left = 0.0
        for part in (*PARTS, "other"):
            value = found[f"{part}_s"]
            panel.barh(place, value, left=left, color=PART_COLOURS[part], label=part if not place else None)
            if value > LONGEST_LABELLED_S * longest:
                dark = part == "addBatch"
                panel.text(left + value / 2, place, f"{value * 1000:.0f}", ha="center", va="center", fontsize=8,
                           color="white" if dark else "black")  # fmt: skip
            left += value
    panel.set_yticks(range(len(systems)), list(systems))
    panel.invert_yaxis()
    panel.set_xlabel("seconds of a small micro-batch, median of each part; numbers in milliseconds")
    panel.set_title(f"Fixed cost of a micro-batch, {source}")
    if systems:
        panel.legend(fontsize=7, ncols=4, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.3))
    _bare(panel)


def _bare(panel: "Axes") -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=9)
