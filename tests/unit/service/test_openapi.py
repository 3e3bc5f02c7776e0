"""What /openapi.json says is true of the answers, and examples work as they stand."""

import json
from typing import Any

import httpx
from tests.support.service import Served

from clickscore.service.openapi import answers, request_body


def test_example_of_the_description_is_scored(service: Served) -> None:
    described = service.client.get("/openapi.json").json()["paths"]["/score"]["post"]["requestBody"]["content"]
    examples = described["application/json"]["examples"]
    assert service.ask(examples["one"]["value"]).json()["verdict"] == "scored"
    assert [one["verdict"] for one in service.ask(examples["list"]["value"]).json()["outcomes"]] == ["scored"] * 2
    lines = described["application/x-ndjson"]["example"].encode()
    assert service.ask(lines, content_type="application/x-ndjson").json()["outcomes"][0]["verdict"] == "scored"


def test_answer_has_exactly_what_is_described(service: Served) -> None:
    responses = service.client.get("/openapi.json").json()["paths"]["/score"]["post"]["responses"]
    content = responses["200"]["content"]["application/json"]
    one, many = content["schema"]["anyOf"]
    found = service.ask({}).json()
    assert set(one["required"]) == set(one["properties"]) == set(found) == set(content["examples"]["one"]["value"])
    found = service.ask([{}]).json()
    assert set(many["required"]) == set(found)
    assert set(many["properties"]["outcomes"]["items"]["required"]) == set(found["outcomes"][0])


def test_every_score_column_is_described() -> None:
    fields = answers(["score", "leave"])[200]["content"]["application/json"]["schema"]["anyOf"][0]["properties"]
    assert fields["score"] == fields["leave"] == {"type": ["number", "null"]}


def test_lines_of_the_example_are_json() -> None:
    assert json.loads(request_body({"id": "a"})["content"]["application/x-ndjson"]["example"]) == {"id": "a"}


def test_token_is_described_where_one_is_needed(service: Served, strict: Served) -> None:
    free, guarded = (httpx.get(f"{running.url}/openapi.json").json() for running in (service, strict))
    assert guarded["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    assert security(guarded) == [{"token": []}]
    assert (security(free), "securitySchemes" in free.get("components", {})) == (None, False)


def security(description: dict[str, Any]) -> object:
    return description["paths"]["/score"]["post"].get("security")
