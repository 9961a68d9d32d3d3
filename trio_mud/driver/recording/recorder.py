"""The recorder: chooses the connections to record, and writes their files.

The event loop only puts text into a queue. A thread opens, appends to and closes the files, one at a time,
so a slow disk does not block the event loop, and no descriptor stays open.
If a file cannot be created or written, or the queue is full, the recording of that connection ends; others go on.
`MasterServer.record` creates it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import queue
import threading
from functools import partial
from pathlib import Path
from typing import Final

import trio

from ...transports import Transport
from ..core.failures import RepeatLimiter
from .recording import Recording

logger = logging.getLogger("trio_mud")

SESSION: Final = 1024 * 1024  # bytes of one file; an evening's play is a third of it
SESSIONS: Final = 1000  # files, so that a flood of connections cannot fill the disk
QUEUE: Final = 4 * 1024 * 1024  # bytes that wait for a slow disk
PATIENCE: Final = 5.0  # seconds to write the rest when the server has ended
NAMES: Final = 100  # names tried for one file


class _File:
    """One recording's file.

    Attributes:
        name: The file name without suffixes.
        is_counted: True if it counts against `most_sessions`. Set by the event loop.
        path: The path, once the file exists. Set by the thread.
        has_failed: True if it could not be written; later text for it is dropped. Set by the thread.
    """

    __slots__ = ("has_failed", "is_counted", "name", "path")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_counted = False
        self.path: Path | None = None
        self.has_failed = False


class Recorder:
    """Writes a file in one folder for each new connection that types something.

    Args:
        folder: Created if it does not exist, readable by its owner only. Several servers may share it.
        repeats: Logs failures.
        most_bytes: The greatest size of a file; the rest of its session is not recorded.
        most_sessions: The greatest number of files; later connections are not recorded.

    Raises:
        OSError: The folder does not exist and cannot be created.
    """

    def __init__(
        self, folder: Path, repeats: RepeatLimiter, *, most_bytes: int = SESSION, most_sessions: int = SESSIONS
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._repeats = repeats
        self._most_bytes = most_bytes
        self._sessions_left = most_sessions
        self._queue: queue.SimpleQueue[tuple[_File, str] | None] = queue.SimpleQueue()
        self._put = 0  # characters put into the queue; only the event loop changes it, so it needs no lock
        self._written = 0  # characters taken out of it; only the thread changes it
        self._thread: threading.Thread | None = None
        self._token: trio.lowlevel.TrioToken | None = None

    def record(self, transport: Transport, number: int, now: float) -> Recording | None:
        """Wrap the transport of a new connection; a file is created once something is typed.

        Args:
            transport: Moves the bytes. They must not be compressed: passwords could not be found in them.
            number: The number of the connection.
            now: The time in seconds since 1970.

        Returns:
            The transport to use instead; None if `most_sessions` are recorded already.
        """
        if self._sessions_left <= 0:
            return None
        moment = dt.datetime.fromtimestamp(now, dt.UTC)
        file = _File(f"{moment:%Y%m%dT%H%M%S}-{os.getpid()}-{number}")
        return Recording(transport, moment, self._most_bytes, partial(self._append, file))

    async def aclose(self) -> None:
        """Wait until all text is written, for at most `PATIENCE` seconds."""
        if self._thread is not None:
            self._queue.put(None)
            await trio.to_thread.run_sync(self._thread.join, PATIENCE)
            if self._thread.is_alive():
                logger.error("the disk is too slow: recordings in %s end early", self._folder)

    def _append(self, file: _File, text: str) -> bool:
        """Queue a text for a file. Never waits. Returns False if the recording has ended."""
        if file.has_failed or not (file.is_counted or self._sessions_left > 0):
            return False
        if self._put - self._written > QUEUE:
            self._log_end("the disk does not keep up")
            return False
        if self._thread is None and not self._start():
            return False
        if not file.is_counted:
            self._count(file)
        self._put += len(text)
        self._queue.put((file, text))
        return True

    def _count(self, file: _File) -> None:
        file.is_counted = True
        self._sessions_left -= 1
        if not self._sessions_left:
            self._log(logging.WARNING, "further sessions are not recorded", "most_sessions is reached")

    def _start(self) -> bool:
        thread = threading.Thread(target=self._write, name="trio_mud recorder", daemon=True)
        self._token = trio.lowlevel.current_trio_token()
        try:
            thread.start()
        except RuntimeError as error:  # too many threads; the next session tries again
            self._log_end(error)
            return False
        self._thread = thread
        return True

    def _failed(self, file: _File, error: OSError) -> None:
        """Log that the thread could not write a file; a file that was not created does not count as a session."""
        if file.path is None:
            self._sessions_left += 1
        self._log_end(error)

    def _log_end(self, why: object) -> None:
        self._log(logging.ERROR, "the recording of a session ended", why)

    def _log(self, level: int, what: str, why: object) -> None:
        summary = f"{what} in {self._folder}"
        self._repeats.log(level, f"{summary}: {why}", kind=(summary, self), summary=summary)

    # The thread

    def _write(self) -> None:
        is_over = False
        while not is_over:
            texts: dict[_File, list[str]] = {}
            taken = self._queue.get()
            while True:  # take all that waits, so that each file is opened once
                if taken is None:
                    is_over = True
                    break
                texts.setdefault(taken[0], []).append(taken[1])
                try:
                    taken = self._queue.get_nowait()
                except queue.Empty:
                    break
            for file, parts in texts.items():
                text = "".join(parts)
                self._write_to(file, text)
                self._written += len(text)

    def _write_to(self, file: _File, text: str) -> None:
        if file.has_failed:
            return
        try:
            if file.path is None:
                file.path = _create(self._folder, file.name, text)
            else:
                _append_to(file.path, text)
        except OSError as error:
            file.has_failed = True
            assert self._token is not None
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._failed, file, error)


def _create(folder: Path, name: str, text: str) -> Path:
    """Create a file under the first free name and write to it; remove it if that fails."""
    path = folder / f"{name}.txt"
    for number in range(2, NAMES + 2):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # names, addresses and talk
        except FileExistsError:  # of another server with the same process id, such as one in a container
            if number > NAMES:
                raise
            path = folder / f"{name}-{number}.txt"
        else:
            os.close(descriptor)
            break
    try:
        _append_to(path, text)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    return path


def _append_to(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "w", encoding="ascii") as file:
        file.write(text)
