"""The numbers of a connection's input: each item takes effect once, in order, whichever side dies.

Theory of operation
-------------------
The gateway numbers the input of each connection from 1 and keeps each item until the world has acknowledged it. The
world acknowledges an item together with everything that it did (`ends.Commit`). A new world starts from the last
acknowledged number, and the gateway sends the rest again. So an item that arrives a second time is dropped by its
number, and an item that arrives early waits for those before it.

A window bounds the unacknowledged items of a connection, in number and in bytes. While it is full, the gateway takes no
further input of that connection; its inbox fills, and TCP slows the sender (backpressure).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from .wire import LineTyped, MessageReceived, Numbered

WINDOW: Final = 32  # unacknowledged items of one connection; a speedwalk sends 10 to 40 lines at a time
WINDOW_SIZE: Final = 64 * 1024  # bytes, about, of the same; one item more may exceed it
MAX_EARLY: Final = 4 * WINDOW  # items that wait for an earlier one: more, and the gateway does not follow the protocol


class Unacknowledged:
    """The sent items of one connection that the world has not acknowledged: the gateway's half.

    Attributes:
        acknowledged: The greatest acknowledged number.
        number: The greatest number given so far.
    """

    __slots__ = ("_items", "_size", "acknowledged", "number")

    def __init__(self) -> None:
        self._items: deque[Numbered] = deque()
        self._size = 0  # bytes, about
        self.acknowledged = 0
        self.number = 0

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Numbered]:
        return iter(self._items)

    @property
    def has_room(self) -> bool:
        """True if the window is open."""
        return len(self._items) < WINDOW and self._size < WINDOW_SIZE

    def add(self, make: Callable[[int], Numbered]) -> Numbered:
        """Number an item and keep it; return it."""
        self.number += 1
        item = make(self.number)
        self._items.append(item)
        self._size += _size_of(item)
        return item

    def replace(self, make: Callable[[int], Numbered]) -> None:
        """Put another item in place of each one that is kept, under its number."""
        self._items = deque(make(item.number) for item in self._items)

    def acknowledge(self, number: int) -> bool:
        """Forget the items up to a number; return True if that has opened the window.

        A number that was never given acknowledges nothing, and neither does one that was acknowledged before.
        """
        if not self.acknowledged < number <= self.number:
            return False
        was_open = self.has_room
        self.acknowledged = number
        while self._items and self._items[0].number <= number:
            self._size -= _size_of(self._items.popleft())
        return not was_open and self.has_room


class InputOrder:
    """The order of one connection's input: the world's half.

    Args:
        taken: The greatest number that an earlier world has acknowledged.

    Attributes:
        received: The greatest number up to which everything was received.
    """

    __slots__ = ("_early", "received")

    def __init__(self, taken: int = 0) -> None:
        self.received = taken
        self._early: dict[int, Numbered] = {}

    def is_early(self, number: int) -> bool:
        """True if an item of this number, which was received, waits for one before it."""
        return number > self.received

    def skip_to(self, number: int) -> bool:
        """Begin behind this number; return False if everything up to it was received."""
        if number <= self.received:
            return False
        self.received = number
        self._early = {early: item for early, item in self._early.items() if early > number}
        return True

    def receive(self, item: Numbered) -> list[Numbered]:
        """Return the items that are next: none if this one came before or is early, else it and those it held up.

        An early item is kept, up to `MAX_EARLY` of them; beyond that it is dropped, and the next roll brings it again.
        """
        if item.number <= self.received:
            return []
        if item.number > self.received + 1:
            if len(self._early) < MAX_EARLY:
                self._early[item.number] = item
            return []
        ready = [item]
        while (following := self._early.pop(item.number + len(ready), None)) is not None:
            ready.append(following)
        self.received += len(ready)
        return ready


def _size_of(item: Numbered) -> int:
    """Return the characters of a line or the bytes of a message."""
    match item:
        case LineTyped():
            return len(item.text)
        case MessageReceived():
            return len(item.body)
    return 0
