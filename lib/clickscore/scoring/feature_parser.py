"""The text of a features file becomes DuckDB's parse tree, even where a field is named like a reserved word."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from clickscore.scoring.feature_engine import Engine
from clickscore.scoring.feature_functions import SPARK_OPERATORS

SHAPE = "the file must be SELECT <expression> AS <name>, ... FROM click, and nothing after it"
NOWHERE = 2**64 - 1
"""Position that the parser gives to what it has added itself."""
_ASIDE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|/\*.*?\*/""", re.DOTALL)
"""Text, quoted names and comments."""
_WORD = re.compile(r"\w+")

Node = dict[str, Any]
"""A part of the tree, as json_serialize_sql() tells it."""


class Problem(NamedTuple):
    """What is wrong with the text, and where: a position in bytes."""

    position: int
    text: str


def parsed(engine: Engine, text: str, click: pa.Schema) -> tuple[list[Problem], str, list[Node] | None]:
    """Parse the text; where a field has a reserved word for a name, go on as if it were quoted.

    Returns:
        What is wrong with the text, the text as it was parsed, and its statements; None if it cannot be parsed.
    """
    found = serialized(engine, text)
    if not found["error"]:
        return [], text, found["statements"]
    rows = engine.ask("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'")
    names = {name.lower(): name for name in click.names if (name.lower(),) in rows}
    masked = _ASIDE.sub(lambda aside: " " * len(aside[0]), text)
    words = list(_WORD.finditer(masked))
    bare = [word for word in words if word[0].lower() in names and not _is_name(masked, word)]
    problems = [
        Problem(_position(text, word), f'{word[0]} is a reserved word: write "{names[word[0].lower()]}"')
        for word in bare
    ]
    mended = text
    for word in reversed(bare):
        mended = f'{mended[: word.start()]}"{word[0]}"{mended[word.end() :]}'
    found = serialized(engine, mended)
    if not found["error"]:
        return problems, mended, found["statements"]
    operators = [
        Problem(_position(text, word), f"DuckDB has no {word[0]}: write {SPARK_OPERATORS[word[0].lower()]}")
        for word in words
        if word[0].lower() in SPARK_OPERATORS
    ]
    said = found["error_message"] if found["error_type"] == "parser" else "another statement than SELECT"
    return problems + (operators or [Problem(int(found.get("position", 0)), f"{said}: {SHAPE}")]), mended, None


def serialized(engine: Engine, text: str) -> Node:
    """Return what DuckDB's parser makes of a text: its statements, or the error."""
    [(found,)] = engine.ask("SELECT json_serialize_sql(?, skip_null := true, skip_empty := true)", text)
    tree: Node = json.loads(found)
    return tree


def nodes(part: Any) -> Iterator[Node]:
    """Return all expressions in a part of the tree, the outer ones first."""
    if isinstance(part, dict):
        if "class" in part:
            yield part
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from nodes(each)


def columns(part: Node) -> set[str]:
    """Return the names in a part of the tree that look like those of fields, in lower case."""
    return {name.lower() for each in nodes(part) for name in each.get("column_names", [])}


def place_of(part: Any) -> int:
    """Return the position in bytes at which a part of the tree begins in the text."""
    if isinstance(part, dict):
        return min(int(part.get("query_location", NOWHERE)), place_of(list(part.values())))
    return min(map(place_of, part), default=NOWHERE) if isinstance(part, list) else NOWHERE


def _is_name(text: str, word: re.Match[str]) -> bool:
    """Tell whether a word is what AS gives as a name, where it may be a reserved one."""
    return re.search(r"\bAS\s+$", text[: word.start()], re.IGNORECASE) is not None


def _position(text: str, word: re.Match[str]) -> int:
    return len(text[: word.start()].encode())
