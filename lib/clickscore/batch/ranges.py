"""Ranges: what ``--from`` and ``--to`` say, which part of it no stream reads, and how it is cut into chunks."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from clickscore.cli import utc
from clickscore.errors import SourceError
from clickscore.storage.backfills import Part
from clickscore.storage.offset_log import Partition, partition_offsets

Offsets = Mapping[Partition, int]
Item = TypeVar("Item")

MOST_FILES = 1_000
"""Files of a chunk at most: their names travel with the plan of the Spark job."""


class Span(NamedTuple):
    """Offsets of a partition; ``end`` is behind the last one."""

    partition: Partition
    begin: int
    end: int


class Missing(NamedTuple):
    """The offsets of a range, by what becomes of them.

    Attributes:
        missing: those that no stream reads, and the topics still hold.
        read: how many the stream has read.
        ahead: those that the stream is still to read.
    """

    missing: list[Span]
    read: int
    ahead: list[Span]


def as_bound(option: str, text: str | None) -> datetime | Offsets | None:
    """Return what an option of a range says: a time, or the offsets of partitions as JSON.

    Raises:
        SourceError: if it says neither.
    """
    if text is None:
        return None
    try:
        return _as_offsets(json.loads(text)) if text.lstrip().startswith("{") else utc(text)
    except (ValueError, AttributeError, TypeError):
        raise SourceError(
            f"{option}: expected a time in ISO 8601, such as 2026-03-01T00:00:00Z, or offsets as JSON, such as "
            f'{{"clicks": {{"0": 1200}}}}; found {text!r}.'
        ) from None


def _as_offsets(tree: Mapping[str, Mapping[str, int]]) -> Offsets:
    offsets = partition_offsets(tree)
    if not all(type(offset) is int and offset >= 0 for offset in offsets.values()):
        raise ValueError("an offset is a whole number from 0")
    return offsets


def as_time(option: str, bound: datetime | Offsets | None) -> datetime | None:
    """Return a bound of what has times only.

    Raises:
        SourceError: if it is offsets.
    """
    if bound is None or isinstance(bound, datetime):
        return bound
    raise SourceError(f"{option}: expected a time in ISO 8601, found offsets, which only topics have.")


def check_same_topics(start: Offsets, reached: Offsets) -> None:
    """Make sure that no topic was made anew since the stream began, as its offsets begin again at 0.

    Args:
        start: where the stream began to read each partition.
        reached: up to where it has read, or has planned to read, each partition.

    Raises:
        SourceError: if one was; its offsets do not say what the stream has read.
    """
    for partition, began in sorted(start.items()):
        if (now := reached.get(partition, began)) < began:
            raise SourceError(
                f"{partition[0]}-{partition[1]}: the stream began at offset {began:,} and is at {now:,} now, so the "
                f"topic was recreated, and what the stream has read of it is not known. Read it with a stream of its "
                f"own, with new tables and a new checkpoint."
            )


def check_known_topics(known: Mapping[str, str], ids: Mapping[str, str]) -> None:
    """Make sure that no topic was made anew since the stream looked last.

    Args:
        known: ids of the topics that the stream has read, by name.
        ids: those of the topics that are there now.

    Raises:
        SourceError: if one was.
    """
    if others := sorted(topic for topic in known.keys() & ids.keys() if known[topic] != ids[topic]):
        raise SourceError(
            f"{', '.join(others)}: recreated since the stream read it, so the offsets that the stream read are "
            f"those of other records. Start the stream first: it reports what is lost; or read the topic with a "
            f"stream of its own, with new tables and a new checkpoint."
        )


def find_missing(first: Offsets, last: Offsets, start: Offsets, reached: Offsets) -> Missing:
    """Divide a range of offsets into what the stream has read, is still to read, and never reads.

    Args:
        first: first offset of each partition in the range.
        last: the offset behind the last one.
        start: where the stream began to read each partition; one that is not there, it reads from offset 0.
        reached: up to where it has read, or has planned to read, each partition.
    """
    missing, read, ahead = list[Span](), 0, list[Span]()
    for partition in sorted(first):
        begin, end = first[partition], last[partition]
        began = start.get(partition, 0)
        now = max(reached.get(partition, began), began)
        if begin < min(end, began):
            missing.append(Span(partition, begin, min(end, began)))
        read += max(0, min(end, now) - max(begin, began))
        if end > max(begin, now):
            ahead.append(Span(partition, max(begin, now), end))
    return Missing(missing, read, ahead)


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Return the spans without the offsets of others."""
    rest = list(spans)
    for partition, begin, end in taken:
        cut = []
        for span in rest:
            if span.partition != partition or end <= span.begin or span.end <= begin:
                cut.append(span)
                continue
            cut += [Span(partition, low, high) for low, high in ((span.begin, begin), (end, span.end)) if low < high]
        rest = cut
    return rest


def packed(items: Iterable[tuple[Item, int]], most: int, most_items: int = MOST_FILES) -> Iterator[list[Item]]:
    """Yield the items in lists whose sizes add up to ``most`` at most; a larger one stands alone.

    Args:
        items: each with its size.
        most: of the sizes of one list.
        most_items: items of one list.
    """
    chunk: list[Item] = []
    total = 0
    for item, size in items:
        if chunk and (total + size > most or len(chunk) == most_items):
            yield chunk
            chunk, total = [], 0
        chunk.append(item)
        total += size
    if chunk:
        yield chunk


def cut(spans: Iterable[Span], most: int) -> Iterator[tuple[Span, int]]:
    """Yield the spans in pieces of at most ``most`` offsets, each with its size."""
    for partition, begin, end in spans:
        for low in range(begin, end, most):
            high = min(low + most, end)
            yield Span(partition, low, high), high - low


def as_part(span: Span) -> Part:
    """Return a span as the plan of a backfill has it."""
    topic, number = span.partition
    return Part(f"{topic}-{number}", first_offset=span.begin, last_offset=span.end - 1)


def as_span(part: Part) -> Span:
    """Return the offsets of a part of a plan."""
    assert part.first_offset is not None
    assert part.last_offset is not None
    topic, _, number = part.source.rpartition("-")
    return Span((topic, int(number)), part.first_offset, part.last_offset + 1)
