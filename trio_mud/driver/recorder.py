"""The recorder: whose sessions are written down, and the files they go to.

The event loop only puts text into a queue; a thread opens, appends to and closes the files, one at a time.
So a slow disk holds up nobody, no descriptor is kept, and a disk that is full ends the recording, not the server.
Who uses it: `MasterServer.record`.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import queue
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from ..transports import Transport
from .connection import Connection
from .recording import Recording

if TYPE_CHECKING:
    from .server import MasterServer

logger = logging.getLogger("trio_mud")

SESSION: Final = 1024 * 1024  # bytes of one file; an evening's play is a third of it
SESSIONS: Final = 1000  # files, so that a flood of connections cannot fill the disk
QUEUE: Final = 4 * 1024 * 1024  # bytes on their way to a disk that does not keep up; past it the recording ends
PATIENCE: Final = 5.0  # seconds for the disk when the server has ended


class Recorder:
    """Writes the sessions of new connections into one folder, a file for each.

    Args:
        folder: Made if it is not there; only its owner may read it.
        most_bytes: Of each file; the rest of its session is not written down.
        most_sessions: Later ones are not written down.

    Raises:
        OSError: There is no such folder, and it cannot be made.
    """

    def __init__(self, folder: Path, *, most_bytes: int = SESSION, most_sessions: int = SESSIONS) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._most_bytes = most_bytes
        self._sessions_left = most_sessions
        self._queue: queue.SimpleQueue[tuple[Path, str] | None] = queue.SimpleQueue()
        self._put = 0  # characters; only the event loop changes it
        self._written = 0  # likewise, and only the thread does
        self._has_failed = False
        self._thread: threading.Thread | None = None

    def connect(self, server: MasterServer, transport: Transport, number: int) -> Connection:
        """A connection that is written down, as long as there is room.

        It is not offered compression: what is compressed nobody could read, nor tell a password in it.
        """
        if self._has_failed or not self._sessions_left:
            return Connection(server, transport, number)
        self._sessions_left -= 1
        if not self._sessions_left:
            logger.warning("recording no more sessions into %s: that were as many as wanted", self._folder)
        began = server.wall_clock()
        moment = dt.datetime.fromtimestamp(began, dt.UTC)
        path = self._folder / f"{moment:%Y%m%dT%H%M%S}-{number}.txt"
        recording = Recording(transport, self._most_bytes, partial(self._append, path))
        connection = Connection(server, recording, number)
        connection.engine = server.make_engine(is_secure=True)
        recording.attend(connection, moment)
        return connection

    async def aclose(self) -> None:
        """Wait until everything is in the files, but not for long."""
        if self._thread is not None:
            self._queue.put(None)
            await trio.to_thread.run_sync(self._thread.join, PATIENCE)
            if self._thread.is_alive():
                logger.error("the disk is too slow: recordings in %s end early", self._folder)

    def _append(self, path: Path, text: str) -> None:
        """Have this appended to a file; never waits."""
        if self._has_failed:
            return
        if self._put - self._written > QUEUE:
            self._fail("the disk does not keep up")
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="trio_mud recorder", daemon=True)
            self._thread.start()
        self._put += len(text)
        self._queue.put((path, text))

    def _fail(self, why: object) -> None:
        if not self._has_failed:
            self._has_failed = True
            logger.error("recording into %s ends: %s", self._folder, why)

    # The thread

    def _write(self) -> None:
        begun: set[Path] = set()
        is_over = False
        while not is_over:
            texts: dict[Path, list[str]] = {}
            taken = self._queue.get()
            while True:  # and all that waits behind it, so that each file is opened once
                if taken is None:
                    is_over = True
                    break
                texts.setdefault(taken[0], []).append(taken[1])
                try:
                    taken = self._queue.get_nowait()
                except queue.Empty:
                    break
            for path, parts in texts.items():
                text = "".join(parts)
                if not self._has_failed:
                    try:
                        _append_to(path, text, is_new=path not in begun)
                    except OSError as error:
                        self._fail(error)
                begun.add(path)
                self._written += len(text)


def _append_to(path: Path, text: str, *, is_new: bool) -> None:
    """Append, and let only the owner read it: names, addresses and talk are in it."""
    flags = os.O_WRONLY | os.O_APPEND | (os.O_CREAT | os.O_EXCL if is_new else 0)
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="ascii") as file:
        file.write(text)
