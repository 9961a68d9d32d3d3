"""WebSocket: an echoed line beside the library alone, an idle connection beside telnet, and the end of many.

The figures have bounds (`bounds.py` checks them). Server and load are processes of their own, on loopback.
"""

from __future__ import annotations

import os
import resource
import signal
import statistics
import time
from functools import partial
from pathlib import Path

from tests.bench.bounds import BoundRow
from tests.bench.encryption import figure
from tests.bench.peers import KINDS
from tests.bench.storms import serving
from trio_mud import Texts

ROUNDS = 3  # of a ratio; the median counts
ECHOING = (300, 2000)  # players
IDLING = 5000  # connections
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
    BoundRow(f"the end of {LEAVING} WebSockets at a shutdown", "s", MOST_LEAVING, leave),
]
