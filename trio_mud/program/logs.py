"""The log of the command line: one event a line, for people or as JSON, on standard error or in a file.

The library only calls `logging.getLogger("trio_mud")`; a program that imports it configures logging.
A player can neither forge a log line nor send control characters to the operator's terminal: they are escaped
in every text, and the lines of a traceback are indented.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from ..driver.server.log_lines import printable
from ..driver.server.log_queue import MOST, QueuedHandler
from ..driver.server.stacks import event_in_flight

__all__ = ["level_of", "show"]


def show(
    level: int = logging.INFO,
    *,
    most: int = MOST,
    form: Literal["human", "json"] = "human",
    file: Path | None = None,
    process: Callable[[], str] | None = None,
) -> QueuedHandler:
    """Send the log of this process to standard error or a file. Never waits for the stream.

    Args:
        level: The lowest level that is shown.
        form: "human", in colours on a terminal; or "json", with the type and the number of the event that is being
            handled, the number of its connection and the key of its session.
        file: A file to append to, which SIGHUP reopens; None for standard error.
        most: Characters that may wait for the stream; further lines are dropped and counted. See `QueuedHandler`.
        process: Returns what this process is, for a log that several processes write; it is called for each line.

    Returns:
        The handler that was added.

    Raises:
        OSError: The file cannot be opened.
    """
    stream: TextIO | None = sys.stderr if file is None else file.open("a", encoding="utf-8")
    steps: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        escape,
        *(() if process is None else (_naming(process),)),
        *((name_event,) if form == "json" else ()),  # after `escape`, which makes texts of numbers
    ]
    renderer: Processor = structlog.processors.JSONRenderer()
    if form == "human":
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream is not None and stream.isatty(),
            pad_event_to=0,
            pad_level=False,
            exception_formatter=structlog.dev.plain_traceback,
        )
    handler = QueuedHandler(stream, most, path=file)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=steps,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()  # the root, because a game has loggers of its own
    root.addHandler(handler)
    root.setLevel(level)
    return handler


def level_of(name: str) -> int:
    """Return the level with this name, such as "info"."""
    return logging.getLevelNamesMapping()[name.upper()]


def name_event(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Add the type and number of the event that is being handled, and its connection or session."""
    if (found := event_in_flight()) is not None:
        handled, event["event_number"] = found
        event["hook"] = type(handled).__name__
        connection, session = getattr(handled, "connection", None), getattr(handled, "session", None)
        if connection is not None:
            event["connection"] = getattr(connection, "number", None)
            session = getattr(connection, "session", None)
        if session is not None:
            event["session"] = printable(session.key) if type(session.key) is str else type(session.key).__name__
    return event


def _naming(process: Callable[[], str]) -> Processor:
    """Return a step that adds what this process is."""

    def name_process(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event["process"] = process()
        return event

    return name_process


def escape(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Escape all that is not printable in `event`; a structlog processor."""
    trace = event.pop("exception", None)
    event.pop("message", None)  # left on the record by the formatter of another handler, unescaped
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = printable(value if isinstance(value, str) else repr(value))
    if trace is not None:
        event["exception"] = "\n".join(f"    {printable(line)}" for line in str(trace).splitlines())
    return event
