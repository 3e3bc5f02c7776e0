"""The ids of a request: read from a file, hashed as the tables and the ledger have them, and in no text."""

from dataclasses import replace
from pathlib import Path

import pytest

from clickscore.erasure import visitors
from clickscore.erasure.visitors import read_ids, visitors_of
from clickscore.errors import ConfigError
from clickscore.scoring import Contract
from clickscore.scoring.privacy import Protection
from clickscore.scoring.privacy_rules import Rule, hashed

KEY, OTHER = b"k" * 32, b"o" * 32


def test_ids_are_read_once_each_without_blank_lines_and_spaces(tmp_path: Path) -> None:
    (tmp_path / "ids").write_bytes("\ufeffv1\r\n\n  v2 \nv1\n \nv3".encode())
    assert read_ids(tmp_path / "ids") == {"v1": "line 1", "v2": "line 3", "v3": "line 6"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "expected ids of visitors, one a line, found none"),
        (b" \n\n", "expected ids of visitors, one a line, found none"),
        (b"\xff\xfe", "expected a list of ids in UTF-8"),
        (b"1\n2\n3\n", "expected 2 ids at most, found 3; split the file"),
        (b"1" * 101, "expected a list of ids, one a line, of 100 bytes at most, found 101 bytes"),
    ],
)
def test_file_that_is_no_list_of_ids_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, told: str
) -> None:
    monkeypatch.setattr(visitors, "MOST_VISITORS", 2)
    monkeypatch.setattr(visitors, "MOST_BYTES", 100)
    (tmp_path / "ids").write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        read_ids(tmp_path / "ids")


def test_missing_file_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.*\n.*cannot be read: No such file"):
        read_ids(tmp_path / "nowhere")


def test_tables_have_the_ids_themselves_or_their_hashes(contract: Contract) -> None:
    given = {"v1": "line 1", "v2": "line 3"}
    assert visitors_of(given, contract).stored == ("v1", "v2")
    private = replace(contract, protection=Protection({"visitor": Rule("hash")}, key=KEY))
    found = visitors_of(given, private)
    assert found.stored == (hashed("v1", KEY), hashed("v2", KEY))
    assert found.spellings == {"v1": 0, "v2": 1, hashed("v1", KEY): 0, hashed("v2", KEY): 1}
    assert found.hashes(OTHER) == [hashed("v1", OTHER), hashed("v2", OTHER)]


def test_no_id_is_in_what_is_printed_of_the_visitors(contract: Contract) -> None:
    assert "v-secret" not in repr(visitors_of({"v-secret": "line 1"}, contract))
