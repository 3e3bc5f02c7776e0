"""The table of `make bench`, for the console and for RESULTS.md."""

from typing import Any

from benchmarks.throughput.entrants import ENTRANTS, PRODUCT
from rich.table import Table

HEADINGS = ("arm", "CPU-s per million", "least - most", "product / arm", "clicks/s",
            "steady CPU-s", "product / arm", "clicks/s", "peak memory")  # fmt: skip


def rows(results: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return a row of texts for each arm, in the order of the headings."""
    return [_row(name, arm, results) for name, arm in results["arms"].items()]


def _row(name: str, arm: dict[str, Any], results: dict[str, Any]) -> tuple[str, ...]:
    least, most = arm["cpu_s_per_million_spread"]
    whole, steady = (results[key].get(f"{PRODUCT}_to_{name}") for key in ("ratios", "steady_ratios"))
    return (
        name,
        f"{arm['cpu_s_per_million']:.2f}",
        f"{least:.2f} - {most:.2f}",
        f"{whole:.2f}" if whole else "",
        f"{arm['clicks_per_s']:,.0f}",
        f"{arm['steady_cpu_s_per_million']:.2f}" if arm["steady_cpu_s_per_million"] else "",
        f"{steady:.2f}" if steady else "",
        f"{arm['steady_clicks_per_s']:,.0f}" if arm["steady_clicks_per_s"] else "",
        f"{arm['peak_memory_mib']:,.0f} MiB",
    )


def as_table(results: dict[str, Any]) -> Table:
    """Return the table for the console."""
    data = results["data"]
    grid = Table(title=f"{data['records']:,} clicks of {data['bytes_per_record']:.0f} bytes", title_justify="left")
    for number, heading in enumerate(HEADINGS):
        grid.add_column(heading, justify="right" if number else "left", no_wrap=not number)
    for row in rows(results):
        grid.add_row(*row)
    return grid


def as_markdown(results: dict[str, Any]) -> str:
    """Return the table for RESULTS.md, with what each arm is."""
    heads = [HEADINGS[0], "what", *HEADINGS[1:]]
    lines = [heads, ["---", "---", *["---:"] * (len(HEADINGS) - 1)]]
    lines += [[f"`{name}`", ENTRANTS[name].about, *cells] for name, *cells in rows(results)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
