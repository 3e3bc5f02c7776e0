"""The contract of a click: its fields, and which of them are its id, its time and its visitor."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from clickscore.config.record_path import ESCAPED_IN_KEYS
from clickscore.config.text_file import read_text
from clickscore.errors import ConfigError
from clickscore.scoring import ddl
from clickscore.scoring.erased_visitors import ErasedVisitors
from clickscore.scoring.privacy import Protection, protection_of
from clickscore.scoring.privacy_rules import rule_problems
from clickscore.scoring.reading import PLAIN, Reading, reading_problems, with_reading
from clickscore.scoring.record_types import constant_problems
from clickscore.scoring.wire import read_wire, with_wire

if TYPE_CHECKING:  # a program that embeds the scorer has no pydantic
    from clickscore.config.click import Click
    from clickscore.config.privacy import Privacy
    from clickscore.config.value import Value

RESERVED = (
    "reason", "detail", "challenger_detail", "score", "model_name", "model_version", "scored_at", "challenger_score",
    "challenger_version", "source", "source_offset", "source_key", "source_headers", "batch_id",
)  # fmt: skip
"""Names that an outcome or the tables use themselves, whatever the contract and wherever clicks are scored."""
NOT_IN_NAMES = " ,;{}()\n\t="
"""Characters that Delta does not take in the name of a column."""

_NAMES_OF_TYPES = {data_type: name.lower() for name, data_type in ddl.PLAIN.items()}


@dataclass(frozen=True)
class Contract:
    """What a click is.

    Attributes:
        click: the fields, with Arrow types; a field that is not nullable is required. Comments are metadata, and so is
            how a record is written and a field read from it.
        id: name of the field that is the same for the same click; required, a single value.
        time: name of the field that says when it was; required, a timestamp.
        visitor: name of the field that says whose it is; required, a single value.
        protection: what may be kept of it; None for all.
        erased: visitors whose clicks are refused; None for nobody.
    """

    click: pa.Schema
    id: str
    time: str
    visitor: str
    protection: Protection | None = None
    erased: ErasedVisitors | None = None

    @property
    def kept(self) -> pa.Schema:
        """The fields of a click as its outcome has them, under the rules of privacy."""
        return self.protection.stored(self.click) if self.protection else self.click


def contract_of(click: "Click", reserved: Iterable[str] = (), value: "Value | None" = None) -> Contract:
    """Read the contract that a configuration names; see ``read_contract``.

    Args:
        click: what the configuration says of a click.
        reserved: names that its fields may not have.
        value: how the records of the source are written; None for clicks that come as JSON from elsewhere.
    """
    readings = {
        name: Reading(source.concat or source.path, source.constant, source.format, source.zone,
                      is_lenient=bool(source.concat), is_joined=bool(source.concat))
        for name, source in click.sources.items()
    }  # fmt: skip
    readings |= {name: replace(readings.get(name, PLAIN), is_lenient=True) for name in click.lenient}
    contract = read_contract(click.ddl, click.id, click.time, click.visitor, reserved, readings)
    wire = read_wire(value) if value else None
    return replace(contract, click=with_wire(contract.click, wire)) if wire else contract


def protected(contract: Contract, privacy: "Privacy | None") -> Contract:
    """Return a contract of whose clicks no more may be kept than a configuration says.

    Raises:
        ConfigError: with all that is wrong with its rules, or if there is no such key.
    """
    if not privacy:
        return contract
    protection = protection_of(privacy)
    roles = contract.id, contract.time, contract.visitor
    problems = list(rule_problems(contract.click, protection.rules, *roles, has_key=bool(protection.key)))
    if problems:
        raise ConfigError("privacy", problems)
    return replace(contract, protection=protection)


def read_contract(
    file: Path, id: str, time: str, visitor: str, reserved: Iterable[str] = (),
    readings: Mapping[str, Reading] | None = None,
) -> Contract:  # fmt: skip
    """Read the file with the fields of a click, and check that it fits what is said of its fields.

    Args:
        file: fields in Spark DDL, as UTF-8, with or without a byte order mark.
        id: name of the field that tells clicks apart.
        time: name of the field with the time.
        visitor: name of the field that tells visitors apart.
        reserved: more of them, such as the model's further outputs.
        readings: how some fields are read from a record, by their names.

    Raises:
        ConfigError: with all that is wrong with the file, or if it cannot be read.
    """
    where, readings = str(file), readings or {}
    click, problems = _parse(read_text(file), where)
    problems += _name_problems(click, {name.lower() for name in (*RESERVED, *reserved)})
    problems += _nested_problems(click)
    problems += _role_problems(click, id, time, visitor)
    problems += reading_problems(click, readings)
    fields = [with_reading(field, readings.get(field.name, PLAIN)) for field in click]
    problems += constant_problems(fields, (id, time)) if not problems else []
    if problems:
        raise ConfigError(where, problems)
    return Contract(pa.schema(fields), id, time, visitor)


def as_stored(click: pa.Schema) -> pa.Schema:
    """Return the fields of a click as a table can keep them.

    What is NOT NULL inside a STRUCT that may be null itself may be null, too: a click without the STRUCT has no value
    for it, and Delta refuses a row that lacks one. Of a click that has the STRUCT, the field is still required.
    """
    return pa.schema([field if not field.nullable else _relaxed(field) for field in map(_with_stored_fields, click)])


def _with_stored_fields(field: pa.Field) -> pa.Field:
    if not pa.types.is_struct(field.type):
        return field
    return field.with_type(pa.struct(list(as_stored(pa.schema(list(field.type))))))


def _relaxed(field: pa.Field) -> pa.Field:
    """Return a field that may be null, with all that it holds as fields of its own."""
    if pa.types.is_struct(field.type):
        field = field.with_type(pa.struct([_relaxed(inner) for inner in field.type]))
    return field.with_nullable(True)


def parse_ddl(text: str, where: str) -> pa.Schema:
    """Return the fields of a text in Spark DDL, ``name TYPE [NOT NULL] [COMMENT '...'], ...``.

    Args:
        text: the fields; a ``STRUCT`` may have NOT NULL and COMMENT inside as well.
        where: where the text comes from, for the message.

    Raises:
        ConfigError: if the text is something else, or has types that a click cannot have.
    """
    click, problems = _parse(text, where)
    if problems:
        raise ConfigError(where, problems)
    return click


def _parse(text: str, where: str) -> tuple[pa.Schema, list[str]]:
    try:
        return ddl.read_fields(text)
    except ddl.DdlError as error:
        raise ConfigError(where, [f"expected fields in Spark DDL: {error}"]) from None


def type_name(data_type: pa.DataType) -> str:
    """Return a type as Spark writes it, in lower case and without spaces, for messages."""
    if pa.types.is_list(data_type):
        return f"array<{type_name(data_type.value_type)}>"
    if pa.types.is_map(data_type):
        return f"map<{type_name(data_type.key_type)},{type_name(data_type.item_type)}>"
    if pa.types.is_struct(data_type):
        return f"struct<{','.join(f'{field.name}:{type_name(field.type)}' for field in data_type)}>"
    if pa.types.is_decimal(data_type):
        return f"decimal({data_type.precision},{data_type.scale})"
    return _NAMES_OF_TYPES.get(data_type, str(data_type))


def _name_problems(click: pa.Schema, taken: set[str]) -> list[str]:
    problems = [f"{name}: the tables use this name themselves" for name in click.names if name.lower() in taken]
    problems += [f"{name}: a name must not start with an underscore" for name in click.names if name.startswith("_")]
    return problems


def _nested_problems(click: pa.Schema) -> list[str]:
    """Find what Delta or the decoder cannot take, at all depths."""
    problems = _twice("", click)
    for path, field, is_in_collection in _walk("", click, False):
        if not field.name:
            problems.append(f"{path}: a name must not be empty")
        if set(field.name) & set(NOT_IN_NAMES):
            problems.append(f"{path}: a name must not have any of {NOT_IN_NAMES!r}")
        elif set(field.name) & set(ESCAPED_IN_KEYS):
            problems.append(f"{path}: a name must not have quotation marks, backslashes or control characters")
        if is_in_collection and not field.nullable:
            problems.append(f"{path}: NOT NULL is not supported inside ARRAY or MAP")
        for inner, kind in _parts(path, field.type):
            if pa.types.is_struct(kind):
                problems += _twice(f"{inner}.", kind) or ([] if len(kind) else [f"{inner}: a STRUCT needs fields"])
            if pa.types.is_map(kind) and kind.key_type not in (pa.string(), ddl.UNSUPPORTED):
                problems.append(f"{inner}: type {type_name(kind)} is not supported in a click")
    return problems


def _walk(prefix: str, fields: Iterable[pa.Field], is_in_collection: bool) -> Iterator[tuple[str, pa.Field, bool]]:
    """Yield each field, nested ones too, with its path and whether it is inside an ARRAY or MAP."""
    for field in fields:
        path = prefix + field.name
        yield path, field, is_in_collection
        for inner, kind in _parts(path, field.type):
            if pa.types.is_struct(kind):
                yield from _walk(f"{inner}.", kind, is_in_collection or kind != field.type)


def _parts(path: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """Yield a type and those of its elements, keys and values; not those of a STRUCT's fields."""
    yield path, kind
    if pa.types.is_list(kind):
        yield from _parts(f"{path}.element", kind.value_type)
    if pa.types.is_map(kind):
        yield from _parts(f"{path}.key", kind.key_type)
        yield from _parts(f"{path}.value", kind.item_type)


def _twice(prefix: str, fields: Iterable[pa.Field]) -> list[str]:
    counts = Counter(field.name.lower() for field in fields)
    return [f"{prefix}{name}: there are {count} fields of this name" for name, count in counts.items() if count > 1]


def _role_problems(click: pa.Schema, id: str, time: str, visitor: str) -> list[str]:
    problems = []
    fields = {field.name: field for field in click}
    for role, name in (("id", id), ("time", time), ("visitor", visitor)):
        if name not in fields:
            problems.append(f"click.{role} is {name}, but there is no such field; there are {', '.join(fields)}")
            continue
        kind = fields[name].type
        if fields[name].nullable:
            problems.append(f"{name}: click.{role} needs a NOT NULL field")
        if role == "time" and not pa.types.is_timestamp(kind) and kind != ddl.UNSUPPORTED:
            problems.append(f"{name}: click.time needs a TIMESTAMP, found {type_name(kind)}")
        if role != "time" and pa.types.is_nested(kind):
            problems.append(f"{name}: click.{role} needs a single value, found {type_name(kind)}")
        if role != "time" and pa.types.is_boolean(kind):
            problems.append(
                f"{name}: click.{role} must tell more than two values apart, which a boolean cannot; use a STRING"
            )
    return problems
