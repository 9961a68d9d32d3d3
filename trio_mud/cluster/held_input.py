"""The input of a new world, which waits until the sessions of the earlier one are restored.

Otherwise a player's next line could be handled before the game has that player's session back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import trio

HOLD: Final = 1.0  # seconds for which input waits at most until the rolls have brought all connections
LONGEST_HOLD: Final = 5.0  # seconds for which it waits at most until the functions for `SessionRestored` have ended


class Restored(Protocol):
    """Returns True if no session is left to be restored.

    With `waits_for_rolls=False`, connections that no roll has brought do not count.
    """

    def __call__(self, *, waits_for_rolls: bool) -> bool: ...


class HeldInput:
    """Whether input is held, and who waits for its release.

    Attributes:
        is_on: True while input is held.
    """

    def __init__(self) -> None:
        self.is_on = False
        self._is_over: Restored = _nothing_to_restore
        self._waits_for_rolls = True
        self._waiting: list[Callable[[], object]] = []

    def begin(self, is_over: Restored) -> None:
        """Hold input until `is_over` returns True; `advanced` asks it."""
        self._is_over = is_over
        self.is_on = True

    def wait(self, released: Callable[[], object]) -> None:
        """Call a function when input is released, if it is held now."""
        if self.is_on:
            self._waiting.append(released)

    def advanced(self) -> None:
        """Release input if all sessions are restored. Call it whenever that may have changed."""
        if self.is_on and self._is_over(waits_for_rolls=self._waits_for_rolls):
            self.release()

    def release(self) -> None:
        """Hold input no more."""
        self.is_on = False
        waiting, self._waiting = self._waiting, []
        for released in waiting:
            released()

    async def limit(self) -> None:
        """Hold input no longer than allowed, in case a gateway does not end its roll, or a function does not end."""
        await trio.sleep(HOLD)
        self._waits_for_rolls = False
        self.advanced()
        await trio.sleep(LONGEST_HOLD - HOLD)
        self.release()


def _nothing_to_restore(*, waits_for_rolls: bool) -> bool:
    return True
