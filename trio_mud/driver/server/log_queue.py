"""A log handler that never waits: a bounded queue, and a thread that writes.

A pipe that nobody reads, a stopped terminal or a slow disk makes each write to standard error wait. A handler that
writes itself stops the event loop then, and a signal handler that logs stops the shutdown, too.
Who uses it: the command line, and `run` if the program has not configured logging; any other program may, by
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
from typing import Final, TextIO

__all__ = ["QueuedHandler"]

FLUSH: Final = 1.0  # seconds that a flush waits for the stream, at most
MOST: Final = 1024 * 1024  # characters that wait for the stream


class QueuedHandler(logging.Handler):
    """Formats log records at once, and writes them to a stream in a thread of its own.

    Records that find the queue full, or that the stream refuses, are dropped and counted. The number is written as
    `N log lines dropped` as soon as the stream takes text again.
    No record and no object of the game outlives the call: the queue holds text.

    Args:
        stream: Written to by its file descriptor if it has one: its buffer then stays unlocked, or Python would abort
            at its exit while this thread waits. None: everything is dropped.
        most: Characters that may wait.

    Attributes:
        dropped: How many records were lost so far.
        counters: Where "log lines dropped" is counted, too.
    """

    def __init__(self, stream: TextIO | None, most: int = MOST) -> None:
        super().__init__()
        self._stream = stream
        self._most = most
        self._queue: queue.SimpleQueue[str | threading.Event] = queue.SimpleQueue()  # its put is reentrant
        self._put = 0  # characters; only `emit` changes it
        self._written = 0  # likewise, and only the thread does
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

    def flush(self) -> None:
        """Wait until everything queued is written, for a second at most."""
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
                except (OSError, ValueError):  # a full disk, a reader that has gone, a closed stream
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


def _writer(stream: TextIO | None) -> Callable[[str], None]:
    """Return what writes a text to a stream, all of it, however long that takes."""
    assert stream is not None, "nothing is queued without"
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
            except BlockingIOError:  # some other program made the terminal non-blocking
                select.select([], [descriptor], [])

    return write_raw
