from io import StringIO

from rich.console import Console

from clickscore.console import warn


def test_warning_is_printed_as_it_is_whatever_markup_a_record_holds() -> None:
    seen = StringIO()
    warn(Console(file=seen, width=20), "click [bold]x[/] is odd, and the line is longer than the console")
    assert seen.getvalue() == "warning: click [bold]x[/] is odd, and the line is longer than the console\n"
