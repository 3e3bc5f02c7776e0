"""What has drifted within the window, told once; and how often a shop that has not changed is called drifted."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from clickscore.config.drift import Drift
from clickscore.drift.baseline import Baseline, baseline_of
from clickscore.drift.window import MOST_NAMED, DriftWindow, Finding
from clickscore.scoring import Contract, Features, read_contract, read_features
from clickscore.scoring.histograms import Bins, ClickBins, added
from clickscore.scoring.models import LoadedModel
from clickscore.scoring.outputs import Outputs, as_outputs
from clickscore.scoring.parsing import parser
from clickscore.scoring.scorer import ClickScorer
from shopsim import feed
from shopsim.records import Faults

SHOP, OTHER = ("shop", "3"), ("shop", "4")
BASELINE = Baseline(ClickBins(Bins((0.5,)), {"price": Bins((10.0,))}), (500, 500, 0, 500, 500, 0))
SAME, MOVED = (50, 50, 0, 50, 50, 0), (50, 50, 0, 95, 5, 0)
HOUR_S = 3_600.0

MARCH_MS = 1_772_323_200_000
DAYS, CLICKS_A_DAY, SEEDS = 14, 1_000, range(1, 21)


def window(**keys: object) -> DriftWindow:
    return DriftWindow(Drift.model_validate({"minimum": 100, **keys}))


def drifted(found: Finding | None) -> tuple[str, ...]:
    assert found is not None
    return found.drifted


def test_drift_is_told_once_and_again_after_it_was_over() -> None:
    seen = window(window="1 hour")
    assert drifted(seen.add(SHOP, BASELINE, SAME, 0.0)) == ()
    told = [seen.add(SHOP, BASELINE, MOVED, number * 60.0) for number in range(1, 40)]
    news = [found.news for found in told if found and found.news]
    assert len(news) == 1
    assert "differ from the baseline of shop version 3: price (PSI 0." in news[0]
    assert "its values moved); drift.psi is 0.2." in news[0]
    assert drifted(seen.add(SHOP, BASELINE, SAME, 3 * HOUR_S)) == ()
    again = seen.add(SHOP, BASELINE, MOVED, 6 * HOUR_S)
    assert again is not None
    assert again.news


def test_clicks_before_the_window_count_no_more() -> None:
    seen = window(window="1 hour", minimum=200)
    assert seen.add(SHOP, BASELINE, MOVED, 0.0) is None
    assert drifted(seen.add(SHOP, BASELINE, MOVED, 0.9 * HOUR_S)) == ("price",)
    assert seen.add(SHOP, BASELINE, SAME, 1.95 * HOUR_S) is None


def test_few_clicks_say_nothing() -> None:
    assert window(minimum=101).add(SHOP, BASELINE, MOVED, 0.0) is None


def test_another_version_is_compared_with_its_own_baseline_and_begins_anew() -> None:
    seen, other = window(minimum=150), Baseline(BASELINE.bins, (500, 500, 0, 950, 50, 0))
    assert seen.add(SHOP, BASELINE, SAME, 0.0) is None
    assert seen.add(OTHER, other, MOVED, 1.0) is None
    assert drifted(seen.add(OTHER, other, MOVED, 2.0)) == ()


def test_later_run_goes_on_where_the_one_before_it_stopped() -> None:
    seen = window(minimum=150)
    seen.add(SHOP, BASELINE, MOVED, 0.0)
    config = seen.config
    again = DriftWindow.read(config, seen.to_json())
    found = again.add(SHOP, BASELINE, MOVED, 60.0)
    assert drifted(found) == ("price",)
    assert found is not None
    assert found.news
    later = DriftWindow.read(config, again.to_json()).add(SHOP, BASELINE, MOVED, 120.0)
    assert later is not None
    assert later.news is None  # the run before has told


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", '{"window_ms": 86400000}', '{"window_ms": 1, "of": ["shop", "3", "d"], "parts": {}}']
)
def test_window_that_cannot_be_read_or_is_of_another_length_is_empty(text: str | None) -> None:
    assert DriftWindow.read(Drift(), text).to_json() == DriftWindow(Drift()).to_json()


def test_feature_that_is_ignored_is_not_told() -> None:
    found = window(ignore=["price"]).add(SHOP, BASELINE, MOVED, 0.0)
    assert drifted(found) == ()
    assert found is not None
    assert list(found.movements) == ["score"]


def test_message_names_only_those_that_moved_the_most() -> None:
    names = [f"f{number}" for number in range(8)]
    baseline = Baseline(ClickBins(Bins((0.5,)), dict.fromkeys(names, Bins((0.0,)))), (500, 500, 0) * 9)
    counts = (50, 50, 0, *(count for each in range(8) for count in (80 + each, 20 - each, 0)))
    found = window().add(SHOP, baseline, counts, 0.0)
    assert found is not None
    assert found.news
    assert found.news.index("f7") < found.news.index("f6") < found.news.index("f3")
    assert f"and {8 - MOST_NAMED} more; drift.psi" in found.news


@pytest.fixture(scope="module")
def shop() -> tuple[Contract, Features]:
    contract = read_contract(Path("conf/click.ddl"), "event_id", "event_time", "visitor_id")
    return contract, read_features(Path("conf/features.sql"), contract.click)


def days(seed: int, shift: float) -> tuple[pa.Array, pa.Array]:
    """Return the clicks of all days but the last, and those of the last one."""
    clicks = DAYS * CLICKS_A_DAY
    records = pa.concat_arrays(list(feed.past(clicks, clicks, MARCH_MS, DAYS, seed, Faults(), shift=shift)))
    return records[:-CLICKS_A_DAY], records[-CLICKS_A_DAY:]


def chunks(records: pa.Array) -> Iterator[pa.Array]:
    yield records[: len(records) // 3]
    yield records[len(records) // 3 :]


@pytest.mark.parametrize("seed", SEEDS)
def test_shop_that_changed_is_flagged_and_one_that_did_not_is_not(shop: tuple[Contract, Features], seed: int) -> None:
    contract, features = shop

    def predict(inputs: pa.StructArray) -> Outputs:
        cart, price = (inputs.field(name).fill_null(0).to_numpy() for name in ("is_cart_step", "log_price"))
        return as_outputs(1 / (1 + np.exp(3 - 2 * cart - price / 4)), len(inputs))

    model = LoadedModel(features.schema, predict, {"score": None})
    past, today = days(seed, 0.0)
    clicks, _ = parser(contract.click).parse(past)
    inputs = features.compute(clicks).values[0]
    baseline = baseline_of(inputs, predict(inputs).values[:, 0])

    def look(records: pa.Array) -> Finding | None:
        scorer = ClickScorer(contract, features, model, bins=baseline.bins)
        outcomes = pa.concat_arrays([scorer.score(chunk) for chunk in chunks(records)])
        counts = added(outcomes.field("_counts").drop_null().to_pylist())
        assert counts is not None
        return DriftWindow(Drift()).add(SHOP, baseline, counts.tolist(), 0.0)

    assert drifted(look(today)) == ()
    assert "from_social" in drifted(look(days(seed, 0.5)[1]))
