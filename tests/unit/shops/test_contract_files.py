"""The files of a shop, as the product reads them."""

from pathlib import Path
from typing import Any

import yaml

from clickscore.config.run import load
from clickscore.scoring.contract import contract_of
from clickscore.scoring.reading import PLAIN, Reading, reading_of
from clickscore.shops.contract_files import config_text, ddl_text, files_of
from clickscore.shops.fields import Field, Fields
from clickscore.shops.kinds import Kind

ID = Field("event_id", Kind("STRING"), ("user.id", "sent"), True, True, ("a",))
TIME = Field("sent", Kind("TIMESTAMP", format="%d.%m.%Y %H:%M"), ("sent",), False, True, ())
VISITOR = Field("visitor_id", Kind("STRING", True), ("anonId", "user.id"), False, True, ())


def fields(*others: Field) -> Fields:
    return Fields((ID, TIME, VISITOR, *others), "event_id", "sent", "visitor_id", ())


def field(name: str, *values: Any, paths: tuple[str, ...] | None = None, kind: str = "STRING") -> Field:
    return Field(name, Kind(kind), paths or (name,), False, False, values)


def test_files_are_a_configuration_that_loads_with_each_field_read_as_it_was_found(tmp_path: Path) -> None:
    others = [field("it's", 1.0, paths=('p."it\'s: #1"',), kind="DOUBLE"), field("Straße"), field("plain")]
    folder = tmp_path / "a shop"
    folder.mkdir()
    for name, text in files_of(fields(*others), 1, str(folder), "a shop").items():
        (folder / name).write_text(text)
    config = load(folder / "run.yaml")
    contract = contract_of(config.click)
    assert (contract.id, contract.time, contract.visitor) == ("event_id", "sent", "visitor_id")
    assert [field.name for field in contract.click if not field.nullable] == ["event_id", "sent", "visitor_id"]
    assert [reading_of(field) for field in contract.click] == [
        Reading(("user.id", "sent"), is_lenient=True, is_joined=True), Reading(format="%d.%m.%Y %H:%M"),
        Reading(("anonId", "user.id"), is_lenient=True), Reading(('p."it\'s: #1"',)), PLAIN, PLAIN,
    ]  # fmt: skip
    assert config.output.scored == "build/shops/a shop/scored_clicks"


def test_comments_say_where_a_field_comes_from_and_no_value_that_may_be_personal() -> None:
    text = ddl_text([ID, field("mail", "ann@example.org", paths=('user."it\'s"',))], 1_000)
    assert text == (
        "event_id STRING NOT NULL COMMENT 'To fill in; from user.id + sent, in 1 of 1,000 records',\n"
        "mail     STRING          COMMENT 'To fill in; from user.its, in 1 of 1,000 records'\n"
    )


def outcome(*others: Field) -> Any:
    return yaml.safe_load(config_text(fields(*others), "conf/shops/mine", "mine")).get("outcome")


def test_outcome_names_the_unit_and_the_value_that_means_success() -> None:
    actions = ["order_started", "order_completed", "view", "purchase", "order_completed"]
    assert outcome(field("action", *actions), field("session_id")) == {
        "success": "`action` = 'purchase'", "unit": "session", "session": "session_id", "silence": "30 minutes",
    }  # fmt: skip
    assert outcome(field("action", "view", "Order Completed")) == {
        "success": "`action` = 'Order Completed'", "unit": "visitor", "silence": "30 minutes",
    }  # fmt: skip
    assert outcome(field("action", "view", "buy"), field("step", 3, 4, kind="BIGINT")) is None
    assert outcome(field("action", "it's an order", "view")) is None


def test_training_is_a_comment_to_fill_in_where_nothing_looks_like_success() -> None:
    text = config_text(fields(field("visit", paths=("meta.visitId",))), "conf/shops/mine", "mine")
    assert "# No value in the sample looks like a success." in text
    assert "# outcome:\n#   success: '...'\n#   unit:    session\n#   session: visit\n" in text
    assert "# training:\n#   clicks: build/shops/mine/history\n" in text
