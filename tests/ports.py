"""Ports for servers that tests start, and start again, in other processes."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress
from typing import Final

# Below the ports that a kernel gives to sockets without one: no other program takes one meanwhile by connecting.
PORTS: Final = range(20_000, 32_000)


def free_ports(count: int) -> int:
    """Return the first of so many free ports in a row, on 127.0.0.1."""
    while True:
        first = random.choice(PORTS[:-count])
        with suppress(OSError), ExitStack() as probes:
            for port in range(first, first + count):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free."""
    return free_ports(1)
