"""Gaps: ranges of offsets that were lost before the stream read them."""

from collections.abc import Mapping
from dataclasses import dataclass

from clickscore.storage.offset_log import Partition

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
        last: last offset that is lost; None if it is unknown.
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
        ids: topic to its id, which a recreated topic does not keep.
        earliest: first offset of each partition.
        latest: offset that the next record of each partition will get.
        names: all topics of the broker, also those that are not read.
    """

    ids: Mapping[str, str]
    earliest: Mapping[Partition, int]
    latest: Mapping[Partition, int]
    names: frozenset[str] = frozenset()


def source_name(partition: Partition) -> str:
    """Return the partition as it stands in the column ``source``."""
    return f"{partition[0]}-{partition[1]}"


def find_gaps(
    start: Mapping[Partition, int],
    topics: Topics,
    known_ids: Mapping[str, str],
    end: Mapping[Partition, int],
    is_done: bool,
) -> list[Gap]:
    """Find what is lost between the offsets that were read and those that can be read.

    Args:
        start: first offset of each partition that has not been read; empty for a stream that never began.
        topics: what the broker holds.
        known_ids: ids of the topics when the offsets were written.
        end: offset behind the last one that the next micro-batch is to read, where it is planned already.
        is_done: whether that micro-batch has been read, so that the gaps are those that it went over.
    """
    if not start:
        return []
    gaps: list[Gap] = []
    for partition in sorted({*start, *(end if is_done else topics.latest)}):
        planned = end.get(partition)
        if partition not in topics.latest:
            gaps.append(_deleted(partition, start.get(partition, 0), topics))
        elif partition not in start:
            # A partition that has come since is read from its beginning.
            gaps += aged_out(partition, 0, planned if is_done else None, topics)
        elif known_ids.get(partition[0], topics.ids.get(partition[0])) != topics.ids.get(partition[0]):
            gaps += _recreated(partition, start[partition], planned, topics, known_ids)
        else:
            gaps += _truncated(partition, start[partition], planned, topics, is_done)
            gaps += aged_out(partition, start[partition], planned if is_done else None, topics)
    return gaps


def _deleted(partition: Partition, first: int, topics: Topics) -> Gap:
    if partition[0] in topics.names:
        return Gap(partition, first, None, DELETED, "it is no longer among the topics of the source; add it again")
    return Gap(partition, first, None, DELETED, "the topic no longer exists")


def _recreated(
    partition: Partition, first: int, planned: int | None, topics: Topics, known_ids: Mapping[str, str]
) -> list[Gap]:
    earliest = topics.earliest[partition]
    was, now = known_ids[partition[0]], topics.ids[partition[0]]
    detail = f"the topic was deleted and recreated: its id was {was}, now it is {now}"
    # The rest of the old topic is gone; of the new one, the stream passes over what lies below its offset.
    skipped = min(first, topics.latest[partition] if planned is None else planned)
    gaps = [Gap(partition, first, None, RECREATED, detail)]
    if skipped > earliest:
        gaps.append(Gap(partition, earliest, skipped - 1, RECREATED, "these are records of the new topic"))
    return gaps


def _truncated(partition: Partition, first: int, planned: int | None, topics: Topics, is_done: bool) -> list[Gap]:
    earliest, latest = topics.earliest[partition], topics.latest[partition]
    # A micro-batch that is done says itself where the log ended when it was planned; meanwhile the log has grown.
    ended = planned if is_done and planned is not None else latest
    if ended < first:
        detail = (
            f"the next offset should be {first} or above, the log ends at {ended}: it was truncated at an unknown "
            f"offset: records below were read, records above are lost"
        )
        return [Gap(partition, min(earliest, ended), ended - 1 if ended > earliest else None, TRUNCATED, detail)]
    if planned is not None and latest < planned:
        detail = f"the log should reach offset {planned - 1}, it ends at {latest}: it was truncated"
        return [Gap(partition, latest, planned - 1, TRUNCATED, detail)]
    return []


def aged_out(partition: Partition, first: int, planned: int | None, topics: Topics) -> list[Gap]:
    """Return what a partition has lost of the offsets from the first one on, up to the planned end if there is one."""
    earliest = topics.earliest[partition]
    upto = min(earliest, topics.latest[partition] if planned is None else planned)
    if upto <= first:
        return []
    detail = f"the next offset should be {first}, the oldest available offset is {earliest}"
    return [Gap(partition, first, upto - 1, AGED_OUT, detail)]


def describe_loss(gaps: list[Gap]) -> str:
    """Say what is lost and what can be done about it."""
    lines = "\n".join(f"  - {gap}" for gap in gaps)
    has_aged = any(gap.reason == AGED_OUT for gap in gaps)
    return (
        f"records were lost from the source before they were read:\n{lines}\n"
        f"Restore them from a copy; or start with --accept-loss, which continues after the lost records and writes "
        f"each gap to the table source_gaps; or start over with a new checkpoint and new tables."
    ) + (" A longer retention.ms of the topic prevents this." if has_aged else "")
