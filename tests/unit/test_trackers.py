"""The ready-made contracts of conf/trackers: what becomes of their samples, record by record."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from clickscore import testing
from clickscore.config.run import load
from clickscore.training.trainable import check_trainable
from shopsim import trackers

FOLDERS = sorted(Path("conf/trackers").iterdir())
TUESDAY, SUNDAY = 1.0, 6.0


def records(folder: Path, file: str) -> list[str]:
    return (folder / file).read_text().splitlines()


def sample(tracker: str, number: int) -> str:
    """Return a record of a sample, by its number from 1."""
    return records(Path("conf/trackers") / tracker, "sample.jsonl")[number - 1]


def features(tracker: str, number: int) -> dict[str, Any]:
    [found] = testing.features(f"conf/trackers/{tracker}/run.yaml", [sample(tracker, number)])
    return found


def click(tracker: str, number: int) -> dict[str, Any]:
    config = Path("conf/trackers") / tracker / "run.yaml"
    [found] = trackers.outcomes(config.parent, [sample(tracker, number)])
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_record_of_a_sample_has_its_verdict(folder: Path) -> None:
    config = load(folder / "run.yaml")
    found = []
    for outcome in trackers.outcomes(folder, records(folder, "sample.jsonl")):
        is_scored = outcome["reason"] is None
        assert is_scored == (outcome["score"] is not None)
        found.append({"id": outcome[config.click.id]} if is_scored else {k: outcome[k] for k in ("reason", "detail")})
    assert found == [json.loads(line) for line in records(folder, "expected.jsonl")]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_feature_can_be_trained_on_and_differs_within_the_sample(folder: Path) -> None:
    config, definition = trackers.read(folder)[0], trackers.read(folder)[2]
    check_trainable(definition.schema, str(config.features), "lightgbm")
    accepted = [record for record, line in zip(records(folder, "sample.jsonl"), records(folder, "expected.jsonl"),
                                               strict=True) if "id" in json.loads(line)]  # fmt: skip
    rows = testing.features(folder / "run.yaml", accepted)
    same = {name for name in rows[0] if len({row[name] for row in rows}) == 1}
    # The clicks of a sample are of one day or two, and some within an hour.
    assert same <= {"day_of_week", "hour_of_day"}
    assert all(value is None or math.isfinite(value) for row in rows for value in row.values())


def test_snowplow_event_of_a_shop_has_its_product_and_the_class_of_its_device() -> None:
    assert features("snowplow", 5) == pytest.approx({
        "is_page_view": 0.0, "is_page_ping": 0.0, "is_link_click": 0.0, "is_product_view": 0.0, "is_cart_step": 1.0,
        "is_checkout": 0.0, "is_phone": 0.0, "from_search": None, "from_paid": None, "from_nowhere": 1.0,
        "is_signed_in": 0.0, "log_session_number": math.log(3), "hour_of_day": 8.0, "day_of_week": SUNDAY,
        "viewport_ratio": 1.6, "scroll_depth": None, "log_price": math.log(49.9), "quantity": 2.0,
    })  # fmt: skip
    assert features("snowplow", 2)["scroll_depth"] == 0.5
    assert features("snowplow", 8)["is_phone"] == 1.0
    # The browser has refused the cookie, the clock of the collector stands in for that of the browser.
    assert click("snowplow", 9)["visitor_id"] == "e0d2-91b1"
    assert str(click("snowplow", 10)["event_time"]) == "2026-03-01 08:22:00+00:00"


def test_segment_call_has_its_price_as_number_or_text_and_its_first_product() -> None:
    as_text = features("segment", 3)
    assert (as_text["log_price"], as_text["quantity"], as_text["is_cart_step"]) == (math.log(49.9), 2.0, 1.0)
    assert features("segment", 4)["quantity"] == 2.0
    assert features("segment", 8)["is_mobile"] == features("segment", 8)["from_paid"] == 1.0


def test_rudderstack_call_has_a_session_and_no_account_before_the_visitor_signs_in() -> None:
    call = click("segment", 9)
    assert (call["visitor_id"], call["session_id"], call["user_id"]) == ("0c1d-rudder", "1772353200", "")
    assert features("segment", 9)["is_signed_in"] == 0.0
    signed_in = click("segment", 6)
    assert (signed_in["visitor_id"], signed_in["user_id"]) == ("a-31", "cust-88")
    assert features("segment", 6)["is_signed_in"] == 1.0


def test_ga4_event_has_its_parameters_and_an_id_made_of_what_tells_it_apart() -> None:
    event = click("ga4", 3)
    assert event["event_id"] == "1190234561.1772353200|1772353934511000|scroll|103"
    assert (event["scrolled_percent"], event["engagement_ms"], event["session_id"]) == (90, 10_009, 1_772_353_200)
    assert str(event["event_time"]) == "2026-03-01 08:32:14.511000+00:00"
    found = features("ga4", 3)
    assert (found["scroll_depth"], found["log_engaged_s"]) == (0.9, math.log(11.009))
    assert found["minutes_into_visit"] == pytest.approx(734.511 / 60)
    # Numbers where `bq extract` writes text, and a date as a number: the same event otherwise.
    assert click("ga4", 9)["event_id"] == "1190234561.1772353200|1772354424511000|page_view|109"
    assert str(click("ga4", 10)["event_date"]) == "2026-03-01"
    # A value is a double or a whole number, whichever the site has sent.
    assert [click("ga4", number)["value"] for number in (5, 6)] == [99.8, 100.0]


def test_posthog_event_has_properties_whose_names_begin_with_a_dollar() -> None:
    assert features("posthog", 3)["page_scroll"] == 0.62
    assert features("posthog", 3)["log_page_s"] == pytest.approx(math.log(16.489))
    # The height of the window is 0.
    assert (features("posthog", 9)["viewport_ratio"], features("posthog", 9)["is_mobile"]) == (None, 1.0)
    own = features("posthog", 5)
    assert (own["log_price"], own["quantity"], click("posthog", 5)["product_id"]) == (math.log(49.9), 2.0, "7001")
    assert click("posthog", 12)["session_id"] is None


def test_web_shop_click_has_numbers_as_ids_and_a_time_with_utc() -> None:
    found = click("webshop", 5)
    assert (found["user_id"], found["product_id"], found["category_id"]) == (554748717, 3900821, 2053013552326770905)
    assert str(found["event_time"]) == "2019-10-01 00:00:00+00:00"
    assert features("webshop", 5) == pytest.approx({
        "is_product_view": 1.0, "is_cart_step": 0.0, "is_removal": 0.0, "is_electronics": 0.0, "is_apparel": 0.0,
        "category_depth": 3.0, "has_no_category": 0.0, "has_no_brand": 0.0, "hour_of_day": 0.0, "day_of_week": TUESDAY,
        "log_price": math.log(33.2),
    })  # fmt: skip
    # A price of nothing has no logarithm.
    assert features("webshop", 12)["log_price"] is None
    # The same click twice is the same id twice.
    assert click("webshop", 13)["event_id"] == click("webshop", 1)["event_id"]


def test_demo_prints_how_many_records_of_each_sample_are_scored_and_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert trackers.main() == 0
    seen = capsys.readouterr().out
    assert all(folder.name in seen for folder in FOLDERS)
    assert "missing_field 2" in seen
    assert "2019-10-01 00:00:00" in seen
