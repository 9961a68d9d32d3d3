"""Taps: a copy of one connection's output and of its player's lines, for a game's code.

`Connection.tap` creates them, for operators who watch a player, or for logs of a scene.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import CoroutineType
from typing import Protocol

from ...text import Text
from ..core.guard import not_awaited
from ..core.thread import HomeThread


@dataclass(frozen=True, slots=True)
class Sent:
    """A text was queued for the player, as the game wrote it: not rendered, not wrapped, not encoded."""

    text: Text


@dataclass(frozen=True, slots=True)
class Typed:
    """A line of the player is being handled, as an `Input` or as a dialog's answer. It was not typed hidden."""

    line: str


TapFunction = Callable[[Sent | Typed], object]


class TapOwner(Protocol):
    """The connection's inbox, which reports to its taps.

    Attributes:
        taps: Those that are open, oldest first.
    """

    taps: tuple[Tap, ...]


class Tap:
    """One function that sees what a connection sends and receives. Made by `Connection.tap`."""

    __slots__ = ("_failed", "_function", "_is_running", "_owner", "_thread")

    def __init__(
        self,
        owner: TapOwner,
        function: TapFunction,
        failed: Callable[[str, object, BaseException], None],
        thread: HomeThread,
    ) -> None:
        self._owner = owner
        self._function = function
        self._failed = failed
        self._thread = thread
        self._is_running = False

    def close(self) -> None:
        """Report nothing more to the function. A second call does nothing."""
        self._thread.check()
        self._owner.taps = tuple(tap for tap in self._owner.taps if tap is not self)

    def _report(self, event: Sent | Typed) -> None:
        # What the function sends to its own connection would come back to it without end.
        if self._is_running:
            return
        self._is_running = True
        try:
            result = self._function(event)
        except BaseException as error:  # noqa: BLE001 - the boundary of a tap
            self._fail(error)
        else:
            if type(result) is CoroutineType:  # the function is a lambda, whose result shows only now
                self._fail(not_awaited(result))
        finally:
            self._is_running = False

    def _fail(self, error: BaseException) -> None:
        self.close()
        self._failed("tap", self._function, error)
