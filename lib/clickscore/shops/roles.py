"""Which places tell clicks apart, say when a click was and whose it is: guessed by names and values, with reasons."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from clickscore.console import counted
from clickscore.errors import SourceError
from clickscore.scoring.decoding import BETWEEN_JOINED
from clickscore.shops.kinds import time_kind
from clickscore.shops.names import TIME, words_of
from clickscore.shops.survey import Place, Survey

USUAL = 0.9
"""Share of the records in which a place must have a value for a role; the sample may have some bad records."""
DISTINCT = 0.95
"""Share of an id's values that must be different; producers send some records twice."""
FEWEST_RECORDS = 20
"""From so many on, users that all differ are rather events: in fewer, each user may have clicked once."""
MOST_PARTS = 4
"""Places that an id is made of at most."""

_TIMES = (
    re.compile(r"(event|click|hit|action|visit)_?(time|timestamp|tstamp|ts|date|at)"),
    re.compile(r"(^|_)(occurred|happened|derived|original)"),
    re.compile(r"(^|_)(time|timestamp|tstamp|ts|at|datetime|when)(_(ms|us|ns|utc))?$"),
    re.compile(r"(^|_)(created|sent|client|logged|date)"),
)
"""Names of times, the likeliest first; those of servers and collectors come after all of them."""
_LATER = re.compile(r"receive|collector|server|load|etl|updated|expire|previous|first|last|start|end")
_VISITORS = (
    re.compile(r"(^|_)(visitor|user_pseudo|anonymous|anon|distinct|domain_user|client|browser|cookie|fingerprint)_?"
               r"(id|key|uuid|guid|hash)$"),
    re.compile(r"(^|_)(user|customer|account|member|shopper|buyer|person|profile|device)_?(id|key|uuid|guid|hash)$"),
    re.compile(r"(^|_)(visitor|user|customer|uid|cookie|shopper|buyer|anon|anonymous)$"),
    re.compile(r"(^|_)(session|visit)_?(id|key|uuid|guid)?$"),
)  # fmt: skip
"""Names of visitors, the likeliest first; a visit stands in for a visitor that has no id."""
_IDS = (
    re.compile(r"(^|_)(event|click|message|msg|hit|record|row|log|request|insert|action)_?(id|uuid|guid|key)$"),
    re.compile(r"^_?(id|uid|uuid|guid|key|oid|id_oid)$"),
)
_ACTION = re.compile(r"(^|_)(event|action|type|event_type|event_name|kind|what|product_id|item_?id|page_?url|url|sku)$")
"""Names of what a visitor did, which help to tell two clicks of the same moment apart."""


class Role(NamedTuple):
    """What a role is read from.

    Attributes:
        places: one place; several of which the first that is there counts, or that make an id together.
        is_joined: whether they make it together.
        why: the reason, for a person.
    """

    places: tuple[Place, ...]
    is_joined: bool
    why: str


class Roles(NamedTuple):
    """The three fields that each contract names."""

    id: Role
    time: Role
    visitor: Role


def guess_roles(sample: Survey, where: str) -> Roles:
    """Guess what tells clicks apart, when they were, and whose they are.

    Raises:
        SourceError: if nothing looks like a time, or like a visitor.
    """
    time = _guess_time(sample, where)
    visitor = _guess_visitor(sample, where)
    return Roles(_guess_id(sample, time.places[0], visitor), time, visitor)


def _guess_time(sample: Survey, where: str) -> Role:
    ranked: list[tuple[bool, int, float, int, str, Place]] = []
    for place in sample.places:
        words = "_".join(words_of(place.steps))
        if sample.share(place) < USUAL or not _may_be_time(place):
            continue
        if time_kind(place.to_be_read, bool(TIME.search(words)), USUAL):
            missing = round(1 - sample.share(place), 2)
            ranked.append(
                (bool(_LATER.search(words)), _rank(_TIMES, words), missing, len(place.steps), place.path, place)
            )
    if not ranked:
        raise SourceError(_nothing_found(sample, where, "time", "event_time or timestamp"))
    is_later, rank, *_, place = min(ranked)
    others = [other.path for *_, other in sorted(ranked)[1:]]
    by_name = "" if is_later or rank == len(_TIMES) else " and its name says so"
    why = f"{place.path}, as its values are times{by_name}"
    return Role((place,), False, why + (f"; other times: {', '.join(others)}" if others else ""))


def _may_be_time(place: Place) -> bool:
    return not any(isinstance(value, bool | list) for value in place.values.values())


def _guess_visitor(sample: Survey, where: str) -> Role:
    named = []
    for number, place in enumerate(sample.places):
        words = "_".join(words_of(place.steps))
        rank = _rank(_VISITORS, words)
        if rank < len(_VISITORS) and place.is_single:
            # A `uid` may be one of the user or of the event; the values tell, and what is rather an id comes last.
            is_id = _rank(_IDS, words) < len(_IDS) and len(place.values) >= FEWEST_RECORDS and _differs(place)
            named.append((is_id, rank, len(place.steps), number, place))
    chosen: list[Place] = []
    seen: set[int] = set()
    for *_, place in sorted(named):
        # A second one is worth its place only where it fills what the first leaves open.
        if len(seen) < USUAL * len(sample.rows) and place.values.keys() - seen:
            chosen.append(place)
            seen |= place.values.keys()
    if len(seen) < USUAL * len(sample.rows):
        raise SourceError(_nothing_found(sample, where, "visitor", "visitor_id or user_id"))
    texts = {text for place in chosen for text in place.texts.values()}
    which = " or else ".join(place.path for place in chosen)
    counts = f"{counted(len(texts), 'visitor')} in {counted(len(sample.rows), 'record')}"
    return Role(tuple(chosen), False, f"{which}, by the name; {counts}")


def _guess_id(sample: Survey, time: Place, visitor: Role) -> Role:
    single = [place for place in sample.places if place.is_single and sample.share(place) >= USUAL]
    ranked = [
        (rank, len(place.steps), number, place)
        for number, place in enumerate(single)
        if (rank := _rank(_IDS, "_".join(words_of(place.steps)))) < len(_IDS)
        and _differs(place)
        and place not in visitor.places
    ]
    if ranked:
        *_, place = min(ranked)
        return Role((place,), False, f"{place.path}, by the name; its values differ from record to record")
    rows = [row for row in sample.rows if row in time.values]
    actions = [place for place in single if _ACTION.search("_".join(words_of(place.steps)))]
    # Two clicks of a visitor at the same moment may be rare in a sample: what they did is a part in any case.
    parts = [*(visitor.places if len(visitor.places) == 1 else ()), time, *actions[:1]]
    others = [*actions[1:], *(place for place in single if place not in actions and sample.share(place) == 1)]
    others = [place for place in others if place not in parts]
    while len(parts) < MOST_PARTS and _distinct(parts, rows) < len(rows) and others:
        best = max(others, key=lambda place: _distinct([*parts, place], rows))
        if _distinct([*parts, best], rows) == _distinct(parts, rows):
            break
        parts.append(best)
        others.remove(best)
    alike = len(rows) - _distinct(parts, rows)
    made = " + ".join(place.path for place in parts)
    why = f"made of {made}, as no other field that is named like an id has a different value in each record"
    shared = counted(alike, "record shares its own", "records share theirs")
    return Role(tuple(parts), True, why + (f"; {shared} with another one" if alike else ""))


def _differs(place: Place) -> bool:
    return len(set(place.texts.values())) >= DISTINCT * len(place.values)


def _distinct(places: Sequence[Place], rows: Iterable[int]) -> int:
    return len({BETWEEN_JOINED.join(place.texts.get(row, "") for place in places) for row in rows})


def _rank(patterns: Sequence[re.Pattern[str]], words: str) -> int:
    return next((rank for rank, pattern in enumerate(patterns) if pattern.search(words)), len(patterns))


def _nothing_found(sample: Survey, where: str, role: str, example: str) -> str:
    names = ", ".join(place.path for place in sample.places)
    return (
        f"the sample {where} has no field that looks like a {role} in {USUAL:.0%} of its records: expected a name "
        f"such as {example}, found {names or 'no fields'}. Let your tracker send one, or write the contract by hand, "
        f"with conf/local.yaml to begin with"
    )
