"""WebSocket: an echoed line beside the library alone, an idle connection beside telnet, the end of many, and storms.

The figures have bounds (`bounds.py` checks them). Server and load are processes of their own, on loopback.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import statistics
import time
from functools import partial
from pathlib import Path

from websockets.frames import Opcode

from tests.bench.bounds import BoundRow
from tests.bench.encryption import figure
from tests.bench.peers import KINDS, UPGRADE
from tests.bench.storms import MOST, MOST_STORMING, SECONDS, cpu_of, filled, serving
from tests.transports.frames import fragments, frame
from trio_mud import Texts

ROUNDS = 3  # of a ratio; the median counts
ECHOING = (300, 2000)  # players
IDLING = 2000  # connections
LEAVING = 1500  # connections at a shutdown
PATIENCE = 10.0  # seconds for a close frame
GOING_AWAY = b"\x88\x02" + (1001).to_bytes(2, "big")  # a close frame

MOST_ECHO = {"websocket": 0.65, "gmcp": 0.75}  # of the CPU of the bare sans-IO echo
MOST_IDLE = {"websocket": 4000.0, "gmcp": 5000.0}  # bytes beyond telnet
MOST_LEAVING = 2.0  # seconds

SUBPROTOCOLS = {"websocket": "telnet.", "gmcp": "gmcp."}


def echo(kind: str, players: int) -> float:
    """Return the CPU of an echoed line, divided by that of the library's sans-IO protocol that only echoes."""
    return statistics.median(figure(kind, "echo", players) / figure("sansio", "echo", players) for _ in range(ROUNDS))


def idle(kind: str) -> float:
    """Return the bytes of an idle connection beyond one by telnet."""
    return figure(kind, "idle", IDLING) - figure("driver", "idle", IDLING)


def leave() -> float:
    """Return the seconds from SIGTERM until all clients have read the last words and the close frame.

    Raises:
        SystemExit: A client has not.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with serving("websocket") as (port, pid):
        peers = [KINDS["websocket"](port, number) for number in range(LEAVING)]
        time.sleep(1.0)  # greetings and offers
        os.kill(pid, signal.SIGTERM)
        began = time.monotonic()
        for peer in peers:
            peer.sock.settimeout(PATIENCE)
            heard = b""
            while GOING_AWAY not in heard and (data := peer.sock.recv(4096)):
                heard += data
            peer.sock.close()
            if Texts().shutdown.encode() not in heard or not heard.endswith(GOING_AWAY):
                raise SystemExit(f"a client read at the shutdown: {heard[-100:]!r}")
        return time.monotonic() - began


def storm(name: str) -> float:
    """Return the ms of CPU a second that a client takes which sends such messages without end, past its burst."""
    subprotocol, message = STORMS[name]
    with serving("webguarded") as (port, pid), socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(UPGRADE % subprotocol + frame(Opcode.BINARY, b"x\r\n"))
        sock.setblocking(False)
        data = filled(message, MOST)
        left, measured, cpu, began = data, False, 0.0, time.monotonic()
        while (now := time.monotonic()) - began < 1.0 + SECONDS:
            if not measured and now - began > 1.0:
                measured, cpu = True, cpu_of(pid)
            readable, writable, _ = select.select([sock], [sock], [], 0.1)
            if readable and not sock.recv(MOST):
                raise SystemExit(f"{name}: the server has closed")
            if writable:
                left = left[sock.send(left) :] or data
        return 1e3 * (cpu_of(pid) - cpu) / SECONDS


STORMS = {
    "letters": (b"telnet.mudstandards.org", frame(Opcode.BINARY, b"x")),
    "keys": (b"ascii", frame(Opcode.TEXT, b"x")),
    "short lines": (b"telnet.mudstandards.org", frame(Opcode.BINARY, b"echo hello\r\n")),
    "empty lines": (b"terminal.mudstandards.org", frame(Opcode.BINARY)),
    "telnet commands": (b"telnet.mudstandards.org", frame(Opcode.BINARY, b"\xff\xf1")),
    "GMCP that is no JSON": (b"gmcp.mudstandards.org", frame(Opcode.TEXT, b"A {")),
    "envelopes that are no JSON": (b"json.mudstandards.org", frame(Opcode.TEXT, b"{")),
    "envelopes of brackets": (b"json.mudstandards.org", frame(Opcode.TEXT, b"[" * 4000)),
    "long messages without a line": (b"terminal.mudstandards.org", frame(Opcode.BINARY, b"x" * 60_000)),
    "fragments": (b"terminal.mudstandards.org", fragments(Opcode.BINARY, [b"x" * 125] * 300)),
}

ROWS = [
    *(
        BoundRow(
            f"an echo by {SUBPROTOCOLS[kind]} beside the bare library's, {players} players",
            "CPU, ratio",
            most,
            partial(echo, kind, players),
        )
        for kind, most in MOST_ECHO.items()
        for players in ECHOING
        if Path("/proc/self/schedstat").exists()
    ),
    *(
        BoundRow(f"an idle WebSocket by {SUBPROTOCOLS[kind]} beyond telnet", "bytes", most, partial(idle, kind))
        for kind, most in MOST_IDLE.items()
        if Path("/proc/self/statm").exists()
    ),
    *(
        BoundRow(f"one storm of WebSocket {name}", "CPU ms a second", MOST_STORMING, partial(storm, name))
        for name in STORMS
        if Path("/proc/self/schedstat").exists()
    ),
    BoundRow(f"the end of {LEAVING} WebSockets at a shutdown", "s", MOST_LEAVING, leave),
]
