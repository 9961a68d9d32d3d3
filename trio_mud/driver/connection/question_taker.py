"""The line taker of a dialog: the side of a dialog that the inbox sees.

It holds the question that is open, the answer on its way, and whether the client was asked to hide input.
`Dialog` is the side that a script sees.
"""

from __future__ import annotations

import math

import trio

from ..link.base import ClientKnown, HidingRefused, Link, LinkEvent
from .line_taker import BorrowedLines, LinesOnly


class QuestionTaker(LinesOnly):
    """Receives the lines that answer the questions of one dialog.

    Args:
        link: The link of the connection.

    Attributes:
        asks_hidden: True while a hidden question waits for its line.
        has_begun: True once the script runs.
        is_answered: False if the last question was hidden and ended without an answer.
        hiding_refused: True if the client refused to hide typed input, or did not confirm it in time.
    """

    __slots__ = (
        "_answer",
        "_asked",
        "_hides_input",
        "_lines",
        "_link",
        "_ready",
        "asks_hidden",
        "has_begun",
        "hiding_refused",
        "is_answered",
    )

    _lines: BorrowedLines

    def __init__(self, link: Link) -> None:
        self._link = link
        self._asked: trio.Event | None = None  # set when the answer has come
        self._ready: trio.Event | None = None  # set when the client is known
        self._answer: str | None = None  # given, and not yet received by the script
        self._hides_input = False  # the client was asked to hide input, and not yet to show it again
        self.asks_hidden = False
        self.has_begun = False
        self.hiding_refused = False
        self.is_answered = True

    # Called by the dialog

    def attach(self, lines: BorrowedLines) -> None:
        """Set the handle of the borrowed lines: once, before anything else."""
        self._lines = lines

    @property
    def has_question(self) -> bool:
        """True if a question is open, answered or not."""
        return self._asked is not None

    async def wait_for_client(self) -> None:
        """Wait until the client has reported its abilities, or its time to do so is over."""
        while not self._link.client.is_ready:
            if self._ready is None:
                self._ready = trio.Event()
            await self._ready.wait()

    def hide_input(self) -> None:
        """Ask the client to hide typed input, if it does not yet."""
        if not self._hides_input:
            self._hides_input, self.hiding_refused = True, False
            self._link.hide_input(True, marks=True)

    async def next_line(self, within: float | None, *, hidden: bool) -> str:
        """Wait for the answer to the question that was just sent.

        Raises:
            trio.TooSlowError: No line came `within` these seconds.
        """
        self._asked, self.asks_hidden, self.is_answered = trio.Event(), hidden, not hidden
        self._lines.notify()
        try:
            with trio.fail_after(math.inf if within is None else within):
                await self._asked.wait()
            # A dialog that was cancelled in the same moment is over: its player may be in the game by a token.
            await trio.lowlevel.checkpoint_if_cancelled()
            answer, self._answer = self._answer, None
            assert answer is not None
            return str(answer)
        finally:
            self._asked, self.asks_hidden = None, False
            # The answer can arrive in the same moment as the timeout or the end of the dialog. A plain line is then put
            # back; a hidden one is dropped, since it may be a password.
            if self._answer is not None and not hidden:
                self._lines.give_back(self._answer)
            self._answer = None
            self._lines.notify()  # messages have waited for the line before them
            self._link.mark_dirty()  # the flush notices that the line is taken, which a world acknowledges then

    def give_back(self, line: str) -> None:
        """Put a line back: it is the oldest again."""
        self._lines.give_back(line)

    def end(self) -> None:
        """Detach from the lines, because the script has ended."""
        self.show_input()
        self._lines.end()

    # Called by the inbox

    @property
    def holds_line(self) -> bool:
        """True if an answer was given that the script has not received yet."""
        return self._answer is not None

    @property
    def is_asking(self) -> bool:
        """True if it waits for a line."""
        return self._asked is not None and not self._asked.is_set()

    def answer(self, line: str) -> None:
        """Deliver the line that the dialog waits for."""
        assert self._asked is not None
        self._answer, self.is_answered = line, True
        self._asked.set()

    def received(self, event: LinkEvent) -> None:
        """Take note of an event of the link: input cannot be hidden, or the client is known."""
        if type(event) is HidingRefused:
            self.hiding_refused = True
        elif type(event) is ClientKnown and self._ready is not None:
            self._ready.set()

    def show_input(self) -> None:
        """Ask the client to show typed input again, if it was hidden for a question."""
        if self._hides_input:
            self._hides_input = False
            self._link.hide_input(False, marks=True, ends_line=False, is_answered=self.is_answered)
