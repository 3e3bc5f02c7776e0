"""The body of a request becomes raw records, each with its own bytes: nothing is decoded and written again."""

import asyncio

import msgspec
from starlette.requests import ClientDisconnect, Request

JSON, NDJSON = "application/json", "application/x-ndjson"
"""Media types: one record or a JSON array of them; one record per line, where a broken line harms no other."""
_CLOSE = {"Connection": "close"}
"""Ends a connection on which the rest of a body may still come."""
_WHITE_SPACE = b" \t\r\n"
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


class RefusedError(Exception):
    """Raised for a request that is not answered with outcomes."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        """Keep what the client is told."""
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}


async def read(request: Request, most_bytes: int, limit_s: float) -> bytes:
    """Return the body; one that is larger than it says, or than allowed, is not kept in memory.

    Raises:
        RefusedError: if it is too large, compressed, or does not come in time.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    try:
        body = await asyncio.wait_for(_received(request, most_bytes), limit_s)
    except TimeoutError:
        raise RefusedError(408, f"the body did not arrive within {limit_s:g} s", _CLOSE) from None
    except ClientDisconnect:
        raise RefusedError(400, "the client disconnected before its body arrived", _CLOSE) from None
    if encoding not in ("", "identity"):
        raise RefusedError(415, f"expected no Content-Encoding, found {encoding}: send the body uncompressed")
    return body


async def _received(request: Request, most_bytes: int) -> bytes:
    too_large = RefusedError(413, f"expected at most {most_bytes:,} bytes", _CLOSE)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most_bytes and "expect" in request.headers:
        raise too_large  # the client waits with the body until it is asked for
    parts, size = [], 0
    async for part in request.stream():  # to its end: many a client does not listen before it has sent everything
        size += len(part)
        if size <= most_bytes:
            parts.append(part)
        else:
            parts.clear()
    if size > most_bytes:
        raise too_large
    return b"".join(parts)


def records_of(body: bytes, content_type: str | None) -> tuple[list[bytes], bool]:
    """Return the raw records of a body, and whether they came as a list.

    Args:
        body: one JSON object, a JSON array of them, or lines of them as ``application/x-ndjson``.
        content_type: of the body; None is JSON.

    Raises:
        RefusedError: if there is no body, or it is of another type, or an array that is not JSON, so that nobody can
            tell where a record ends.
    """
    media_type = (content_type or JSON).partition(";")[0].strip().lower()
    if media_type not in (JSON, NDJSON):
        raise RefusedError(415, f"expected Content-Type: {JSON} or {NDJSON}, found {media_type}")
    if not body.strip(_WHITE_SPACE):
        raise RefusedError(400, "the body is empty: expected one click as a JSON object, or a list of them")
    if media_type == NDJSON:
        return [line for line in body.split(b"\n") if line.strip(_WHITE_SPACE)], True
    if not body.lstrip(_WHITE_SPACE).startswith(b"["):
        return [body], False
    try:
        return [bytes(record) for record in _split(body)], True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = f"Send one record per line as {NDJSON}: each is judged on its own"
        raise RefusedError(400, f"the body is not a JSON array: {error}. {hint}") from None
