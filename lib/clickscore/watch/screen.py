"""The view as a person sees it: a panel on a terminal, a line anywhere else."""

from collections.abc import Iterator, Sequence

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from clickscore.console import visible
from clickscore.report.sections import NOTHING, count, duration
from clickscore.watch.view import View

MOST_REASONS = MOST_DRIFTED = 5
_COLOURS = {"ok": "green", "starting": "cyan", "behind": "yellow", "stuck": "red"}


def panel(view: View, title: str) -> Panel:
    """Return the view as a panel, which fits any width."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in _lines(view):
        style = _COLOURS.get(view.status or "", "") if label == "status" else "red" if label == "trouble" else ""
        grid.add_row(label, Text(text, style=style))
    return Panel(grid, title=Text(title), title_align="left")


def line(view: View) -> str:
    """Return the view as one line."""
    return "  ".join(f"{label}: {text}" for label, text in _lines(view))


def _lines(view: View) -> Iterator[tuple[str, str]]:
    if view.trouble:
        yield "trouble", visible(view.trouble)
    if view.scored is None and not view.trouble:
        yield "waiting", "there is no table of scored clicks yet"
    yield "status", view.status or "the job does not answer; from the tables alone"
    yield "rate", f"{view.rate:,.1f} records/s"
    yield "lag", duration(view.lag_s)
    yield "scored", count(view.scored)
    common = sorted(view.by_reason.items(), key=lambda reason: (-reason[1], reason[0]))
    reasons = ", ".join(f"{visible(reason)} {number:,}" for reason, number in common[:MOST_REASONS])
    reasons += _more(common, MOST_REASONS)
    yield "rejected", count(view.rejected) + (f" ({reasons})" if reasons else "")
    yield "model", visible(f"{view.model[0]} v{view.model[1]}") if view.model else NOTHING
    if view.drifted is not None:
        yield "drift", visible(", ".join(view.drifted[:MOST_DRIFTED])) + _more(view.drifted, MOST_DRIFTED) or "none"
    batch = NOTHING if view.last_batch is None else f"{view.last_batch:,} with {count(view.last_rows)} rows"
    yield "batch", batch
    yield "last commit", NOTHING if view.commit_age_s is None else f"{duration(view.commit_age_s)} ago"


def _more(found: Sequence[object], most: int) -> str:
    return f", {len(found) - most} more" if len(found) > most else ""
