"""The report of a run: its tables are opened, the questions are asked, and the page is written."""

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from clickscore.config.outcome import Outcome
from clickscore.config.run import Config
from clickscore.errors import ConfigError
from clickscore.report import cost, losses, movement, outcomes, progress, rejections, slices, versions
from clickscore.report.delta_tables import read_frugally
from clickscore.report.page import Page, render
from clickscore.report.run_tables import RunTables, open_tables
from clickscore.scoring.contract import contract_of
from clickscore.scoring.features import Features, read_features


def write_report(config: Config, out: Path, options: Mapping[str, str], by: str | None = None) -> int:
    """Write the report of a run as one HTML file, whole or not at all; reads the tables, and changes nothing.

    Args:
        config: the run.
        out: the file; one that is there is replaced.
        options: of the storage of the tables, as delta-rs names them.
        by: a column of ``scored_clicks``, by whose values the scores are compared as well.

    Returns:
        The size of the file in bytes.

    Raises:
        ConfigError: if the click schema, the features file or the column cannot be used, or the file cannot be written.
        TableError: if a table is missing, empty, of something else, or cannot be read.
    """
    read_frugally()
    contract = contract_of(config.click)
    features = read_features(config.features, contract.click)
    tables, now = open_tables(config.output, contract, options), datetime.now(timezone.utc)
    if by is not None:
        slices.check_column(tables, by)
    page = make_page(tables, features, now, config.outcome, config.drift.ignore, by)
    return _replace(out, render(page).encode())


def make_page(
    tables: RunTables, features: Features, now: datetime, outcome: Outcome | None = None,
    ignored: Collection[str] = (), by: str | None = None,
) -> Page:  # fmt: skip
    """Return what the page says about the tables of a run.

    Args:
        tables: those of the run.
        features: the features file.
        now: the time to tell ages by.
        outcome: what a success is, if the configuration says it.
        ignored: features that no sentence calls moved.
        by: a column of ``scored_clicks``, of which each value is compared for itself.
    """
    stored = [tables.scored, tables.rejected, tables.timeline, tables.gaps, tables.metrics, tables.outcomes]
    return Page(
        title="clickscore report",
        tables=[(table.name, table.version) for table in stored if table is not None],
        made=now,
        figures=progress.figures(tables, now),
        sections=(
            progress.section(tables), losses.section(tables), rejections.section(tables), versions.section(tables),
            movement.section(tables, features, ignored, by), outcomes.section(tables, outcome), cost.section(tables),
        ),
    )  # fmt: skip


def _replace(out: Path, content: bytes) -> int:
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        beside.replace(out)
    except OSError as error:
        with suppress(OSError):  # it may not be there, or have a name that no file has
            beside.unlink()
        raise ConfigError(f"--out {out}", [f"the page cannot be written there: {error.strerror}"]) from None
    return len(content)
