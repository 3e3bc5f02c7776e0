import pytest
from pyspark.sql import types as T

from clickscore.errors import ConfigError, TableError
from clickscore.storage.schemas import Scores, check_click, check_table, scored_clicks


def fields(*fields: tuple[str, T.DataType, bool]) -> T.StructType:
    return T.StructType([T.StructField(*field) for field in fields])


GOOD = fields(("id", T.StringType(), False), ("at", T.TimestampType(), False), ("visitor", T.StringType(), False))


def test_scored_clicks_end_with_score_model_and_lineage() -> None:
    assert scored_clicks(GOOD).names == [
        "id", "at", "visitor", "score", "model_name", "model_version", "scored_at", "source", "source_offset",
        "batch_id",
    ]  # fmt: skip


def test_other_outputs_and_the_challenger_have_columns_where_they_are_asked_for() -> None:
    names = scored_clicks(GOOD, scores=Scores(("score", "leave"), is_challenged=True)).names
    assert names[3:9] == ["score", "leave", "model_name", "model_version", "scored_at", "challenger_score"]


@pytest.mark.parametrize(("output", "message"), [("id", "use this name"), ("batch_id", "use batch_id themselves"),
                                                 ("_x", "_x begins with an underscore")])  # fmt: skip
def test_output_that_cannot_be_a_column_is_named(output: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_click(GOOD, "id", "at", "visitor", "click.ddl", ("score", output))


def test_good_click_schema_passes() -> None:
    check_click(GOOD, "id", "at", "visitor", "click.ddl")


def test_all_faults_of_a_click_schema_are_named_at_once() -> None:
    click = fields(
        ("id", T.StringType(), True), ("at", T.StringType(), False), ("Score", T.DoubleType(), True),
        ("_hidden", T.StringType(), True), ("photo", T.BinaryType(), True),
        ("bag", T.MapType(T.IntegerType(), T.StringType()), True), ("two words", T.StringType(), True),
        ("twin", T.StringType(), True), ("Twin", T.StringType(), True),
    )  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        check_click(click, "id", "at", "user", "click.ddl")
    text = str(caught.value)
    assert "Score: the tables use this name themselves" in text
    assert "_hidden: a name must not start with an underscore" in text
    assert "two words: a name must not have any of" in text
    assert "twin: there are 2 fields of this name" in text
    assert "photo: type binary is not supported" in text
    assert "bag: type map<int,string> is not supported" in text
    assert "id: click.id needs a NOT NULL field" in text
    assert "at: click.time needs a TIMESTAMP, found string" in text
    assert "click.visitor is user, but there is no such field; there are id, at, Score" in text


def test_table_with_more_nullable_columns_is_fine() -> None:
    check_table("t", GOOD, fields(*[(f.name, f.dataType, f.nullable) for f in GOOD], ("note", T.StringType(), True)))


def test_all_differences_of_a_table_are_named_at_once() -> None:
    found = fields(
        ("id", T.LongType(), False), ("at", T.TimestampType(), False), ("note", T.StringType(), False)
    )  # fmt: skip
    with pytest.raises(TableError) as caught:
        check_table("out/scored_clicks", GOOD, found)
    text = str(caught.value)
    assert "out/scored_clicks exists with another schema" in text
    assert "id: expected string, the table has bigint" in text
    assert "visitor string: missing in the table" in text
    assert "note: NOT NULL in the table, but unknown here" in text
