"""The log's queue: logging never waits, even if the stream is full or closed."""

from __future__ import annotations

import errno
import io
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from trio_mud.driver.server import log_queue
from trio_mud.driver.server.log_queue import QueuedHandler


class Stream(io.StringIO):
    """A stream without a descriptor, that takes something only while it is open, and may raise instead."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()
        self.entered = threading.Event()
        self.error: Exception | None = None

    def fileno(self) -> int:
        raise io.UnsupportedOperation

    def write(self, text: str) -> int:
        self.entered.set()
        assert self.opened.wait(20)
        if self.error is not None:
            raise self.error
        return super().write(text)


@contextmanager
def logging_to(handler: QueuedHandler) -> Iterator[logging.Logger]:
    """Yield a logger whose only handler is this one."""
    logger = logging.Logger("test")  # noqa: LOG001 - not one that others could find
    logger.addHandler(handler)
    yield logger
    handler.flush()


def test_lines_come_out_in_order() -> None:
    stream = Stream()
    stream.opened.set()
    with logging_to(QueuedHandler(stream)) as log:
        for number in range(100):
            log.info("line %d", number)
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(100)]


def test_a_stream_that_takes_nothing_keeps_nobody_and_what_is_lost_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """K5, O7: in the log itself, once it goes on, and among the server's counters."""
    stream, counters = Stream(), Counter[str]()
    handler = QueuedHandler(stream, most=100)
    handler.counters = counters
    with logging_to(handler) as log:
        log.info("first")
        assert stream.entered.wait(20)  # and there the thread stands
        for number in range(50):
            log.info("line %2d", number)
        assert handler.dropped == counters["log lines dropped"] == 50 - (100 - len("first\n")) // len("line 00\n")
        with monkeypatch.context() as patch:
            patch.setattr(log_queue, "FLUSH", 0.01)
            handler.flush()  # returns, too
        stream.opened.set()
        handler.flush()
        log.info("last")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "first"
    assert lines[-2:] == [f"{handler.dropped} log lines dropped", "last"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), BrokenPipeError(), ValueError("closed file")])
def test_a_stream_that_fails_loses_lines_until_it_works_again(error: Exception) -> None:
    """O7: a full disk, a reader that has gone, a closed stream."""
    stream = Stream()
    stream.opened.set()
    handler = QueuedHandler(stream)
    with logging_to(handler) as log:
        stream.error = error
        log.info("lost")
        log.info("lost")
        handler.flush()
        stream.error = None
        log.info("found")
    assert handler.dropped == 2
    assert stream.getvalue().splitlines() == ["found", "2 log lines dropped"]


def test_a_record_that_cannot_be_formatted_costs_itself_and_says_where() -> None:
    class Grim:
        def __str__(self) -> str:
            raise RuntimeError

    stream = Stream()
    stream.opened.set()
    with logging_to(QueuedHandler(stream)) as log:
        log.info("%s", Grim())
    assert stream.getvalue().startswith(f"a log record of {__file__}:")
    assert stream.getvalue().endswith("cannot be formatted: RuntimeError\n")


def test_without_a_stream_nothing_is_written_and_nothing_raised() -> None:
    with logging_to(QueuedHandler(None)) as log:
        log.info("nobody reads this")


def test_a_descriptor_is_written_to_wholly_even_if_it_does_not_block() -> None:
    """As a terminal that another program left so; its stream would raise BlockingIOError in the middle of a line."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    text = "x" * 300_000
    received: list[bytes] = []

    def read() -> None:
        while data := os.read(reader, 65536):
            received.append(data)

    reading = threading.Thread(target=read)
    reading.start()
    with os.fdopen(writer, "w", encoding="ascii") as stream:
        handler = QueuedHandler(stream)
        with logging_to(handler) as log:
            log.info("%s\N{SNOWMAN}", text)
    reading.join(20)
    os.close(reader)
    assert b"".join(received) == f"{text}\\u2603\n".encode()
