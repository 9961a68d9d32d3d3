"""The output of a world that its next commit takes to the gateways.

Links of one gateway that are sent the same in one flush share a message, so a text that a room hears crosses the
cluster link once for each gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from ..driver.link.outgoing import MOST_RENDERED
from ..text import Text
from .wire import Down, Item, Output, PromptSent, TextSent, on_wire

MOST_PENDING: Final = 4 * 1024 * 1024  # bytes that are not committed; past it, links keep their output back
MESSAGE_SIZE: Final = 64  # bytes that a message counts for besides its text


class SharingLink(Protocol):
    """A link whose output may share messages with that of others.

    Attributes:
        gateway: The name of its gateway.
        number: The number of its connection there.
        round: The number of the flush in which it last sent any.
    """

    gateway: str
    number: int
    round: int

    def mark_dirty(self) -> None:
        """Send output again with the next flush."""
        ...


class PendingOutput:
    """The messages for each gateway since the last commit.

    Args:
        changed: Called when there is something to commit.

    Attributes:
        size: The bytes, about, that are queued or being committed.
    """

    def __init__(self, changed: Callable[[], object]) -> None:
        self._changed = changed
        self.size = 0
        self._queued: dict[str, list[Down]] = {}
        self._shared: dict[tuple[object, ...], Output] = {}  # output of this flush that other links may join
        self._items: dict[tuple[type, object], tuple[Text, TextSent | PromptSent]] = {}  # of the texts of this flush
        self._round = 0  # the number of flushes
        self._waiting: dict[SharingLink, None] = {}  # for room

    @property
    def has_room(self) -> bool:
        """False while so much is not committed that links must keep their output."""
        return self.size < MOST_PENDING

    def send(self, gateway: str, message: Down) -> None:
        """Queue a message for the next commit."""
        self._queued.setdefault(gateway, []).append(message)
        self.size += MESSAGE_SIZE
        self._changed()

    def put_first(self, gateways: Iterable[str], message: Down) -> None:
        """Queue a message before all others."""
        for gateway in gateways:
            self._queued.setdefault(gateway, []).insert(0, message)

    def item_of(self, kind: type[TextSent | PromptSent], text: Text) -> TextSent | PromptSent:
        """Return the item of a text: the same for equal ones of one flush, so that a gateway receives them once."""
        key = (kind, text if type(text) is str else id(text))  # markup by identity, as in `Outgoing._encode`
        known = self._items.get(key)
        if known is None:
            if len(self._items) >= MOST_RENDERED:
                self._items.clear()
            known = self._items[key] = (text, kind(on_wire(text)))
        return known[1]

    def send_output(self, link: SharingLink, items: tuple[Item, ...], size: int) -> None:
        """Queue output; links of one gateway that are sent the same in one flush share a message."""
        # Only within one flush, and if this link was not written to in it before: otherwise the order could change.
        key = (link.gateway, *map(id, items))
        shared = self._shared.get(key) if link.round != self._round else None
        if shared is not None:
            shared.links.append(link.number)
            self.size += 8
        else:
            output = Output([link.number], items)
            self.send(link.gateway, output)
            self.size += size
            if link.round != self._round:
                self._shared[key] = output
        link.round = self._round

    def wait_for_room(self, link: SharingLink) -> None:
        """Mark the link dirty as soon as there is room."""
        self._waiting[link] = None

    def end_flush(self) -> None:
        """Share nothing of this flush any more."""
        self._round += 1
        self._shared.clear()
        self._items.clear()

    def take(self) -> dict[str, list[Down]]:
        """Return everything that is queued, for a commit. Follow it by `make_room` or `give_back`."""
        queued, self._queued = self._queued, {}
        self._shared.clear()
        if not queued:
            self.make_room(self.size)
        return queued

    def give_back(self, gateway: str, messages: list[Down]) -> None:
        """Queue messages whose commit was lost, before all later ones."""
        self._queued[gateway] = [*messages, *self._queued.get(gateway, ())]

    def make_room(self, size: int) -> None:
        """Take note that so many bytes are committed."""
        self.size -= size
        waiting, self._waiting = self._waiting, {}
        for link in waiting:
            link.mark_dirty()

    def forget(self, gateway: str) -> None:
        """Drop the messages for a gateway that has ended."""
        self._queued.pop(gateway, None)
