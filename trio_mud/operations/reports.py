"""Screens: the last lines that each player has seen, for reports. They are in memory only until a report is made."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Final

from trio_mud import Connection, Sent, Session, Tap, Typed

__all__ = ["Screens"]

MAX_LINES: Final = 50
MAX_CHARACTERS: Final = 500  # of one line


class Screens:
    """The last lines that were sent to each session, and that its player typed; hidden ones are left out."""

    def __init__(self) -> None:
        self._lines: dict[Session, deque[str]] = {}
        self._taps: dict[Session, tuple[Connection, Tap]] = {}

    def watch(self, session: Session) -> None:
        """Keep the lines of a session's connection from now on."""
        connection = session.connection
        if connection is None:
            return
        known, tap = self._taps.get(session, (None, None))
        if known is connection:
            return
        if tap is not None:
            tap.close()
        lines = self._lines.setdefault(session, deque(maxlen=MAX_LINES))
        self._taps[session] = connection, connection.tap(partial(_keep, lines))

    def lines_of(self, session: Session | None) -> list[str]:
        """Return the last lines of a session, the oldest first."""
        return list(self._lines.get(session, ())) if session is not None else []

    def forget(self, session: Session) -> None:
        """Drop the lines of a session that has ended."""
        self._lines.pop(session, None)
        self._taps.pop(session, None)


def _keep(lines: deque[str], event: Sent | Typed) -> None:
    text = f"> {event.line}" if isinstance(event, Typed) else str(event.text)
    # The end of a huge text is enough: at most so many lines are kept.
    for line in text[-MAX_LINES * MAX_CHARACTERS :].splitlines()[-MAX_LINES:]:
        lines.append(line[:MAX_CHARACTERS])
