"""The console: where the jobs print."""

from rich.console import Console

PIPE_COLUMNS = 120
"""Width of what is printed where there is no terminal to ask."""


def make_console() -> Console:
    """Return the console: coloured on a terminal, plain lines in a pipe."""
    console = Console(soft_wrap=True)
    return console if console.is_terminal else Console(width=PIPE_COLUMNS, soft_wrap=True)


def warn(console: Console, text: str) -> None:
    """Print what a person should know."""
    console.print(f"warning: {text}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number of things in words: ``1 file``, ``1,200 files``, ``1 file is``; ``many`` adds an s by default."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def visible(text: str) -> str:
    """Return a text from a record so that no character of it can move a cursor or pose as another."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
