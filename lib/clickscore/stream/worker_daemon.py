"""A variant of Spark's daemon for Python workers; ``spark.python.daemon.module`` names it.

A worker that is idle when Spark ends finds its socket closed, and would print a traceback. And SIGTERM, with which
Spark ends a silent worker, does not reach a stopped process (SIGSTOP, a debugger): the signal waits until the worker
continues, and the task waits with it.

Each worker is a fork of this process: nothing that starts threads may be imported here.
"""

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

from pyspark import daemon

LOOK_S = 2
"""How often the daemon looks for workers that SIGTERM does not reach."""
CHILDREN = Path("/proc/thread-self/children")
"""The processes that this one has forked; only Linux has it."""
HANGUP = 1
"""Exit code of a worker whose Spark has gone; with any but 0, the daemon lets it end."""

_serve = daemon.worker


def serve_quietly(sock: socket.socket, authenticated: bool) -> int:
    """Serve one task as Spark's worker does; return an exit code without a word if Spark has hung up."""
    try:
        return _serve(sock, authenticated)
    except (BrokenPipeError, ConnectionResetError):
        return HANGUP


def kill_stopped_workers(*_: object) -> None:
    """Kill the workers that SIGTERM was sent to and has not reached."""
    for pid in _children():
        with suppress(OSError):  # it has ended meanwhile
            if _is_asked_to_end(Path(f"/proc/{pid}/status").read_text()):
                os.kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    try:
        return [int(pid) for pid in CHILDREN.read_text().split()]
    except OSError:
        return []


def _is_asked_to_end(status: str) -> bool:
    """Tell from ``/proc/PID/status`` whether SIGTERM is pending; its masks have bit 0 for signal 1."""
    pending = next((line.split()[1] for line in status.splitlines() if line.startswith("ShdPnd:")), "0")
    return bool(int(pending, 16) & 1 << signal.SIGTERM - 1)


def main() -> None:
    """Run the daemon, until Spark ends."""
    daemon.worker = serve_quietly
    signal.signal(signal.SIGALRM, kill_stopped_workers)
    signal.setitimer(signal.ITIMER_REAL, LOOK_S, LOOK_S)  # a forked worker does not inherit the timer
    daemon.manager()


if __name__ == "__main__":
    main()
