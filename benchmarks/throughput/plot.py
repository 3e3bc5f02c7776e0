"""The picture of `make bench`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.throughput.entrants import ENTRANTS, PRODUCT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, FLOOR, OTHER = "#0b6e8a", "#9ecae1", "#d1662b"
FLOORS = ("spark_floor", "parse_floor")
MODEL_ALONE = ("model_limit", "model_limit_compiled")
"""They neither read nor write: their throughput says nothing beside that of the others."""
LIMIT, LIMITS = "#8c8c8c", ("no_spark", *MODEL_ALONE)
WIDTH, ROW, HEAD = 12.0, 0.5, 1.6
"""Inches: of the picture, of an arm, and of what stands above and below them."""
DPI = 150
THICKNESS, THICK_PT = 0.62, 17
"""Of a bar, as a share of its row, and about the same in points."""
FREE_SHARE = 1.5
"""Length of an axis against its longest bar, so that there is room for the numbers."""
SMALL = 8


def draw(results: dict[str, Any], file: Path) -> None:
    """Draw the CPU and the throughput of all arms, with each single run as a point."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    arms = dict(sorted(results["arms"].items(), key=lambda item: -item[1]["cpu_s_per_million"]))
    figure, (cost, speed) = plt.subplots(
        1, 2, figsize=(WIDTH, ROW * len(arms) + HEAD), sharey=True, layout="constrained"
    )
    notes = [_cost_note(name, arm, results["ratios"]) for name, arm in arms.items()]
    _bars(cost, arms, "cpu_s_per_million", notes, list(arms))
    cost.set_title("CPU-seconds per million clicks: less is better", loc="left", fontsize=10)
    whole = {name: arm for name, arm in arms.items() if name not in MODEL_ALONE} or arms
    _bars(speed, whole, "clicks_per_s", [f"{arm['clicks_per_s'] / 1000:,.0f}k" for arm in whole.values()], list(arms))
    speed.set_title("clicks per second: more is better", loc="left", fontsize=10)
    speed.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.0f}k" if value else "0")
    machine, data = results["machine"], results["data"]
    figure.suptitle(
        f"{data['records']:,} clicks of {data['bytes_per_record']:.0f} bytes, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB. Bars: whole jobs, medians; dots: single runs; lines: without start and end",
        fontsize=10, x=0.01, ha="left",
    )  # fmt: skip
    figure.savefig(file, dpi=DPI)
    plt.close(figure)


def _cost_note(name: str, arm: dict[str, Any], ratios: dict[str, float]) -> str:
    ratio = ratios.get(f"{PRODUCT}_to_{name}")
    return f"{arm['cpu_s_per_million']:.1f}" + (f"   product / this: {ratio:.2f}" if ratio else "")


def _bars(panel: "Axes", arms: dict[str, Any], key: str, notes: list[str], places: list[str]) -> None:
    longest = max(max(run[key] for run in arm["runs"]) for arm in arms.values())
    for note, (name, arm) in zip(notes, arms.items(), strict=True):
        place = places.index(name)
        panel.barh(place, arm[key], height=THICKNESS, color=_colour(name), zorder=1)
        runs = [run[key] for run in arm["runs"]]
        panel.plot(runs, [place] * len(runs), "o", color="black", alpha=0.4, markersize=3, markeredgewidth=0, zorder=2)
        if steady := arm[f"steady_{key}"]:
            panel.plot(steady, place, "|", color="black", markersize=THICK_PT, markeredgewidth=1.5, zorder=2)
        panel.annotate(note, (max(*runs, steady or 0.0), place), (6, 0), textcoords="offset points", va="center",
                       fontsize=SMALL, fontweight="bold" if name == PRODUCT else "normal")  # fmt: skip
    panel.set_yticks(range(len(places)), [f"{name}\n{ENTRANTS[name].about}" for name in places], fontsize=SMALL)
    panel.set_xlim(0, longest * FREE_SHARE)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)
    panel.tick_params(axis="x", labelsize=SMALL)


def _colour(name: str) -> str:
    if name.startswith(PRODUCT):
        return OURS
    if name in FLOORS:
        return FLOOR
    return LIMIT if name in LIMITS else OTHER
