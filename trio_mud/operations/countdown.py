"""The countdown before a shutdown: all players read how much time is left, at certain moments."""

from __future__ import annotations

import logging
from typing import Final

from trio_mud import MasterServer, Timer, broadcast

from .phrases import OperationsPhrases

__all__ = ["Countdown"]

MARKS: Final = (3600, 1800, 600, 300, 60, 30, 10, 5, 4, 3, 2, 1)  # seconds left
LONGEST: Final = 86_400  # seconds


logger = logging.getLogger("trio_mud")


class Countdown:
    """At most one shutdown that is under way."""

    def __init__(self, phrases: OperationsPhrases) -> None:
        self.phrases = phrases
        self._timer: Timer | None = None

    def begin(self, server: MasterServer, seconds: int, text: str) -> None:
        """Announce a shutdown, and begin to count; it replaces an earlier one."""
        if self._timer is not None:
            self._timer.cancel()
        if seconds <= 0:
            logger.info("an operator has ordered the shutdown: shutting down")
            server.shutdown(text)
            return
        broadcast(self.phrases.shutdown_in.format(time=self._shown(seconds), text=text).strip(), to=server.connections)
        following = next((mark for mark in MARKS if mark < seconds), 0)
        self._timer = server.after(seconds - following, lambda: self.begin(server, following, text))

    def _shown(self, seconds: int) -> str:
        """Return a time in words, in minutes if they are whole."""
        phrases = self.phrases
        if seconds % 60:
            return (phrases.second if seconds == 1 else phrases.seconds).format(count=seconds)
        return (phrases.minute if seconds == 60 else phrases.minutes).format(count=seconds // 60)

    def cancel(self, server: MasterServer) -> bool:
        """Stop the countdown and announce it; return False if there is none."""
        if self._timer is None:
            return False
        self._timer.cancel()
        self._timer = None
        broadcast(self.phrases.shutdown_cancelled, to=server.connections)
        return True
