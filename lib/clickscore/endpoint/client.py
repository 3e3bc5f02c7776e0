"""The client of an endpoint: asks it for the predictions of some clicks, patiently and a few requests at a time.

A request that fails in passing is sent again with backoff and jitter until its deadline. Then the model counts as
unavailable: whoever scores fails as a whole, and no click is rejected for it.
"""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from clickscore.config.endpoint import CLICKS, Payload
from clickscore.endpoint.circuit import Circuit
from clickscore.endpoint.payloads import Answer, AwayError, MisconfiguredError, RefusedError, decode, encode
from clickscore.errors import ModelUnavailableError
from clickscore.scoring.outputs import Outputs, as_outputs, joined

FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
"""The wait between two attempts doubles between them; its length is random below that."""
CONNECT_LIMIT_S = 5.0
"""How long a connection may take to come about; a machine that is gone does not refuse it."""
MAX_ANSWER_BYTES = 64 * 1024**2
"""Above it, an answer is none of this protocol: 1,000 clicks with 1,000 numbers each are a third of it."""
MOST_CAUSES = 3
"""Different failures of a request that are named, the last ones."""
_BLOCK_BYTES = 64 * 1024
_BACKOFF = wait_random_exponential(FIRST_WAIT_S, LONGEST_WAIT_S)


class _StoppedError(ModelUnavailableError):
    """Raised in a request when another one of the same call has failed."""


@dataclass(frozen=True)
class Connection:
    """How an endpoint is asked.

    Attributes:
        url: its address.
        payload: form of a request.
        version_header: response header in which it names its version; None if it has no such.
        rows: most clicks of a request.
        concurrency: most requests at a time.
        attempt_s: how long one attempt may take.
        deadline_s: how long a request may take with all its attempts.
        token: sent as ``Authorization: Bearer``; None sends nothing.
    """

    url: str
    payload: Payload
    version_header: str | None
    rows: int
    concurrency: int
    attempt_s: float
    deadline_s: float
    token: str | None = field(default=None, repr=False)

    @property
    def names_version(self) -> bool:
        """Whether each answer names the version that it is of."""
        return self.payload == CLICKS or self.version_header is not None


class Client:
    """Asks one endpoint; made once in a process, as its circuit breaker learns from every request.

    It may be used by several threads, and in a fork of the process in which it was made.
    """

    def __init__(self, connection: Connection, version: str | None = None) -> None:
        """Connect to nothing yet.

        Args:
            connection: how it is asked.
            version: which version must answer; None takes any.
        """
        self._connection, self._version = connection, version
        self._circuit, self._opening = Circuit(), threading.Lock()
        self._session: tuple[int, Any] | None = None

    @property
    def label(self) -> str:
        """The endpoint as messages name it."""
        return f"the endpoint {self._connection.url}"

    def predict(self, inputs: pa.StructArray) -> Outputs:
        """Return the predictions for some clicks, however many.

        Raises:
            RefusedError: if the endpoint does not take one of them.
            OutputError: if an answer is not one row of numbers for each click.
            ModelUnavailableError: if it cannot be asked now, or another version answers.
        """
        stopped, rows = threading.Event(), self._connection.rows
        parts = [inputs.slice(begin, rows) for begin in range(0, len(inputs), rows)] or [inputs]
        ask = partial(self._outputs, stopped=stopped)
        if len(parts) == 1:
            return ask(inputs)
        with ThreadPoolExecutor(min(self._connection.concurrency, len(parts))) as pool:
            asked = [pool.submit(ask, part) for part in parts]
        for each in asked:
            if (error := each.exception()) and not isinstance(error, _StoppedError):
                raise error
        return joined([each.result() for each in asked])

    def ask(self, inputs: pa.StructArray) -> Answer:
        """Return what the endpoint answers to one request, with the version that has answered.

        Raises:
            RefusedError: if it does not take one of the clicks.
            ModelUnavailableError: if it cannot be asked now.
        """
        return self._answer(inputs, threading.Event())

    def _outputs(self, inputs: pa.StructArray, stopped: threading.Event) -> Outputs:
        try:
            return as_outputs(self._answer(inputs, stopped).prediction, len(inputs))
        except MisconfiguredError as error:  # Spark passes on no more than the name of a class, which is to be this one
            stopped.set()
            raise ModelUnavailableError(str(error)) from None
        except BaseException:
            stopped.set()  # what the other requests of the call would bring is of no use any more
            raise

    def _answer(self, inputs: pa.StructArray, stopped: threading.Event) -> Answer:
        until, body = time.monotonic() + self._connection.deadline_s, encode(self._connection.payload, inputs)
        limit, is_passing = stop_before_delay(self._connection.deadline_s), retry_if_exception_type(AwayError)
        failures: dict[str, None] = {}  # the deadline cuts the last attempt short: one before it may know the cause
        retrying = Retrying(retry=is_passing, wait=_wait_s, stop=limit, sleep=partial(_pause, stopped), reraise=True,
                            after=lambda state: failures.setdefault(str(_failure(state))))  # fmt: skip
        try:
            return retrying(self._attempt, body, until, stopped)
        except AwayError:
            tries = f"{retrying.statistics['attempt_number']} attempts in {self._connection.deadline_s:g} s"
            causes = ", then ".join([*failures][-MOST_CAUSES:])
            raise ModelUnavailableError(f"{self.label} is away: {causes}; {tries}") from None
        except MisconfiguredError as error:
            raise MisconfiguredError(f"{self.label}: {error}") from None

    def _attempt(self, body: bytes, until: float, stopped: threading.Event) -> Answer:
        if stopped.is_set():
            raise _StoppedError
        if pause := self._circuit.admit():
            raise AwayError(self._circuit.cause or "another request is checking whether it is back", pause)
        try:
            answer = self._send(body, until)
        except ModelUnavailableError as error:
            self._circuit.failed(str(error))
            raise
        except BaseException:  # a refusal is an answer; anything else says nothing, but ends the request
            self._circuit.succeeded()
            raise
        self._circuit.succeeded()
        return answer

    def _send(self, body: bytes, until: float) -> Answer:
        import requests
        from urllib3.exceptions import HTTPError

        asked, ends = self._connection, min(until, time.monotonic() + self._connection.attempt_s)
        limits = min(CONNECT_LIMIT_S, asked.attempt_s), max(ends - time.monotonic(), 0.001)
        try:
            with self._opened().post(
                asked.url, body, headers={"Content-Type": "application/json"}, timeout=limits, stream=True,
                auth=self._sign, allow_redirects=False,
            ) as response:  # fmt: skip
                content = _read(response.raw, ends)
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise MisconfiguredError("its certificate is not trusted; REQUESTS_CA_BUNDLE names yours") from None
            raise AwayError(_cause(error)) from None
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidProxyURL, UnicodeError) as error:
            raise MisconfiguredError(f"its address cannot be used: {error}") from None
        except (OSError, HTTPError) as error:
            raise AwayError(_cause(error)) from None
        header = asked.version_header
        version = response.headers.get(header) if header else None
        try:
            answer = decode(asked.payload, response.status_code, content, _asked_wait_s(response.headers))
        except (RefusedError, ModelUnavailableError) as error:
            # Its words quote the answer, in which a server may repeat the token.
            error.args = (str(error).replace(asked.token or "Bearer ", "***"),)
            self._check(version)  # another version's refusal says nothing about this one
            raise
        if header and not version:
            raise MisconfiguredError(f"its answer has no header {header}; look at model.endpoint.version_header")
        self._check(version or answer.version)
        return answer._replace(version=version or answer.version)

    def _check(self, version: str | None) -> None:
        if self._version and version and version != self._version:
            raise MisconfiguredError(
                f"expected version {self._version}, which scores the whole micro-batch, found an answer of {version}"
            )

    def _sign(self, request: Any) -> Any:
        # As ``auth``, or a .netrc file of the machine would replace the header.
        if self._connection.token:
            request.headers["Authorization"] = f"Bearer {self._connection.token}"
        return request

    def _opened(self) -> Any:
        """Return the session of this process: a fork must not write into the connections of its parent."""
        import requests
        from requests.adapters import HTTPAdapter

        with self._opening:
            if not self._session or self._session[0] != os.getpid():
                session = requests.Session()
                for scheme in ("https://", "http://"):
                    session.mount(scheme, HTTPAdapter(pool_maxsize=self._connection.concurrency))
                self._session = os.getpid(), session
            return self._session[1]


def _pause(stopped: threading.Event, seconds: float) -> None:
    stopped.wait(seconds)


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _wait_s(state: RetryCallState) -> float:
    error = _failure(state)
    return max(_BACKOFF(state), error.wait_s if isinstance(error, AwayError) else 0.0)


def _asked_wait_s(headers: Any) -> float:
    """Return how long ``Retry-After`` asks to wait, in seconds; a date is left to the backoff."""
    text = headers.get("Retry-After", "")
    return min(float(text), LONGEST_WAIT_S) if text.isascii() and text.isdigit() else 0.0


def _read(raw: Any, ends: float) -> bytes:
    """Read an answer as it comes: a server that sends a byte now and then keeps to no limit of a single read."""
    blocks, size = [], 0
    while block := raw.read1(_BLOCK_BYTES, decode_content=True):
        blocks.append(block)
        size += len(block)
        if size > MAX_ANSWER_BYTES:
            raise MisconfiguredError(f"its answer has more than {MAX_ANSWER_BYTES // 1024**2} MiB")
        if time.monotonic() > ends:
            raise TimeoutError("its answer does not end in time")
    return b"".join(blocks)


def _cause(error: Exception) -> str:
    """Return what a failed connection says, without the names of the classes of the client around it."""
    reason = getattr(error.args[0] if error.args else None, "reason", None) or error
    return f"{type(reason).__name__}: {str(reason).rpartition('): ')[2]}"
