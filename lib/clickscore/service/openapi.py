"""What OpenAPI says of a request to /score and of its answers: the body is read raw, so FastAPI cannot know it."""

import json
from collections.abc import Iterable
from typing import Any

from clickscore.service.body import JSON, NDJSON

Tree = dict[str, Any]

_TEXT: Tree = {"type": ["string", "null"]}
_REQUEST_ID: Tree = {"request_id": {"type": "string", "description": "As given in X-Request-Id, or a new one."}}
_REFUSALS = {
    400: "There is no body, or it is a list that cannot be split into records.",
    401: "The token is missing or wrong.",
    408: "The body did not arrive in time.",
    413: "The body or the list is too large.",
    415: f"The body is neither {JSON} nor {NDJSON}.",
    500: "The service has failed; its log says why.",
    503: "Not ready, overloaded, or not in time: try again.",
}


def describe(openapi: Tree, example: Tree, scores: Iterable[str], needs_token: bool) -> None:
    """Write what a request to /score and its answers are into the description of the service.

    Args:
        openapi: the description, as FastAPI has made it.
        example: a click.
        scores: the score columns.
        needs_token: whether a request must carry a token.
    """
    operation = openapi["paths"]["/score"]["post"]
    operation["requestBody"] = request_body(example)
    operation["responses"] = {str(status): answer for status, answer in answers(scores).items()}
    if needs_token:
        openapi.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        operation["security"] = [{"token": []}]


def request_body(example: Tree) -> Tree:
    """Return the description of the body of a request to /score.

    Args:
        example: a click.
    """
    examples = {
        "one": {"summary": "One click", "value": example},
        "list": {"summary": "A list of clicks", "value": [example, example]},
    }
    # Any JSON is taken: what is no click gets an outcome that says so.
    record = {"description": "A click as a JSON object, or an array of them; anything else is rejected with a reason."}
    lines = {"description": "One record per line, and at least one.", "pattern": "[^ \\t\\r\\n]"}
    content = {
        JSON: {"schema": record, "examples": examples},
        NDJSON: {"schema": lines, "example": json.dumps(example) + "\n"},
    }
    return {"required": True, "content": content}


def answers(scores: Iterable[str]) -> dict[int, Tree]:
    """Return the description of the answers of /score by their status.

    Args:
        scores: the score columns.
    """
    fields: Tree = {
        "verdict": {"type": "string", "enum": ["scored", "rejected"]},
        **{name: {"type": ["number", "null"]} for name in scores},
        "reason": {**_TEXT, "description": "A reason code of rejected_clicks; null where the click is scored."},
        "detail": {**_TEXT, "description": "What was expected, and what was found."},
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
    }
    outcome = _object(fields)
    one = _object({**_REQUEST_ID, **fields})
    many = _object({**_REQUEST_ID, "outcomes": {"type": "array", "items": outcome}})
    shown: Tree = {"verdict": "scored", **dict.fromkeys(scores, 0.25), "reason": None, "detail": None,
                   "model_name": "click_propensity", "model_version": "1"}  # fmt: skip
    examples = {
        "one": {"summary": "To one click", "value": {"request_id": "a1", **shown}},
        "list": {"summary": "To a list", "value": {"request_id": "a2", "outcomes": [shown, shown]}},
    }
    content = {JSON: {"schema": {"anyOf": [one, many]}, "examples": examples}}
    detail = {JSON: {"schema": _object({"detail": {"type": "string"}})}}
    return {
        200: {"description": "One outcome for each record, in the same order.", "content": content},
        **{status: {"description": text, "content": detail} for status, text in _REFUSALS.items()},
    }


def _object(fields: Tree) -> Tree:
    return {"type": "object", "required": list(fields), "properties": fields}
