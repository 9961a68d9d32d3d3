"""Which lines a recording must leave out: the gateway records, and the world knows which lines answer hidden questions.

A password can be typed before its question reaches the gateway. So a recorded line waits until the world has
acknowledged it, and an acknowledgement names the lines that were not taken visibly: those that answered a hidden
question, and those that were dropped.

Used by the forwarder and by the remote link, for recorded connections only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Final

from ..driver.connection.line_taker import InputObserver

# Numbers behind the acknowledged ones that are kept, since an acknowledgement that is lost is repeated. A gateway sends
# the window ahead of it, and after a link death the rest of its inbox. They are dropped once there are twice as many.
KEPT: Final = 4096


class RecordedLines:
    """At a gateway: reports a line to the recording once the world has acknowledged it.

    Args:
        recording: The recording.
    """

    __slots__ = ("_recording", "_sent")

    def __init__(self, recording: InputObserver) -> None:
        self._recording = recording
        self._sent: deque[int] = deque()  # the numbers of the lines that wait

    def sent(self, number: int) -> None:
        """Take note of the number of the line that was taken just now."""
        self._sent.append(number)

    def acknowledge(self, upto: int, secret: Collection[int]) -> None:
        """Report the lines up to a number."""
        while self._sent and self._sent[0] <= upto:
            self._recording.line_taken(is_secret=self._sent.popleft() in secret, is_borrowed=False)

    def line_taken(self, *, is_secret: bool, is_borrowed: bool) -> None:
        """Do nothing: the line is sent to the world."""

    def line_given_back(self) -> None:
        """Do nothing: a forwarder gives no line back."""

    def lines_discarded(self, *, loses_bytes: bool) -> None:
        """Report that everything typed so far is dropped, also the lines on their way."""
        self._sent.clear()
        self._recording.lines_discarded(loses_bytes=loses_bytes)

    def stop_tracking(self) -> None:
        """Report that no further line will be taken."""
        self._sent.clear()
        self._recording.stop_tracking()


class SecretLines:
    """In the world: notes which lines were not taken visibly. It is the observer of the connection's inbox."""

    __slots__ = ("_last", "_secret", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()  # the numbers of the lines in the inbox
        self._last = 0  # the number of the line taken last
        self._secret: set[int] = set()

    def passed(self, number: int) -> None:
        """Take note that a line is being passed to the inbox."""
        self._waiting.append(number)

    def dropped(self, number: int) -> None:
        """Take note that a line was dropped before that."""
        self._secret.add(number)

    def take(self, since: int, upto: int) -> list[int]:
        """Return the numbers above one that the gateway knows to be acknowledged, up to one that is being acknowledged.

        They are kept, since the gateway may turn out not to know it.
        """
        if len(self._secret) > 2 * KEPT:
            self._secret = {number for number in self._secret if number > upto - KEPT}
        return [number for number in range(since + 1, upto + 1) if number in self._secret]

    def add(self, earlier: SecretLines) -> None:
        """Take over the numbers of the link that the connection had before."""
        self._secret |= earlier._secret

    def line_taken(self, *, is_secret: bool, is_borrowed: bool) -> None:
        """Take note that the oldest line was taken."""
        if self._waiting:
            self._last = self._waiting.popleft()
            if is_secret:
                self._secret.add(self._last)

    def line_given_back(self) -> None:
        """Take note that the line taken last is the oldest again."""
        self._waiting.appendleft(self._last)

    def lines_discarded(self, *, loses_bytes: bool) -> None:
        """Take note that everything typed so far was dropped."""
        self._secret.update(self._waiting)
        self._waiting.clear()

    def stop_tracking(self) -> None:
        """Take note that no further line will be taken."""
        self.lines_discarded(loses_bytes=False)
