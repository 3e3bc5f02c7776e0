"""All that is held about a visitor, as one file."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from clickscore.errors import ConfigError


def test_file_has_all_rows_of_the_visitors_and_nobody_elses(site: Any, tmp_path: Path) -> None:
    file, whole = tmp_path / "held.json", site.left()
    said = site.export(file, site.GONE, "nobody")
    assert "held.json: what is held about 2 visitors; it is personal data, keep it safe" in said
    assert site.GONE not in said
    held = json.loads(file.read_text())["visitors"]
    assert [each["visitor"] for each in held] == [site.GONE, "nobody"]
    tables = held[0]["tables"]
    assert sorted(row["id"] for row in tables["scored_clicks"]) == ["c1", "c2"]
    assert {row["visitor"] for row in tables["scored_clicks"]} == {site.GONE}
    assert tables["scored_clicks"][0]["at"] == "2026-03-01T12:00:00.000000Z"
    assert len(tables["rejected_clicks"]) == 2
    assert held[1]["tables"] == {}
    assert site.STAYS not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert site.left() == whole
    assert not (site.home / "erasures").exists()


def test_nothing_is_overwritten_and_a_place_that_is_none_is_told(site: Any, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(ConfigError, match="there exists; name a file that does not"):
        site.export(tmp_path / "there", site.GONE)
    with pytest.raises(ConfigError, match=r"held\.json cannot be written: No such file or directory"):
        site.export(tmp_path / "nowhere" / "held.json", site.GONE)
    assert (tmp_path / "there").read_text() == "mine"
