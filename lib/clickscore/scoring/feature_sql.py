"""The check of a features file with DuckDB's own parser and catalog; reports all problems at once."""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from clickscore.errors import ConfigError
from clickscore.scoring.feature_engine import Engine, FeatureError, engine_of
from clickscore.scoring.feature_functions import UNCALLED, Functions, nearest
from clickscore.scoring.feature_parser import (
    NOWHERE,
    SHAPE,
    Node,
    Problem,
    columns,
    nodes,
    parsed,
    place_of,
    serialized,
)

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
    "POSITIONAL_REFERENCE": "a field is not named by its number: write its name",
    "DEFAULT": "DEFAULT has no meaning here: write the value itself",
}
_TABLE = {"type", "query_location", "query_location_length", "table_name", "qualified_name"}
"""What the parser tells of a table that nothing is done to."""


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
    problems, text, statements = parsed(engine, text, click)
    checker = _Checker(engine, click)
    if statements is not None:
        problems += _shape_problems(statements)
        for statement in statements[:1]:
            problems += checker.problems(statement["node"].get("select_list", []))
    if statements and not problems:
        problems += _bind_problems(engine, statements[0]["node"])
    if problems or not statements:
        lines = [f"line {_line(text, place)}: {said}" for place, said in sorted(problems)]
        raise ConfigError(where, list(dict.fromkeys(lines)) or [f"found nothing: {SHAPE}"])
    table = statements[0]["node"]["from_table"]
    select = text.encode()[: table["query_location"] + table["query_location_length"]].decode()
    return select, tuple(name for name in click.names if name in checker.used) or (click.names[0],)


def fields_by_feature(select: str, click: pa.Schema) -> dict[str, tuple[str, ...]]:
    """Return for each feature the fields that it reads, also those that it gets from features before it.

    Args:
        select: from ``check_select``.
        click: the fields of a click.
    """
    engine = engine_of(click)
    _, _, statements = parsed(engine, select, click)
    found: dict[str, set[str]] = {}
    for expression in statements[0]["node"]["select_list"] if statements else ():
        checker = _Checker(engine, click)
        list(checker.problems([expression]))
        earlier = {name.lower(): name for name in found}
        named = columns(expression) & earlier.keys()
        found[_name(expression) or ""] = checker.used.union(*(found[earlier[name]] for name in named))
    return {feature: tuple(name for name in click.names if name in used) for feature, used in found.items()}


def _shape_problems(statements: list[Node]) -> Iterator[Problem]:
    for statement in statements[1:]:
        yield Problem(place_of(statement["node"]), f"a second statement: {SHAPE}")
    for statement in statements[:1]:
        node = statement["node"]
        if node["type"] != "SELECT_NODE":
            yield Problem(place_of(node), f"several selects in one: {SHAPE}")
            continue
        clauses = {name: node[key] for key, name in _CLAUSES.items() if node.get(key)}
        clauses |= {_MODIFIERS.get(each["type"], each["type"]): each for each in node.get("modifiers", [])}
        if node.get("aggregate_handling") == "FORCE_AGGREGATES":
            clauses["GROUP BY ALL"] = node
        for name, clause in clauses.items():
            yield Problem(place_of(clause), f"{name} is not possible: {SHAPE}")
        table = node["from_table"]
        is_click = table["type"] == "BASE_TABLE" and table["table_name"].lower() == "click"
        if not is_click or table.keys() - _TABLE:
            yield Problem(place_of(table), f"other rows than those of click: {SHAPE}")
        elif table["query_location"] < place_of(node["select_list"]):
            yield Problem(table["query_location"], f"FROM before SELECT: {SHAPE}")


class _Checker:
    """Walks through the expressions and collects the fields that they read."""

    def __init__(self, engine: Engine, click: pa.Schema) -> None:
        self._engine = engine
        self._functions = Functions(engine)
        self._fields = {name.lower(): name for name in click.names}
        self.used: set[str] = set()

    def problems(self, expressions: list[Node]) -> Iterator[Problem]:
        names: set[str] = set()
        for expression in expressions:
            name = _name(expression)
            if name is None and expression["class"] != "STAR":
                yield Problem(place_of(expression), "the expression needs a name: write <expression> AS <name>")
            elif name is not None and name.lower() in names:
                yield Problem(place_of(expression), f"the name {name} is used twice: give each feature its own")
            yield from self._walk(expression, frozenset(names), place_of(expression))
            names |= {name.lower()} if name else set()

    def _walk(self, node: Any, known: frozenset[str], place: int) -> Iterator[Problem]:
        """Check a part of an expression; what is known beside the fields are features before it, and lambdas'."""
        if isinstance(node, list):
            for each in node:
                yield from self._walk(each, known, place)
            return
        if not isinstance(node, dict):
            return
        kind = node.get("class")
        if node.get("query_location", NOWHERE) != NOWHERE:
            place = node["query_location"]
        if kind in _REFUSED:
            yield Problem(place, _REFUSED[kind].format(name=node.get("function_name", "")))
            return
        if kind == "LAMBDA":
            yield from self._walk(node["expr"], known | columns(node["lhs"]), place)
            return
        if kind == "COLUMN_REF":
            yield from self._field(node["column_names"], known, place)
        elif kind == "FUNCTION":
            given = node.get("arguments", [])
            if node.get("schema", "").lower() in self._fields:  # field.function() is function(field)
                self.used.add(self._fields[node["schema"].lower()])
                given = [{}, *given]
            yield from self._function(node["function_name"].lower(), given, place)
        yield from self._walk([value for key, value in node.items() if key != "type_expr"], known, place)

    def _field(self, path: list[str], known: frozenset[str], place: int) -> Iterator[Problem]:
        name = path[1] if path[0].lower() == "click" and len(path) > 1 else path[0]
        if name.lower() in self._fields:
            self.used.add(self._fields[name.lower()])
        elif name.lower() in UNCALLED:
            yield from self._function(name.lower(), [], place)
        elif name.lower() not in known:
            yield Problem(place, f"a click has no field {name}{nearest(name, self._fields.values())}")

    def _function(self, name: str, given: list[Any], place: int) -> Iterator[Problem]:
        refused = "differs from call to call" if name in UNCALLED else None
        refused = self._functions.refusal(name, given) or refused
        if refused:
            yield Problem(place, refused)
            return
        body = self._refused_body(name)
        if body:
            yield Problem(place, f"{name} stands for {body}, which a feature may not use")

    def _refused_body(self, name: str) -> str | None:
        """Return what a macro stands for, if that does what a feature may not; its parameters look like fields."""
        for body in self._functions.bodies(name):
            [statement] = serialized(self._engine, f"SELECT {body}")["statements"]
            for inner in nodes(statement["node"]["select_list"]):
                called = {inner.get("function_name", "").lower(), *columns(inner) & UNCALLED} - {"", name}
                refused = any(self._functions.refusal(each, []) or self._refused_body(each) for each in called)
                if refused or inner["class"] == "SUBQUERY":
                    return body
        return None


def _bind_problems(engine: Engine, node: Node) -> Iterator[Problem]:
    """Let DuckDB type the expressions; one that it cannot type is left out, so that the others are looked at too."""
    good: list[Node] = []
    bad: set[str] = set()
    for expression in node["select_list"]:
        tree = {"error": False, "statements": [{"node": node | {"select_list": [*good, expression]}}]}
        [(select,)] = engine.ask("SELECT json_deserialize_sql(?::JSON)", json.dumps(_with_calls(tree)))
        try:
            engine.schema(select)
        except FeatureError as error:
            if not bad & columns(expression):  # what is wrong with those is told already
                yield Problem(place_of(expression), str(error))
            bad.add(str(_name(expression)).lower())
        else:
            good.append(expression)


def _with_calls(part: Any) -> Any:
    """Return a part of the tree with ``struct_extract(a, 'b')`` for ``(a).b``, in which DuckDB writes ' of b twice."""
    if isinstance(part, list):
        return [_with_calls(each) for each in part]
    if not isinstance(part, dict):
        return part
    node = {key: _with_calls(value) for key, value in part.items()}
    if node.get("class") != "OPERATOR" or node["type"] != "STRUCT_EXTRACT":
        return node
    arguments = [{"name": "", "expression": child} for child in node.pop("children")]
    return {
        **node, "class": "FUNCTION", "type": "FUNCTION", "function_name": "struct_extract", "arguments": arguments,
        "order_bys": {"type": "ORDER_MODIFIER", "orders": []}, "qualified_name": {"path": ["struct_extract"]},
    }  # fmt: skip


def _name(expression: Node) -> str | None:
    name = expression.get("alias") or (expression["column_names"][-1] if expression["class"] == "COLUMN_REF" else None)
    return str(name) if name is not None else None


def _line(text: str, place: int) -> int:
    return text.encode()[:place].count(b"\n") + 1
