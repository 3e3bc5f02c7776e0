"""The model timeline: from which micro-batch which model version scores, pinned before the first click is scored."""

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Generic, NamedTuple, Protocol, TypeVar

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.errors import UntrustedModelError
from clickscore.storage.fence import Fence
from clickscore.storage.schemas import MODEL_TIMELINE
from clickscore.storage.table import Table

CHAMPION, CHALLENGER = "champion", "challenger"
SCORES, REFUSED, WITHDRAWN, BENCHED = "scores", "refused", "withdrawn", "benched"
"""Events: a version scores from this micro-batch on; was not taken; gave up at this one; scores no more beside it."""

_NEWEST = ("from_batch", "pinned_at")
"""What is newer is so by its micro-batch first: the clocks of two drivers may differ."""


class Version(Protocol):
    """What the timeline says of a model version; that of ``registry`` is one."""

    @property
    def name(self) -> str:
        """The model."""

    @property
    def version(self) -> str:
        """Its version."""

    @property
    def run_id(self) -> str | None:
        """The run that made it, if that is known."""

    @property
    def digest(self) -> str:
        """SHA-256 of its files."""

    @property
    def key(self) -> tuple[str, str]:
        """Name and version."""

    @property
    def label(self) -> str:
        """The version as messages name it."""

    @property
    def is_remote(self) -> bool:
        """Whether it is behind an endpoint, which answers with one version and brings no other one back."""


Model = TypeVar("Model", bound=Version)


class Pin(NamedTuple):
    """The version that a micro-batch was promised to."""

    name: str
    version: str
    digest: str | None

    def check(self, model: Model) -> Model:
        """Return the version, if it is the promised one.

        Raises:
            UntrustedModelError: if it has the same number, but other files.
        """
        if (self.name, self.version) == model.key and self.digest != model.digest:
            raise UntrustedModelError(
                f"{model.label}: model_timeline says that it scored with files of SHA-256 {str(self.digest)[:16]}..., "
                f"now they have {model.digest[:16]}.... The files of an active version were changed: register the "
                f"change as a new version, and restore the files of this one."
            )
        return model


def read_pin(spark: SparkSession, table: Table, batch_id: int) -> Pin | None:
    """Return the champion that a micro-batch was promised to, if the timeline says so."""
    # Rows from before there were other events have none.
    role, event = F.coalesce("role", F.lit(CHAMPION)), F.coalesce("event", F.lit(SCORES))
    rows = table.read(spark).where((F.col("from_batch") <= batch_id) & (role == CHAMPION))
    pins = rows.where(event.isin(SCORES, WITHDRAWN)).orderBy(*[F.desc(column) for column in _NEWEST])
    row = pins.select("model_name", "model_version", "digest", event.alias("event")).first()
    return Pin(row[0], row[1], row[2]) if row and row["event"] == SCORES else None


class Timeline(Generic[Model]):
    """Chooses the model version of each micro-batch, and makes the choice durable before it counts.

    A micro-batch that was planned in an earlier run gets the version that the timeline says: some of its rows may be
    in the tables already. Any other gets the current version; a row is written only when that is a new one.
    """

    def __init__(self, spark: SparkSession, table: Table, fetch: Callable[[str, str], Model], fence: Fence) -> None:
        """Begin with the timeline that earlier runs have written.

        Args:
            spark: the session.
            table: the timeline, which exists.
            fetch: gets another version by name and version, for a micro-batch that it was pinned for.
            fence: on the stream; a run that has lost it pins nothing.
        """
        self._spark, self._table, self._fetch, self._fence = spark, table, fetch, fence
        self._latest: Pin | None = None
        self._challenger: tuple[str, str] | None = None
        self._knows_challenger = False

    def model_for(self, batch_id: int, planned_before: bool, current: Model, is_written: bool = False) -> Model:
        """Return the version that scores a micro-batch; afterwards it is in the timeline.

        Args:
            batch_id: the micro-batch.
            planned_before: whether an earlier run may have begun it.
            current: the version for micro-batches that are not promised to another.
            is_written: whether its scores are committed. Behind an endpoint, which does not bring back the version that
                they are of, another one then only says why the rest of the records is rejected.
        """
        if planned_before or (self._latest is None and batch_id > 0):
            self._latest = read_pin(self._spark, self._table, batch_id)
        latest = self._latest
        if latest and planned_before and latest[:2] != current.key and current.is_remote:
            if is_written:
                return current
            self.note(batch_id, CHAMPION, WITHDRAWN, latest[:2], f"the endpoint answers with {current.label} now")
            latest = None
        if latest and (planned_before or latest[:2] == current.key):
            return latest.check(current if latest[:2] == current.key else self._fetch(*latest[:2]))
        self.note(batch_id, CHAMPION, SCORES, current)
        self._latest = Pin(*current.key, current.digest)
        return current

    def challenge(self, batch_id: int, challenger: Model | None) -> None:
        """Write down which challenger scores beside the champion, if that is a new one."""
        if not self._knows_challenger and challenger:
            self._challenger, self._knows_challenger = self._last_challenger(), True
        key = challenger.key if challenger else None
        if challenger and key != self._challenger:
            self._knows_challenger = False  # an append that fails may have been committed all the same
            self.note(batch_id, CHALLENGER, SCORES, challenger)
            self._knows_challenger = True
        self._challenger = key

    def _last_challenger(self) -> tuple[str, str] | None:
        rows = self._table.read(self._spark).where((F.col("role") == CHALLENGER) & F.col("event").isin(SCORES, BENCHED))
        row = rows.orderBy(*[F.desc(c) for c in _NEWEST]).select("model_name", "model_version", "event").first()
        return (row[0], row[1]) if row and row["event"] == SCORES else None

    def note(
        self, batch_id: int, role: str, event: str, model: Version | tuple[str, str], reason: str | None = None
    ) -> None:
        """Write what has happened to a version, which may be known by name and version alone."""
        run_id, digest = (None, None) if isinstance(model, tuple) else (model.run_id, model.digest)
        name, version = model if isinstance(model, tuple) else model.key
        self._fence.check()
        now = datetime.now(timezone.utc)
        row = (batch_id, name, version, run_id, digest, now, role, event, reason)
        self._table.append(self._fence.guard(self._spark.createDataFrame([row], MODEL_TIMELINE)))
        if event == WITHDRAWN:
            self._latest = None
