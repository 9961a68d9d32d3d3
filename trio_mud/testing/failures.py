"""Collects the failures of a game's own code while a server under test serves it.

The driver logs exceptions of hooks, dialogs, timers and work, and continues; a test should then fail. So this handler
collects them from the driver's log, limited to records of the tasks of one server.

Used by `mud`.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

_serving: ContextVar[Failures | None] = ContextVar("trio_mud.testing.failures", default=None)


class Failures(logging.Handler):
    """Collects the exceptions that the driver logs as errors.

    Attributes:
        errors: In the order they were logged, each with a note that states what failed.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Store the exception of a record, if it has one and belongs to this server."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and _serving.get() is self and not any(error is known for known in self.errors):
            note = f"{record.getMessage()}; if the game is meant to fail here, write mud(…, allow_errors=True)"
            with suppress(Exception):  # exceptions of the game may reject notes
                error.add_note(note)
            self.errors.append(error)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Collect the log records of all tasks started in this block, directly or indirectly."""
        logger = logging.getLogger("trio_mud")
        before = _serving.get()
        _serving.set(self)
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)
            _serving.set(before)

    def sole(self) -> BaseException:
        """Return the single error, or a group if there are several."""
        if len(self.errors) == 1:
            return self.errors[0]
        return BaseExceptionGroup(f"{len(self.errors)} failures in the game's code", self.errors)

    def as_text(self) -> str:
        """Return all errors with tracebacks, for a test that failed otherwise, because they may be the cause."""
        parts = ("".join(traceback.format_exception(error)).rstrip() for error in self.errors)
        return "\n\n".join(("the game's code had failed before:", *parts))
