import re

import pyarrow as pa
import pytest

from clickscore.scoring.feature_engine import engine_of
from clickscore.scoring.feature_functions import SPARK_FUNCTIONS, SPARK_OPERATORS, Functions, nearest

ENGINE = engine_of(pa.schema({"n": pa.int32()}))
ONE = [{"expression": {"class": "COLUMN_REF"}}]
SYNTAX = {"coalesce", "cast", "try"}


@pytest.fixture(scope="module")
def functions() -> Functions:
    return Functions(ENGINE)


@pytest.mark.parametrize(
    "name", ["length", "ln", "hour", "+", "if", "list_avg", "json_extract", "error", "regexp_matches"]
)
def test_function_of_one_click_is_allowed(functions: Functions, name: str) -> None:
    assert functions.refusal(name, ONE) is None


@pytest.mark.parametrize("name", ["sum", "count_star", "any_value", "row_number"])
def test_function_of_several_clicks_is_refused(functions: Functions, name: str) -> None:
    assert f"{name} looks at several clicks" in str(functions.refusal(name, ONE))


@pytest.mark.parametrize(
    "name", ["random", "uuid", "now", "today", "current_setting", "getvariable", "nextval", "version"]
)
def test_function_of_chance_clock_or_session_is_refused(functions: Functions, name: str) -> None:
    assert f"{name} differs from call to call" in str(functions.refusal(name, ONE))


@pytest.mark.parametrize("name", ["unnest", "read_csv", "glob"])
def test_function_that_makes_rows_is_refused(functions: Functions, name: str) -> None:
    assert f"{name} makes rows" in str(functions.refusal(name, ONE))


def test_function_of_spark_is_told_in_duckdbs_words(functions: Functions) -> None:
    assert functions.refusal("nvl", ONE) == "DuckDB does not know nvl: write coalesce(a, b)"


def test_unknown_function_is_answered_with_the_nearest(functions: Functions) -> None:
    assert functions.refusal("lenght", ONE) == "DuckDB does not know lenght: did you mean length?"
    assert functions.refusal("zzzqqq", ONE) == "DuckDB does not know zzzqqq"


def test_name_that_means_something_else_in_spark_is_refused(functions: Functions) -> None:
    assert "isodow(time) - 1" in str(functions.refusal("weekday", ONE))
    assert "ln(x) or log10(x)" in str(functions.refusal("log", ONE))
    assert functions.refusal("log", [*ONE, *ONE]) is None
    assert "clock" in str(functions.refusal("age", ONE))
    assert functions.refusal("age", [*ONE, *ONE]) is None


def test_every_hint_is_for_a_name_that_duckdb_does_not_know(functions: Functions) -> None:
    known = {name for (name,) in ENGINE.ask("SELECT lower(function_name) FROM duckdb_functions()")}
    assert not known & SPARK_FUNCTIONS.keys()


@pytest.mark.parametrize("hint", [*SPARK_FUNCTIONS.values(), *SPARK_OPERATORS.values()])
def test_every_hint_names_functions_that_a_feature_may_use(functions: Functions, hint: str) -> None:
    for name in re.findall(r"(\w+)\(", hint):
        assert name.lower() in SYNTAX or functions.refusal(name.lower(), [*ONE, *ONE]) is None


def test_nearest_name_is_asked_for() -> None:
    assert nearest("PRISE", ["price", "n"]) == ": did you mean price?"
    assert nearest("q", ["price"]) == ""
