import codecs
from pathlib import Path

import pytest

from clickscore.config.run import load
from clickscore.config.text_file import read_text
from clickscore.errors import ConfigError
from clickscore.scoring.contract import read_contract
from clickscore.scoring.features import read_features

TEXT = "id STRING NOT NULL, -- Zürich\n at TIMESTAMP NOT NULL"


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_text_is_read_as_editors_save_it(tmp_path: Path, mark: bytes, line_end: str) -> None:
    file = tmp_path / "click.ddl"
    file.write_bytes(mark + TEXT.replace("\n", line_end).encode())
    assert read_text(file) == TEXT.replace("\n", line_end)


@pytest.mark.parametrize(("encoding", "found"), [
    ("latin-1", "0xfc at position 24"), ("cp1252", "0xfc at position 24"),
    ("utf-16", "0xff at position 0, as in UTF-16"), ("utf-16-be", "0x00 at position 0, as in UTF-16"),
    ("utf-16-le", "0x00 at position 1, as in UTF-16"), ("utf-32", "0xff at position 0, as in UTF-16"),
])  # fmt: skip
def test_another_encoding_is_refused_with_file_and_byte(tmp_path: Path, encoding: str, found: str) -> None:
    file = tmp_path / "click.ddl"
    text = TEXT if encoding in ("latin-1", "cp1252", "utf-16") else TEXT.replace("ü", "u")
    file.write_bytes(text.encode(encoding))
    with pytest.raises(ConfigError) as caught:
        read_text(file)
    assert str(caught.value) == (
        f"{file} cannot be used:\n  - expected UTF-8, found the byte {found}; save the file as UTF-8"
    )


def test_place_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it cannot be read: Is a directory"):
        read_text(tmp_path)


def test_all_three_files_may_come_from_windows(tmp_path: Path) -> None:
    for name in ("local.yaml", "click.ddl", "features.sql"):
        text = Path("conf", name).read_text(encoding="utf-8").replace("conf/", f"{tmp_path.as_posix()}/")
        (tmp_path / name).write_bytes(codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode())
    config = load(tmp_path / "local.yaml")
    contract = read_contract(config.click.ddl, config.click.id, config.click.time, config.click.visitor)
    assert (
        read_features(config.features, contract.click).schema
        == read_features(Path("conf/features.sql"), contract.click).schema
    )


def test_configuration_in_another_encoding_is_refused_with_the_byte(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_bytes("checkpoint: Zürich".encode("latin-1"))
    with pytest.raises(ConfigError, match="expected UTF-8, found the byte 0xfc at position 13; save the file as UTF-8"):
        load(file)
