"""The report of a finished micro-batch, for progress lines, summary and health."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clickscore.drift.baseline import Baseline

Scores = tuple[float, Sequence[float]]
"""Mean and quantiles of the scores, those of ``SCORE_QUANTILES``."""


@dataclass(frozen=True)
class Report:
    """What a micro-batch did: ``read`` is the sum of ``scored``, ``rejected`` and ``duplicates``.

    Attributes:
        batch_id: the micro-batch.
        read: records read.
        scored: rows of ``scored_clicks``.
        rejected: rows of ``rejected_clicks``.
        sources: files or partitions that records came from.
        seconds: time from its begin to its last commit.
        newest_us: newest event time, microseconds since 1970.
        model_name: registered model that scored it.
        model_version: its version.
        arrived_us: newest time at which the source took a record in, the same way; None if it does not say.
        duplicates: clicks passed over because their id was seen before; None without deduplication.
        failed: clicks among the rejected on which the model has failed.
        cause: the commonest reason and detail of its rejected records; of those that the model failed on, if it did.
        example: a record that was rejected for that.
        sampled: some of its records, whatever became of them.
        by_reason: its rejected records by reason.
        phases: seconds of its parts, by name.
        challenger_version: version of the challenger that scored beside; None where none was active.
        scores: mean and quantiles of its scores; None without a scored click.
        baseline: of its model version; None if it has none.
        binned: its scored clicks in each bin of the baseline; None without a baseline or a scored click.
    """

    batch_id: int
    read: int
    scored: int
    rejected: int
    sources: int
    seconds: float
    newest_us: int | None
    model_name: str
    model_version: str
    arrived_us: int | None = None
    duplicates: int | None = None
    failed: int = 0
    cause: str | None = None
    example: bytes | None = None
    sampled: Sequence[bytes] = ()
    by_reason: Mapping[str, int] = field(default_factory=dict)
    phases: Mapping[str, float] = field(default_factory=dict)
    challenger_version: str | None = None
    scores: Scores | None = None
    baseline: Baseline | None = None
    binned: Sequence[int] | None = None
