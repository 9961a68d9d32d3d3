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
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

import trio

from ..driver.server.log_queue import reopen_log
from ..driver.server.server import MasterServer
from ..errors import ConfigurationError
from .last_words import sentence_of

__all__ = ["FAILED", "READY", "RELOADED", "SERVING", "WATCHED", "Reporter"]

READY: Final = "ready"  # the ports are open; or the game is loaded, and the gateway was asked for the turn
SERVING: Final = "serving"  # the world has claimed the cluster link, and takes connections
WATCHED: Final = "watched"  # the watch is open, and its page is at this address
RELOADED: Final = "reloaded"  # the code of the game was imported again
FAILED: Final = "failed"  # the process is about to end by this error

MOST_SAID: Final = 1000  # characters of an error


class Reporter:
    """Reports to a supervisor, or to none.

    Args:
        descriptor: The socket to the supervisor; None for a process that was started by itself.

    Raises:
        ConfigurationError: It is no socket.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._socket: socket.socket | None = None
        if descriptor is not None:
            try:
                self._socket = socket.socket(fileno=descriptor)
                self._socket.setblocking(False)
                self._socket.set_inheritable(False)
            except (OSError, OverflowError) as error:
                raise ConfigurationError(
                    f"--supervisor {descriptor} is no socket: only trio-mud serve gives this option"
                ) from error

    @property
    def is_supervised(self) -> bool:
        """True if there is a supervisor."""
        return self._socket is not None

    def report(self, word: str, text: str = "") -> None:
        """Send a word, and a text that belongs to it."""
        if self._socket is not None:
            with suppress(OSError):  # it has ended, which `watched` notices
                self._socket.send(f"{word} {json.dumps(text)}\n".encode())

    @contextmanager
    def failing(self) -> Generator[None]:
        """Report an error that ends the block, and so the process."""
        try:
            yield
        except BaseException as error:
            self.fail(error)
            raise

    def fail(self, error: BaseException) -> None:
        """Report the error that ends this process."""
        self.report(FAILED, sentence_of(error)[:MOST_SAID])

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
