import pyarrow as pa
import pytest

from clickscore.errors import ConfigError
from clickscore.scoring.feature_engine import engine_of
from clickscore.scoring.feature_parser import Problem, columns, nodes, parsed, place_of, serialized
from clickscore.scoring.feature_sql import check_select

CLICK = pa.schema({"returning": pa.bool_(), "Order": pa.int64(), "device": pa.string(), "price": pa.float64()})
ENGINE = engine_of(CLICK)


def test_good_text_is_parsed_as_it_is() -> None:
    sql = 'SELECT "returning" AS returning FROM click'
    problems, text, statements = parsed(ENGINE, sql, CLICK)
    assert (problems, text) == ([], sql)
    assert statements is not None
    assert columns(statements[0]["node"]["select_list"]) == {"returning"}


def test_field_with_a_reserved_word_for_a_name_is_told_and_read_as_if_it_were_quoted() -> None:
    sql = "SELECT 'é' AS a, CAST(returning AS INT) AS returning, -- returning\n order AS b FROM click"
    problems, text, statements = parsed(ENGINE, sql, CLICK)
    assert problems == [
        Problem(23, 'returning is a reserved word: write "returning"'),
        Problem(69, 'order is a reserved word: write "Order"'),
    ]
    assert text.count('"') == 4
    assert statements is not None


def test_what_else_is_wrong_is_told_beside_a_reserved_word() -> None:
    with pytest.raises(ConfigError) as caught:
        check_select("SELECT CAST(returning AS INT) AS a,\n 'order' || devise AS b FROM click", "f.sql", CLICK)
    assert caught.value.problems == [
        'line 1: returning is a reserved word: write "returning"',
        "line 2: a click has no field devise: did you mean device?",
    ]


def test_operators_of_spark_are_told_in_duckdbs_words() -> None:
    problems, _, statements = parsed(ENGINE, "SELECT device RLIKE 'div' AS b, price div 2 AS c FROM click", CLICK)
    assert [problem.text for problem in problems] == [
        "DuckDB has no RLIKE: write regexp_matches(text, pattern)",
        "DuckDB has no div: write a // b",
    ]
    assert statements is None


def test_text_that_is_no_sql_is_told_in_duckdbs_words() -> None:
    [problem], _, statements = parsed(ENGINE, "SELECT 'é' AS a FRO click", CLICK)
    assert problem.text.startswith('syntax error at or near "FRO": the file must be SELECT')
    assert statements is None


def test_parts_of_the_tree_are_found_with_their_place() -> None:
    [statement] = serialized(ENGINE, "SELECT 'é', length(device) + price FROM click")["statements"]
    _, plus = statement["node"]["select_list"]
    assert [node.get("function_name") for node in nodes(plus) if node["class"] == "FUNCTION"] == ["+", "length"]
    assert columns(plus) == {"device", "price"}
    assert place_of(plus) == len("SELECT 'é', ".encode())
