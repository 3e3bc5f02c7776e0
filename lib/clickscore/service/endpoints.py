"""The HTTP endpoints: raw clicks in, one outcome for each out; health, readiness and metrics beside them.

A record that cannot be scored is an answer, 200 with the reason. A 4xx is for a request that cannot be understood.
"""

import asyncio
import hmac
import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

import clickscore
from clickscore.config.service import Service
from clickscore.service.batching import Batcher, OverloadedError
from clickscore.service.body import RefusedError, read, records_of
from clickscore.service.champion import Champion, Item
from clickscore.service.metrics import Metrics
from clickscore.service.openapi import describe
from clickscore.service.write_behind import WriteBehind

_LATER = {"Retry-After": "1"}
"""With what might be answered after a second."""
_LONGEST_ID = 128
"""Characters of a request id that is taken from the client."""


@dataclass(frozen=True)
class State:
    """What the endpoints share with the rest of the service.

    Attributes:
        champion: scores; it serves a version once one has passed its trial.
        batcher: collects records for it.
        stopping: set when the service is about to stop.
        token: what a request must carry; None where anybody may ask.
        write_behind: keeps the records that were scored; None where they are not kept.
    """

    champion: Champion
    batcher: Batcher[Item]
    stopping: threading.Event
    token: str | None = None
    write_behind: WriteBehind | None = None


def make_app(config: Service, state: State, example: dict[str, Any], scores: Iterable[str]) -> FastAPI:
    """Return the application.

    Args:
        config: the limits.
        state: what the endpoints ask.
        example: a click, for the documentation of the endpoints.
        scores: the score columns, for the same.
    """
    app = FastAPI(
        title="clickscore",
        version=clickscore.__version__,
        description="Scores raw clicks with the champion of the model registry.",
        redoc_url=None,
    )
    metrics = _metrics(state)

    def headers(request: Request) -> dict[str, str]:
        # Who asks again while the service stops asks on a new connection, and so another instance.
        return {"X-Request-Id": request_id(request), **({"Connection": "close"} if state.stopping.is_set() else {})}

    @app.exception_handler(RefusedError)
    async def refuse(request: Request, error: RefusedError) -> JSONResponse:
        metrics.refused(error.status)
        return JSONResponse({"detail": error.detail}, error.status, {**headers(request), **error.headers})

    @app.exception_handler(Exception)
    async def fail(request: Request, _: Exception) -> JSONResponse:
        metrics.refused(500)
        return JSONResponse({"detail": "the service has failed; its log says why"}, 500, headers(request))

    @app.post("/score")
    async def score(request: Request) -> Response:
        """Score one raw click, or a list of them."""
        began = perf_counter()
        _check_token(request, state.token)
        body = await read(request, config.max_body, config.time_limit_ms / 1000)
        records, is_list = records_of(body, request.headers.get("content-type"))
        items = await _outcomes(records, config, state)
        content = {"request_id": request_id(request), **({"outcomes": list(items)} if is_list else items[0])}
        answer = Response(msgspec.json.encode(content), 200, headers(request), "application/json")
        metrics.answered(items, perf_counter() - began)
        return answer

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Tell that the process answers."""
        return {"status": "ok"}

    @app.get("/readyz", responses={503: {"description": "No model has passed its trial, or the service stops."}})
    async def readyz() -> JSONResponse:
        """Tell whether clicks can be scored, and by which version."""
        serving = state.champion.serving
        if not serving or state.stopping.is_set():
            return JSONResponse({"status": "not ready"}, 503)
        return JSONResponse({"status": "ready", "model_name": serving.name, "model_version": serving.version})

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def exposition() -> Response:
        """Return the metrics for Prometheus."""
        serving = state.champion.serving
        model = (serving.name, serving.version) if serving else None
        return Response(metrics.exposition(model), media_type=CONTENT_TYPE_LATEST)

    describe(app.openapi(), example, scores, state.token is not None)
    return app


async def _outcomes(records: list[bytes], config: Service, state: State) -> Sequence[Item]:
    """Return the outcomes of the records of a request.

    Raises:
        RefusedError: if there are too many, or they cannot be scored now.
    """
    if len(records) > config.max_records:
        raise RefusedError(413, f"expected at most {config.max_records:,} records, found {len(records):,}")
    if not state.champion.serving:
        raise RefusedError(503, "the service is not ready", _LATER)
    if not records:
        return []
    try:
        items = await asyncio.wait_for(state.batcher.score(records), config.time_limit_ms / 1000)
    except OverloadedError:
        raise RefusedError(503, "too many records wait", _LATER) from None
    except TimeoutError:
        raise RefusedError(503, "not scored in time", _LATER) from None
    if state.write_behind:
        state.write_behind.add(
            record for record, item in zip(records, items, strict=True) if item["verdict"] == "scored"
        )
    return items


def request_id(request: Request) -> str:
    """Return the id that the client has given a request, if it is short and printable, or else a new one."""
    if "clickscore_id" not in request.scope:
        given = request.headers.get("x-request-id", "")
        is_fit = given.isascii() and given.isprintable() and 0 < len(given) <= _LONGEST_ID
        request.scope["clickscore_id"] = given if is_fit else uuid.uuid4().hex
    return str(request.scope["clickscore_id"])


def _check_token(request: Request, token: str | None) -> None:
    if token is None:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise RefusedError(401, "expected Authorization: Bearer with the token", {"WWW-Authenticate": "Bearer"})


def _metrics(state: State) -> Metrics:
    metrics, behind = Metrics(), state.write_behind
    metrics.watch("clickscore_records_waiting", "Records whose requests wait.", lambda: state.batcher.waiting)
    metrics.watch("clickscore_scorer_calls", "Calls of the scorer so far.", lambda: state.batcher.calls)
    metrics.watch("clickscore_model_refused", "Versions that were refused.", lambda: state.champion.refused)
    if behind:
        metrics.watch("clickscore_write_behind_written", "Scored records that were kept.", lambda: behind.written)
        metrics.watch("clickscore_write_behind_lost", "Scored records that could not be kept.", lambda: behind.lost)
    return metrics
