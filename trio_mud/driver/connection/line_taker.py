"""What may take a connection's lines in the game's place, and what may watch them.

Who uses it: `Dialog` is a line taker; so is whatever forwards lines elsewhere. A recording observes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..link.base import LinkEvent


class LineTaker(Protocol):
    """Takes the lines of one connection while it is attached; one at a time. See `Connection.take_lines`.

    Attributes:
        asks_hidden: True while a hidden question waits for its line.
        has_begun: False as long as it may still be dropped without notice, when the connection ends first.
    """

    asks_hidden: bool
    has_begun: bool

    @property
    def is_asking(self) -> bool:
        """True if it wants a line now; otherwise lines wait in the inbox."""
        ...

    def answer(self, line: str) -> None:
        """Take the line that it asked for."""
        ...

    def received(self, event: LinkEvent) -> None:
        """Take note of something the link reported; the game gets its event too."""
        ...

    def show_input(self) -> None:
        """Have the client show again what is typed, if it was hidden for this taker."""
        ...

    def give_way(self) -> None:
        """Let go of the lines: another connection took over, or the session resumed elsewhere."""
        ...


class InputObserver(Protocol):
    """Learns what becomes of each line, without changing it. See `Inbox.observer`."""

    def line_taken(self, *, is_secret: bool, is_lent: bool) -> None:
        """The oldest line was taken: by a hook, or (`is_lent`) by a line taker, which may yet give it back."""
        ...

    def line_given_back(self) -> None:
        """The line that a taker had is the oldest again."""
        ...

    def lines_discarded(self, *, loses_bytes: bool) -> None:
        """Everything typed so far was dropped; `loses_bytes`: some of it was never parsed into lines."""
        ...

    def stop_tracking(self) -> None:
        """Nothing typed will be taken any more."""
        ...


class BorrowedLines:
    """The handle of a line taker that has a connection's lines.

    Args:
        give_back: Puts a line back as the oldest.
        wake: Has the connection offer its next line.
        end: Detaches the taker.
    """

    __slots__ = ("_end", "_give_back", "_wake")

    def __init__(self, *, give_back: Callable[[str], None], wake: Callable[[], None], end: Callable[[], None]) -> None:
        self._give_back = give_back
        self._wake = wake
        self._end = end

    def notify(self) -> None:
        """Offer the next line: the taker asks now."""
        self._wake()

    def give_back(self, line: str) -> None:
        """Put a line back: it is the oldest again."""
        self._give_back(line)

    def end(self) -> None:
        """Detach the taker: lines are `Input` again. A second call does nothing."""
        self._end()
