"""A process that `trio-mud serve` has started: it reports what it does, and ends if its supervisor ends.

The two are joined by a pair of sockets. The process sends lines, `WORD TEXT`. The supervisor sends a line whenever the
file of the log is to be reopened, and the end of the file is its own end.

Used by the programs of a gateway and of a world; `supervisor` is the other side.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

import trio

from ..driver.server.log_queue import reopen_log
from ..driver.server.server import MasterServer

__all__ = ["READY", "RELOADED", "SERVING", "WATCHED", "Reporter"]

READY: Final = "ready"  # the ports are open, or the game is loaded
SERVING: Final = "serving"  # the world has claimed the cluster link, and takes connections
WATCHED: Final = "watched"  # the watch is open, and its page is at this address
RELOADED: Final = "reloaded"  # the code of the game was imported again


class Reporter:
    """Reports to a supervisor, or to none.

    Args:
        descriptor: The socket to the supervisor; None for a process that was started by itself.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._socket = None if descriptor is None else socket.socket(fileno=descriptor)
        if self._socket is not None:
            self._socket.setblocking(False)
            self._socket.set_inheritable(False)

    @property
    def is_supervised(self) -> bool:
        """True if there is a supervisor."""
        return self._socket is not None

    def report(self, word: str, text: str = "") -> None:
        """Send a word, and a text that belongs to it."""
        if self._socket is not None:
            with suppress(OSError):  # it has ended, which `watched` notices
                self._socket.send(f"{word} {json.dumps(text)}\n".encode())

    @asynccontextmanager
    async def watched(self, server: MasterServer) -> AsyncGenerator[None]:
        """Obey the supervisor during the block, and stop this process as by SIGTERM if that ends; a `Lifespan`."""
        if self._socket is None:
            yield
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._obey, self._socket)
            yield
            nursery.cancel_scope.cancel(reason="this process ends")

    async def _obey(self, joined: socket.socket) -> None:
        while True:
            await trio.lowlevel.wait_readable(joined)
            with suppress(BlockingIOError):
                if not joined.recv(1024):
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
                reopen_log()
