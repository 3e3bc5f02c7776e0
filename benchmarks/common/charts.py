"""What small micro-batches spend their time on: medians, a table, a picture."""

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.common.durations import MS_PER_S, PARTS, ROWS, TOTAL, Batch
from rich.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OTHER = "other"
"""What the parts leave of the whole."""
SLOW = 2
"""A micro-batch, or a commit, is slow if it takes more than this many times the median."""
COLOURS = {"latestOffset": "#74a9cf", "getBatch": "#bcbddc", "queryPlanning": "#969696", "walCommit": "#fdae6b",
           "addBatch": "#0b6e8a", "commitOffsets": "#fdd0a2", OTHER: "#d9d9d9"}  # fmt: skip
BAR_WIDTH = 0.62
ROOM = 0.1
"""Share of the height that is left free above the bars, for their numbers."""
LEAST_BARS = 3
"""A bar is not wider if there are fewer."""


def summary(batches: Sequence[Batch]) -> dict[str, Any]:
    """Return the median of the whole and of its parts in seconds, the longest, and the share of slow ones."""
    totals = [batch[TOTAL] for batch in batches]
    median = statistics.median(totals)
    parts = {part: statistics.median(batch.get(part, 0.0) for batch in batches) for part in PARTS}
    return {
        "s": median,
        "parts_s": {**parts, OTHER: max(0.0, median - sum(parts.values()))},
        "longest_s": max(totals),
        "slow_share": sum(total > SLOW * median for total in totals) / len(totals),
        "rows": statistics.median(batch[ROWS] for batch in batches),
        "batches": len(batches),
    }


def table(columns: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return a column for each summary."""
    grid = Table("durationMs", *columns, title="a small micro-batch: medians in milliseconds")
    found = columns.values()
    grid.add_row(TOTAL, *[f"{one['s'] * MS_PER_S:,.0f}" for one in found], end_section=True)
    for part in (*PARTS, OTHER):
        grid.add_row(part, *[f"{one['parts_s'][part] * MS_PER_S:,.0f}" for one in found])
    grid.add_section()
    grid.add_row("the longest", *[f"{one['longest_s'] * MS_PER_S:,.0f}" for one in found])
    grid.add_row(f"over {SLOW}x the median", *[f"{one['slow_share']:.1%}" for one in found])
    grid.add_row("clicks", *[f"{one['rows']:,.0f}" for one in found])
    grid.add_row("micro-batches", *[f"{one['batches']:,}" for one in found])
    return grid


def draw_parts(panel: "Axes", title: str, columns: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw a bar for each summary, its parts on top of each other."""
    for place, found in enumerate(columns.values()):
        bottom = 0.0
        for part in (*PARTS, OTHER):
            height = found["parts_s"][part]
            panel.bar(place, height, BAR_WIDTH, bottom, color=COLOURS[part], label=None if place else part)
            bottom += height
        panel.text(place, bottom, f"{found['s']:.2f} s", ha="center", va="bottom", fontsize=9)
    panel.margins(y=ROOM)
    panel.set_ylim(bottom=0)
    panel.set_xlim(-1, max(len(columns), LEAST_BARS))
    panel.set_xticks(range(len(columns)), list(columns), fontsize=9)
    panel.set_ylabel("seconds, median of each part")
    panel.set_title(title, fontsize=11, loc="left")
    panel.spines[["top", "right"]].set_visible(False)
    handles, labels = panel.get_legend_handles_labels()
    # From top to bottom, as the parts stand in the bars.
    panel.legend(handles[::-1], labels[::-1], fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
