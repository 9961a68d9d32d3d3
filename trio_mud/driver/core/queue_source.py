"""A source that is a plain queue. The server's posts, each of its timers, and each key of a session have one."""

from __future__ import annotations

from .events import HookEvent
from .timers import Timer, tick_of
from .turns import Source, Turns


class QueueSource(Source):
    """Events and due timers put from outside, taken in order.

    Attributes:
        waiting: Those put and not taken. A timer stays one until its turn, for it may be cancelled meanwhile.
    """

    __slots__ = ("waiting",)

    def __init__(self, dispatcher: Turns) -> None:
        super().__init__(dispatcher)
        self.waiting: list[HookEvent | Timer] = []

    def put(self, event: HookEvent | Timer) -> None:
        """Queue an event."""
        self.waiting.append(event)
        self.wake()

    def put_first(self, event: HookEvent) -> None:
        """Queue an event before all that wait."""
        self.waiting.insert(0, event)
        self.wake()

    def has_event(self) -> bool:
        return bool(self.waiting)

    def take_event(self) -> HookEvent | None:
        if not self.waiting:
            return None
        event = self.waiting.pop(0)
        return tick_of(event) if isinstance(event, Timer) else event
