"""What a trial found, for the console."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clickscore.console import counted, visible
from clickscore.samples.trial import MOST_LOOKED_AT, Trial
from clickscore.samples.unknown_fields import listed


def print_trial(console: Console, trial: Trial) -> None:
    """Print what became of the records, and what to look at."""
    for sentence in sentences(trial):
        console.print(sentence, highlight=False, markup=False)
    if trial.rejections:
        grid = Table(title="rejected", title_justify="left", title_style="bold")
        for column in ("reason", "records", "detail", "example"):
            grid.add_column(column, justify="right" if column == "records" else "left", overflow="fold")
        for reason, group in trial.rejections.items():
            grid.add_row(reason, f"{group.count:,}", Text(visible(group.detail)), Text(visible(group.example)))
        console.print(grid)
    if trial.examples:
        console.print(_examples(trial.examples))


def sentences(trial: Trial) -> Iterator[str]:
    """Yield what a reader should know, the most important first."""
    share = f" ({trial.accepted / trial.records:.1%})" if trial.records else ""
    rejected = trial.records - trial.accepted
    yield f"{counted(trial.records, 'record')}: {trial.accepted:,} would be scored{share}, {rejected:,} rejected"
    if trial.wrapping:
        yield f"in {trial.wrapped} of the first {min(rejected, MOST_LOOKED_AT)} rejected records, {trial.wrapping}"
    if trial.first and trial.last:
        yield f"times: {_moment(trial.first)} to {_moment(trial.last)}"
    if trial.odd_times:
        yield (
            f"{counted(trial.odd_times, 'time is', 'times are')} in the future or more than ten years ago: is "
            "click.time the right field, and is a number in the right unit?"
        )
    if trial.absent:
        yield f"fields of the click schema that no click has: {', '.join(trial.absent)}"
    if trial.unknown:
        fields = listed(trial.unknown, trial.records)
        yield f"fields that the click schema does not have, with the share of records: {fields}"


def _examples(examples: tuple[Mapping[str, Any], ...]) -> Table:
    """Return the clicks side by side: a row for each feature, as there are more features than clicks."""
    grid = Table(title="some clicks and their features", title_justify="left", title_style="bold", show_header=False)
    grid.add_column(style="bold", no_wrap=True)
    for _ in examples:
        grid.add_column(justify="right", overflow="ellipsis")
    for name in examples[0]:
        grid.add_row(Text(name), *[Text(_value(example[name])) for example in examples])
    return grid


def _value(value: Any) -> str:
    if value is None:
        return "null"
    return f"{value:.4g}" if isinstance(value, float) else visible(str(value))


def _moment(time: Any) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC") if time.year > 999 else str(time)
