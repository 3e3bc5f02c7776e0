import os
import signal
import threading
import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from tests.support.run_tables import COUNTED, Run

from clickscore.config.run import Config
from clickscore.errors import TableError
from clickscore.scoring import Contract
from clickscore.watch.watch import run as watch


@pytest.fixture
def filled(shop: Any, contract: Contract) -> Run:
    return Run(shop.home, contract.click)


def seen_once(config: Config) -> str:
    seen = StringIO()
    watch(config, {}, Console(file=seen, width=400), once=True)
    return seen.getvalue()


def test_stream_that_has_not_begun_is_waited_for(shop: Any) -> None:
    assert seen_once(shop.config).startswith(
        "waiting: there is no table of scored clicks yet  status: the job does not"
    )


def test_tables_alone_tell_what_the_stream_does(shop: Any, filled: Run) -> None:
    filled.score(0, [{"id": "a"}, {"id": "b"}])
    filled.reject(0, [{}])
    filled.measure({"batch_id": 0, "read": 3})
    said = seen_once(shop.config)
    for part in ("scored: 2", "rejected: 1 (malformed_json 1)", "model: shop v1", "batch: 0 with 3 rows", "lag: 3.0 s"):
        assert part in said
    assert "drift: " not in said


def test_drift_is_shown_where_the_table_has_it(shop: Any, filled: Run) -> None:
    filled.score(0, [{"id": "a"}])
    filled.reject(0, [{}])
    filled.measure({"drifted": ["price"]}, more=COUNTED)
    assert "  drift: price  " in seen_once(shop.config)


def test_table_that_cannot_be_read_is_trouble_and_no_end(shop: Any, filled: Run) -> None:
    filled.score(0, [{"id": "a"}])
    (shop.home / "scored_clicks" / "_delta_log" / f"{0:020}.json").write_text("rubbish")
    assert seen_once(shop.config).startswith("trouble: ")


def test_table_of_a_catalog_is_refused(shop: Any) -> None:
    shop.set(output={"scored": "shop.scored", "rejected": "shop.rejected"})
    with pytest.raises(TableError, match=r"shop\.scored is the name of a table in a catalog; expected a path"):
        seen_once(shop.config)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("is_terminal", [True, False])
def test_it_is_shown_every_second_until_a_signal_ends_it(shop: Any, number: signal.Signals, is_terminal: bool) -> None:
    seen = StringIO()
    before = signal.getsignal(signal.SIGTERM)

    def end() -> None:
        until = time.monotonic() + 30
        while seen.getvalue().count("waiting") < 2 and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    ending = threading.Thread(target=end)
    ending.start()
    watch(shop.config, {}, Console(file=seen, width=60, force_terminal=is_terminal))
    ending.join()
    assert seen.getvalue().count("waiting") >= 2
    assert signal.getsignal(signal.SIGTERM) == before


def test_job_shows_a_line(shop: Any, run_job: Callable[..., Any]) -> None:
    done = run_job("watch", "--config", str(shop.config_file), "--once")
    assert (done.status, done.out.count("\n")) == (0, 1)
