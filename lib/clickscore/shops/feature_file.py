"""Fields become a features file to begin with: numbers as they are, common texts one by one, what is absent, hours."""

import re
from collections import Counter
from collections.abc import Iterator

from clickscore.scoring.feature_engine import quoted
from clickscore.shops.fields import Field, Fields
from clickscore.shops.names import CODE, snake

MOST_FEATURES = 60
"""Features of the file; a person should read them all."""
MOST_VALUES = 6
"""Values of a text that get a feature each, the commonest first."""
MOST_DIFFERENT = 30
"""Values of a text that is a kind of something; one with more of them is a name or an address."""
LEAST_TIMES = 2
"""How often a value must be there, on average, for its text to be a kind of something."""

_OPAQUE = re.compile(r"[0-9a-f]{8}|\d{4}", re.IGNORECASE)
"""Part of a text that nobody has named: ids, numbers, times."""
_UNKNOWN = re.compile(r"[^a-z0-9_]")
_HEAD = """\
-- Features to begin with, in DuckDB SQL, guessed from a sample: change them as you like. One row in, one row out.
-- What your model asks for must be here, under the names that it was trained on.
SELECT
"""


def features_text(fields: Fields, records: int) -> str:
    """Return a features file for the fields of a click.

    Args:
        fields: those of the click.
        records: how many there are in the sample.
    """
    lines: dict[str, str] = {}
    for name, expression in _features(fields, records):
        plain = _UNKNOWN.sub("", name)
        lines.setdefault(plain if plain[:1].isalpha() else f"feature_{plain}", expression)
    chosen = list(lines.items())[:MOST_FEATURES]
    width = max(len(expression) for _, expression in chosen)
    return _HEAD + ",\n".join(f"  {expression:<{width}} AS {name}" for name, expression in chosen) + "\nFROM click\n"


def _features(fields: Fields, records: int) -> Iterator[tuple[str, str]]:
    """Yield names and expressions."""
    time = quoted(fields.time)
    yield "hour_of_day", f"CAST(hour({time}) AS DOUBLE)"
    yield "day_of_week", f"CAST(isodow({time}) - 1 AS DOUBLE)"
    for field in fields.all:
        if field.name not in (fields.id, fields.time, fields.visitor):
            yield from _of_field(field, records)


def _of_field(field: Field, records: int) -> Iterator[tuple[str, str]]:
    name, column = snake(field.name), quoted(field.name)
    is_code = bool(CODE.search(name))
    if field.kind.ddl == "BOOLEAN" or (field.kind.ddl in ("DOUBLE", "BIGINT") and not is_code):
        yield name, f"CAST({column} AS DOUBLE)"
    elif field.kind.ddl.startswith("ARRAY"):
        yield f"{name}_count", f"CAST(len({column}) AS DOUBLE)"
    elif field.kind.ddl == "STRING":
        counts = Counter(map(str, field.values))
        is_kind = 1 < len(counts) <= min(MOST_DIFFERENT, len(field.values) / LEAST_TIMES)
        is_kind = is_kind and not is_code and not any(map(_OPAQUE.search, counts))
        for value, _ in counts.most_common(MOST_VALUES) if is_kind else ():
            if value.isprintable():
                yield f"{name}_{snake(value)}", f"CAST({column} = {_literal(value)} AS DOUBLE)"
        if len(field.values) < records:
            yield f"has_{name}", f"CAST({column} IS NOT NULL AS DOUBLE)"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
