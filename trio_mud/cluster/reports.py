"""What a gateway's or a world's service counts, and the failures that it logs."""

from __future__ import annotations

import logging

from ..driver.core.context import Context
from ..driver.core.guard import log_error


class Reports:
    """The counters and the log of one service.

    Until `attach`, nothing is counted, and each failure is logged, repeated or not.
    """

    def __init__(self) -> None:
        self._context: Context | None = None

    def attach(self, context: Context) -> None:
        """Set the shared parts of the service's server."""
        self._context = context

    def count(self, what: str, count: int = 1) -> None:
        """Add to a counter."""
        if self._context is not None:
            self._context.counters[what] += count

    def unknown(self, count: int) -> None:
        """Count messages whose type is unknown: the other side is one version newer."""
        self.count("unknown messages", count)

    def left_out(self, what: str, error: Exception) -> None:
        """Count and log a part of a message that cannot be encoded."""
        self.failed("messages not encoded", f"{what} cannot be encoded, and is left out", error)

    def failed(self, what: str, text: str, error: Exception | None = None) -> None:
        """Count and log a failure that the service survives.

        Args:
            what: The counter.
            text: The line for the log; an equal one is logged once in a while.
            error: The exception, if its traceback helps.
        """
        self.count(what)
        if self._context is None:
            log_error(error, "%s", text)
        else:
            self._context.repeats.log(logging.ERROR, text, kind=text, summary=text, error=error)
