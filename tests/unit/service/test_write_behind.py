import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.service import served
from tests.support.shop import Shop
from tests.support.waiting import wait_until

from clickscore.service import write_behind
from clickscore.service.write_behind import WriteBehind


def lines(folder: Path) -> list[bytes]:
    return sorted(line for file in folder.glob("[!.]*.jsonl") for line in file.read_bytes().splitlines())


def test_records_are_written_whole_within_a_second_each_in_a_line(tmp_path: Path) -> None:
    behind = WriteBehind(tmp_path / "landing", tell=print)
    behind.start()
    behind.add([b'{"a": 1}', b'{"b":\r\n 2}\n'])
    wait_until(lambda: behind.written == 2, "the flush", patience_s=5)
    assert lines(tmp_path / "landing") == [b'{"a": 1}', b'{"b":   2} ']
    behind.add([b'{"c": 3}'])
    behind.stop()
    assert len(lines(tmp_path / "landing")) == 3


def test_many_records_do_not_wait_for_the_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_behind, "FLUSH_S", 3600)
    behind = WriteBehind(tmp_path, tell=print)
    behind.start()
    behind.add(b"%d" % number for number in range(write_behind.FLUSH_RECORDS))
    wait_until(lambda: behind.written == write_behind.FLUSH_RECORDS, "the flush", patience_s=10)
    behind.stop()


def test_folder_that_cannot_be_written_to_costs_the_records_and_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("a file where the folder should be")
    told: list[str] = []
    behind = WriteBehind(tmp_path / "landing", told.append)
    behind.start()
    behind.add([b"1", b"2"])
    wait_until(lambda: behind.lost == 2)
    behind.add([b"3"])
    wait_until(lambda: behind.lost == 3)
    assert len(told) == 1
    assert "scored records are lost: File exists; make room" in told[0]
    (tmp_path / "landing").unlink()
    behind.add([b"4"])
    behind.stop()
    assert lines(tmp_path / "landing") == [b"4"]
    assert (behind.written, behind.lost) == (1, 3)
    assert told[1].endswith("takes records again; 3 were lost")


def test_slow_disk_costs_records_and_not_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_behind, "MOST_RECORDS", 5)
    behind = WriteBehind(tmp_path, tell=print)
    behind.add(b"%d" % number for number in range(8))
    behind.start()
    behind.stop()
    assert (behind.written, behind.lost) == (5, 3)


def test_service_keeps_what_it_has_scored_and_nothing_else(
    shop: Shop, make_click: Callable[..., dict[str, Any]]
) -> None:
    with served(shop, write_behind={"path": str(shop.landing / "served")}) as running:
        running.ask([make_click(1), {"id": "no time"}, make_click(2)])
        running.ask(b'{"id": "c3",\n "at": "2026-03-01T12:00:00Z", "visitor": "v"}')
        assert running.stop() == 0
    assert [json.loads(line)["id"] for line in lines(shop.landing / "served")] == ["c3", "c1", "c2"]
