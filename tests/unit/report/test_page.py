import re
from datetime import datetime, timezone

from clickscore.report.charts import points_over_time
from clickscore.report.page import Page, render
from clickscore.report.sections import Chart, Figure, Grid, Section

HOSTILE = """</script><script>alert(1)</script><img src=x onerror="alert(2)">{{ 7 * 7 }}'"&"""
MOST_BYTES = 1_600_000


def hostile_page() -> Page:
    """Return a page with a hostile text in every place that a table can fill."""
    row = {"at": "2026-03-02T12:00:00+00:00", "name": HOSTILE, "period": HOSTILE, "number": 1}
    grid = Grid((HOSTILE, f">{HOSTILE}"), ((HOSTILE, HOSTILE),))
    chart = Chart("chart", HOSTILE, points_over_time([row], HOSTILE), grid, HOSTILE)
    section = Section("section", HOSTILE, (HOSTILE,), (chart,), ((HOSTILE, grid),))
    made = datetime(2026, 3, 2, tzinfo=timezone.utc)
    return Page(HOSTILE, [(HOSTILE, 3)], made, (Figure(HOSTILE, HOSTILE),), (section,))


def test_text_of_a_table_is_text_on_the_page() -> None:
    html = render(hostile_page())
    assert "<script>alert" not in html
    assert "<img" not in re.sub(r'<script type="module">.*?</script>', "", html, flags=re.DOTALL)
    assert "{{ 7 * 7 }}" in html
    assert html.count("<script") == 3  # the chart's numbers, the bundle, the page's own


def test_page_loads_nothing_and_is_small() -> None:
    html = render(hostile_page())
    assert not re.search(r"""<(?:link|img|iframe)|\ssrc=["']?https?:""", html.partition('<script type="module">')[0])
    assert "default-src 'none'" in html
    assert len(html.encode()) < MOST_BYTES


def test_every_chart_has_its_numbers_and_a_name_for_those_who_do_not_see_it() -> None:
    html = render(hostile_page())
    assert html.count('role="img" aria-label="') == html.count("<details>") == 1
