"""The rules of privacy that the rows of a table were written under: properties of the table, which a run must share."""

import json
from collections.abc import Iterator, Mapping

from pyspark.sql import SparkSession

from clickscore.errors import TableError
from clickscore.storage.schemas import literal
from clickscore.storage.table import Table

RULES_PROPERTY, KEY_PROPERTY = "clickscore.privacy", "clickscore.privacy_key"
"""The rules, as JSON, and the id of the key that hashes were made with."""


def as_properties(rules: Mapping[str, str], key_id: str | None) -> dict[str, str]:
    """Return the properties of a table whose rows are written under some rules.

    Args:
        rules: in words, by the name of the field.
        key_id: of the key of the hashes, where there are any.
    """
    properties = {RULES_PROPERTY: json.dumps(dict(rules), sort_keys=True)}
    return properties if key_id is None else {**properties, KEY_PROPERTY: key_id}


def check_privacy(spark: SparkSession, table: Table, expected: Mapping[str, str]) -> None:
    """Make sure that the rows of a table, if it exists, were written under the rules of this run.

    Args:
        spark: the session.
        table: one of the output tables.
        expected: the properties of a table of this run; none without rules.

    Raises:
        TableError: with all differences, and how to accept them.
    """
    if not table.exists(spark):
        return
    properties = table.properties(spark)
    found = {key: properties[key] for key in (RULES_PROPERTY, KEY_PROPERTY) if key in properties}
    if found == expected:
        return
    lines = "\n".join(f"  - {difference}" for difference in differences(found, expected))
    raise TableError(
        f"{table.name} was written under other rules of privacy:\n{lines}\n"
        f"Restore the rules and the key; or name new tables under output, with a new checkpoint; or let old and new "
        f"rows stand side by side, as after a change of the key, with: {_acceptance(table, found, expected)}"
    )


def differences(found: Mapping[str, str], expected: Mapping[str, str]) -> Iterator[str]:
    """Yield what differs between the rules of a table and those of a run, both as properties of a table."""
    theirs, ours = (_rules(properties) for properties in (found, expected))
    for name in sorted(theirs.keys() | ours.keys()):
        if theirs.get(name) != ours.get(name):
            yield f"{name}: the configuration says {ours.get(name, 'nothing')}, the table {theirs.get(name, 'nothing')}"
    keys = [properties.get(KEY_PROPERTY, "no key") for properties in (expected, found)]
    if keys[0] != keys[1]:
        yield f"the id of privacy.key is {keys[0]}, the table has {keys[1]}"


def _rules(properties: Mapping[str, str]) -> dict[str, str]:
    rules: dict[str, str] = json.loads(properties.get(RULES_PROPERTY, "{}"))
    return rules


def _acceptance(table: Table, found: Mapping[str, str], expected: Mapping[str, str]) -> str:
    gone = [literal(key) for key in found if key not in expected]
    new = [f"{literal(key)} = {literal(value)}" for key, value in expected.items()]
    begin = f"ALTER TABLE {table.sql_name}"
    statements = [f"{begin} SET TBLPROPERTIES ({', '.join(new)})"] if new else []
    statements += [f"{begin} UNSET TBLPROPERTIES ({', '.join(gone)})"] if gone else []
    return "; ".join(statements)
