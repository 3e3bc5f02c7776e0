import pickle
from pathlib import Path

import pytest

from clickscore.config.click import Click
from clickscore.errors import ConfigError
from clickscore.scoring.contract import Contract, as_stored, contract_of, parse_ddl, read_contract, type_name
from clickscore.scoring.reading import PLAIN, Reading, reading_of

GOOD = "id STRING NOT NULL, at TIMESTAMP NOT NULL, visitor STRING NOT NULL"


def read(folder: Path, text: str | bytes, reserved: tuple[str, ...] = ()) -> Contract:
    file = folder / "click.ddl"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_contract(file, "id", "at", "visitor", reserved)


def problems(folder: Path, text: str | bytes, reserved: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, reserved)
    assert str(caught.value).startswith(f"{folder / 'click.ddl'} cannot be used:")
    return caught.value.problems


def test_contract_holds_the_fields_and_the_names_of_those_with_a_role(tmp_path: Path) -> None:
    contract = read(tmp_path, f"{GOOD}, price DOUBLE COMMENT 'What it costs'")
    assert (contract.id, contract.time, contract.visitor) == ("id", "at", "visitor")
    assert [field.nullable for field in contract.click] == [False, False, False, True]
    assert contract.click.field("price").metadata == {b"comment": b"What it costs"}


def test_contract_can_be_pickled_without_losing_anything(tmp_path: Path) -> None:
    contract = read(tmp_path, f"{GOOD}, geo STRUCT<lat: DOUBLE NOT NULL COMMENT 'degrees'>")
    other = pickle.loads(pickle.dumps(contract))
    assert other == contract
    assert other.click.equals(contract.click, check_metadata=True)
    assert other.click.field("geo").type.field("lat").metadata == {b"comment": b"degrees"}


def test_contract_of_the_demo_is_good() -> None:
    contract = read_contract(Path("conf/click.ddl"), "event_id", "event_time", "visitor_id", ["score", "model_name"])
    assert len(contract.click) == 21
    assert all(field.metadata for field in contract.click)


@pytest.mark.parametrize("text", [GOOD, GOOD.replace(",", ",\r\n"), f"-- ÄÖ\r\n{GOOD}\r\n"])
def test_file_may_have_a_byte_order_mark_and_the_line_ends_of_windows(tmp_path: Path, text: str) -> None:
    for content in (text.encode(), text.encode("utf-8-sig")):
        assert read(tmp_path, content).click.names == ["id", "at", "visitor"]


@pytest.mark.parametrize(("content", "place"), [
    (f"{GOOD}, é INT".encode("latin-1"), "0xe9 at position 68"), (GOOD.encode("utf-16"), "0xff at position 0"),
])  # fmt: skip
def test_file_in_another_encoding_is_refused_with_the_place(tmp_path: Path, content: bytes, place: str) -> None:
    (problem,) = problems(tmp_path, content)
    assert problem.startswith(f"expected UTF-8, found the byte {place}")


def test_text_that_is_no_ddl_is_refused_with_line_and_column(tmp_path: Path) -> None:
    assert problems(tmp_path, "id STRING NOT NULL,\n at") == [
        "expected fields in Spark DDL: line 2, column 4: expected a type, found the end"
    ]


def test_all_that_is_wrong_with_a_contract_is_named_at_once(tmp_path: Path) -> None:
    text = """
        id STRING, at STRING NOT NULL, Score DOUBLE, reason STRING, _hidden STRING, photo BINARY, bag MAP<INT,STRING>,
        `two words` STRING, twin STRING, Twin STRING, `` INT, geo STRUCT<`a,b`: INT, x: INT, X: INT>, none STRUCT<>,
        list ARRAY<STRUCT<a: INT NOT NULL, b: MAP<STRING, STRUCT<c: STRUCT<d: INT NOT NULL>>>>>,
        v STRUCT<a: VARCHAR(3)>, q STRUCT<`"a"`: INT>, `back\\slash` INT
    """
    names = ["id", "at", "Score", "reason", "_hidden", "photo", "bag", "two words", "twin", "Twin", "", "geo", "none",
             "list", "v", "q", "back\\slash"]  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        (tmp_path / "click.ddl").write_text(text)
        read_contract(tmp_path / "click.ddl", "id", "at", "user", ["score"])
    assert caught.value.problems == [
        "photo: type binary is not supported in a click",
        "v.a: type varchar(3) is not supported in a click",
        "Score: the tables use this name themselves",
        "reason: the tables use this name themselves",
        "_hidden: a name must not start with an underscore",
        "twin: there are 2 fields of this name",
        "bag: type map<int,string> is not supported in a click",
        r"two words: a name must not have any of ' ,;{}()\n\t='",
        ": a name must not be empty",
        "geo.x: there are 2 fields of this name",
        r"geo.a,b: a name must not have any of ' ,;{}()\n\t='",
        "none: a STRUCT needs fields",
        "list.element.a: NOT NULL is not supported inside ARRAY or MAP",
        "list.element.b.value.c.d: NOT NULL is not supported inside ARRAY or MAP",
        'q."a": a name must not have quotation marks, backslashes or control characters',
        "back\\slash: a name must not have quotation marks, backslashes or control characters",
        "id: click.id needs a NOT NULL field",
        "at: click.time needs a TIMESTAMP, found string",
        f"click.visitor is user, but there is no such field; there are {', '.join(names)}",
    ]


@pytest.mark.parametrize("name", ["reason", "Detail", "challenger_detail", "batch_id"])
def test_names_of_the_outcome_and_of_the_tables_are_taken(tmp_path: Path, name: str) -> None:
    assert problems(tmp_path, f"{GOOD}, {name} STRING", ("batch_id",)) == [
        f"{name}: the tables use this name themselves"
    ]


@pytest.mark.parametrize("kind", ["ARRAY<STRING>", "MAP<STRING,INT>", "STRUCT<a:INT>"])
@pytest.mark.parametrize("role", ["id", "visitor"])
def test_id_and_visitor_need_a_single_value(tmp_path: Path, role: str, kind: str) -> None:
    (problem,) = problems(tmp_path, GOOD.replace(f"{role} STRING", f"{role} {kind}"))
    assert problem == f"{role}: click.{role} needs a single value, found {kind.lower()}"


@pytest.mark.parametrize("role", ["id", "visitor"])
def test_id_and_visitor_cannot_be_a_boolean(tmp_path: Path, role: str) -> None:
    (problem,) = problems(tmp_path, GOOD.replace(f"{role} STRING", f"{role} BOOLEAN"))
    assert problem == f"{role}: click.{role} must tell more than two values apart, which a boolean cannot; use a STRING"


def test_required_field_of_a_struct_that_may_be_null_may_be_null_in_a_table() -> None:
    text = (
        "a STRUCT<x: INT NOT NULL COMMENT 'x', in: STRUCT<y: INT NOT NULL> NOT NULL> COMMENT 'a', "
        "b STRUCT<x: INT NOT NULL, in: STRUCT<y: INT NOT NULL>> NOT NULL, c INT NOT NULL"
    )
    assert as_stored(parse_ddl(text, "here")).equals(
        parse_ddl(
            "a STRUCT<x: INT COMMENT 'x', in: STRUCT<y: INT>> COMMENT 'a', "
            "b STRUCT<x: INT NOT NULL, in: STRUCT<y: INT>> NOT NULL, c INT NOT NULL",
            "here",
        ),
        check_metadata=True,
    )


def test_time_of_another_type_is_named_once(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD.replace("TIMESTAMP", "TIMESTAMP_NTZ")) == [
        "at: type timestamp_ntz is not supported in a click"
    ]


def test_fields_alone_are_refused_with_where_they_come_from() -> None:
    assert parse_ddl("a INT", "here").names == ["a"]
    with pytest.raises(ConfigError, match="here cannot be used:\n  - expected fields in Spark DDL: line 1, column 2"):
        parse_ddl("a", "here")
    with pytest.raises(ConfigError, match="here cannot be used:\n  - a: type binary"):
        parse_ddl("a BINARY", "here")


def test_types_are_called_what_spark_calls_them() -> None:
    text = "struct<a:tinyint,b:array<decimal(5,2)>,c:map<string,timestamp>,d:bigint,e:boolean,f:float,g:date>"
    assert type_name(parse_ddl(f"x {text}", "here").field("x").type) == text


def test_contract_of_a_configuration_has_what_it_says_of_its_fields(tmp_path: Path) -> None:
    file = tmp_path / "click.ddl"
    file.write_text("id STRING NOT NULL, at TIMESTAMP NOT NULL, visitor STRING NOT NULL, price DOUBLE")
    roles = {"schema": file, "id": "id", "time": "at", "visitor": "visitor"}
    keys = {"from": {"at": {"zone": "Europe/Zurich"}}, "lenient": ["price", "id"]}
    contract = contract_of(Click.model_validate({**roles, **keys}))
    assert [reading_of(field) for field in contract.click] == [
        Reading(is_lenient=True), Reading(zone="Europe/Zurich"), PLAIN, Reading(is_lenient=True),
    ]  # fmt: skip
    for origin in ({"id": {"constant": "c"}}, {"price": {"constant": "much"}}):
        with pytest.raises(ConfigError, match=r"click.from.(id|price).*constant"):
            contract_of(Click.model_validate({**roles, "from": origin}))
    wrong = {"from": {"price": {"zone": "UTC"}, "when": "sent.at"}, "lenient": ["at"]}
    with pytest.raises(ConfigError) as caught:
        contract_of(Click.model_validate({**roles, **wrong}))
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "click.from.price", "click.from", "click.lenient",
    ]  # fmt: skip
