import pytest
from pydantic import ValidationError

from clickscore.config.output import Output


def output(scored: str, rejected: str) -> Output:
    return Output.model_validate({"scored": scored, "rejected": rejected})


def test_tables_may_lie_in_different_folders_and_schemas() -> None:
    assert output("a/scored_clicks", "b/rejected_clicks").scored == "a/scored_clicks"
    assert output("scored.good", "rejected.bad").rejected == "rejected.bad"
    assert output("a/clicks", "b/backfills").rejected == "b/backfills"
    assert output("my.clicks/scored", "my.clicks/rejected").scored == "my.clicks/scored"


def test_one_table_for_both_is_refused() -> None:
    with pytest.raises(ValidationError, match="scored and rejected are the same table, x; name two"):
        output("x", "x/")


@pytest.mark.parametrize(
    ("scored", "rejected", "message"),
    [
        ("a/clicks", "b/clicks/", "found b/clicks/ and a/clicks; rename the first"),
        ("good.clicks", "bad.`clicks`", "found bad.`clicks` and good.clicks; rename"),
        ("shop.clicks", "b/clicks", "found b/clicks and shop.clicks; rename"),
        ("a/clicks", "b/outcomes", "found b/outcomes and the table outcomes of clickscore; rename"),
    ],
)
def test_tables_that_the_ledger_of_erasures_could_not_tell_apart_are_refused(
    scored: str, rejected: str, message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        output(scored, rejected)
