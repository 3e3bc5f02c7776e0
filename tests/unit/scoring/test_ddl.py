import pyarrow as pa
import pytest

from clickscore.scoring.ddl import PLAIN, DdlError, read_fields

TIME = pa.timestamp("us", tz="UTC")


def read(text: str) -> list[pa.Field]:
    fields, problems = read_fields(text)
    assert problems == []
    return list(fields)


def with_comment(name: str, kind: pa.DataType, comment: str, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable, {b"comment": comment.encode()})


def test_field_has_a_name_a_type_and_may_have_not_null_and_a_comment() -> None:
    first, second = read("id STRING NOT NULL COMMENT 'Unique', price decimal(5, 2)")
    assert first.equals(with_comment("id", pa.string(), "Unique", nullable=False), check_metadata=True)
    assert second.equals(pa.field("price", pa.decimal128(5, 2)), check_metadata=True)


@pytest.mark.parametrize(("name", "kind"), [*PLAIN.items(), ("byte", pa.int8()), ("short", pa.int16()),
                                            ("Integer", pa.int32()), ("LONG", pa.int64()), ("real", pa.float32()),
                                            ("TIMESTAMP_LTZ", TIME), ("DEC", pa.decimal128(10, 0)),
                                            ("NUMERIC(38,38)", pa.decimal128(38, 38))])  # fmt: skip
def test_type_becomes_that_of_arrow(name: str, kind: pa.DataType) -> None:
    assert read(f"x {name}") == [pa.field("x", kind)]


def test_types_are_nested_with_not_null_and_comments_inside() -> None:
    lat = with_comment("lat", pa.float64(), "degrees", nullable=False)
    geo = pa.struct([lat, pa.field("b c", pa.list_(pa.struct([pa.field("t", TIME)])))])
    (field,) = read("geo STRUCT<lat: DOUBLE NOT NULL COMMENT 'degrees', `b c` ARRAY < STRUCT<t:TIMESTAMP>>>")
    assert field.equals(pa.field("geo", geo), check_metadata=True)
    assert field.type.field("lat").metadata == {b"comment": b"degrees"}
    assert read("m MAP<STRING,MAP<STRING,INT>>")[0].type == pa.map_(pa.string(), pa.map_(pa.string(), pa.int32()))


@pytest.mark.parametrize("name", ["`page url`", "`a``b`", "`名.x`", "select", "comment", "1a", "_a"])
def test_names_may_be_words_of_sql_and_anything_in_backticks(name: str) -> None:
    assert read(f"{name} INT")[0].name == name.strip("`").replace("``", "`")


def test_layout_and_comments_of_sql_do_not_count() -> None:
    text = "-- clicks\r\na\tINT, -- 'first'\r\n/* b /* nested */ STRING, */ c\n\tDOUBLE/**/NOT NULL"
    assert read(text) == [pa.field("a", pa.int32()), pa.field("c", pa.float64(), nullable=False)]


@pytest.mark.parametrize(("text", "comment"), [
    ("'it''s'", "it's"), ("\"it''s\"", "it''s"), ('"say ""x"""', 'say "x"'), ("""'say ""x""'""", 'say ""x""'),
    (r"'it\'s \\ \n \u00e9 \U0001F600 \ud83d\ude00 \101 \q'", "it's \\ \n é 😀 😀 A q"), (r"r'\n'", r"\n"),
    ("'100%, -- not a comment'", "100%, -- not a comment"), ("'one ' 'two'", "one two"), ("''", ""),
])  # fmt: skip
def test_text_of_a_comment_is_what_sql_reads(text: str, comment: str) -> None:
    assert read(f"a INT COMMENT {text}")[0].metadata == {b"comment": comment.encode()}


@pytest.mark.parametrize(("text", "message"), [
    ("", "line 1, column 1: expected a name; other names .*, found the end"),
    ("a", "line 1, column 2: expected a type, found the end"),
    ("a INT,\n", "line 2, column 1: expected a name"),
    ("a INT,\nb INT DEFAULT 3", "line 2, column 7: expected NOT NULL, COMMENT, a comma or the end, found DEFAULT"),
    ("a INT COMMENT x", "expected a text in quotes, found x"),
    ("a INT COMMENT 'x", "expected a name, a type or a comma, found '"),
    ("a INT COMMENT 'x' NOT NULL", "expected NOT NULL, COMMENT, a comma or the end, found NOT"),
    ("a INT NOT x", "expected NULL, found x"),
    ("a-b INT", "line 1, column 2: expected a name, a type or a comma, found -"),
    ("é INT", "column 1: .*, found é"),
    ("12 INT", "expected a name; .* need `backticks`, found 12"),
    ("a ARRAY", "expected <, found the end"),
    ("a ARRAY<INT NOT NULL>", "expected >, found NOT"),
    ("a STRUCT<b: INT,>", "expected a name; .*, found >"),
    ("a DECIMAL(x)", "expected a whole number, found x"),
    ("a /* INT", r"line 1, column 3: expected \*/ after it, found /\*"),
    ("a INT; b INT", "found ;"),
])  # fmt: skip
def test_anything_else_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(DdlError, match=message):
        read_fields(text)


def test_types_that_a_click_cannot_have_are_all_named() -> None:
    fields, problems = read_fields(
        "photo BINARY NOT NULL COMMENT 'x', n VARCHAR(3), t TIMESTAMP WITHOUT TIME ZONE, "
        "s STRUCT<i: INTERVAL DAY TO SECOND, l: ARRAY<FOO<a: INT NOT NULL, b>>>, d DECIMAL(39), "
        "e DECIMAL(5, 6), c STRING COLLATE UTF8_LCASE, good INT"
    )
    assert problems == [
        "photo: type binary is not supported in a click",
        "n: type varchar(3) is not supported in a click",
        "t: type timestamp without time zone is not supported in a click",
        "s.i: type interval day to second is not supported in a click",
        "s.l.element: type foo<a: int not null, b> is not supported in a click",
        "d: type decimal(39) is not supported in a click",
        "e: type decimal(5, 6) is not supported in a click",
        "c: type string collate utf8_lcase is not supported in a click",
    ]
    assert fields.names == ["photo", "n", "t", "s", "d", "e", "c", "good"]
    assert not fields.field("photo").nullable
