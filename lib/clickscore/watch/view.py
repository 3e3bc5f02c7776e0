"""What the screen shows of one moment, made of the tables' commits, the newest metrics and what the job says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from clickscore.report.delta_tables import BatchCommit
from clickscore.watch.live import Live

WINDOW = timedelta(minutes=1)
"""Time over which the rate is told."""


@dataclass(frozen=True)
class View:
    """How a stream is at a moment.

    Attributes:
        scored: rows of ``scored_clicks``; None as long as the table is not there.
        rejected: rows of ``rejected_clicks``, the same way.
        rate: records per second that were committed in the last minute.
        by_reason: rejected records by reason: of the running job, or of the newest micro-batches.
        model: name and version of the champion; None if it is unknown.
        drifted: what has drifted from the baseline of the champion; None if it is unknown.
        last_batch: number of the newest micro-batch in the tables.
        last_rows: rows that it has written.
        commit_age_s: seconds since the newest commit.
        lag_s: how far the stream is behind; None if it is unknown.
        status: what the job says; None where nobody answers.
        trouble: why a table could not be read.
    """

    scored: int | None = None
    rejected: int | None = None
    rate: float = 0.0
    by_reason: Mapping[str, int] = field(default_factory=dict)
    model: tuple[str, str] | None = None
    drifted: Sequence[str] | None = None
    last_batch: int | None = None
    last_rows: int | None = None
    commit_age_s: float | None = None
    lag_s: float | None = None
    status: str | None = None
    trouble: str | None = None


def view(
    scored: int | None, rejected: int | None, commits: Sequence[BatchCommit], metrics: Sequence[Mapping[str, Any]],
    live: Live | None, now: datetime,
) -> View:  # fmt: skip
    """Return what the screen shows.

    Args:
        scored: rows of ``scored_clicks``; None if it is not there.
        rejected: rows of ``rejected_clicks``; None if it is not there.
        commits: the newest ones of micro-batches, of both tables.
        metrics: newest rows of ``stream_metrics``, oldest first.
        live: what the job says, if it answers.
        now: the time.
    """
    newest = max((commit.batch_id for commit in commits), default=None)
    # The clocks of this machine and of the storage may differ.
    ages_s = [max(0.0, (now - commit.at).total_seconds()) for commit in commits]
    recent = sum(
        commit.rows or 0 for commit, age_s in zip(commits, ages_s, strict=True) if age_s <= WINDOW.total_seconds()
    )
    last = metrics[-1] if metrics else None
    by_reason = Counter[str]()
    for row in metrics:
        by_reason.update(row["rejected_by_reason"])
    model = (last["model_name"], last["model_version"]) if last else None
    return View(
        scored=scored,
        rejected=rejected,
        rate=recent / WINDOW.total_seconds(),
        by_reason=live.by_reason if live else by_reason,
        model=(live.model if live else None) or model,
        drifted=_drifted(metrics),
        last_batch=newest,
        last_rows=None if newest is None else sum(commit.rows or 0 for commit in commits if commit.batch_id == newest),
        commit_age_s=min(ages_s, default=None),
        lag_s=live.lag_s if live else last["seconds_behind"] if last else None,
        status=live.status if live else None,
    )


def _drifted(metrics: Sequence[Mapping[str, Any]]) -> Sequence[str] | None:
    """Return what the newest row of the newest version says that knows it."""
    for row in reversed(metrics):
        if row["model_version"] != metrics[-1]["model_version"]:
            return None
        if (found := row.get("drifted")) is not None:
            return list(found)
    return None
