"""Places and roles become the fields of a click: names, types, where they stand in a record, and what is required."""

from typing import Any, NamedTuple

from clickscore.scoring.decoding import BETWEEN_JOINED
from clickscore.shops.kinds import Kind, kind_of, time_kind
from clickscore.shops.names import CODE, TIME, field_name, reserved, words_of
from clickscore.shops.roles import USUAL, Role, Roles
from clickscore.shops.survey import Place, Survey

LEAST_FOR_REQUIRED = 20
"""Records in all of which a field must have a value to be NOT NULL: fewer say little about those to come."""
MOST_FIELDS = 80
"""Fields that a click gets, those that are there most often."""


class Field(NamedTuple):
    """A field of a click.

    Attributes:
        name: its name in the click schema.
        kind: its type, and how it is read.
        paths: where it stands in a record.
        is_joined: whether what stands at all of the paths makes it together.
        is_required: whether it is NOT NULL.
        values: what it is in the records of the sample that have it.
    """

    name: str
    kind: Kind
    paths: tuple[str, ...]
    is_joined: bool
    is_required: bool
    values: tuple[Any, ...]


class Fields(NamedTuple):
    """The fields of a click.

    Attributes:
        all: in the order of the sample, those of the roles first.
        id: name of the one that tells clicks apart.
        time: name of the one that says when a click was.
        visitor: name of the one that says whose it is.
        left_out: sentences about places that became no field.
    """

    all: tuple[Field, ...]
    id: str
    time: str
    visitor: str
    left_out: tuple[str, ...]


def fields_of(sample: Survey, roles: Roles) -> Fields:
    """Return a field for each place whose values have one type, and for each role."""
    taken = reserved()
    of_roles = [_of_role(sample, roles.id, "event_id", taken), _of_time(roles.time, taken),
                _of_role(sample, roles.visitor, "visitor_id", taken)]  # fmt: skip
    done = {path for field, role in zip(of_roles, roles, strict=True) for path in field.paths if len(role.places) == 1}
    common = set(sorted(sample.places, key=lambda place: -len(place.values))[:MOST_FIELDS])
    others, mixed = [], []
    good = _good_rows(sample, roles)
    for place in sample.places:
        if place.path in done or place not in common:
            continue
        kind = _kind(place)
        if kind is None:
            mixed.append(place.path)
            continue
        is_required = len(good) >= LEAST_FOR_REQUIRED and good <= place.values.keys()
        others.append(_field(place, kind, is_required, taken))
    rare = [place.path for place in sample.places if place not in common and place.path not in done]
    left_out = [("null or empty in each record", sample.empty), ("values of different types", mixed),
                ("an object, a list or a value, differently in other records", sample.odd),
                (f"beyond the {MOST_FIELDS} commonest fields", rare)]  # fmt: skip
    return Fields(
        (*of_roles, *others),
        of_roles[0].name,
        of_roles[1].name,
        of_roles[2].name,
        tuple(f"left out, {why}: {', '.join(paths)}" for why, paths in left_out if paths),
    )


def _of_role(sample: Survey, role: Role, name: str, taken: set[str]) -> Field:
    if len(role.places) == 1:
        [place] = role.places
        kind = kind_of(place.to_be_read, is_time=False, is_code=True)
        return _field(place, kind or Kind("STRING", is_lenient=True), True, taken)
    is_text = all(isinstance(value, str) for place in role.places for value in place.to_be_read)
    kind = Kind("STRING", is_lenient=not role.is_joined and not is_text)
    paths = tuple(place.path for place in role.places)
    found = [[place.texts[row] for place in role.places if row in place.texts] for row in sample.rows]
    if role.is_joined:
        values = tuple(BETWEEN_JOINED.join(texts) for texts in found if len(texts) == len(paths))
    else:
        values = tuple(texts[0] for texts in found if texts)
    return Field(field_name((name,), taken), kind, paths, role.is_joined, True, values)


def _of_time(role: Role, taken: set[str]) -> Field:
    [place] = role.places
    kind = time_kind(place.to_be_read, _is_time(place), USUAL)
    assert kind
    return _field(place, kind, True, taken)


def _field(place: Place, kind: Kind, is_required: bool, taken: set[str]) -> Field:
    name = field_name(place.steps, taken)
    return Field(name, kind, (place.path,), False, is_required, tuple(place.values.values()))


def _kind(place: Place) -> Kind | None:
    is_code = bool(CODE.search("_".join(words_of(place.steps))))
    return kind_of(place.to_be_read, _is_time(place), is_code)


def _is_time(place: Place) -> bool:
    return bool(TIME.search("_".join(words_of(place.steps))))


def _good_rows(sample: Survey, roles: Roles) -> set[int]:
    """Return the records that have all that the roles need."""
    good = set(sample.rows)
    for role in roles:
        enough = all if role.is_joined else any
        good = {row for row in good if enough(row in place.values for place in role.places)}
    return good
