"""The kinds of sources: each is one module with the same functions, and this is the place where one is chosen."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from pyspark.sql import DataFrame, SparkSession

from clickscore.config.source import Source
from clickscore.sources import delta, folder, kafka
from clickscore.sources.gap_detection import TopicWatch
from clickscore.sources.records import BatchInput, BatchPlan, FieldOrigin
from clickscore.storage.offset_log import Partition
from clickscore.storage.table import Table


class Kind(Protocol):
    """What the module of a kind can do; ``source`` is its section of the configuration."""

    def check(self, spark: SparkSession, source: Any, /) -> None:
        """Make sure that the source is there, and has what the configuration names; raise SourceError if not."""

    def check_fields(self, spark: SparkSession, source: Any, fields: Sequence[FieldOrigin], /) -> None:
        """Make sure that a source whose records have columns has those of a click; raise SourceError if not."""

    def warnings(self, source: Any, /) -> list[str]:
        """Return what should not stay as it is."""

    def read_stream(
        self, spark: SparkSession, source: Any, unreadable: Collection[str] = (), accept_loss: bool = False, /
    ) -> DataFrame:
        """Start reading without the files that are ``unreadable``; columns as in ``schemas.raw``.

        With ``accept_loss``, the stream continues where records were lost before they were read.
        """

    def watch_gaps(
        self, spark: SparkSession, source: Any, checkpoint: str, scored: Table, rejected: Table, /
    ) -> TopicWatch | None:
        """Return what tells which records are lost, where a source may lose them."""

    def files_ahead(self, spark: SparkSession, source: Any, checkpoint: str, /) -> int | None:
        """Return how many files are there that the stream has not taken yet; None where that cannot be known."""

    def read_again(
        self, spark: SparkSession, source: Any, checkpoint: str, accept_loss: bool, batch_id: int, /
    ) -> DataFrame | None:
        """Read the records of a micro-batch past times that Spark cannot hold; None if none of them has one.

        Without ``accept_loss``, records that are gone are an error.
        """

    def lost_files(self, spark: SparkSession, checkpoint: str, batch_id: int, known: Collection[str], /) -> list[str]:
        """Return the files of a landing folder that were moved or deleted before their micro-batch read them.

        Those that are ``known`` have brought records, or cannot be read.
        """

    def plan_of(self, spark: SparkSession, source: Any, checkpoint: str, batch_id: int, /) -> BatchPlan:
        """Return what a micro-batch was planned to be made of."""

    def inputs_of(self, spark: SparkSession, source: Any, checkpoint: str, batch_id: int, /) -> list[BatchInput]:
        """Return the parts of the source that a micro-batch was planned to read."""

    def has_taken(self, spark: SparkSession, checkpoint: str, path: str, /) -> bool:
        """Tell whether a file is one that the stream has taken from a landing folder, and could do without."""

    def reported_ends(
        self, progress: Mapping[str, Any], /
    ) -> tuple[Mapping[Partition, int], Mapping[Partition, int]] | None:
        """Return where a trigger ended, and where the source ended when it began; None if Spark does not report it."""

    def unread_since(self, spark: SparkSession, source: Any, checkpoint: str, end: Any, /) -> datetime | None:
        """Return since when, at most, a record may have been waiting that lies behind the end of a trigger.

        The time is now if there is none; None is unknown.
        """


_KINDS: dict[str, Kind] = {"folder": folder, "delta": delta, "kafka": kafka}


def kind_of(source: Source) -> Kind:
    """Return the module that reads a source."""
    return _KINDS[source.kind]


def check_source(spark: SparkSession, source: Source) -> None:
    """Make sure that the source is there, and has what the configuration names.

    Raises:
        SourceError: if not.
    """
    kind_of(source).check(spark, source)
