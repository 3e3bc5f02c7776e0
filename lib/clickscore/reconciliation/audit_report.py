"""The report of an audit on the console: micro-batches, findings with examples, waiting files, one sentence."""

from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Grid

from clickscore.console import counted
from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.discrepancies import FINDINGS, by_batch, has_finding
from clickscore.reconciliation.erased import REFUSED, Erased
from clickscore.reconciliation.expectations import Evidence
from clickscore.reconciliation.landed_files import EXAMPLES, Strays
from clickscore.storage.checkpoint import Checkpoint
from clickscore.storage.schemas import FIRST_CHUNK, IS_BACKFILL

NEWEST_BATCHES = 20
MOST_BATCHES = 50
"""Micro-batches with findings, and lines of findings, that are printed at most."""
MOST_CHANGES = 5

_COLUMNS = ("records", "scored", "rejected", "duplicates", "accepted", "erased", "expired", "refused", *FINDINGS)
_WORDS = {
    "missing": ("missing: the source has them, the tables do not",) * 2,
    "vanished": ("missing, and no longer in the source: no longer verifiable",) * 2,
    "twice": (
        "row too many: this record is there more than once",
        "rows too many: these records are there more than once",
    ),
    "unexplained": (
        "row unexplained: the source has no such record",
        "rows unexplained: the source has no such records",
    ),
}
"""What a finding says of one record, and of several."""
_GONE = {
    "erased": (
        "erased: {rows} by {requests}",
        "request",
        "erasure {n} is planned and not done. Run jobs/erase_visitors.py again with its ids.",
    ),
    "expired": (
        "expired: {rows} in {requests}, as they were older than retention says",
        "removal",
        "removal {n} is planned and not done. Run jobs/maintain_tables.py again.",
    ),
}
"""What the ledger says, and what to do about what is not done."""


def show(
    console: Console, parts: DataFrame, checkpoint: Checkpoint, evidence: Evidence, replays: DataFrame | None,
    histories: list[tuple[str, DataFrame]], erased: Erased | None = None,
) -> bool:  # fmt: skip
    """Print an audit.

    Args:
        console: where it goes.
        parts: from ``discrepancies.with_differences``.
        checkpoint: the stream.
        evidence: what was compared.
        replays: replays whose rows do not match; None where there was none.
        histories: by table, its changes that are not appends.
        erased: what the ledger of erasures says; None where nothing was erased or removed.

    Returns:
        Whether there is no finding.
    """
    sums = by_batch(parts).persist()
    try:
        total = sums.groupBy().agg(*[F.sum(name).alias(name) for name in sums.columns if name != "batch_id"])
        whole = total.fillna(0).collect()[0]
        _show_batches(console, sums, whole, evidence.batches, evidence.floor, checkpoint)
        _show_gone(console, whole)
        findings = sum(whole[f"{name}_parts"] for name in FINDINGS)
        if findings:
            _show_parts(console, parts, findings)
    finally:
        sums.unpersist()
    if whole.missing or whole.vanished:
        for name, changes in histories:
            _show_history(console, name, changes)
    findings += _show_replays(console, replays) if replays is not None else 0
    findings += _show_strays(console, evidence.strays) if evidence.strays else 0
    if evidence.rejected_files:
        _show_rejected_files(console, evidence.rejected_files)
    settled = f", {whole.duplicates:,} of them duplicates" if whole.duplicates else ""
    settled += f", and {whole.accepted:,} accepted as lost" if whole.accepted else ""
    settled += f", and {whole.erased:,} erased" if whole.erased else ""
    settled += f", and {whole.expired:,} expired" if whole.expired else ""
    settled += f", and {whole.refused:,} refused" if whole.refused else ""
    if erased:
        _show_erased(console, erased)
    proved = f"{counted(_found(whole), 'record')}, each in exactly one row{settled}"
    verdict = counted(findings, "finding") if findings else proved
    say(console, f"\n{verdict}.", "bold red" if findings else "bold green")
    return not findings


def say(console: Console, text: str, style: str | None = None) -> None:
    """Print a line as it is."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def show_no_batch(console: Console, checkpoint: str, has_backfills: bool) -> bool:
    """Say that a stream has done no micro-batch; return whether the tables are empty, and so nothing is unproven."""
    if has_backfills:
        said = (
            f"{checkpoint}: expected a micro-batch of the stream to begin with, found none, so the backfills were not "
            f"checked. Let the stream finish one micro-batch, then start the audit again."
        )
        say(console, said, "red")
    else:
        say(console, f"{checkpoint}: no micro-batch is done yet, there is nothing to compare.")
    return not has_backfills


def say_unfinished(console: Console, chunks: int) -> None:
    """Say how many chunks of backfills are planned and not done."""
    say(console, f"Backfills: {counted(chunks, 'chunk is', 'chunks are')} planned and not done, and not checked. If no "
        f"backfill is running now, start jobs/score_batch.py again to finish them.")  # fmt: skip


def _found(row: Row) -> int:
    return int(row.records - row.holes - row.accepted - row.erased - row.expired - row.refused)


def _show_batches(
    console: Console, sums: DataFrame, total: Row, batches: Range, floor: int, checkpoint: Checkpoint
) -> None:
    newest = batches.last - NEWEST_BATCHES
    shown = sums.where(has_finding() | (F.col("batch_id") > newest) | F.expr(IS_BACKFILL)).orderBy(F.desc("batch_id"))
    rows = shown.head(MOST_BATCHES + NEWEST_BATCHES)[::-1]
    names = [name for name in _COLUMNS if name in ("records", "scored", "rejected", "missing", "twice") or total[name]]
    grid = Grid("micro-batch", title=f"micro-batches {batches.first} to {batches.last}", title_justify="left",
                title_style="bold")  # fmt: skip
    for name in names:
        grid.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        earlier = "up to " if row.batch_id == floor > batches.first else ""
        grid.add_row(f"{earlier}{_name(row.batch_id)}", *[_cell(row, name) for name in names])
    grid.add_section()
    grid.add_row("all", *[_cell(total, name) for name in names])
    console.print(grid)
    if batches.last < checkpoint.last_planned:
        say(console, f"Micro-batches after {batches.last} were not checked.")
    if batches.first:
        say(console, f"Micro-batches before {batches.first} were not checked.")


def _name(batch_id: int) -> str:
    """Return a micro-batch, or a chunk of a backfill, as the report names it."""
    return f"{batch_id}" if batch_id >= 0 else f"backfill chunk {batch_id - FIRST_CHUNK + 1}"


def _cell(row: Row, name: str) -> str:
    number = _found(row) if name == "records" else row[name]
    return f"[red]{number:,}[/]" if number and name in FINDINGS else f"{number:,}"


def _show_gone(console: Console, total: Row) -> None:
    if total.gone_parts:
        unchecked = counted(total.unchecked, "row is", "rows are")
        say(console, f"{counted(total.gone_parts, 'file')} can no longer be counted: {unchecked} not checked.")
    if total.empty_parts:
        one, many = "file was empty, or is gone", "files were empty, or are gone"
        say(console, f"{counted(total.empty_parts, one, many)}: no rows in the tables.")


def _show_parts(console: Console, parts: DataFrame, findings: int) -> None:
    """Print what is wrong by file or partition."""
    for row in parts.where(has_finding()).orderBy("batch_id", "source").head(MOST_BATCHES):
        rewritten = "; the file was changed after the stream had read it" if row.is_rewritten else ""
        what = "" if row.batch_id < 0 else "micro-batch "
        say(console, f"{what}{_name(row.batch_id)}, {row.source}{rewritten}", "red")
        for name in FINDINGS:
            if row[name]:
                say(console, f"  {counted(row[name], *_WORDS[name])}{_examples(row.asDict(), name)}")
    if findings > MOST_BATCHES:
        say(console, f"and so on; only {MOST_BATCHES} files or partitions are named.")


def _examples(row: dict[str, Any], finding: str) -> str:
    first, last = row.get(f"first_{finding}"), row.get(f"last_{finding}")
    if first is None:
        return ""
    return f" ({first})" if first == last else f" ({first} … {last})"


def _show_history(console: Console, name: str, changes: DataFrame) -> None:
    for row in changes.orderBy(F.desc("version")).head(MOST_CHANGES):
        deleted = f", {counted(int(row.deleted), 'row')} deleted" if row.deleted else ""
        say(console, f"  {name} was changed: version {row.version}, {row.timestamp:%Y-%m-%d %H:%M:%S}, {row.operation}"
            f"{deleted}")  # fmt: skip


def _show_replays(console: Console, replays: DataFrame) -> int:
    rows = replays.orderBy("replay_id").head(MOST_BATCHES)
    for row in rows:
        done = f"{row.resolved:,} rejected rows are resolved and {row.scored:,} scored, for instance of {row.source}"
        say(console, f"replay {row.replay_id} is not finished: {done}. Run jobs/replay_rejected.py again.", "red")
    return len(rows)


def _show_erased(console: Console, erased: Erased) -> None:
    for name, (done, request, open_one) in _GONE.items():
        if rows := erased.rows.get(name):
            requests = counted(erased.requests[name], request)
            say(console, done.format(rows=counted(rows, "row"), requests=requests))
        for number in erased.unfinished[name]:
            say(console, open_one.format(n=number))
    if refused := erased.rows.get(REFUSED):
        say(console, f"refused: {counted(refused, 'record')} of visitors who had been erased before")


def _show_strays(console: Console, strays: Strays) -> int:
    if strays.waiting:
        say(console, f"{counted(strays.waiting, 'file waits', 'files wait')} to be read.")
    if strays.unfinished:
        files = counted(len(strays.unfinished), "file is", "files are")
        say(console, f"{files} being written: {_some(strays.unfinished)}")
    if strays.overdue:
        files = counted(strays.overdue, "file was", "files were")
        say(console, f"{files} never ingested, although the stream continued with later ones: "
            f"{_some(strays.overdue_names, strays.overdue)}. The next run reads them.", "red")  # fmt: skip
    if strays.unread:
        files = counted(len(strays.unread), "file was", "files were")
        say(console, f"{files} never ingested: the stream does not read such names: "
            f"{_some(strays.unread)}. Rename them.", "red")  # fmt: skip
    return strays.overdue + len(strays.unread)


def _show_rejected_files(console: Console, files: DataFrame) -> None:
    if count := files.count():
        names = _some([row.source for row in files.orderBy("source").head(EXAMPLES)], count)
        said = f"{counted(count, 'file was', 'files were')} unreadable, or gone before, and rejected as a whole"
        say(console, f"{said} (detail in rejected_clicks says why): {names}. Land what is good of them under other "
            f"names.")  # fmt: skip


def _some(names: list[str], count: int | None = None) -> str:
    more = ", …" if (count or len(names)) > EXAMPLES else ""
    return f"{', '.join(names[:EXAMPLES])}{more}"
