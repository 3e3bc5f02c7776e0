from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from threading import Thread

import pytest
from prometheus_client import generate_latest
from rich.console import Console

from clickscore.config.run import HealthEndpoint
from clickscore.monitoring.endpoint import serving
from clickscore.monitoring.health import Health
from clickscore.monitoring.metrics import make_registry
from clickscore.monitoring.report import Report
from clickscore.watch.live import Live, ask, read_metrics


def health() -> Health:
    health = Health(300)
    health.report(Report(7, 20, 15, 5, 2, 0.7, None, "shop", "3", by_reason={"tombstone": 1, "wrong_type": 4}))
    return health


def test_running_job_tells_how_it_is() -> None:
    seen = StringIO()
    with serving(HealthEndpoint(port=0), health(), Console(file=seen, width=200)):
        port = int(seen.getvalue().split(":")[3].partition("/")[0])
        found = ask(HealthEndpoint(port=port, host="::"))
        assert found == Live("ok", None, ("shop", "3"), 15, 5, {"tombstone": 1, "wrong_type": 4})
    assert ask(HealthEndpoint(port=port)) is None


def test_lag_is_told_where_the_job_knows_it() -> None:
    idle = health()
    idle.idle(12)
    found = read_metrics(generate_latest(make_registry(idle)).decode())
    assert found.lag_s == pytest.approx(12, abs=1)


def test_job_that_has_not_begun_has_no_model() -> None:
    found = read_metrics(generate_latest(make_registry(Health(300))).decode())
    assert (found.status, found.model, found.by_reason) == ("starting", None, {})


@contextmanager
def answering(text: str) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("text", ["<html>hello</html>", "up 1\n"])
def test_somebody_else_at_the_address_is_nobody(text: str) -> None:
    with answering(text) as port:
        assert ask(HealthEndpoint(port=port)) is None
