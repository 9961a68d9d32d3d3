"""The log of the command line: one event a line, on standard error.

The library only calls `logging.getLogger("trio_mud")`; a program that imports it configures logging.
A player can neither forge a log line nor send control characters to the operator's terminal: they are escaped
in every text, and the lines of a traceback are indented.
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from .driver.server.log_lines import printable
from .driver.server.log_queue import MOST, QueuedHandler

__all__ = ["show"]


def show(level: int = logging.INFO, *, most: int = MOST) -> logging.Handler:
    """Send the log of this process to standard error, in colours on a terminal. Never waits for the stream.

    Args:
        level: The lowest level that is shown.
        most: Characters that may wait for the stream; further lines are dropped and counted. See `QueuedHandler`.

    Returns:
        The handler that was added.
    """
    steps: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        escape,
    ]
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr is not None and sys.stderr.isatty(),
        pad_event_to=0,
        pad_level=False,
        exception_formatter=structlog.dev.plain_traceback,
    )
    handler = QueuedHandler(sys.stderr, most)
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
