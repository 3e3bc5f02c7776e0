"""Gaps: offsets that a stream was about to read, or never will, because they are no longer in their topic."""

from collections.abc import Mapping
from dataclasses import dataclass

Partition = tuple[str, int]
"""A topic and the number of a partition."""

AGED_OUT = "aged_out"
RECREATED = "recreated"
TRUNCATED = "truncated"
DELETED = "deleted"


@dataclass(frozen=True)
class Gap:
    """A range of offsets of a partition that is lost.

    Attributes:
        partition: the topic and the partition.
        first: first offset that is lost.
        last: last offset that is lost; None where nobody can know it.
        reason: code of the reason.
        detail: what was expected and what was found.
    """

    partition: Partition
    first: int
    last: int | None
    reason: str
    detail: str

    @property
    def source(self) -> str:
        """Topic and partition, as in the tables."""
        return source_name(self.partition)

    def __str__(self) -> str:
        """Say which partition has lost what, and why."""
        last = "..." if self.last is None else self.last
        return f"{self.source}: offsets {self.first} to {last} are lost ({self.reason}): {self.detail}"


@dataclass(frozen=True)
class Topics:
    """What a broker holds.

    Attributes:
        ids: topic to its id, which a topic that is made again does not get again.
        earliest: first offset of each partition.
        latest: offset that the next record of each partition will get.
    """

    ids: Mapping[str, str]
    earliest: Mapping[Partition, int]
    latest: Mapping[Partition, int]


def source_name(partition: Partition) -> str:
    """Return the partition as it stands in the column ``source``."""
    return f"{partition[0]}-{partition[1]}"


def find_gaps(
    start: Mapping[Partition, int],
    topics: Topics,
    known_ids: Mapping[str, str],
    end: Mapping[Partition, int] | None = None,
) -> list[Gap]:
    """Find what is lost between the offsets that were read and those that can be read.

    Args:
        start: first offset of each partition that has not been read.
        topics: what the broker holds.
        known_ids: ids of the topics when the offsets were written.
        end: offset behind the last one that a micro-batch was to read, for a micro-batch that went on over the gap;
            without it, what the stream would lose if it went on now.
    """
    gaps: list[Gap] = []
    for partition, first in sorted(start.items()):
        upto = (end or topics.latest).get(partition)
        gaps += _gaps_of(partition, first, upto, topics, known_ids)
    return gaps


def _gaps_of(
    partition: Partition, first: int, upto: int | None, topics: Topics, known_ids: Mapping[str, str]
) -> list[Gap]:  # fmt: skip
    topic = partition[0]
    if partition not in topics.latest:
        return [
            Gap(partition, first, None, DELETED, "it is no longer there, or no longer among the topics of the source")
        ]
    earliest, latest = topics.earliest[partition], topics.latest[partition]
    upto = latest if upto is None else upto
    was, now = known_ids.get(topic), topics.ids.get(topic)
    if was and now and was != now:
        detail = f"the topic was deleted and made again: its id was {was}, now it is {now}"
        # The rest of the old topic is gone; of the new one, the stream passes over what lies below its offset.
        gaps = [Gap(partition, first, None, RECREATED, detail)]
        skipped = min(first, upto)
        if skipped > earliest:
            gaps.append(Gap(partition, earliest, skipped - 1, RECREATED, "these are records of the new topic"))
        return gaps
    if latest < first:
        detail = f"the next offset should be {first} or above, the log ends at {latest}: what it had was cut off"
        return (
            [Gap(partition, earliest, max(latest - 1, earliest), TRUNCATED, detail)]
            if latest > earliest
            else [Gap(partition, latest, None, TRUNCATED, detail)]
        )
    if earliest > first:
        detail = f"the next offset should be {first}, the oldest that is still there is {earliest}"
        return [Gap(partition, first, min(earliest, max(upto, first)) - 1, AGED_OUT, detail)]
    return []
