"""A log handler that never waits: a bounded queue, and a thread that writes.

A pipe without a reader, a stopped terminal or a slow disk makes each write to standard error wait. A handler that
writes in the caller's thread then blocks the event loop, and a signal handler that logs blocks the shutdown.
Used by the command line, and by `run` if the program has not configured logging. Any other program may use it by
`logging.getLogger().addHandler(QueuedHandler(sys.stderr))`.
"""

from __future__ import annotations

import logging
import os
import queue
import select
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

__all__ = ["QueuedHandler", "reopen_log"]

logger = logging.getLogger("trio_mud")

FLUSH: Final = 1.0  # seconds that a flush waits at most
MOST: Final = 1024 * 1024  # characters in the queue


class QueuedHandler(logging.Handler):
    """Formats log records at once, and writes them to a stream in a thread of its own.

    Records are dropped and counted when the queue is full or the stream fails. The number is written as
    `N log lines dropped` as soon as the stream accepts text again.
    No record and no object of the game outlives the call: the queue holds text.

    Args:
        stream: Written to by its file descriptor if it has one, so that its buffer's lock is not held while this
            thread waits; otherwise Python would abort at exit. None drops everything.
        most: Characters that may wait.
        path: The file of the stream, for `reopen`; None for any other stream.

    Attributes:
        dropped: How many records were dropped so far.
        counters: A counter whose "log lines dropped" is increased too; None without one.
    """

    def __init__(self, stream: TextIO | None, most: int = MOST, *, path: Path | None = None) -> None:
        super().__init__()
        self._stream = stream
        self._path = path
        self._most = most
        self._queue: queue.SimpleQueue[str | threading.Event] = queue.SimpleQueue()  # its put is reentrant
        self._put = 0  # characters; changed only by `emit`, which holds the handler's lock
        self._written = 0  # characters; changed only by the thread
        self._unreported = 0
        self.dropped = 0
        self.counters: Counter[str] | None = None
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, or drop it. Never waits, never raises."""
        try:
            text = self.format(record) + "\n"
        except Exception as error:  # noqa: BLE001 - an object of the game that cannot be formatted
            text = f"a log record of {record.pathname}:{record.lineno} cannot be formatted: {type(error).__name__}\n"
        if self._stream is None or self._put - self._written + len(text) > self._most:
            self._drop()
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="trio_mud log", daemon=True)
            self._thread.start()
        self._put += len(text)
        self._queue.put(text)

    def reopen(self) -> None:
        """Open the file again, which another program may have renamed; has no effect on another stream.

        Raises:
            OSError: It cannot be opened; the old file is written on.
        """
        if self._path is not None and self._stream is not None:
            opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            # Under the same descriptor: the thread may be writing to it at this moment.
            os.dup2(opened, self._stream.fileno(), inheritable=False)
            os.close(opened)

    def flush(self) -> None:
        """Wait until all queued text is written, for at most `FLUSH` seconds."""
        if self._thread is not None:
            written = threading.Event()
            self._queue.put(written)
            written.wait(FLUSH)

    def _drop(self) -> None:
        self.dropped += 1
        self._unreported += 1
        if self.counters is not None:
            self.counters["log lines dropped"] += 1

    # The thread

    def _run(self) -> None:
        write = _writer(self._stream)
        while True:
            item = self._queue.get()
            if isinstance(item, str):
                try:
                    write(item)
                except (OSError, ValueError):  # a full disk, a closed pipe, a closed stream
                    with self._locked():
                        self._drop()
                self._written += len(item)
            if self._unreported and self._queue.empty():
                with self._locked():
                    count, self._unreported = self._unreported, 0
                try:
                    write(f"{count} log lines dropped\n")
                except (OSError, ValueError):
                    with self._locked():
                        self._unreported += count
            if isinstance(item, threading.Event):
                item.set()

    def _locked(self) -> threading.RLock:
        assert self.lock is not None, "logging.Handler makes it"
        return self.lock


def reopen_log() -> None:
    """Open the files of the program's log again, as `QueuedHandler.reopen`; log those that cannot be opened."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, QueuedHandler):
            try:
                handler.reopen()
            except OSError as error:
                logger.error("the file of the log cannot be reopened: %s", error)  # noqa: TRY400 - not a bug


def _writer(stream: TextIO | None) -> Callable[[str], None]:
    """Return a function that writes a whole text to a stream, and waits as long as that takes."""
    assert stream is not None, "nothing is queued without a stream"
    descriptor = None
    with suppress(OSError, ValueError, AttributeError):
        descriptor = stream.fileno()
    if descriptor is None:

        def write(text: str) -> None:
            stream.write(text)
            stream.flush()

        return write

    def write_raw(text: str) -> None:
        data = memoryview(text.encode(getattr(stream, "encoding", None) or "utf-8", errors="backslashreplace"))
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:  # another program made the terminal non-blocking
                select.select([], [descriptor], [])

    return write_raw
