"""The silence of a world: a gateway detects that no frame comes although input waits for an answer.

Theory of operation
-------------------
Input may wait for a good reason: a dialog sleeps, or an async hook takes its time. So the time since a line was typed
says nothing about the world. If no frame has come for half of the limit, and input waits, the gateway probes the world,
which answers with its next commit. Without any frame for the other half, the world is silent.

No timer runs while nothing waits, and each frame costs a reading of the clock.
Used by `gateway.GatewayService`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import trio


class Silence:
    """Detects that the world does not answer.

    Args:
        is_waiting: Returns True if anything that was sent has no answer.
        probe: Sends a probe.
        began: Called once the world is silent.
        ended: Called with the first frame after that.

    Attributes:
        is_on: True while the world is silent.
    """

    def __init__(
        self,
        *,
        is_waiting: Callable[[], bool],
        probe: Callable[[], object],
        began: Callable[[], object],
        ended: Callable[[], object],
    ) -> None:
        self._is_waiting = is_waiting
        self._probe = probe
        self._began = began
        self._ended = ended
        self._since = 0.0  # when the last frame came, or the first message after a pause was sent
        self._has_sent = trio.Event()
        self._is_over = trio.Event()
        self.is_on = False

    def sent(self) -> None:
        """Take note that a message is being sent that the world is to answer."""
        if not self._has_sent.is_set():
            self._since = trio.current_time()
            self._has_sent.set()

    def heard(self) -> None:
        """Take note of a frame of the world."""
        self._since = trio.current_time()
        if self.is_on:
            self.is_on = False
            self._is_over.set()
            self._ended()

    async def run(self, limit: float) -> NoReturn:
        """Watch for silences of `limit` seconds, until cancelled."""
        while True:
            await self._has_sent.wait()
            if not await self._is_quiet_for(limit / 2):
                continue
            if not self._is_waiting():
                self._has_sent = trio.Event()
                continue
            self._probe()
            if not await self._is_quiet_for(limit):
                continue
            self.is_on = True
            self._is_over = trio.Event()
            self._began()
            await self._is_over.wait()

    async def _is_quiet_for(self, seconds: float) -> bool:
        """Wait until so long after the last frame; return True if none has come meanwhile."""
        since = self._since
        await trio.sleep_until(since + seconds)
        return self._since == since
