from pathlib import Path

import pytest

from clickscore.errors import ConfigError
from clickscore.export.folder import whole_folder


def test_folder_appears_when_all_of_it_is_there(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    with whole_folder(out) as folder:
        (folder / "a").write_text("a")
        assert not out.exists()
    assert [file.name for file in out.iterdir()] == ["a"]
    assert list(out.parent.iterdir()) == [out]


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    with whole_folder(tmp_path) as folder:
        (folder / "a").write_text("a")
    assert (tmp_path / "a").read_text() == "a"


def test_nothing_is_left_of_one_that_failed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_folder", [True, False])
def test_place_that_is_taken_is_left_alone(tmp_path: Path, is_folder: bool) -> None:
    out = tmp_path / "out"
    file = out / "mine" if is_folder else out
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    with pytest.raises(ConfigError, match="it is there already and not empty"), whole_folder(out):
        raise AssertionError
    assert file.read_text() == "mine"


def test_place_that_is_taken_meanwhile_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="it cannot be written: Directory not empty"), whole_folder(out) as folder:
        (folder / "a").write_text("a")
        out.mkdir()
        (out / "mine").write_text("mine")
    assert [file.name for file in out.iterdir()] == ["mine"]
    assert list(tmp_path.iterdir()) == [out]


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match=r"file/out cannot be used:\n.*Not a directory"),
        whole_folder(tmp_path / "file" / "out"),
    ):
        raise AssertionError
    with pytest.raises(ConfigError, match="File name too long"), whole_folder(tmp_path / ("x" * 300)):
        raise AssertionError
