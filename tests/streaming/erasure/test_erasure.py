"""Erasures in the tables of a real stream: what goes, what stays, and what the audit says then."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import deltalake
import pytest
from tests.support.kills import KilledError, killed_after

from clickscore.erasure import deletion
from clickscore.errors import CheckpointError, ConfigError, ErasureError
from clickscore.outcomes import joined
from clickscore.scoring.privacy_rules import hashed
from clickscore.storage import turns
from clickscore.storage.erasures import Erasures

LEFT = ["c3", "c8"], ["", "rubbish visitor-two-", '{"id": "c6", "at": "']

PATIENCE_S = 300
"""How long one job waits for the other; on a busy machine an erasure takes more than a minute."""


def texts(folder: Path) -> str:
    return "".join(file.read_bytes().decode(errors="replace") for file in folder.rglob("*") if file.is_file())


def test_rows_of_the_visitors_go_and_all_others_stay(site: Any) -> None:
    whole = site.left()
    said = site.erase(site.GONE, site.ALSO_GONE, "nobody", is_applied=False)
    assert "scored_clicks    3 rows of 2 visitors in 2 micro-batches" in said
    assert "rejected_clicks  3 rows of 2 visitors in 2 micro-batches" in said
    assert "1 of 3 visitors have no row: line 3" in said
    assert "Nothing has changed; with --apply, 6 rows would be erased." in said
    assert site.left() == whole
    assert not (site.home / "erasures").exists()

    said = site.erase(site.GONE, site.ALSO_GONE, "nobody")
    assert "Request 1: 6 rows are erased." in said
    assert site.left() == LEFT
    one, two = (hashed(visitor, site.KEY.encode()) for visitor in (site.GONE, site.ALSO_GONE))
    planned = site.ledger("planned")[["table_name", "visitor_hash", "batch_id", "rows", "reference"]]
    assert planned.to_numpy().tolist() == [
        ["rejected_clicks", one, 0, 2, "request 7"], ["rejected_clicks", two, 1, 1, "request 7"],
        ["scored_clicks", one, 0, 2, "request 7"], ["scored_clicks", two, 1, 1, "request 7"],
    ]  # fmt: skip
    assert site.ledger("done")["table_name"].tolist() == ["rejected_clicks", "scored_clicks"]
    commits = "".join(
        file.read_text() for file in site.home.glob("*/_delta_log/*.json") if '"MERGE"' in file.read_text()
    )
    operations = "".join(line for line in commits.splitlines() if '"commitInfo"' in line)
    found = (said, site.table("erasures").to_csv(), texts(site.home / "erasures"), operations)
    assert not [text for text in found for visitor in (site.GONE, site.ALSO_GONE) if visitor in text]

    is_green, report = site.audit()
    assert is_green, report
    assert "erased: 6 rows by 1 request" in report
    assert "5 records, each in exactly one row, and 6 erased." in report
    assert "2 of 2 visitors have no row" in site.erase(site.GONE, site.ALSO_GONE)
    assert len(site.ledger("done")) == 2


STEPS = {
    "plan": (Erasures, "plan"),
    "first commit": (deletion, "_merge"),
    "first table": (Erasures, "finish"),
    "second commit": (deletion, "_merge"),
    "second table": (Erasures, "finish"),
}
"""What an erasure does, in this order; each run is killed after the next of them."""


def test_erasure_that_is_killed_after_each_step_is_finished_by_the_next_one(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step, place in STEPS.items():
        with monkeypatch.context() as patch, pytest.raises(KilledError):
            killed_after(patch, *place)
            site.erase(site.GONE, site.ALSO_GONE)
        assert site.ledger("planned")["rows"].sum() == 6
        if step == "first commit":
            is_green, report = site.audit()
            assert is_green, report
            assert "erasure 1 is planned and not done. Run jobs/erase_visitors.py again with its ids." in report
            others = site.erase("somebody else")
            assert "request 1 is planned and not done; run jobs/erase_visitors.py --apply with the same ids" in others
            with pytest.raises(ErasureError, match=r"it has some of these visitors, and others\. Nothing was changed"):
                site.erase(site.GONE)
    site.erase(site.GONE, site.ALSO_GONE)
    assert site.left() == LEFT
    assert site.ledger("done")["table_name"].tolist() == ["rejected_clicks", "scored_clicks"]
    is_green, report = site.audit()
    assert is_green, report


def test_outcomes_of_the_visitors_go_also_after_a_kill_and_do_not_come_back(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "5 written" in site.join()
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        killed_after(patch, deletion, "_merge")  # the clicks, which alone tell whose the outcomes are, are gone
        site.erase(site.GONE)
    with pytest.raises(ErasureError, match=r"request 1 is planned and not done.* jobs/erase_visitors\.py --apply"):
        site.join()
    said = site.erase(site.GONE)
    assert "An earlier run ended before request 1 was done; it is finished now." in said
    assert "outcomes         0 rows of 0 visitors\n" in said
    assert "outcomes: 0 written; now" in site.join()
    assert sorted(site.table("outcomes")["unit_id"]) == ["c3", "c7", "c8"]
    planned = site.ledger("planned").query("table_name == 'outcomes'")
    assert planned["rows"].tolist() == [1, 1]
    assert set(planned["unit_hash"]) == {hashed(unit, site.KEY.encode()) for unit in ("c1", "c2")}


@pytest.mark.parametrize("is_first", [False, True], ids=["erasure is first", "outcomes are first"])
def test_outcomes_that_are_joined_while_an_erasure_begins_do_not_come_back(
    site: Any, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        killed_after(patch, joined, "bind")  # the table is there, without a row
        site.join()
    merge, take, written = joined.merge, turns.take, list[int | None]()
    another_job = replace(site, spark=site.spark.newSession())

    def overlap(*arguments: Any) -> int | None:
        """Erase a visitor when the clicks are read and nothing of them is written."""
        monkeypatch.setattr(joined, "merge", merge)

        def take_turn(*where: Any) -> None:
            if is_first:
                written.append(merge(*arguments))
            take(*where)

        with monkeypatch.context() as patch:
            patch.setattr(turns, "take", take_turn)
            another_job.erase(site.GONE)
        if not is_first:
            written.append(merge(*arguments))
        return written[0]

    monkeypatch.setattr(joined, "merge", overlap)
    site.join()
    assert written == [5 if is_first else None]
    assert sorted(site.table("outcomes")["unit_id"]) == ["c3", "c7", "c8"]
    planned = site.ledger("planned").query("table_name == 'outcomes'")
    assert planned["rows"].tolist() == [0, 0]
    assert set(planned["unit_hash"]) == {hashed(unit, site.KEY.encode()) for unit in ("c1", "c2")}
    is_green, report = site.audit()
    assert is_green, report


@pytest.mark.parametrize("is_killed", [False, True], ids=["whole", "killed after its plan"])
def test_outcomes_whose_table_is_made_while_an_erasure_plans_do_not_come_back(
    site: Any, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    plan, merge, has_read, may_write, written = Erasures.plan, joined.merge, Event(), Event(), list[int | None]()
    other = replace(site, spark=site.spark.newSession())
    joining = Thread(target=other.join)

    def wait_and_write(*arguments: Any) -> int | None:
        monkeypatch.setattr(joined, "merge", merge)
        has_read.set()
        assert may_write.wait(PATIENCE_S)
        written.append(merge(*arguments))
        return written[0]

    def plan_late(*arguments: Any) -> int:
        monkeypatch.setattr(Erasures, "plan", plan)
        joining.start()
        assert has_read.wait(PATIENCE_S)
        number = plan(*arguments)
        if is_killed:
            raise KilledError
        return number

    monkeypatch.setattr(joined, "merge", wait_and_write)
    monkeypatch.setattr(Erasures, "plan", plan_late)
    with pytest.raises(KilledError) if is_killed else nullcontext():
        site.erase(site.GONE)
    may_write.set()
    joining.join()
    assert written == [5 if is_killed else None]
    if is_killed:
        assert "outcomes" not in set(site.ledger("planned")["table_name"])
        site.erase(site.GONE)
    assert sorted(site.table("outcomes")["unit_id"]) == ["c3", "c7", "c8"]
    planned = site.ledger("planned").query("table_name == 'outcomes'")
    assert planned["rows"].tolist() == ([1, 1] if is_killed else [0, 0])
    is_green, report = site.audit()
    assert is_green, report


def test_erasure_goes_on_where_a_new_table_of_outcomes_has_none_of_its_visitors(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Erasures.plan

    def plan_late(*arguments: Any) -> int:
        with monkeypatch.context() as patch, pytest.raises(KilledError):
            killed_after(patch, joined, "bind")  # the table is there, without a row
            site.join()
        return plan(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Erasures, "plan", plan_late)
        said = site.erase("rubbish")  # a visitor whom rejected records alone name
    assert "Request 1: 2 rows are erased." in said
    assert set(site.ledger("planned")["table_name"]) == {"rejected_clicks"}
    assert site.table("outcomes").empty
    is_green, report = site.audit()
    assert is_green, report


def test_row_of_another_visitor_in_the_place_of_an_erased_one_is_missed(site: Any) -> None:
    """The number of rows alone would hide that a click of somebody else is gone."""
    site.erase(site.GONE)
    scored = deltalake.DeltaTable(str(site.home / "scored_clicks"))
    rows = scored.to_pandas()
    other = rows[rows["id"] == "c3"].assign(id="c1", visitor=site.GONE).reset_index(drop=True)
    deltalake.write_deltalake(scored, other, mode="append")
    scored.delete("id = 'c3'")
    is_green, report = site.audit()
    assert not is_green
    assert "1 missing: the source has them, the tables do not (c3)" in report


def test_nothing_is_touched_where_the_wiring_is_wrong(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = site.left()
    monkeypatch.setenv("CLICKSCORE_TEST_ERASURE_KEY", "short")
    with pytest.raises(ConfigError, match="expected a key of at least 32 bytes, found 5"):
        site.erase(site.GONE)
    monkeypatch.delenv("CLICKSCORE_TEST_ERASURE_KEY")
    with pytest.raises(ConfigError, match="CLICKSCORE_TEST_ERASURE_KEY is not set"):
        site.erase(site.GONE)
    monkeypatch.setenv("CLICKSCORE_TEST_ERASURE_KEY", site.KEY)
    name = f"delta.`{site.home}/rejected_clicks`"
    site.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('clickscore.stream' = 'another')")
    with pytest.raises(CheckpointError, match="is written by stream another"):
        site.erase(site.GONE)
    assert site.left() == whole
    assert not (site.home / "erasures").exists()


def test_job_counts_without_apply_and_refuses_a_list_without_ids(
    site: Any, run_job: Callable[..., Any], tmp_path: Path
) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text(f"\n{site.GONE}\n{site.GONE}\n")
    tables = [f"--set=output.{name}={site.home}/{name}_clicks" for name in ("scored", "rejected")]
    common = ["--config", str(site.shop.config_file), *tables]
    done = run_job("erase_visitors", *common, "--ids", str(ids))
    assert (done.status, "with --apply, 4 rows would be erased" in done.out) == (0, True), done.err
    ids.write_text("\n \n")
    done = run_job("erase_visitors", *common, "--ids", str(ids), "--apply")
    assert (done.status, "expected ids of visitors, one a line, found none" in done.err) == (2, True)
    assert run_job("erase_visitors", *common).status == 2
