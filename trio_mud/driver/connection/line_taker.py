"""Protocols: a line taker receives a connection's lines in place of the game; an observer watches them.

`Dialog` is a line taker, as is any code that forwards lines elsewhere. A recording is an observer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..core.events import HookEvent
from ..core.thread import HomeThread
from ..link.base import LinkEvent
from .waiting import Payload


class LineTaker(Protocol):
    """Takes the lines of one connection while it is attached; one at a time. See `Connection.take_lines`."""

    @property
    def asks_hidden(self) -> bool:
        """True while a hidden question waits for its line."""
        ...

    @property
    def has_begun(self) -> bool:
        """False while it may still be dropped without notice if the connection ends first."""
        ...

    @property
    def is_asking(self) -> bool:
        """True if it waits for a line now; otherwise lines wait in the inbox."""
        ...

    def answer(self, line: str) -> None:
        """Take the line that it asked for."""
        ...

    def received(self, event: LinkEvent) -> None:
        """Take note of an event of the link; the game receives it too."""
        ...

    def show_input(self) -> None:
        """Ask the client to show typed input again, if it was hidden for this taker."""
        ...

    def give_way(self) -> None:
        """Detach from the lines: another connection took over, or the session resumed elsewhere."""
        ...


class InnerTaker(LineTaker, Protocol):
    """A line taker as the inbox calls it: that of a dialog, a guarded one, or one that forwards all input elsewhere.

    Attributes:
        takes_all: True if it takes messages and interrupts too, in turn with the lines, and after a link death.
    """

    takes_all: bool

    @property
    def holds_line(self) -> bool:
        """True if it has a line that its script has not received yet, and that it may put back."""
        ...

    def forward(self, item: HookEvent | Payload) -> None:
        """Take what is not a line. Called only if it takes all."""
        ...

    def input_over(self) -> None:
        """Take note that the peer has sent its end of file, and that all its input was taken.

        While `is_asking` is False after it, the connection waits, for at most `limits.quit_timeout`.
        """
        ...


class LinesOnly:
    """The part of an `InnerTaker` that takes lines and nothing else."""

    takes_all = False

    __slots__ = ()

    @property
    def holds_line(self) -> bool:
        """False: a line that it was given is taken."""
        return False

    def forward(self, item: HookEvent | Payload) -> None:
        """Never called, since it does not take all."""

    def input_over(self) -> None:
        """Do nothing: a line that it waits for does not come."""


class InputObserver(Protocol):
    """Is notified of the fate of each line, without changing it. See `Inbox.observer`."""

    def line_taken(self, *, is_secret: bool, is_borrowed: bool) -> None:
        """Take note that the oldest line was taken.

        Args:
            is_secret: True if it may have been typed hidden.
            is_borrowed: True if a line taker has it, which may still give it back; False if it became an event.
        """
        ...

    def line_given_back(self) -> None:
        """Take note that a taker gave its line back: it is the oldest again."""
        ...

    def lines_discarded(self, *, loses_bytes: bool) -> None:
        """Take note that everything typed so far was dropped.

        Args:
            loses_bytes: True if some of it was never parsed into lines.
        """
        ...

    def stop_tracking(self) -> None:
        """Take note that no further line will be taken."""
        ...


class BorrowedLines:
    """The handle of a line taker that has a connection's lines.

    Args:
        thread: The server's thread.
        give_back: Puts a line back as the oldest.
        wake: Makes the connection offer its next line.
        end: Detaches the taker.
    """

    __slots__ = ("_end", "_give_back", "_thread", "_wake")

    def __init__(
        self,
        thread: HomeThread,
        *,
        give_back: Callable[[str], None],
        wake: Callable[[], None],
        end: Callable[[], None],
    ) -> None:
        self._thread = thread
        self._give_back = give_back
        self._wake = wake
        self._end = end

    def notify(self) -> None:
        """Request the next line: the taker asks now."""
        self._thread.check()
        self._wake()

    def give_back(self, line: str) -> None:
        """Put a line back as the oldest."""
        self._thread.check()
        self._give_back(line)

    def end(self) -> None:
        """Detach the taker: lines become `Input` again. A second call has no effect."""
        self._thread.check()
        self._end()
