"""Rate limiting of log records: the first of each kind is logged in full, the next ones at most once per interval.

A failing command that ten players type would otherwise log a traceback for each line.
A *kind* is a function, the type of its error and the place where it was raised, so two different faults never hide
each other. The table of kinds is bounded.
Used by the server for every failure of a game's code and for log lines that a peer can cause.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from functools import partial
from typing import Final

import trio

from .describing import advice, describe, guarded, innermost
from .guard import log_error
from .timers import Deadline, Timers

logger = logging.getLogger("trio_mud")

MOST_KINDS: Final = 256  # entries; beyond them, the oldest is dropped


class _Kind:
    """One kind of record: when it was last logged, and how many records were left out since."""

    __slots__ = ("deadline", "left_out", "level", "logged_at", "summary")

    def __init__(self, level: int, summary: str, now: float) -> None:
        self.level = level
        self.summary = summary
        self.logged_at = now
        self.left_out = 0
        self.deadline: Deadline | None = None  # when the summary is due


class RepeatLimiter:
    """Logs each kind of record at most once per `limits.log_interval`, and counts the rest.

    Args:
        timers: The heap that the deadlines of the summaries are set on.
        interval: Seconds; None logs every record.
    """

    def __init__(self, timers: Timers, interval: float | None) -> None:
        self._timers = timers
        self._interval = interval
        self._kinds: dict[Hashable, _Kind] = {}

    def log(
        self, level: int, message: str, *, kind: Hashable, summary: str, error: BaseException | None = None
    ) -> None:
        """Log a message, unless one of its kind was logged within the interval.

        Args:
            level: The level of the message and of the summary.
            message: The whole text.
            kind: Messages of equal kinds count as repetitions.
            summary: The beginning of the line that counts the records left out.
            error: The exception whose traceback is logged with the message.
        """
        now = trio.current_time()
        known = self._kinds.get(kind)
        if known is None or self._interval is None or now - known.logged_at >= self._interval:
            self._summarise(kind)
            log_error(error, "%s", message, level=level)
            if self._interval is not None:
                while len(self._kinds) >= MOST_KINDS:
                    self._summarise(next(iter(self._kinds)))
                self._kinds[kind] = _Kind(level, summary, now)
            return
        known.left_out += 1
        if known.deadline is None:
            known.deadline = self._timers.at(known.logged_at + self._interval, partial(self._summarise, kind))

    def flush(self) -> None:
        """Log the summaries that are still due, and forget all kinds."""
        for kind in list(self._kinds):
            self._summarise(kind)

    def _summarise(self, kind: Hashable) -> None:
        known = self._kinds.pop(kind, None)
        if known is None:
            return
        if known.deadline is not None:
            known.deadline.cancel()
        if known.left_out:
            logger.log(known.level, "%s: repeated %d times within %g s", known.summary, known.left_out, self._interval)


def log_failure(
    limiter: RepeatLimiter, what: str, function: object, error: BaseException, context: Callable[[], str] = str
) -> None:
    """Log that a function of the game raised, with its name, file and line, and with the traceback.

    Args:
        limiter: Limits repeated failures of one kind.
        what: The function's role: "hook", "timer", "dialog".
        function: The function that was called.
        error: The exception.
        context: Returns the text after "failed": the event, the connection, and the typed line.
    """
    named = f"{what} {describe(function, error)}"
    limiter.log(
        logging.ERROR,
        f"{named} failed{guarded(context)}{advice(error)}",
        kind=(named, type(error), innermost(error)),
        summary=f"{named} failed with {type(error).__name__}",
        error=error,
    )
