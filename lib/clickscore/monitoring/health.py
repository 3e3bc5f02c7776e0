"""The health of a running job: is it alive, and is it keeping up?"""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from math import inf
from time import monotonic
from typing import Literal, get_args

from clickscore.config.run import Config
from clickscore.monitoring.report import Report, Scores

Status = Literal["starting", "ok", "behind", "stuck"]
STATUSES: tuple[Status, ...] = get_args(Status)

BATCH_SECONDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of the classes that micro-batches are counted in: from what the fastest cost, to what would be stuck."""


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Pulse:
    """How a job is at one moment.

    Attributes:
        status: ``starting`` before the first micro-batch or the first look at the source that found nothing new;
            ``stuck`` when nothing has been finished for too long; ``behind`` when micro-batches finish, but a click may
            have been waiting for too long; else ``ok``.
        quiet_s: seconds since something was finished, or since the start.
        oldest_s: seconds that the oldest unprocessed click can have been waiting at most; None while it is unknown.
        model: name and version of the champion; None before it is known.
        batches: micro-batches that were finished.
        last_batch: number of the last one; None before there was one.
        last_batch_at: when that was.
        read: records read.
        scored: clicks scored.
        rejected: records rejected.
        duplicates: clicks passed over because their id was seen before.
        retries: failures after which the stream was tried again.
        failures: those since something was finished.
        seconds: how long all micro-batches took.
        histogram: micro-batches in each class of ``BATCH_SECONDS``, and those above the last.
        by_reason: rejected records by reason.
        refused: model versions that were refused.
        scores: mean of the scores of the newest micro-batch with one, and those of ``SCORE_QUANTILES``.
        drift: PSI of the score and the features by name; empty while it is not known.
    """

    status: Status
    quiet_s: float
    oldest_s: float | None
    model: tuple[str, str] | None
    batches: int
    last_batch: int | None
    last_batch_at: datetime | None
    read: int
    scored: int
    rejected: int
    duplicates: int
    retries: int
    failures: int
    seconds: float
    histogram: tuple[int, ...]
    by_reason: Mapping[str, int]
    refused: int
    scores: Scores | None
    drift: Mapping[str, float]


class Health:
    """Collects what happens in a run and says how the run is; safe in any thread.

    A job that is catching up is ``behind``, not ``stuck``: it is alive, and if it is killed for being late it will
    be later still. Only when nothing is finished, neither a micro-batch nor a look at the source that found nothing
    new, may a restart help.
    """

    def __init__(
        self, stuck_after_s: float, interval_s: float = 0.0, clock: Callable[[], float] = monotonic,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:  # fmt: skip
        """Begin; the time until something is finished counts from here.

        Args:
            stuck_after_s: how long nothing may be finished, and how long a click may wait.
            interval_s: time between two triggers, which is added to it once the stream runs: to wait is normal then.
            clock: tells the seconds that pass.
            now: tells the time of day.
        """
        self._stuck_after_s, self._interval_s, self._clock, self._now = stuck_after_s, interval_s, clock, now
        self._lock = threading.Lock()
        self._started = self._alive = clock()
        self._is_running = False
        self._caught_up: float | None = None
        self._model: tuple[str, str] | None = None
        self._last_batch: int | None = None
        self._last_batch_at: datetime | None = None
        self._batches = self._read = self._scored = self._rejected = self._duplicates = 0
        self._retries = self._failures = 0
        self._seconds = 0.0
        self._histogram = [0] * (len(BATCH_SECONDS) + 1)
        self._by_reason = Counter[str]()
        self._refused = 0
        self._scores: Scores | None = None
        self._drift: Mapping[str, float] = {}

    @classmethod
    def of(cls, config: Config) -> "Health":
        """Return the health of a run that begins now."""
        stuck_after_s = config.health.stuck_after_ms / 1000 if config.health else inf
        return cls(stuck_after_s, config.interval_s or 0.0)

    def serves(self, name: str, version: str) -> None:
        """Note the champion; every report brings the current one as well."""
        with self._lock:
            self._model = (name, version)

    def report(self, done: Report) -> None:
        """Note a finished micro-batch; one that is reported again is counted once."""
        with self._lock:
            self._note_life()
            self._model = (done.model_name, done.model_version)
            if self._last_batch is not None and done.batch_id <= self._last_batch:
                return
            self._last_batch, self._last_batch_at = done.batch_id, self._now()
            self._batches += 1
            self._read += done.read
            self._scored += done.scored
            self._rejected += done.rejected
            self._duplicates += done.duplicates or 0
            self._seconds += done.seconds
            self._histogram[bisect_left(BATCH_SECONDS, done.seconds)] += 1
            self._by_reason.update(done.by_reason)
            self._scores = done.scores or self._scores

    def idle(self, looked_ago_s: float) -> None:
        """Note that a look at the source, at most that long ago, found nothing new."""
        with self._lock:
            self._note_life()
            self._note_caught_up(looked_ago_s)

    def caught_up(self, ago_s: float) -> None:
        """Note that every click that was in the source that long ago has been processed."""
        with self._lock:
            self._note_caught_up(ago_s)

    def failed(self) -> None:
        """Note a failure after which the stream is tried again; whatever is finished next ends the row of failures."""
        with self._lock:
            self._retries += 1
            self._failures += 1

    def refused(self) -> None:
        """Note that a version which the alias of a model points to was refused."""
        with self._lock:
            self._refused += 1

    def moved(self, drift: Mapping[str, float]) -> None:
        """Note how far the score and the features have moved, as PSI by name."""
        with self._lock:
            self._drift = drift

    @property
    def oldest_s(self) -> float | None:
        """Seconds that the oldest unprocessed click can have been waiting at most; None while it is unknown."""
        with self._lock:
            return self._waiting()

    def pulse(self) -> Pulse:
        """Return how the job is now."""
        with self._lock:
            return Pulse(
                self._status(), self._clock() - self._alive, self._waiting(), self._model, self._batches,
                self._last_batch, self._last_batch_at, self._read, self._scored, self._rejected, self._duplicates,
                self._retries, self._failures, self._seconds, tuple(self._histogram),
                dict(self._by_reason), self._refused, self._scores, self._drift,
            )  # fmt: skip

    def _note_life(self) -> None:
        self._alive, self._is_running, self._failures = self._clock(), True, 0

    def _note_caught_up(self, ago_s: float) -> None:
        at = self._clock() - ago_s
        self._caught_up = at if self._caught_up is None else max(self._caught_up, at)

    def _waiting(self) -> float | None:
        return None if self._caught_up is None else self._clock() - self._caught_up

    def _status(self) -> Status:
        patience_s = self._stuck_after_s + (self._interval_s if self._is_running else 0)
        if self._clock() - self._alive > patience_s:
            return "stuck"
        if not self._is_running:
            return "starting"
        # While it is unknown what waits, the source has held something since the start, for all that can be said.
        waiting = self._waiting()
        return "behind" if (self._clock() - self._started if waiting is None else waiting) > patience_s else "ok"
