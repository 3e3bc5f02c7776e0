"""Retention in the tables of a real stream: what goes, what stays, and what the audit and an erasure say then."""

import shutil
from datetime import datetime, timezone
from typing import Any

import deltalake
import pytest
from tests.support.kills import KilledError, killed_after

from clickscore.erasure import retention
from clickscore.errors import ConfigError, TableError
from clickscore.storage.erasures import Erasures
from clickscore.storage.table import Table

NOW = datetime(2101, 6, 1, tzinfo=timezone.utc)
KEPT = {"scored": "27440 days", "rejected": "400 days"}
"""Clicks from before the 15th of April 2026 go, which are all but the last; and every record that was rejected."""
LEFT: tuple[list[str], list[str]] = (["c8"], [])


def test_old_rows_go_and_the_audit_still_finds_any_other_loss(site: Any) -> None:
    whole = site.left()
    planned = site.expire(KEPT, NOW, is_applied=False)
    assert "scored_clicks    4 rows in 2 files, from before 2026-04-15 00:00 UTC (retention.scored: 27,440" in planned
    assert "rejected_clicks  6 rows in 2 files, from before 2100-04-27 00:00 UTC (retention.rejected" in planned
    assert "Nothing has changed; without --dry-run, 10 rows would be removed." in planned
    assert site.left() == whole
    assert not (site.home / "erasures").exists()

    assert "Removal 1: 10 rows are removed." in site.expire(KEPT, NOW)
    assert site.left() == LEFT
    rows = site.ledger("planned")[["kind", "table_name", "batch_id", "rows", "visitor_hash", "key_id"]]
    assert rows.to_numpy().tolist() == [
        ["retention", "rejected_clicks", 0, 5, None, None], ["retention", "rejected_clicks", 1, 1, None, None],
        ["retention", "scored_clicks", 0, 3, None, None], ["retention", "scored_clicks", 1, 1, None, None],
    ]  # fmt: skip
    scored = deltalake.DeltaTable(str(site.home / "scored_clicks"))
    [deletion_commit] = [commit for commit in scored.history() if commit["operation"] == "DELETE"]
    metrics = deletion_commit["operationMetrics"]
    assert (int(metrics["numRemovedFiles"]), int(metrics["numAddedFiles"])) == (2, 1), "one file was wholly older"
    is_green, report = site.audit()
    assert is_green, report
    assert "expired: 10 rows in 1 removal, as they were older than retention says" in report
    assert "1 record, each in exactly one row, and 10 expired." in report

    again = site.expire(KEPT, NOW)
    assert "scored_clicks    0 rows in 0 files" in again
    assert len(site.ledger("done")) == 2
    scored.delete("id = 'c8'")
    is_green, report = site.audit()
    assert not is_green
    assert "1 missing: the source has them, the tables do not" in report


STEPS = {
    "plan": (Erasures, "plan"),
    "first commit": (retention, "_delete"),
    "first table": (Erasures, "finish"),
}
"""What a removal does, in this order; each run is killed after the next of them."""


def test_removal_that_is_killed_after_each_step_is_finished_by_the_next_one_or_by_an_erasure(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step, place in STEPS.items():
        with monkeypatch.context() as patch, pytest.raises(KilledError):
            killed_after(patch, *place)
            site.expire(KEPT, NOW)
        assert site.ledger("planned")["rows"].sum() == 10
        if step == "first commit":
            is_green, report = site.audit()
            assert is_green, report
            assert "removal 1 is planned and not done. Run jobs/maintain_tables.py again." in report
            assert "Removal 1 is planned and not done" in site.expire(KEPT, NOW, is_applied=False)
    said = site.erase(site.STAYS)
    assert "An earlier run ended before removal 1 of old rows was done; it is finished now." in said
    assert "Request 2: 1 row is erased." in said
    assert site.left() == ([], [])
    is_green, report = site.audit()
    assert is_green, report
    assert "erased: 1 row by 1 request" in report


def test_old_rows_wait_for_an_erasure_that_is_not_done(site: Any) -> None:
    scored = Table(f"{site.home}/scored_clicks")
    counts = site.spark.createDataFrame([("h1", "scored_clicks", 0, 1)], "visitor_hash STRING, table_name STRING, "
                                        "batch_id BIGINT, rows BIGINT")  # fmt: skip
    Erasures.of(site.spark, scored, scored.stream(site.spark) or "", "k1").plan(counts, {"scored_clicks": 1}, None, 0)
    said = site.expire({"scored": KEPT["scored"]}, NOW)
    assert "scored_clicks: old rows stay, as request 1 is planned and not done; run" in said
    assert len(site.left()[0]) == 5
    assert site.ledger("planned")["kind"].tolist() == ["erasure"]


def test_nothing_goes_where_the_wiring_is_wrong(site: Any) -> None:
    whole = site.left()
    scored = deltalake.DeltaTable(str(site.home / "scored_clicks"))
    scored.alter.set_table_properties({"delta.appendOnly": "true"})
    with pytest.raises(TableError, match=r"delta\.appendOnly, and retention removes rows"):
        site.expire(KEPT, NOW)
    scored.alter.set_table_properties({"delta.appendOnly": "false"})
    shutil.copytree(site.shop.home / "stream_metrics", site.home / "stream_metrics")
    deltalake.DeltaTable(str(site.home / "stream_metrics")).update({"seconds_behind": f"{500 * 86_400}.0"})
    with pytest.raises(ConfigError, match=r"retention\.rejected: expected more than the stream is behind, found 400 d"):
        site.expire(KEPT, NOW)
    assert site.left() == whole
