import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from clickscore.export.odd_records import CLICKS, odd_records
from clickscore.scoring import Contract, Features, read_contract, read_features
from clickscore.scoring.parsing import parser
from clickscore.scoring.reading import PLAIN, Reading, with_reading

NESTED = """
id STRING NOT NULL, at TIMESTAMP NOT NULL, tiny TINYINT, small SMALLINT, price DECIMAL(4,2), whole DECIMAL(3,0),
rate FLOAT, day DATE, flag BOOLEAN, tags ARRAY<STRING>, counts MAP<STRING, INT>,
page STRUCT<url: STRING NOT NULL, at: TIMESTAMP>
"""


@pytest.fixture
def nested(tmp_path: Path) -> Contract:
    (tmp_path / "click.ddl").write_text(NESTED)
    return read_contract(tmp_path / "click.ddl", "id", "at", "id")


def read_select(folder: Path, contract: Contract, select: str) -> Features:
    (folder / "features.sql").write_text(select)
    return read_features(folder / "features.sql", contract.click)


def test_clicks_are_valid_and_the_rest_is_not(contract: Contract, features: Features) -> None:
    records = odd_records(contract, features)
    _, rejections = parser(contract.click).parse(pa.array(records, pa.string()).cast(pa.binary()))
    assert sorted(rejections) == list(range(CLICKS + 1, len(records)))
    assert {rejection.reason for rejection in rejections.values()} == {
        "empty_record", "malformed_json", "not_an_object", "wrong_type", "missing_field", "invalid_time",
        "duplicate_key",
    }  # fmt: skip


def test_click_whose_id_is_made_of_other_fields_is_valid(tmp_path: Path) -> None:
    (tmp_path / "click.ddl").write_text("at TIMESTAMP NOT NULL, n INT NOT NULL, id STRING NOT NULL")
    made = {"id": Reading(("n", "at"), is_lenient=True, is_joined=True)}
    contract = read_contract(tmp_path / "click.ddl", "id", "at", "n", readings=made)
    records = odd_records(contract, read_select(tmp_path, contract, "SELECT n AS n FROM click"))
    _, rejections = parser(contract.click).parse(pa.array(records[: CLICKS + 1], pa.binary()))
    assert not rejections


def test_clicks_of_any_types_are_valid(nested: Contract, tmp_path: Path) -> None:
    records = odd_records(nested, read_select(tmp_path, nested, "SELECT tiny AS tiny FROM click"))
    clicks, rejections = parser(nested.click).parse(pa.array(records, pa.string()).cast(pa.binary()))
    assert not [row for row in rejections if row <= CLICKS]
    for name in nested.click.names:
        column = clicks.field(name).slice(0, CLICKS)
        assert len({str(value) for value in column.to_pylist()}) > 1, name
        assert (column.null_count > 0) == nested.click.field(name).nullable


def test_clicks_stand_where_the_contract_reads_them(contract: Contract, features: Features) -> None:
    readings = {"visitor": Reading(("userId", "anonymousId")), "price": Reading(("items[0].price",)),
                "id": Reading(("meta.id",)), "at": Reading(("meta.at",))}  # fmt: skip
    click = pa.schema([with_reading(field, readings.get(field.name, PLAIN)) for field in contract.click])
    records = odd_records(replace(contract, click=click), features)
    assert set(json.loads(records[0])) == {"meta", "userId", "items", "quantity"}
    _, rejections = parser(click).parse(pa.array(records, pa.string()).cast(pa.binary()))
    assert sorted(rejections) == list(range(CLICKS + 1, len(records)))
    assert rejections[len(records) - 1].reason in ("duplicate_key", "wrong_type")


def test_texts_that_the_features_compare_with_are_in_the_clicks(contract: Contract, tmp_path: Path) -> None:
    select = "SELECT CAST(visitor IN ('big', 'it''s') AS DOUBLE) AS known FROM click"
    visitors = {
        json.loads(record)["visitor"]
        for record in odd_records(contract, read_select(tmp_path, contract, select))[: CLICKS + 1]
    }
    assert {"big", "it's", "", "Grüße, 世界"} <= visitors


def test_records_are_the_same_each_time(contract: Contract, features: Features) -> None:
    assert odd_records(contract, features) == odd_records(contract, features)


def test_records_are_written_with_and_without_escapes(contract: Contract, features: Features) -> None:
    text = "\n".join(odd_records(contract, features))
    assert "Grüße" in text
    assert "Gr\\u00fc\\u00dfe" in text
