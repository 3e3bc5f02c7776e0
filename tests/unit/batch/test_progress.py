from io import StringIO

from rich.console import Console

from clickscore.batch.progress import ChunkLines
from clickscore.monitoring.report import Report


def test_chunks_are_lines_and_add_up() -> None:
    seen = StringIO()
    with ChunkLines(Console(file=seen, width=160), 3) as lines:
        lines.report(Report(7, 1_000, 990, 10, 2, 2.0, None, "small", "3"))
        lines.report(Report(8, 500, 500, 0, 2, 1.0, None, "small", "3"))
    first, second = seen.getvalue().splitlines()
    assert " ".join(first.split()) == "chunk 1 of 3 1,000 in 990 scored 10 rejected 500 clicks/s small v3"
    assert second.startswith("chunk    2 of 3")
    assert lines.summary(3.2) == "1,500 records in 2 chunks and 3 s: 1,490 scored, 10 rejected."
