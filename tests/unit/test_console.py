from io import StringIO

from rich.console import Console

from clickscore.console import counted, visible, warn


def test_warning_is_printed_as_it_is_whatever_markup_a_record_holds() -> None:
    seen = StringIO()
    warn(Console(file=seen, width=20), "click [bold]x[/] is odd, and the line is longer than the console")
    assert seen.getvalue() == "warning: click [bold]x[/] is odd, and the line is longer than the console\n"


def test_text_of_a_record_moves_no_cursor() -> None:
    assert visible("\x1b[2Jé\u202e") == "\\x1b[2Jé\\u202e"


def test_one_thing_is_no_plural() -> None:
    assert [counted(number, "file") for number in (0, 1, 2, 1_200)] == ["0 files", "1 file", "2 files", "1,200 files"]
    found = [counted(number, "micro-batch is", "micro-batches are") for number in (1, 2)]
    assert found == ["1 micro-batch is", "2 micro-batches are"]
