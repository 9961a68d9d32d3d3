"""Handshakes: the cost of a recorded ClientHello that is replayed, for the server and for other players.

The peer computes nothing, and the server everything that the group requires; with ffdhe8192 that would be 180 ms each.
Figures, each with a bound (`bounds.py` checks them):

- CPU of the server process for one such connection, from accept to close.
- How long a player behind TLS waits for an echo beside them.

The server is a process of its own, on loopback. Only `max_handshakes` limits it, so no rate hides the cost.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from functools import partial
from pathlib import Path
from typing import Self

from tests.bench.bounds import BoundRow
from tests.bench.storms import MOST_WAITING, PACE, SECONDS, cpu_of, serving

REPLAYERS = 4  # threads
REST = 0.02  # seconds of each between two connections
PATIENCE = 5.0  # seconds for an answer
GROUPS = {"ffdhe8192": "ffdhe8192", "P-256": "prime256v1"}  # and OpenSSL's names

MOST_COSTLY = 3.0  # ms of CPU for each connection


def client_context(group: str = "prime256v1") -> ssl.SSLContext:
    """Return a client context that requires a group, and trusts every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_ecdh_curve(group)
    return context


def recorded_hello(group: str) -> bytes:
    """Return the first message of a client."""
    sent = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        client_context(group).wrap_bio(ssl.MemoryBIO(), sent).do_handshake()
    return sent.read()


class Replay:
    """Threads that connect, send the same bytes, wait for the answer, and close.

    Attributes:
        count: Connections so far.
    """

    def __init__(self, port: int, hello: bytes) -> None:
        self.count = 0
        self._port = port
        self._hello = hello
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(REPLAYERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            with socket.create_connection(("127.0.0.1", self._port), PATIENCE) as sock, contextlib.suppress(OSError):
                sock.sendall(self._hello)
                sock.recv(100)
            self.count += 1
            time.sleep(REST)


def cost(group: str) -> float:
    """ms of CPU for each connection."""
    with serving("tls") as (port, pid), Replay(port, recorded_hello(group)) as replay:
        time.sleep(0.2)
        before, cpu = replay.count, cpu_of(pid)
        time.sleep(SECONDS)
        return 1e3 * (cpu_of(pid) - cpu) / (replay.count - before)


def waiting(group: str) -> float:
    """ms that a player waits for an echo, 99 of 100 times."""
    with (
        serving("tls") as (port, _),
        socket.create_connection(("127.0.0.1", port), PATIENCE) as sock,
        client_context().wrap_socket(sock) as player,
        Replay(port, recorded_hello(group)),
    ):
        waits: list[float] = []
        end = time.monotonic() + SECONDS
        while (asked := time.monotonic()) < end:
            wanted = b"number %d.\r\n" % len(waits)
            player.sendall(b"echo number %d.\r\n" % len(waits))
            heard = b""
            while wanted not in heard:
                heard += player.recv(4096)
            waits.append(time.monotonic() - asked)
            time.sleep(PACE)
    return 1e3 * sorted(waits)[len(waits) * 99 // 100]


ROWS = [
    row
    for name, group in GROUPS.items()
    if Path("/proc/self/schedstat").exists()
    for row in (
        BoundRow(f"a replayed ClientHello of {name}", "CPU ms each", MOST_COSTLY, partial(cost, group)),
        BoundRow(f"a player beside replayed ClientHellos of {name}", "ms, p99", MOST_WAITING, partial(waiting, group)),
    )
]
