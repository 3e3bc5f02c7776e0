"""A running service, asked over HTTP: verdicts, limits, ids, and everything that is no request."""

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.support.service import Served

TOKEN = "s3cret-of-the-service"


def test_one_click_gets_a_verdict_and_a_score(service: Served, make_click: Callable[..., dict[str, Any]]) -> None:
    answer = service.ask(make_click(1))
    outcome = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert 0 < outcome.pop("score") < 1
    assert outcome.pop("request_id") == answer.headers["x-request-id"]
    assert outcome == {
        "verdict": "scored", "reason": None, "detail": None, "model_name": "small_model", "model_version": "1",
    }  # fmt: skip


def test_list_is_answered_in_its_order(service: Served, make_click: Callable[..., dict[str, Any]]) -> None:
    clicks = [make_click(1), {"id": "no time"}, make_click(150)]
    outcomes = service.ask(clicks).json()["outcomes"]
    assert [outcome["verdict"] for outcome in outcomes] == ["scored", "rejected", "scored"]
    assert [outcomes[0]["score"], outcomes[2]["score"]] == [
        service.ask(click).json()["score"] for click in (clicks[0], clicks[2])
    ]
    assert outcomes[0]["score"] != outcomes[2]["score"]
    assert outcomes[1]["reason"] == "missing_field"


def test_broken_line_harms_no_other(service: Served, make_click: Callable[..., dict[str, Any]]) -> None:
    lines = b"\n".join([json.dumps(make_click(1)).encode(), b'{"id": ', b"", json.dumps(make_click(2)).encode(), b""])
    outcomes = service.ask(lines, content_type="application/x-ndjson").json()["outcomes"]
    assert [outcome["reason"] for outcome in outcomes] == [None, "malformed_json", None]


def test_record_that_is_no_click_is_an_answer(service: Served) -> None:
    assert service.ask(b"17").json()["verdict"] == "rejected"
    assert service.ask(b"\xff\xfe").json()["reason"] == "invalid_encoding"
    assert service.ask([]).json()["outcomes"] == []


def test_service_tells_that_it_is_ready_and_counts(service: Served, make_click: Callable[..., dict[str, Any]]) -> None:
    assert service.client.get("/healthz").json() == {"status": "ok"}
    assert service.client.get("/readyz").json() == {
        "status": "ready", "model_name": "small_model", "model_version": "1",
    }  # fmt: skip
    before = service.metric("clickscore_records_total")
    service.ask([make_click(1), make_click(2), {}])
    assert service.metric("clickscore_records_total") == before + 3
    assert service.metric("clickscore_records_waiting") == 0


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic s3cret-of-the-service", "Bearer ü"])
def test_without_the_token_nobody_is_answered(strict: Served, authorization: str | None) -> None:
    headers = {"Authorization": authorization.encode("latin-1")} if authorization else {}
    answer = strict.client.post("/score", content=b"{}", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json() == {"detail": "expected Authorization: Bearer with the token"}
    assert strict.ask(b"{}", authorization=f"bearer {TOKEN}").status_code == 200


def test_limits_are_told(strict: Served) -> None:
    def refused(body: Any) -> tuple[int, str]:
        answer = strict.client.post("/score", content=body, headers={"Authorization": f"Bearer {TOKEN}"})
        return answer.status_code, answer.json()["detail"]

    assert refused(b" " * 2_001) == (413, "expected at most 2,000 bytes")
    assert refused(iter([b" " * 1_000] * 3)) == (413, "expected at most 2,000 bytes")
    assert refused(b"[1,2,3,4,5,6]") == (413, "expected at most 5 records, found 6")
    assert refused(b"") == (400, "the body is empty: expected one click as a JSON object, or a list of them")
    assert refused(b"[1,")[0] == 400


def test_slow_body_is_given_up(strict: Served) -> None:
    def slow() -> Any:
        yield b"{"
        time.sleep(1.5)
        yield b"}"

    answer = strict.client.post("/score", content=slow(), headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json()) == (408, {"detail": "the body did not arrive within 1 s"})


@pytest.mark.parametrize(("given", "is_kept"), [
    ("abc-123", True), ("x" * 128, True), ("x" * 129, False), ("", False), ("caf\u00e9", False),
])  # fmt: skip
def test_request_id_of_the_client_is_kept_if_it_is_short_and_printable(
    service: Served, given: str, is_kept: bool
) -> None:
    for body in (b"{}", b"[", b""):
        answer = service.client.post("/score", content=body, headers={"X-Request-Id": given.encode("latin-1")})
        assert (answer.headers["x-request-id"] == given) == is_kept
        assert answer.headers["x-request-id"]


def test_other_methods_paths_and_types_are_refused(service: Served) -> None:
    assert service.client.get("/score").status_code == 405
    assert service.client.post("/scores", content=b"{}").status_code == 404
    assert service.ask(b"<click/>", content_type="text/xml").status_code == 415


def test_compressed_body_is_refused_and_not_taken_for_a_broken_click(service: Served) -> None:
    def post(body: bytes, encoding: str) -> httpx.Response:
        return service.client.post("/score", content=body, headers={"Content-Encoding": encoding})

    answer = post(gzip.compress(b"{}"), "gzip")
    said = "expected no Content-Encoding, found gzip: send the body uncompressed"
    assert (answer.status_code, answer.json()) == (415, {"detail": said})
    assert post(b"{}", "Identity").json()["verdict"] == "rejected"
