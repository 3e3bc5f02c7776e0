"""The job new_shop.py: a folder from a sample, or one message and nothing."""

import gzip
import io
from pathlib import Path

import pytest
import yaml
from tests.support.jobs import job_module
from tests.support.newcomer import sample

from clickscore.config.run import load

main = job_module("new_shop").main
RECORDS = "\n".join(sample(50)) + "\n"


def test_sample_becomes_a_folder_that_try_clicks_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clicks, folder = tmp_path / "clicks.jsonl.gz", tmp_path / "shops" / "mine"
    clicks.write_bytes(gzip.compress(RECORDS.encode()))
    assert main([str(clicks), "--out", str(folder)]) == 0
    seen = capsys.readouterr().out
    assert "click.visitor who.anon.cookieId, by the name" in seen
    assert "50 records: 49 would be scored (98.0%), 1 rejected" in seen
    assert f"  jobs/try_clicks.py --config {folder}/run.yaml {clicks}" in seen
    assert sorted(file.name for file in folder.iterdir()) == ["click.ddl", "features.sql", "run.yaml"]
    assert job_module("try_clicks").main(["--config", str(folder / "run.yaml"), str(clicks)]) == 0


def test_standard_input_is_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(RECORDS.encode())))
    assert main(["-", "--out", str(tmp_path / "mine")]) == 0
    assert load(tmp_path / "mine" / "run.yaml").click.id == "hit_id"


def test_fewer_records_are_read_where_that_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clicks = tmp_path / "clicks.jsonl"
    clicks.write_text(RECORDS)
    assert main([str(clicks), "--out", str(tmp_path / "mine"), "--most", "10"]) == 0
    assert "10 records: 10 would be scored" in capsys.readouterr().out


@pytest.mark.parametrize(("content", "message"), [
    (None, "cannot be read"),
    ("", "is empty"),
    ("id;time\n1;2\n", "no line of the sample"),
    (f"[{','.join(sample(20))}]", "is one JSON array"),
    (sample(1)[0], "has 1 JSON object"),
    ('{"a": 1}\n' * 9, "looks like a time"),
])  # fmt: skip
def test_sample_that_cannot_be_used_is_one_message_and_no_folder(
    content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clicks = tmp_path / "clicks.jsonl"
    if content is not None:
        clicks.write_text(content)
    assert main([str(clicks), "--out", str(tmp_path / "mine")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "mine").exists()


def test_folder_with_files_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "click.ddl").write_text("id STRING")
    assert main(["-", "--out", str(tmp_path)]) == 2
    assert "found click.ddl in it; choose another name" in capsys.readouterr().err
    assert (tmp_path / "click.ddl").read_text() == "id STRING"


def test_sample_of_which_nothing_would_be_scored_is_written_and_said_by_the_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A key that each record has twice: the guess sees the last one of them, and the contract takes none.
    clicks = tmp_path / "clicks.jsonl"
    clicks.write_text('{"id": "a", "id": "b", "at": "2026-03-01T12:00:00Z", "user": "u"}\n' * 9)
    assert main([str(clicks), "--out", str(tmp_path / "mine")]) == 1
    assert "9 records: 0 would be scored (0.0%), 9 rejected" in capsys.readouterr().out
    assert yaml.safe_load((tmp_path / "mine" / "run.yaml").read_text())["click"]["visitor"] == "user"
