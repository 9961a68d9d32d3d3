"""The boundary around a line taker of a game's own: a failure costs its connection and nothing else.

A dialog's taker is the driver's and never raises. Any other is called through `GuardedTaker`.
Its methods run within the steps that end a connection, so a failure there would leave it half ended.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CoroutineType

from ..core.checks import article, check_function
from ..core.guard import not_awaited
from ..link.base import LinkEvent
from .line_taker import LinesOnly, LineTaker


class GuardedTaker(LinesOnly):
    """A line taker that never raises. Once it has failed it takes no lines.

    Args:
        taker: The taker of the game.
        failed: Ends the connection; called with the first failure.

    Raises:
        TypeError: The taker lacks a method or an attribute, or one of its methods cannot be called as it will be.
    """

    __slots__ = ("_failed", "_has_failed", "_taker")

    def __init__(self, taker: LineTaker, failed: Callable[[BaseException], None]) -> None:
        for name, *arguments in (("answer", "line"), ("received", "event"), ("show_input",), ("give_way",)):
            where = f"Connection.take_lines() with {article(taker)} whose {name}()"
            check_function(_member(taker, name), where, *arguments, plain=True)
        for name in ("asks_hidden", "has_begun", "is_asking"):
            _member(taker, name)
        self._taker = taker
        self._failed = failed
        self._has_failed = False

    @property
    def asks_hidden(self) -> bool:
        """True while a hidden question waits for its line, or that is unknown."""
        return self._is(lambda: self._taker.asks_hidden, otherwise=True)

    @property
    def has_begun(self) -> bool:
        """False while it may still be dropped."""
        return self._is(lambda: self._taker.has_begun, otherwise=False)

    @property
    def is_asking(self) -> bool:
        """True if it waits for a line now."""
        return self._is(lambda: self._taker.is_asking, otherwise=False)

    def answer(self, line: str) -> None:
        """Take the line that it asked for."""
        self._is(lambda: self._taker.answer(line), otherwise=False)

    def received(self, event: LinkEvent) -> None:
        """Take note of an event of the link."""
        self._is(lambda: self._taker.received(event), otherwise=False)

    def show_input(self) -> None:
        """Ask the client to show typed input again."""
        self._is(lambda: self._taker.show_input(), otherwise=False)

    def give_way(self) -> None:
        """Detach from the lines."""
        self._is(lambda: self._taker.give_way(), otherwise=False)

    def _is(self, call: Callable[[], object], *, otherwise: bool) -> bool:
        """Call the taker; return `otherwise` if it raises or has failed before."""
        if self._has_failed:
            return otherwise
        try:
            result = call()
            if type(result) is not CoroutineType:
                return bool(result)
            failure: BaseException = not_awaited(result)
        except BaseException as error:  # noqa: BLE001 - the boundary
            failure = error
        self._has_failed = True
        self._failed(failure)
        return otherwise


def _member(taker: LineTaker, name: str) -> object:
    try:
        return getattr(taker, name)
    except AttributeError:
        raise TypeError(
            f"Connection.take_lines() takes a LineTaker, not {article(taker)}: {name!r} is missing"
        ) from None
