from pathlib import Path

import pyarrow as pa
import pytest

from clickscore.scoring.categories import CategoryError, as_numbers, read_categories


def booster_file(folder: Path, positions: str, lists: str) -> Path:
    file = folder / "model.lgb"
    file.write_text(f"tree\n\nparameters:\n[categorical_feature: {positions}]\nend\n\npandas_categorical:{lists}\n")
    return file


def test_lists_belong_to_the_positions_that_the_file_names(tmp_path: Path) -> None:
    found = read_categories(booster_file(tmp_path, "1,3", '[["a", "ü"], [1, 2]]'))
    assert {position: categories.to_pylist() for position, categories in found.items()} == {1: ["a", "ü"], 3: [1, 2]}


@pytest.mark.parametrize("lists", ["null", "[]"])
def test_booster_on_numbers_has_none(tmp_path: Path, lists: str) -> None:
    assert read_categories(booster_file(tmp_path, "1", lists)) == {}


def test_lists_of_unknown_features_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CategoryError, match="on 2 categorical columns of pandas, but its file names 1 of them"):
        read_categories(booster_file(tmp_path, "1", '[["a"], ["b"]]'))


def test_value_becomes_the_number_of_its_category_and_any_other_null() -> None:
    columns = [pa.array(["b", "c", None, "a"]), pa.array([1.0, 2.0, 3.0, None]), pa.array(["2", "x", "", "10"])]
    found = as_numbers(columns, {0: pa.array(["a", "b"]), 2: pa.array([2, 10])})
    assert [column.to_pylist() for column in found] == [[1, None, None, 0], [1, 2, 3, None], [0, None, None, 1]]
    assert found[0].type == pa.float64()
