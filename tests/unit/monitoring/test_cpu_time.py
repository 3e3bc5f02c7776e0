import os
import time
from pathlib import Path

import pytest

from clickscore.monitoring import cpu_time
from clickscore.monitoring.cpu_time import CpuMeter, tree_seconds

ME = os.getpid()


def process(folder: Path, number: int, name: str, parent: int, *ticks: int) -> None:
    used = " ".join(map(str, (*ticks, *[0] * (4 - len(ticks)))))
    place = folder / str(number)
    place.mkdir()
    (place / "stat").write_text(f"{number} ({name}) S {parent} 1 1 0 -1 0 0 0 0 0 {used} 20 0 1")


def test_tree_is_the_process_and_all_below_it_with_those_that_have_ended(tmp_path: Path) -> None:
    second = os.sysconf("SC_CLK_TCK")
    process(tmp_path, 1, "bash", 0, 50 * second)
    process(tmp_path, ME, "python) (x", 1, second, second)
    process(tmp_path, ME + 1, "java", ME, 3 * second, second, 2 * second, second)
    process(tmp_path, ME + 2, "python", ME + 1, 4 * second)
    process(tmp_path, ME + 3, "other", 1, 70 * second)
    (tmp_path / str(ME + 4)).mkdir()  # it has just ended
    assert tree_seconds(tmp_path) == 13


def test_jvm_that_has_started_the_process_belongs_to_the_tree(tmp_path: Path) -> None:
    second = os.sysconf("SC_CLK_TCK")
    process(tmp_path, 1, "bash", 0, 50 * second)
    process(tmp_path, 2, "java", 1, 5 * second)
    process(tmp_path, ME, "python", 2, second)
    assert tree_seconds(tmp_path) == 6


def test_machine_that_does_not_tell_has_no_answer(tmp_path: Path) -> None:
    assert tree_seconds(tmp_path) is None


def test_meter_tells_what_was_used_since_it_last_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_time, "LOOK_AFTER_S", 0)
    meter = CpuMeter()
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    assert 0.25 <= (meter.since_last() or 0) < 60
    assert (meter.since_last() or 0) < 0.2


def test_meter_looks_not_again_at_once() -> None:
    assert CpuMeter().since_last() is None
