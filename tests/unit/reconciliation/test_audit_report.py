from io import StringIO

from rich.console import Console

from clickscore.reconciliation import audit_report


def test_backfills_beside_a_stream_without_a_micro_batch_are_not_passed_over() -> None:
    seen = StringIO()
    assert audit_report.show_no_batch(Console(file=seen), "build/checkpoint", has_backfills=False)
    assert not audit_report.show_no_batch(Console(file=seen), "build/checkpoint", has_backfills=True)
    nothing, unproven = seen.getvalue().splitlines()
    assert nothing == "build/checkpoint: no micro-batch is done yet, there is nothing to compare."
    assert unproven.startswith(
        "build/checkpoint: expected a micro-batch of the stream to begin with, found none, so the back"
    )
