"""The idle timeout of one admitted connection: a warning, then the ending.

A line does not move the deadline, which keeps lines cheap. A deadline that passes too early, because a line came
meanwhile, is set again. The monitor exists only if `limits.idle_timeout` or `Connection.idle_timeout` is set, and
starts with the first line.
"""

from __future__ import annotations

from typing import Final, Protocol

import trio

from ..core.context import Context
from ..core.events import Cause
from ..core.timers import Deadline

WARNING: Final = 60.0  # seconds between warning and ending, but never more than half of the timeout


class Idler(Protocol):
    """The inbox, as far as its idle monitor needs it."""

    last_line_at: float

    @property
    def has_lines(self) -> bool:
        """True if anything typed waits to be handled."""
        ...

    def notify_player(self, text: str) -> None:
        """Write one of the driver's own texts to the player."""
        ...

    def ended(self, cause: Cause, text: str = "") -> None:
        """End the connection."""
        ...

    def failed(self, error: BaseException) -> None:
        """Take note that the check raised."""
        ...


class IdleMonitor:
    """At most one entry in the timers' heap."""

    __slots__ = ("_context", "_deadline", "_idler", "_timeout", "_warned_of")

    def __init__(self, context: Context, idler: Idler, timeout: float) -> None:
        self._context = context
        self._idler = idler
        self._timeout = timeout
        self._deadline: Deadline | None = None
        self._warned_of: float | None = None  # the `last_line_at` of the last warning
        self._check()

    def end(self) -> None:
        """Cancel the deadline, because the connection is ending."""
        if self._deadline is not None:
            self._deadline.cancel()

    def _check(self) -> None:
        """Warn, end the connection, or check again later. Time counts from the last line, or from now if one waits."""
        idler, now = self._idler, trio.current_time()
        since = now if idler.has_lines else idler.last_line_at
        warn_at = since + self._timeout - min(WARNING, self._timeout / 2)
        if now < warn_at:
            self._check_at(warn_at)
        elif self._warned_of != since:
            self._warned_of = since
            idler.notify_player(self._context.texts.idle_warning)
            end_at = since + self._timeout
            if end_at <= now:  # the timeout was shortened, and has passed already: the warning still comes in time
                end_at = now + min(WARNING, self._timeout / 2)
            self._check_at(end_at)
        else:
            idler.ended(Cause.IDLE, self._context.texts.idle)

    def _check_at(self, when: float) -> None:
        self._deadline = self._context.timers.at(when, self._check, self._idler)
