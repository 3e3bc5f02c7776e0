"""A whole shop from a sample, and what the product makes of the sample by it."""

import json
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.newcomer import sample

from clickscore import testing
from clickscore.errors import ConfigError
from clickscore.shops.shop import check_folder, next_steps, propose, try_sample, write

NOW = datetime(2026, 3, 2, tzinfo=timezone.utc)
CONTRACTS = Path("conf/trackers").resolve()


def binary(records: list[str]) -> pa.BinaryArray:
    return pa.array([record.encode() for record in records], pa.binary())


def test_sample_that_nobody_has_prepared_becomes_a_shop_that_accepts_it(tmp_path: Path) -> None:
    records, folder = binary(sample(200)), tmp_path / "mine"
    proposal = propose(records, "clicks.jsonl", folder, CONTRACTS, NOW)
    required = "hit_id, sent_at, cookie_id, version, what, location, first_title, ab_test, depth, beta, first, tags"
    assert proposal.sentences == (
        "15 fields from 196 records; not a JSON object: 4",
        "click.id      meta.hitId, by the name; its values differ from record to record",
        "click.time    meta.sentAt, as its values are times and its name says so",
        "click.visitor who.anon.cookieId, by the name; 25 visitors in 196 records",
        "lenient, as numbers come as text or in the place of a text: unit_price, ab_test, depth, beta",
        f"NOT NULL, so that a click without it is rejected: {required}",
        "left out, null or empty in each record: ref",
    )
    write(folder, proposal.files)
    trial = try_sample(folder / "run.yaml", records, NOW)
    assert (trial.accepted, list(trial.rejections)) == (196, ["malformed_json"])
    assert trial.first
    assert trial.first.replace(microsecond=0) == datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    [found] = testing.features(folder / "run.yaml", sample(1))
    assert (found["hour_of_day"], found["what_look"], found["tags_count"]) == (12.0, 1.0, 2.0)


def test_known_tracker_begins_with_its_contract_wherever_the_job_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = binary((CONTRACTS / "ga4" / "sample.jsonl").read_text().splitlines())
    monkeypatch.chdir(tmp_path)
    proposal = propose(records, "clicks.jsonl", Path("mine"), CONTRACTS, NOW)
    assert proposal.sentences == (
        "the records are those of ga4, by their fields: the folder begins with its ready-made files",
    )
    write(Path("mine"), proposal.files)
    assert Path("mine/click.ddl").read_text() == (CONTRACTS / "ga4" / "click.ddl").read_text()
    assert try_sample(Path("mine/run.yaml"), records, NOW).accepted == 12


def test_contract_that_rejects_most_of_the_sample_is_not_the_one_to_begin_with(tmp_path: Path) -> None:
    shop = [{"event_time": f"2026-03-01 12:00:{n:02d}", "event_type": "view", "product_id": f"P-{n}",
             "user_id": f"u{n % 3}", "user_session": "s"} for n in range(9)]  # fmt: skip
    records = binary([json.dumps(click) for click in shop])
    proposal = propose(records, "clicks.jsonl", tmp_path / "mine", CONTRACTS, NOW)
    assert proposal.sentences[0].startswith("the records look like those of webshop, but its ready-made files reject")
    write(tmp_path / "mine", proposal.files)
    assert try_sample(tmp_path / "mine" / "run.yaml", records, NOW).accepted == 9


def test_name_of_the_shop_is_that_of_its_folder_as_a_model_can_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, name in (("My Shop", "my_shop"), (".", tmp_path.name), ("é", "é"), ("--", "shop")):
        text = propose(binary(sample(20)), "clicks.jsonl", Path(folder), CONTRACTS, NOW).files["run.yaml"]
        assert yaml.safe_load(text)["model"]["uri"] == f"models:/{name}_propensity@champion"


NAMES = st.sampled_from(["a", "id", "key", "value", "Page URL", "x.y", "at", "score", "_x", "Ü", 'd"q', "$", "2nd", ""])
SINGLE = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.sampled_from(["", "x", "it's", "8.25", "08005", "true", "2026-03-01", "2026-03-01T12:00:00Z", "a\nb", "\\"])
VALUES = st.recursive(
    SINGLE | TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)


@settings(max_examples=60)
@given(others=st.dictionaries(NAMES, VALUES, max_size=5))
def test_guess_takes_the_sample_whatever_else_its_records_hold(others: dict[str, Any]) -> None:
    start = 1_772_366_400_000
    clicks = [{**others, "msg": {"uuid": f"m{n}"}, "sent": {"ts": start + n}, "who": {"visitor": f"v{n % 5}"}}
              for n in range(20)]  # fmt: skip
    records = binary([json.dumps(click) for click in clicks])
    with TemporaryDirectory() as folder:
        write(Path(folder), propose(records, "clicks.jsonl", Path(folder), CONTRACTS, NOW).files)
        trial = try_sample(Path(folder) / "run.yaml", records, NOW)
    assert trial.accepted == 20


def test_times_of_a_format_of_their_own_are_said(tmp_path: Path) -> None:
    records = binary([json.dumps({"datum": f"{day:02d}.03.2026 12:00", "date": f"{day:02d}.03.2026 12:00", "uid": "u"})
                      for day in range(1, 15)])  # fmt: skip
    proposal = propose(records, "clicks.jsonl", tmp_path / "mine", CONTRACTS, NOW)
    assert "times of date are read as %d.%m.%Y %H:%M, without a zone as UTC" in proposal.sentences
    write(tmp_path / "mine", proposal.files)
    assert try_sample(tmp_path / "mine" / "run.yaml", records, NOW).accepted == 14


def test_folder_must_be_new_or_empty_and_no_pattern(tmp_path: Path) -> None:
    check_folder(tmp_path / "new")
    check_folder(tmp_path)
    (tmp_path / "a.txt").touch()
    for folder, problem in ((tmp_path, "found a.txt in it"), (tmp_path / "a.txt", "found a file"),
                            (Path("conf/{a}"), r"has \{ \}, which Spark takes for a pattern")):  # fmt: skip
        with pytest.raises(ConfigError, match=problem):
            check_folder(folder)
    with pytest.raises(ConfigError, match="it cannot be read: File name too long; choose another name"):
        check_folder(tmp_path / ("x" * 300))
    with pytest.raises(ConfigError, match="it cannot be written: Not a directory"):
        write(tmp_path / "a.txt" / "mine", {"run.yaml": ""})


def test_next_step_names_the_files_and_the_command(tmp_path: Path) -> None:
    steps = list(next_steps(Path("conf/shops/mine"), "clicks.jsonl"))
    assert "conf/shops/mine/click.ddl, conf/shops/mine/features.sql, conf/shops/mine/run.yaml" in steps[0]
    assert steps[-1] == "  jobs/try_clicks.py --config conf/shops/mine/run.yaml clicks.jsonl"
