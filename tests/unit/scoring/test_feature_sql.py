import pyarrow as pa
import pytest

from clickscore.errors import ConfigError
from clickscore.scoring.feature_sql import check_select, fields_by_feature

CLICK = pa.schema({
    "id": pa.string(), "time": pa.timestamp("us", tz="UTC"), "price": pa.float64(), "returning": pa.bool_(),
    "device": pa.string(), "tags": pa.list_(pa.int64()),
})  # fmt: skip
SHAPE = "the file must be SELECT <expression> AS <name>, ... FROM click, and nothing after it"


def problems(sql: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check_select(sql, "f.sql", CLICK)
    assert str(caught.value).startswith("f.sql cannot be used:")
    return caught.value.problems


def test_select_ends_with_click_and_names_the_fields_that_it_reads() -> None:
    sql = '-- é\nSELECT click.price AS a, [t + 1 FOR t IN tags] AS b, device.upper() AS c, "returning" AS d FROM click'
    assert check_select(f"{sql} ;\n-- FROM click\n", "f.sql", CLICK) == (sql, ("price", "returning", "device", "tags"))


def test_each_feature_reads_its_fields_and_those_of_the_features_in_it() -> None:
    sql = """SELECT price * 2 AS a, A + len(device) AS b, [t + 1 FOR t IN tags] AS c, 1 AS d, b + 1 AS "E" FROM click"""
    assert fields_by_feature(sql, CLICK) == {
        "a": ("price",), "b": ("price", "device"), "c": ("tags",), "d": (), "E": ("price", "device"),
    }  # fmt: skip


def test_name_with_quotes_is_found_in_a_struct() -> None:
    name = """it's a "b" """
    click = pa.schema([("geo", pa.struct({name: pa.struct({"x'": pa.int32()})}))])
    for geo in ("(geo)", "geo"):
        sql = f"""SELECT {geo}."it's a ""b"" "."x'" + 1 AS a FROM click"""
        assert check_select(sql, "f.sql", click) == (sql, ("geo",))


@pytest.mark.parametrize("sql", ["", "-- nothing\n", ";"])
def test_empty_file_is_refused(sql: str) -> None:
    assert problems(sql) == [f"found nothing: {SHAPE}"]


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT price AS a", "other rows than those of click"),
        ("SELECT price AS a FROM clicks", "other rows than those of click"),
        ("SELECT price AS a FROM main.click", "other rows than those of click"),
        ("SELECT price AS a FROM click AS c", "other rows than those of click"),
        ("SELECT click.price AS a FROM click, click AS c", "other rows than those of click"),
        ("SELECT click.price AS a FROM click JOIN click AS c ON true", "other rows than those of click"),
        ("SELECT 1 AS a FROM read_csv('x')", "other rows than those of click"),
        ("SELECT price AS a FROM click TABLESAMPLE 10%", "other rows than those of click"),
        ("SELECT 1 AS a FROM (SELECT 1)", "other rows than those of click"),
        ("SELECT price AS a FROM click WHERE price > 1", "WHERE is not possible"),
        ("SELECT price AS a FROM click GROUP BY price", "GROUP BY is not possible"),
        ("SELECT price AS a FROM click GROUP BY ALL", "GROUP BY ALL is not possible"),
        ("SELECT price AS a FROM click HAVING price > 1", "HAVING is not possible"),
        ("SELECT price AS a FROM click QUALIFY price > 1", "QUALIFY is not possible"),
        ("SELECT price AS a FROM click USING SAMPLE 1", "USING SAMPLE is not possible"),
        ("SELECT price AS a FROM click ORDER BY price", "ORDER BY is not possible"),
        ("SELECT price AS a FROM click LIMIT 1", "LIMIT is not possible"),
        ("SELECT DISTINCT price AS a FROM click", "DISTINCT is not possible"),
        ("WITH c AS (SELECT 1) SELECT price AS a FROM click", "WITH is not possible"),
        ("SELECT price AS a FROM click UNION SELECT 1", "several selects in one"),
        ("SELECT price AS a FROM click; SELECT 1", "a second statement"),
        ("FROM click SELECT price AS a", "FROM before SELECT"),
        ("DROP TABLE click", "another statement than SELECT"),
        ("SELECT price AS a FRO click", 'syntax error at or near "FRO"'),
    ],
)
def test_anything_else_than_one_select_from_click_is_refused(sql: str, found: str) -> None:
    assert problems(sql) == [f"line 1: {found}: {SHAPE}"]


def test_all_problems_are_told_at_once_each_with_its_line() -> None:
    sql = """SELECT
      sum(price) AS a,
      row_number() OVER () AS b, -- é
      (SELECT max(price) FROM click) AS c,
      random() AS d, current_date AS e,
      unnest(tags) AS f,
      prise AS g,
      weekday(time) AS h, /*

      */ nvl(price, 0) AS i,
      price * 2,
      lenght(device) AS j, price AS J,
      ago(INTERVAL 1 DAY) AS k,
      $1 AS l, #1 AS m,
      lower(device) AS n, time.age() AS o,
      length(substring(device, 0, 2)) AS p
    FROM click
    WHERE true"""
    told = [(problem.partition(":")[0], problem.partition(": ")[2]) for problem in problems(sql)]
    assert [(line, text.split(":")[0].split(" ")[0]) for line, text in told] == [
        ("line 2", "sum"), ("line 3", "row_number"), ("line 4", "a"), ("line 5", "random"), ("line 5", "current_date"),
        ("line 6", "unnest"), ("line 7", "a"), ("line 8", "weekday"), ("line 10", "DuckDB"), ("line 11", "the"),
        ("line 12", "DuckDB"), ("line 12", "the"), ("line 13", "ago"), ("line 14", "a"), ("line 14", "a"),
        ("line 15", "age"), ("line 16", "substring"), ("line 18", "WHERE"),
    ]  # fmt: skip
    text = "\n".join(said for _, said in told)
    assert "a subquery reads other rows" in text
    assert "a click has no field prise: did you mean price?" in text
    assert "the name J is used twice" in text
    assert "the expression needs a name: write <expression> AS <name>" in text
    assert "ago stands for (current_timestamp" in text


def test_star_is_refused() -> None:
    assert problems("SELECT\n* FROM click") == ["line 2: * is not possible: name each feature, <expression> AS <name>"]
    assert problems("SELECT COLUMNS(*) AS a FROM click")


@pytest.mark.parametrize(
    "call",
    ["ago(INTERVAL 1 DAY)", "generate_subscripts(tags, 1)", "weighted_avg(price, 1)", "geometric_mean(price)",
     "pg_get_viewdef(1)", "pg_sleep(1)", "json_group_array(price)", "pg_conf_load_time()"],
)  # fmt: skip
def test_macro_is_judged_by_what_it_stands_for(call: str) -> None:
    assert problems(f"SELECT {call} AS a FROM click")[0].startswith(f"line 1: {call.partition('(')[0]} stands for ")


def test_macro_of_one_click_is_allowed() -> None:
    check_select("SELECT list_avg(tags) AS a, if(price > 1, 1, 2) AS b, split_part(device, 'a', 1) AS c, "
                 "array_append(tags, 1) AS d, md5_number_lower(id) AS e FROM click", "f.sql", CLICK)  # fmt: skip


def test_expressions_that_duckdb_cannot_type_are_all_told() -> None:
    found = problems("SELECT length(price) AS a, a + 1 AS b,\n price AS c, upper(1, 2) AS d FROM click")
    assert [problem.partition(" Error")[0] for problem in found] == ["line 1: Binder", "line 2: Binder"]
    assert "'length(DOUBLE)'" in found[0]


def test_feature_that_can_raise_is_allowed() -> None:
    select, _ = check_select("SELECT CAST('x' AS INT) AS a, price / 0 AS b, error('x') AS c FROM click", "f", CLICK)
    assert "CAST('x' AS INT)" in select
