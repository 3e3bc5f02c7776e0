"""Clicks get features: the features file, one DuckDB select over a click, is their only definition.

Training, the stream, batches and a program that embeds the scorer evaluate the same file with the same engine, so that
the same click has the same features everywhere, to the last bit.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from clickscore.config.text_file import read_text
from clickscore.errors import ConfigError, SignatureError
from clickscore.scoring.feature_engine import FeatureError, engine_of, quoted, sql_type, tried
from clickscore.scoring.feature_sql import check_select
from clickscore.scoring.stored_clicks import as_type

_UTC_TIMESTAMP = pa.timestamp("us", tz="UTC")


class Computed(NamedTuple):
    """Features of a chunk of clicks.

    Attributes:
        values: one struct array per schema that was asked for, as long as the clicks and in their order.
        failures: rows whose features DuckDB could not compute, with its words; all their features are null.
    """

    values: tuple[pa.StructArray, ...]
    failures: dict[int, str]


@dataclass(frozen=True)
class Features:
    """The checked features file: a plain value, which travels to Spark's Python workers.

    Attributes:
        where: the file, for messages.
        select: ``SELECT <expression> AS <name>, ... FROM click``, without what stands after it.
        click: the fields of a click; timestamps are ``timestamp('us', tz='UTC')``.
        schema: the features in the file's order, with the types that DuckDB gives them.
        reads: the fields of a click that go to DuckDB.
    """

    where: str
    select: str
    click: pa.Schema
    schema: pa.Schema
    reads: tuple[str, ...]

    def compute(self, clicks: pa.StructArray, *inputs: pa.Schema) -> Computed:
        """Compute the features of clicks, cast to exactly what each of some models asks for.

        A number or a time that does not fit its input is null: a time of MLflow's signatures is in the years 1678 to
        2261. NaN and infinity stay what they are in a floating-point input, and are null in any other. A click whose
        features raise is found by bisection; the rest is computed.

        Args:
            clicks: structs of ``click``; the fields of a null struct count as null.
            inputs: what the models' signatures ask for; none gives the features in the types of ``schema``.
        """
        schemas = inputs or (self.schema,)
        columns: dict[tuple[str, pa.DataType], int] = {}
        for schema in schemas:
            for field in schema:
                columns.setdefault((field.name, field.type), len(columns))
        found, failures = self._columns(clicks, tuple(columns))
        values = tuple(
            pa.StructArray.from_arrays(
                [found[columns[field.name, field.type]] for field in schema],
                fields=[pa.field(field.name, field.type) for field in schema],
            )
            for schema in schemas
        )
        return Computed(values, failures)

    def _columns(
        self, clicks: pa.StructArray, wanted: tuple[tuple[str, pa.DataType], ...]
    ) -> tuple[list[pa.Array], dict[int, str]]:
        types = {field.name: field.type for field in self.schema}
        query = _cast_query(self.select, tuple((name, type_, types[name]) for name, type_ in wanted))
        fields = dict(zip(clicks.type.names, clicks.flatten(), strict=True))
        read = pa.schema([pa.field(name, self.click.field(name).type) for name in self.reads])
        chunk = pa.RecordBatch.from_arrays([as_type(fields[field.name], field.type) for field in read], schema=read)
        parts, failures = tried(engine_of(read), query, chunk)
        columns = []
        for number, (_, type_) in enumerate(wanted):
            pieces = [pa.nulls(1, type_) if part is None else as_type(part.column(number), type_) for part in parts]
            columns.append(pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces or [pa.nulls(0, type_)]))
        return columns, failures


def read_features(file: Path, click: pa.Schema) -> Features:
    """Read a features file and make sure that it computes features of one click from that click alone.

    Args:
        file: in UTF-8; a byte order mark and Windows line ends are fine.
        click: the fields of a click.

    Raises:
        ConfigError: with all problems of the file, each with its line and what to write instead.
    """
    where = str(file)
    select, reads = check_select(read_text(file), where, click)
    schema = _natural_schema(select, click, reads, where)
    return Features(where, select, click, schema, reads)


def check_features(produced: pa.Schema, inputs: pa.Schema, where: str, others: pa.Schema | None = None) -> None:
    """Make sure that the features file produces every input of the model, castable to its type.

    Args:
        produced: what the file produces.
        inputs: what the model's signature asks for.
        where: the file, for the message.
        others: what another model asks for, which is active as well: its inputs are not too many.

    Raises:
        SignatureError: with all missing, extra and wrong ones in one message.
    """
    found = {field.name: field.type for field in produced}
    wanted = {field.name: field.type for field in inputs}
    known = {*wanted, *(others.names if others is not None else ())}
    counts = Counter(name.lower() for name in produced.names)
    problems = [f"twice: {name}" for name, count in counts.items() if count > 1]
    problems += [f"missing: {name} {sql_type(wanted[name])}" for name in wanted if name not in found]
    problems += [f"extra: {name}, which the model does not know" for name in found if name not in known]
    problems += [
        f"wrong type: {name} is {sql_type(found[name])}, the model wants {sql_type(wanted[name])}"
        for name in wanted
        if name in found and not _castable(found[name], wanted[name])
    ]
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise SignatureError(f"{where} does not produce what the model asks for:\n{lines}")


def _natural_schema(select: str, click: pa.Schema, reads: tuple[str, ...], where: str) -> pa.Schema:
    read = pa.schema([click.field(name) for name in reads])
    try:
        schema = engine_of(read).schema(select)
    except FeatureError as error:
        raise ConfigError(where, [str(error)]) from None
    return pa.schema(
        [(field.name, _UTC_TIMESTAMP if pa.types.is_timestamp(field.type) else field.type) for field in schema]
    )


def _cast_query(select: str, wanted: tuple[tuple[str, pa.DataType, pa.DataType], ...]) -> str:
    """Return the query that casts; its columns are numbered, as two models may ask for two types of one feature."""
    columns = ", ".join(
        f"{quoted(name)} AS c{number}"
        if type_ == found and not pa.types.is_timestamp(found)
        else f"TRY_CAST({quoted(name)} AS {sql_type(type_)}) AS c{number}"
        for number, (name, type_, found) in enumerate(wanted)
    )
    return f"FROM ({select}) SELECT {columns}"


def _castable(found: pa.DataType, wanted: pa.DataType) -> bool:
    if found == wanted:
        return True
    if is_number(wanted):
        return is_number(found)
    if pa.types.is_string(wanted) or pa.types.is_large_string(wanted):
        return is_number(found) or pa.types.is_temporal(found) or pa.types.is_string(found)
    return bool(pa.types.is_timestamp(wanted) and (pa.types.is_date(found) or pa.types.is_timestamp(found)))


def is_number(type_: pa.DataType) -> bool:
    """Tell whether values of a type are numbers, which booleans count as."""
    return bool(
        pa.types.is_integer(type_)
        or pa.types.is_floating(type_)
        or pa.types.is_decimal(type_)
        or pa.types.is_boolean(type_)
    )
