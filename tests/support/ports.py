"""Ports of this machine that nobody listens on."""

import socket

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> int:
    """Return the first of some neighbouring free ports."""
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            first = int(probe.getsockname()[1])
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind((LOOPBACK, port))
        except (OSError, OverflowError):
            continue
        return first
