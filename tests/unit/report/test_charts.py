"""Each chart compiles in the Vega that comes with vl-convert, and draws what it is given."""

import pytest
import vl_convert

from clickscore.report import charts
from clickscore.report.sections import Spec

AT, UNTIL = "2026-03-02T12:00:00+00:00", "2026-03-02T12:01:00+00:00"
PERIOD = {"at": AT, "until": UNTIL, "period": "2026-03-02 12:00", "to": "2026-03-02 12:01"}


def drawn(spec: Spec) -> str:
    return vl_convert.vegalite_to_svg({**spec, "width": 400})


ROW = {**PERIOD, "number": 7, "name": "0"}
V1 = {**ROW, "kind": "v1", "low": 1, "middle": 2, "high": 3}
HEAT = {"name": "price", "period": "Monday", "number": 0.3, "level": "high"}


@pytest.mark.parametrize(("spec", "texts"), [
    (charts.bars_over_time([V1], ["v1"], "records"), ["records", "v1", "time, UTC"]),
    (charts.lines_over_time([V1], ["v1"], "lag in s"), ["lag in s", "v1"]),
    (charts.points_over_time([ROW], "duration in s"), ["duration in s", "time, UTC"]),
    (charts.band_over_time([V1], ["v1"], "score"), ["score", "v1"]),
    (charts.intervals([V1 | {"x": 1, "clicks": 9}], ["v1"], "score", "share"), ["score", "share", "v1"]),
    (charts.intervals([V1 | {"x": 1, "low": None, "high": None, "clicks": 9}], ["v1"], "score", "share", True), ["v1"]),
    (charts.spans([V1], ["v1"], [ROW], "begin"), ["v1", "begin"]),
    (charts.spans([V1], ["v1"], [], "begin"), ["v1", "begin"]),
    (charts.shares([V1 | {"bin": "1 to 2"}], ["v1"], "score", "%"), ["score", "%"]),
    (charts.heat([HEAT], ["price"], ["low", "middle", "high"], "PSI"), ["price", "Monday", "PSI", "high"]),
])  # fmt: skip
def test_chart_is_drawn_with_its_titles(spec: Spec, texts: list[str]) -> None:
    svg = drawn(spec)
    assert not [text for text in texts if f">{text}</text>" not in svg]


def test_bars_stand_on_each_other() -> None:
    rows = [{**PERIOD, "kind": kind, "number": number} for kind, number in (("rejected", 2), ("scored", 5))]
    [values] = charts.bars_over_time(rows, ["scored", "rejected"], "records")["datasets"].values()
    assert [(row["kind"], row["low"], row["high"]) for row in values] == [("scored", 0, 5), ("rejected", 5, 7)]


def test_clock_has_24_hours() -> None:
    late = {**PERIOD, "at": "2026-03-02T21:00:00+00:00", "until": "2026-03-02T21:01:00+00:00", "kind": "a", "number": 1}
    svg = drawn(charts.bars_over_time([late], ["a"], "records"))
    assert ">21:00</text>" in svg or ">21:00:00</text>" in svg
