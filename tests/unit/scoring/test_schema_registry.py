"""What a schema registry answers, and what its failures mean: an unknown schema, a wrong wiring, or a later attempt."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from clickscore.errors import ConfigError, SourceError, SourceUnavailableError
from clickscore.scoring import schema_registry
from clickscore.scoring.schema_registry import SchemaRegistry
from clickscore.scoring.wire import UndecodableError, Wire
from shopsim.registry import Registry

SCHEMA = '"string"'


def test_schema_is_asked_for_once(registry: Registry) -> None:
    number = registry.register("clicks-value", SCHEMA)
    client = SchemaRegistry(Wire("avro", registry.url))
    assert [client.schema(number, "AVRO").schema_str for _ in range(3)] == [SCHEMA] * 3
    assert registry.asked == [f"/schemas/ids/{number}"]


def test_unknown_schema_and_one_of_another_type_concern_the_record(registry: Registry) -> None:
    number, client = registry.register("clicks-value", "e30=", "PROTOBUF"), SchemaRegistry(Wire("avro", registry.url))
    with pytest.raises(UndecodableError, match="the schema registry knows no schema 7"):
        client.schema(7, "AVRO")
    with pytest.raises(UndecodableError, match="expected a schema of the type AVRO, found schema 1 of the type PROTO"):
        client.schema(number, "AVRO")


@pytest.mark.parametrize("references", [(("Page", "page", 1),), (("Page", "clicks-value", 9),)])
def test_reference_that_leads_nowhere_concerns_the_record(
    registry: Registry, references: tuple[tuple[str, str, int], ...]
) -> None:
    client = SchemaRegistry(Wire("avro", registry.url))
    schema = client.schema(registry.register("clicks-value", SCHEMA, references=references), "AVRO")
    with pytest.raises(UndecodableError, match=r"knows no version \d of (page|clicks-value), which the schema refers"):
        client.referenced(schema)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_registry_that_does_not_answer_is_worth_another_attempt(
    registry: Registry, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_registry, "RETRY_WAIT_MS", 1)
    registry.status = status
    with pytest.raises(
        SourceUnavailableError, match=rf"the schema registry {registry.url} does not answer: HTTP {status}"
    ):
        SchemaRegistry(Wire("avro", registry.url)).schema(1, "AVRO")


def test_registry_that_is_away_is_worth_another_attempt(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_registry, "RETRY_WAIT_MS", 1)
    registry.register("clicks-value", SCHEMA)
    client = SchemaRegistry(Wire("avro", registry.url))
    registry.stop()
    with pytest.raises(SourceUnavailableError, match="does not answer: ConnectError"):
        client.schema(1, "AVRO")
    registry.start()
    assert client.schema(1, "AVRO").schema_str == SCHEMA


def test_login_is_a_reference_and_must_be_right(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.login = ("alice", "s3cret:word")
    monkeypatch.setenv("REGISTRY_USER", "alice")
    wire = Wire("avro", registry.url, username="env:REGISTRY_USER", password="env:REGISTRY_PASSWORD")
    with pytest.raises(ConfigError, match="REGISTRY_PASSWORD is not set"):
        SchemaRegistry(wire).check()
    monkeypatch.setenv("REGISTRY_PASSWORD", "wrong")
    with pytest.raises(SourceError, match="refuses the login, HTTP 401") as refused:
        SchemaRegistry(wire).check()
    assert "wrong" not in str(refused.value)
    monkeypatch.setenv("REGISTRY_PASSWORD", "s3cret:word")
    SchemaRegistry(wire).check()


def test_address_of_something_else_is_wrong_wiring(registry: Registry) -> None:
    with pytest.raises(SourceError, match=r"source\.value\.registry: expected a schema registry at .*, found HTTP 404"):
        SchemaRegistry(Wire("avro", f"{registry.url}/elsewhere")).check()


def test_certificates_that_are_none_are_wrong_wiring(registry: Registry) -> None:
    with pytest.raises(ConfigError, match="expected what a client of the registry can use, found"):
        SchemaRegistry(Wire("avro", registry.url, ca=__file__)).check()


def test_server_that_answers_something_else_is_wrong_wiring() -> None:
    body = b"<html>hello</html>"

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        client = SchemaRegistry(Wire("avro", f"http://127.0.0.1:{server.server_port}"))
        with pytest.raises(SourceError, match=r"expected a schema registry at .*, found an answer of another kind"):
            client.schema(1, "AVRO")
        server.shutdown()
