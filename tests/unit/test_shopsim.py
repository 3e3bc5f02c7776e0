import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from shopsim import behaviour, catalog, feed, visits
from shopsim.landing import write_history, write_live
from shopsim.records import Faults, JsonLines, with_faults

START_MS = 1_772_323_200_000  # 2026-03-01
DAY_MS = 86_400_000


def history(folder: Path, clicks: int = 5_000, seed: int = 1, faults: Faults | None = None) -> list[bytes]:
    list(write_history(folder, clicks, 1_000, START_MS, 2.0, seed, faults or Faults()))
    return [line for file in sorted(folder.iterdir()) for line in file.read_bytes().splitlines()]


def test_same_seed_gives_the_same_clicks(tmp_path: Path) -> None:
    assert history(tmp_path / "a") == history(tmp_path / "b")
    assert history(tmp_path / "a") != history(tmp_path / "c", seed=2)


def test_clicks_are_json_of_realistic_size_in_time_order(tmp_path: Path) -> None:
    lines = history(tmp_path)
    clicks = [json.loads(line) for line in lines]
    assert len(clicks) == 5_000
    assert 400 <= np.mean([len(line) for line in lines]) <= 500
    assert [c["event_time"] for c in clicks] == sorted(c["event_time"] for c in clicks)
    assert len({c["event_id"] for c in clicks}) == 5_000
    assert clicks[0]["event_time"].startswith("2026-03-01T00")


def test_evening_is_busier_than_the_night() -> None:
    flow = visits.flow(1, START_MS, 50_000 / 86_400)
    hours = Counter((next(flow).time_ms // visits.MS_PER_HOUR % 24).tolist())
    assert hours[19] + hours[20] > 5 * (hours[3] + hours[4])


def test_a_few_visits_end_in_a_purchase_and_it_is_their_last_click() -> None:
    rng = np.random.default_rng(1)
    wish = rng.random(20_000)
    none = np.zeros(20_000, dtype=np.int64)
    path = behaviour.walk(rng, behaviour.Session(none, none, none.astype(bool), wish))
    bought = path.event == behaviour.PURCHASE
    buyers, others = wish[path.session[bought]], np.delete(wish, path.session[bought])
    assert 0.02 < bought.sum() / 20_000 < 0.4
    assert buyers.mean() > others.mean() + 0.1
    last = dict(zip(path.session, path.event, strict=True))
    assert all(last[session] == behaviour.PURCHASE for session in path.session[bought])


def test_nobody_checks_out_with_an_empty_cart() -> None:
    rng = np.random.default_rng(2)
    none = np.zeros(2_000, dtype=np.int64)
    path = behaviour.walk(rng, behaviour.Session(none, none, none.astype(bool), np.ones(2_000)))
    cart = Counter[int]()
    for session, event in zip(path.session.tolist(), path.event.tolist(), strict=True):
        assert event not in behaviour.NEEDS_CART or cart[session] + (event == behaviour.REMOVE) > 0
        cart[session] += (event == behaviour.ADD) - (event == behaviour.REMOVE)


def test_faults_come_in_the_shares_asked_for() -> None:
    lines = pa.array([f'{{"event_id":"{n}","event_time":"2026-03-01T00:00:00Z"}}' for n in range(50_000)])
    faulty = with_faults(lines, Faults(0.01, 0.02, 0.03), np.random.default_rng(1)).to_pylist()
    assert 50_900 <= len(faulty) <= 51_100
    assert len(set(lines.cast(pa.binary()).to_pylist()) - set(faulty)) == pytest.approx(500, rel=0.25)


def test_late_records_come_behind_newer_ones() -> None:
    flow = visits.flow(1, START_MS, 1.0)
    lines = JsonLines(1).render(next(flow))
    times = [
        json.loads(line)["event_time"]
        for line in with_faults(lines, Faults(late=0.01), np.random.default_rng(1)).to_pylist()
    ]
    newest, late = "", 0
    for time in times:
        late += time < newest
        newest = max(newest, time)
    assert late == pytest.approx(len(times) * 0.01, rel=0.25)


def test_nothing_but_whole_files_is_ever_visible(tmp_path: Path) -> None:
    for _ in write_history(tmp_path, 3_000, 1_000, START_MS, 1.0, 1, Faults(), gzipped=True):
        names = [file.name for file in tmp_path.iterdir()]
        assert all(name.endswith(".jsonl.gz") for name in names), names
    contents = [gzip.decompress(file.read_bytes()) for file in tmp_path.iterdir()]
    assert sorted(content.count(b"\n") for content in contents) == [1_000, 1_000, 1_000]


def test_interrupted_history_is_completed(tmp_path: Path) -> None:
    files = write_history(tmp_path, 5_000, 1_000, START_MS, 2.0, 1, Faults())
    assert [next(files), next(files)] == [1_000, 1_000]
    files.close()
    assert sum(write_history(tmp_path, 5_000, 1_000, START_MS, 2.0, 1, Faults())) == 3_000
    completed = [line for file in sorted(tmp_path.iterdir()) for line in file.read_bytes().splitlines()]
    assert completed == history(tmp_path.with_name("whole"))


def test_live_clicks_come_at_the_rate_and_carry_the_time_of_writing(tmp_path: Path) -> None:
    assert list(write_live(tmp_path, 2_500, 1_000.0, 1, Faults())) == [1_000, 1_000, 500]
    first, *_, last = [json.loads(line) for f in sorted(tmp_path.iterdir()) for line in f.read_bytes().splitlines()]
    seconds = np.datetime64(last["event_time"][:-1]) - np.datetime64(first["event_time"][:-1])
    assert seconds / np.timedelta64(1, "ms") == pytest.approx(2_499, abs=2)


def test_poisonous_records_are_clicks_with_one_number_that_is_too_large_for_some() -> None:
    lines = [line for part in feed.past(5_000, 5_000, 0, 1.0, 3, Faults(poison=0.01)) for line in part.to_pylist()]
    clean = [line for part in feed.past(5_000, 5_000, 0, 1.0, 3, Faults()) for line in part.to_pylist()]
    poisoned = [number for number, (one, other) in enumerate(zip(lines, clean, strict=True)) if one != other]
    assert 20 < len(poisoned) < 100
    for number in poisoned:
        assert json.loads(lines[number]) == {**json.loads(clean[number]), "scroll_depth": 9e299}


def test_campaign_brings_visitors_that_the_shop_did_not_have() -> None:
    def shares(shift: float) -> tuple[float, ...]:
        clicks = next(visits.flow(1, START_MS, 1.0, shift=shift))
        by_social, on_mobile = clicks.channel == catalog.CAMPAIGN_CHANNEL, clicks.device == catalog.CAMPAIGN_DEVICE
        return tuple(float(np.mean(part)) for part in (by_social, on_mobile, clicks.returning))

    assert shares(0.0) == pytest.approx((0.11, 0.54, 0.4), abs=0.05)
    assert shares(0.5) == pytest.approx((0.5, 0.75, 0.2), abs=0.08)
