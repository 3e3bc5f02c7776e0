"""A features file to begin with, which the product itself takes."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from clickscore.scoring import read_features
from clickscore.scoring.contract import parse_ddl
from clickscore.shops.contract_files import ddl_text
from clickscore.shops.feature_file import features_text
from clickscore.shops.fields import Field, Fields
from clickscore.shops.kinds import Kind

RECORDS = 20


def field(name: str, kind: str, *values: Any) -> Field:
    return Field(name, Kind(kind), (name,), False, False, values)


def features(tmp_path: Path, *fields: Field) -> dict[str, str]:
    """Return the expressions by name, after the product has read the file."""
    every = Fields(
        (field("id", "STRING"), field("at", "TIMESTAMP"), field("who", "BIGINT"), *fields), "id", "at", "who", ()
    )
    file = tmp_path / "features.sql"
    file.write_text(features_text(every, RECORDS))
    click = parse_ddl(ddl_text(every.all, RECORDS), "here")
    names = read_features(file, click).schema.names
    lines = [line.strip().rstrip(",") for line in file.read_text().splitlines() if " AS " in line and line[0] == " "]
    found = {line.rpartition(" AS ")[2]: line.rpartition(" AS ")[0].strip() for line in lines}
    assert list(found) == names
    assert all(kind == pa.float64() for kind in read_features(file, click).schema.types)
    return {name: expression for name, expression in found.items() if name not in ("hour_of_day", "day_of_week")}


def test_time_has_an_hour_and_a_day_and_roles_have_nothing_else(tmp_path: Path) -> None:
    assert features(tmp_path) == {}


def test_numbers_and_booleans_are_features_and_numbers_that_are_ids_are_none(tmp_path: Path) -> None:
    assert features(tmp_path, field("unit Price", "DOUBLE", 1.5), field("new", "BOOLEAN", True),
                    field("product_id", "BIGINT", 7), field("tags", "ARRAY<STRING>", ["a"])) == {
        "unit_price": 'CAST("unit Price" AS DOUBLE)', "new": 'CAST("new" AS DOUBLE)',
        "tags_count": 'CAST(len("tags") AS DOUBLE)',
    }  # fmt: skip


def test_text_that_is_a_kind_of_something_has_a_feature_for_each_of_its_commonest_values(tmp_path: Path) -> None:
    values = ["View", "View", "Buy it's", "View", "Buy it's"] * 4
    assert features(tmp_path, field("what", "STRING", *values)) == {
        "what_view": "CAST(\"what\" = 'View' AS DOUBLE)", "what_buy_it_s": "CAST(\"what\" = 'Buy it''s' AS DOUBLE)",
    }  # fmt: skip


def test_text_of_many_values_or_of_ids_only_says_whether_it_is_there(tmp_path: Path) -> None:
    urls = map(str, range(19))
    assert features(tmp_path, field("url", "STRING", *urls), field("visit", "STRING", *["7f3c0a1e"] * 10),
                    field("full", "STRING", *["26dd6e6e", "72d76fde"] * 10)) == {
        "has_url": 'CAST("url" IS NOT NULL AS DOUBLE)', "has_visit": 'CAST("visit" IS NOT NULL AS DOUBLE)',
    }  # fmt: skip


def test_two_values_of_one_name_are_one_feature_and_names_are_ascii(tmp_path: Path) -> None:
    assert list(features(tmp_path, field("typ", "STRING", *["a b", "a-b"] * 10))) == ["typ_a_b"]
    assert list(features(tmp_path, field("größe", "DOUBLE", 1.0))) == ["gre"]
    others = field("цена", "DOUBLE", 1.0), field("2nd", "DOUBLE", 1.0), field("order", "DOUBLE", 1.0)
    assert list(features(tmp_path, *others)) == ["feature_", "feature_2nd", "order"]
