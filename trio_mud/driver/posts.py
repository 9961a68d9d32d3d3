"""What the game posted to the server itself: one source, in order."""

from __future__ import annotations

from .dispatcher import Dispatcher, Source
from .events import HookEvent


class Posts(Source):
    """Events of the game's own. `MasterServer.post` keeps them within `limits.posts`."""

    __slots__ = ("waiting",)

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__(dispatcher)
        self.waiting: list[HookEvent] = []

    def has_event(self) -> bool:
        return bool(self.waiting)

    def take_event(self) -> HookEvent | None:
        return self.waiting.pop(0) if self.waiting else None
