import pytest
from pyspark.sql import types as T

from clickscore.errors import TableError
from clickscore.storage.table_shape import check_table


def fields(*fields: tuple[str, T.DataType, bool]) -> T.StructType:
    return T.StructType([T.StructField(*field) for field in fields])


GOOD = fields(("id", T.StringType(), False), ("at", T.TimestampType(), False), ("visitor", T.StringType(), False))


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


def test_nested_field_that_may_be_null_but_not_in_the_table_is_named() -> None:
    def geo(is_optional: bool) -> T.StructType:
        inner = fields(("country", T.StringType(), is_optional), ("at", fields(("lat", T.DoubleType(), False)), True))
        return fields(("geo", inner, True))

    with pytest.raises(TableError, match=r"  - geo\.country: may be null, but the table says NOT NULL\n"):
        check_table("t", geo(is_optional=True), geo(is_optional=False))
    check_table("t", geo(is_optional=False), geo(is_optional=True))
