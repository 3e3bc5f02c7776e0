"""The page in a real browser: every chart is drawn, nothing complains, nothing is fetched, and no record can run."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from tests.support.browser import Browser, browser
from tests.support.run_tables import START, Run

from clickscore.config.outcome import Outcome
from clickscore.report.page import render
from clickscore.report.report import make_page
from clickscore.report.run_tables import open_tables
from clickscore.scoring import read_contract, read_features

DATA = Path(__file__).parents[2] / "data"
HOSTILE = """</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1"><svg onload=hacked=1>"""
CHARTS = 12
BY_CLICK = Outcome.model_validate({"success": "quantity = 0", "unit": "click", "window": "1 hour"})
PHONE = 390


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run with a swap, whose texts, as far as a record or another writer can set them, are hostile."""
    folder = tmp_path_factory.mktemp("page")
    contract = read_contract(DATA / "click.ddl", "id", "at", "visitor")
    run = Run(folder / HOSTILE.replace("/", "") / "run", contract.click)
    for day in range(4):
        clicks = [{"id": f"{HOSTILE}{n}", "visitor": HOSTILE, "at": START + timedelta(days=day), "price": n + day,
                   "quantity": n % 3, "score": n / 600, "source": HOSTILE, "source_offset": 600 * day + n}
                  for n in range(600)]  # fmt: skip
        run.score(day, clicks, version=f"{HOSTILE}{min(day, 2)}", minutes=day * 24 * 60)
        run.follow(*({"unit_id": f"{HOSTILE}{n}", "success": n % 3 == 0, "clicks": 3} for n in range(600) if not day))
    run.reject(0, [{"raw": HOSTILE, "reason": HOSTILE, "detail": HOSTILE}, {"raw": HOSTILE, "detail": HOSTILE}])
    run.decide({"model_name": HOSTILE, "reason": HOSTILE, "event": HOSTILE})
    tables = open_tables(run.output, contract, {})
    features = read_features(DATA / "features.sql", contract.click)
    file = folder / "report.html"
    file.write_text(render(make_page(tables, features, datetime.now(timezone.utc), BY_CLICK, by="source")))
    return file


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, 1_000])
def test_every_chart_is_drawn_and_nothing_complains(page: Path, tab: Browser, width: int, scheme: str) -> None:
    tab.open(page, width, scheme)
    assert tab.ask("document.querySelectorAll('[data-spec]').length") == CHARTS
    marks = "figure.querySelectorAll('.chart svg [role=graphics-symbol], .chart svg path, .chart svg rect').length > 3"
    assert tab.ask(f"[...document.querySelectorAll('figure')].filter((figure) => {marks}).length") == CHARTS
    assert tab.ask("document.documentElement.scrollWidth") <= width
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith(page.as_uri())] == []


def test_text_of_a_record_does_not_run(page: Path, tab: Browser) -> None:
    tab.open(page)
    assert tab.ask("typeof window.hacked") == "undefined"
    assert tab.ask("document.querySelectorAll('body img, section > svg').length") == 0
    assert tab.ask("document.body.textContent.includes('onerror')") is True


def test_policy_of_the_page_stops_a_script_that_is_not_its_own(page: Path, tab: Browser, tmp_path: Path) -> None:
    tampered = tmp_path / "tampered.html"
    tampered.write_text(page.read_text().replace("<header>", "<header><script>window.hacked = 1</script>", 1))
    tab.open(tampered)
    assert tab.ask("typeof window.hacked") == "undefined"
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)
    tab.complaints.clear()


def test_colours_follow_the_system(page: Path, tab: Browser) -> None:
    def text_and_page() -> list[str]:
        found: list[str] = tab.ask(
            "[getComputedStyle(document.body).backgroundColor, "
            "document.querySelector('.chart svg text').getAttribute('fill')]"
        )
        return found

    tab.open(page, scheme="dark")
    dark = text_and_page()
    tab.open(page, scheme="light")
    assert not set(dark) & set(text_and_page())


def test_numbers_of_a_chart_open_from_the_keyboard(page: Path, tab: Browser) -> None:
    tab.open(page)
    tab.ask("document.querySelector('summary').focus()")
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13)
    assert tab.ask("document.querySelector('details').open") is True
    assert tab.ask("document.querySelector('details td').textContent") == "2026-03-02 12:00"
