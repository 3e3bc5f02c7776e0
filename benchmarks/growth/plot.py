"""The picture of the growth benchmark."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common.charts import draw_parts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (14.0, 4.0)
DPI = 150
CURVES = {
    "jvm_rss_mb": ("JVM, resident", "#0b6e8a"),
    "heap_after_gc_mb": ("JVM, live heap", "#74c0d4"),
    "python_rss_mb": ("Python, resident", "#d1662b"),
}


def draw(points: dict[str, dict[str, Any]], memory: dict[str, dict[str, float]], file: Path) -> None:
    """Draw the parts of a micro-batch over the size of table and folder, and the memory over the commits.

    Args:
        points: summaries by size, under ``batch``, ``young_table_at_end`` and ``folder``.
        memory: what the driver needs, by commit.
        file: the picture.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=SIZE, layout="constrained", gridspec_kw={"width_ratios": (5, 4, 4)})
    table = {f"commit\n{int(size):,}": found for size, found in points.get("batch", {}).items()}
    table |= {f"young, last\n{int(size):,}": found for size, found in points.get("young_table_at_end", {}).items()}
    draw_parts(panels[0], "A small micro-batch while the table grows", table)
    folder = {f"{int(size):,}\nfiles": found for size, found in points.get("folder", {}).items()}
    draw_parts(panels[1], "The same while the folder grows", folder)
    top = max(panel.get_ylim()[1] for panel in panels[:2])
    for panel in panels[:2]:
        panel.set_ylim(0, top)
    _draw_memory(panels[2], memory)
    figure.savefig(file, dpi=DPI)
    plt.close(figure)


def _draw_memory(panel: "Axes", memory: dict[str, dict[str, float]]) -> None:
    commits = [int(commit) for commit in memory]
    for key, (label, colour) in CURVES.items():
        values = [found[key] for found in memory.values()]
        panel.plot(commits, values, marker="o", markersize=4, label=label, color=colour)
    panel.set_ylim(bottom=0)
    panel.set_xlabel("commits of the table", fontsize=9)
    panel.set_ylabel("MB")
    panel.set_title("Memory of the driver", fontsize=11, loc="left")
    panel.legend(fontsize=8, frameon=False)
    panel.spines[["top", "right"]].set_visible(False)
