"""The text of a features file is checked with DuckDB's own parser and catalog, and all its problems are told at once."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from clickscore.errors import ConfigError
from clickscore.scoring.feature_engine import Engine, FeatureError, engine_of
from clickscore.scoring.feature_functions import SPARK_OPERATORS, UNCALLED, Functions, nearest

_SHAPE = "the file must be SELECT <expression> AS <name>, ... FROM click, and nothing after it"
_NOWHERE = 2**64 - 1
"""Position that the parser gives to what it has added itself."""
_CLAUSES = {
    "cte_map": "WITH", "where_clause": "WHERE", "group_expressions": "GROUP BY", "group_sets": "GROUP BY",
    "having": "HAVING", "qualify": "QUALIFY", "sample": "USING SAMPLE",
}  # fmt: skip
_MODIFIERS = {"ORDER_MODIFIER": "ORDER BY", "LIMIT_MODIFIER": "LIMIT", "DISTINCT_MODIFIER": "DISTINCT"}
_REFUSED = {
    "SUBQUERY": "a subquery reads other rows: a feature is computed from one click alone",
    "WINDOW": "{name} OVER looks at several clicks: a feature is computed from one click alone",
    "STAR": "* is not possible: name each feature, <expression> AS <name>",
    "PARAMETER": "a parameter has no value here: write the value itself",
    "POSITIONAL_REFERENCE": "a field is not told by its number: write its name",
    "DEFAULT": "DEFAULT has no meaning here: write the value itself",
}
_ASIDE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|/\*.*?\*/""", re.DOTALL)
"""Text, quoted names and comments."""
_WORD = re.compile(r"\w+")

Node = dict[str, Any]


class _Problem(NamedTuple):
    position: int
    text: str


def check_select(text: str, where: str, click: pa.Schema) -> tuple[str, tuple[str, ...]]:
    """Make sure that a features file is one select, which computes each feature from one click and nothing else.

    Args:
        text: of the file.
        where: the file, for messages.
        click: the fields of a click.

    Returns:
        The select, without what stands after FROM click; and the fields that it reads, at least one.

    Raises:
        ConfigError: with all problems, each with its line and what to write instead.
    """
    text = text.replace("\r\n", "\n")
    engine = engine_of(click)
    problems, text, statements = _parsed(engine, text, click)
    checker = _Checker(engine, click)
    if statements is not None:
        problems += _shape_problems(statements)
        for statement in statements:
            problems += checker.problems(statement["node"].get("select_list", []))
    if statements and not problems:
        problems += _bind_problems(engine, statements[0]["node"])
    if problems or not statements:
        lines = [f"line {_line(text, place)}: {said}" for place, said in sorted(set(problems))]
        raise ConfigError(where, lines or [f"found nothing: {_SHAPE}"])
    table = statements[0]["node"]["from_table"]
    select = text.encode()[: table["query_location"] + table["query_location_length"]].decode()
    return select, tuple(name for name in click.names if name in checker.read) or (click.names[0],)


def _parsed(engine: Engine, text: str, click: pa.Schema) -> tuple[list[_Problem], str, list[Node] | None]:
    """Parse the text; where a field has a reserved word for a name, go on as if it were quoted."""
    found = _serialized(engine, text)
    if not found["error"]:
        return [], text, found["statements"]
    reserved = {word for (word,) in engine.ask(
        "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'")}  # fmt: skip
    words = {name.lower(): name for name in click.names if name.lower() in reserved}
    masked = _ASIDE.sub(lambda aside: " " * len(aside[0]), text)
    bare = [word for word in _WORD.finditer(masked) if word[0].lower() in words and not _is_name(masked, word)]
    problems = [
        _Problem(len(text[: word.start()].encode()), f'{word[0]} is a reserved word: write "{words[word[0].lower()]}"')
        for word in bare
    ]
    for word in reversed(bare):
        text = f'{text[: word.start()]}"{word[0]}"{text[word.end() :]}'
    again = _serialized(engine, text) if bare else found
    if not again["error"]:
        return problems, text, again["statements"]
    operators = [word for word in _WORD.finditer(masked) if word[0].lower() in SPARK_OPERATORS]
    if operators:
        return problems + [
            _Problem(len(text[: word.start()].encode()), f"DuckDB has no {word[0]}: write "
                     f"{SPARK_OPERATORS[word[0].lower()]}")
            for word in operators
        ], text, None  # fmt: skip
    said = f"{again['error_message']}: {_SHAPE}"
    return [*problems, _Problem(int(again.get("position", 0)), said)], text, None


def _is_name(text: str, word: re.Match[str]) -> bool:
    """Tell whether a word is what AS gives as a name, where it may be a reserved one."""
    return re.search(r"\bAS\s+$", text[: word.start()], re.IGNORECASE) is not None


def _serialized(engine: Engine, text: str) -> Node:
    [(found,)] = engine.ask("SELECT json_serialize_sql(?, skip_null := true, skip_empty := true)", text)
    parsed: Node = json.loads(found)
    return parsed


def _shape_problems(statements: list[Node]) -> Iterator[_Problem]:
    for statement in statements[1:]:
        yield _Problem(_place(statement["node"]), f"a second statement: {_SHAPE}")
    for statement in statements[:1]:
        node = statement["node"]
        if node["type"] != "SELECT_NODE":
            yield _Problem(_place(node), f"several selects in one: {_SHAPE}")
            continue
        clauses = {name: node[key] for key, name in _CLAUSES.items() if node.get(key)}
        clauses |= {_MODIFIERS.get(each["type"], each["type"]): each for each in node.get("modifiers", [])}
        if node.get("aggregate_handling") == "FORCE_AGGREGATES":
            clauses["GROUP BY ALL"] = node
        for name, clause in clauses.items():
            yield _Problem(_place(clause), f"{name} is not possible: {_SHAPE}")
        table = node["from_table"]
        is_click = table["type"] == "BASE_TABLE" and table["table_name"].lower() == "click"
        if not is_click or table.keys() & {"alias", "schema_name", "catalog_name", "at_clause", "column_name_alias"}:
            yield _Problem(_place(table) or _place(node), f"other rows than those of click: {_SHAPE}")
        elif table["query_location"] < _place(node["select_list"]):
            yield _Problem(table["query_location"], f"FROM before SELECT: {_SHAPE}")


class _Checker:
    """Walks through the expressions and collects the fields that they read."""

    def __init__(self, engine: Engine, click: pa.Schema) -> None:
        self._engine = engine
        self._functions = Functions(engine)
        self._fields = {name.lower(): name for name in click.names}
        self.read: set[str] = set()

    def problems(self, expressions: list[Node]) -> Iterator[_Problem]:
        names: set[str] = set()
        for expression in expressions:
            name = _name(expression)
            if name is None and expression["class"] != "STAR":
                yield _Problem(_place(expression), "the expression needs a name: write <expression> AS <name>")
            elif name is not None and name.lower() in names:
                yield _Problem(_place(expression), f"the name {name} comes twice: give each feature its own")
            yield from self._walk(expression, frozenset(names), _place(expression))
            names |= {name.lower()} if name else set()

    def _walk(self, node: Any, known: frozenset[str], place: int) -> Iterator[_Problem]:
        """Check a part of an expression; what is known beside the fields are features before it, and lambdas'."""
        if isinstance(node, list):
            for each in node:
                yield from self._walk(each, known, place)
            return
        if not isinstance(node, dict):
            return
        kind = node.get("class")
        if node.get("query_location", _NOWHERE) != _NOWHERE:
            place = node["query_location"]
        if kind in _REFUSED:
            yield _Problem(place, _REFUSED[kind].format(name=node.get("function_name", "")))
            return
        if kind == "LAMBDA":
            yield from self._walk(node["expr"], known | _parameters(node["lhs"]), place)
            return
        if kind == "COLUMN_REF":
            yield from self._field(node["column_names"], known, place)
        elif kind == "FUNCTION":
            yield from self._function(node["function_name"].lower(), node.get("arguments", []), place)
        yield from self._walk([value for key, value in node.items() if key != "type_expr"], known, place)

    def _field(self, path: list[str], known: frozenset[str], place: int) -> Iterator[_Problem]:
        name = path[1] if path[0].lower() == "click" and len(path) > 1 else path[0]
        if name.lower() in self._fields:
            self.read.add(self._fields[name.lower()])
        elif name.lower() in UNCALLED:
            yield from self._function(name.lower(), [], place)
        elif name.lower() not in known:
            yield _Problem(place, f"a click has no field {name}{nearest(name, self._fields.values())}")

    def _function(self, name: str, given: list[Any], place: int) -> Iterator[_Problem]:
        refused = "differs from call to call" if name in UNCALLED else None
        refused = self._functions.refusal(name, given) or refused
        if refused:
            yield _Problem(place, refused)
            return
        for body in self._functions.bodies(name):
            # What a macro stands for may do what a feature may not; its own parameters are not checked as fields.
            [statement] = _serialized(self._engine, f"SELECT {body}")["statements"]
            for inner in _nodes(statement["node"]["select_list"]):
                called = inner.get("function_name", "").lower()
                called = called or next((c.lower() for c in inner.get("column_names", []) if c.lower() in UNCALLED), "")
                if inner["class"] == "SUBQUERY" or (called and self._functions.refusal(called, [])):
                    yield _Problem(place, f"{name} stands for {body}, which a feature may not use")
                    return


def _bind_problems(engine: Engine, node: Node) -> Iterator[_Problem]:
    """Let DuckDB type the expressions; one that it cannot type is left out, so that the others are looked at too."""
    good: list[Node] = []
    for expression in node["select_list"]:
        tree = {"error": False, "statements": [{"node": node | {"select_list": [*good, expression]}}]}
        [(select,)] = engine.ask("SELECT json_deserialize_sql(?::JSON)", json.dumps(tree))
        try:
            engine.schema(select)
        except FeatureError as error:
            yield _Problem(_place(expression), str(error))
        else:
            good.append(expression)


def _name(expression: Node) -> str | None:
    name = expression.get("alias") or (expression["column_names"][-1] if expression["class"] == "COLUMN_REF" else None)
    return str(name) if name is not None else None


def _parameters(node: Node) -> set[str]:
    return {name.lower() for each in _nodes(node) for name in each.get("column_names", [])}


def _nodes(part: Any) -> Iterator[Node]:
    if isinstance(part, dict):
        if "class" in part:
            yield part
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _nodes(each)


def _place(part: Any) -> int:
    """Return where in the text, in bytes, a part of the parsed select begins."""
    if isinstance(part, dict):
        return min(part.get("query_location", _NOWHERE), _place(list(part.values())))
    return min(map(_place, part), default=_NOWHERE) if isinstance(part, list) else _NOWHERE


def _line(text: str, place: int) -> int:
    return text.encode()[:place].count(b"\n") + 1
