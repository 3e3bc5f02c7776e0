"""The load generator: requests at a set rate, or as fast as some connections take them, over plain HTTP/1.1."""

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

OK = b"HTTP/1.1 200"


class Connection:
    """A connection that is kept open; it costs the machine far less than an HTTP library."""

    def __init__(self, url: str) -> None:
        """Remember the address."""
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname or "", parts.port or 80, parts.path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, body: bytes) -> bytes:
        """Send a body as JSON; return the answer's.

        Raises:
            RuntimeError: if the answer is not 200.
        """
        if not self._streams:
            self._streams = await asyncio.open_connection(self._host, self._port, limit=2**24)
        reader, writer = self._streams
        head = f"POST {self._path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        status, *headers = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        sizes = [
            int(value) for name, _, value in (line.partition(b":") for line in headers) if name == b"content-length"
        ]
        answer = await reader.readexactly(sizes[0])
        if not status.startswith(OK.lower()):
            raise RuntimeError(f"{status.decode()}: {answer[:200].decode()}")
        return answer


async def at_a_rate(url: str, bodies: Sequence[bytes], rate: float, seconds: float) -> list[float]:
    """Send requests at their times, whether or not earlier ones are answered; return the seconds until the answers."""
    free: list[Connection] = []
    waits: list[float] = []

    async def one(body: bytes, due: float) -> None:
        connection = free.pop() if free else Connection(url)
        await connection.ask(body)
        waits.append(time.perf_counter() - due)
        free.append(connection)

    begin, tasks = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        await asyncio.sleep(due - time.perf_counter())
        tasks.append(asyncio.ensure_future(one(bodies[number % len(bodies)], due)))
    await asyncio.gather(*tasks)
    return waits


async def as_fast_as_it_goes(url: str, bodies: Sequence[bytes], connections: int, seconds: float) -> float:
    """Let some connections ask one request after the other; return the requests/s."""
    count, begin = 0, time.perf_counter()

    async def ask(first: int) -> None:
        nonlocal count
        connection, number = Connection(url), first
        while time.perf_counter() - begin < seconds:
            await connection.ask(bodies[number % len(bodies)])
            count += 1
            number += connections

    await asyncio.gather(*(ask(first) for first in range(connections)))
    return count / (time.perf_counter() - begin)
