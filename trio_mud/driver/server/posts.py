"""What the game posted to the server itself: one source, in order."""

from __future__ import annotations

import trio

from ..core.dispatcher import Dispatcher, Source
from ..core.events import HookEvent
from .events import Started


class Posts(Source):
    """Events of the game's own. `MasterServer.post` keeps them within `limits.posts`.

    Attributes:
        started: Set when all functions on `Started` have run.
    """

    __slots__ = ("started", "waiting")

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__(dispatcher)
        self.waiting: list[HookEvent] = []
        self.started = trio.Event()

    def has_event(self) -> bool:
        return bool(self.waiting)

    def take_event(self) -> HookEvent | None:
        return self.waiting.pop(0) if self.waiting else None

    def event_over(self, event: HookEvent) -> None:
        if isinstance(event, Started):
            self.started.set()
