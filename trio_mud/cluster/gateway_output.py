"""Output at a gateway: each item is the call of a telnet link, and tails are kept for clients that return.

Used by `gateway.GatewayService`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from ..driver.link.base import OutOfBand
from ..driver.link.tail import Tail
from ..driver.link.telnet import TelnetLink
from ..telnet.gmcp_messages import NO_DATA, from_json
from ..text import Text
from .wire import (
    MAX_TAIL,
    CaughtUp,
    InputHidden,
    Item,
    MessageSent,
    Preferred,
    PromptAnswered,
    PromptSent,
    ReturnOffered,
    TailEnded,
    TailGiven,
    TailMoved,
    TextSent,
    off_wire,
)

MOST_TAILS: Final = 1000  # tails of ended links, kept for the return of their clients; each has `limits.max_tail` bytes


class Tails:
    """The tails of one gateway's clients, by the number that the world has given each.

    Those of live links are found as long as their links have them. Of the others, the newest are kept.
    """

    def __init__(self) -> None:
        self._all: WeakValueDictionary[int, Tail] = WeakValueDictionary()
        self._kept: dict[int, Tail] = {}  # the oldest first

    def get(self, number: int, limit: int, *, has_text: bool = False) -> Tail:
        """Return a tail; a new one of this limit if it is not here.

        Args:
            number: Its number.
            limit: Its greatest size in bytes.
            has_text: True if it has been here. If it is not, it was dropped, and its text is lost.
        """
        tail = self._all.get(number)
        if tail is None:
            tail = self._all[number] = Tail(limit, number)
            tail.is_whole = not has_text
        return tail

    def keep(self, tail: Tail | None) -> None:
        """Keep a tail whose link ends."""
        if tail is not None:
            self._kept.pop(tail.number, None)
            self._kept[tail.number] = self._all[tail.number] = tail
            if len(self._kept) > MOST_TAILS:
                del self._kept[next(iter(self._kept))]

    def give(self, number: int) -> TailGiven:
        """Return a tail for another gateway; of a very long one the end."""
        tail = self._all.get(number)
        if tail is None:
            return TailGiven(number, -1, b"")
        text = tail.text
        return TailGiven(number, tail.lines, text if len(text) <= MAX_TAIL else text[-MAX_TAIL:].partition(b"\n")[2])

    def take(self, moved: TailMoved, limit: int) -> None:
        """Take over a tail that another gateway has given; it has not if `lines` is negative."""
        tail = Tail(limit, moved.tail)
        if moved.lines >= 0:
            tail.restore(moved.lines, moved.data)
        else:
            tail.is_whole = False
        self.keep(tail)


def put_out(
    tails: Tails, links: Iterable[TelnetLink], items: Iterable[Item], failed: Callable[[Item, Exception], object]
) -> None:
    """Apply items of output to each link; call `failed` for each item that raises, and go on."""
    calls: list[tuple[Item, Callable[[Tails, TelnetLink], object]]] = []
    for item in items:
        try:
            calls.append((item, _call_of(item)))  # once for all links, since markup is compared by identity
        except Exception as error:  # noqa: BLE001 - the other items, which may be those of other players, go on
            failed(item, error)
    for link in links:
        for item, call in calls:
            try:
                call(tails, link)
            except Exception as error:  # noqa: BLE001 - as above
                failed(item, error)


def _call_of(item: Item) -> Callable[[Tails, TelnetLink], object]:
    """Return the call of a link that an item of output stands for."""
    match item:
        case TextSent(text, is_last):
            words = off_wire(text)
            return lambda tails, link: _write(link, words, is_last=is_last)
        case PromptSent(text):
            words = off_wire(text)
            return lambda tails, link: link.prompt(words)
        case PromptAnswered():
            return lambda tails, link: link.prompt_answered(False)
        case MessageSent(protocol, name, body):
            data = NO_DATA if not body else msgspec.Raw(body) if protocol == "gmcp" else from_json(body)
            return lambda tails, link: link.send(OutOfBand(protocol, name, data))
        case InputHidden(is_hidden, marks, ends_line, is_answered):
            return lambda tails, link: link.hide_input(
                is_hidden, marks=marks, ends_line=ends_line, is_answered=is_answered
            )
        case ReturnOffered(tail, token, waits, seen):
            return lambda tails, link: link.offer_return(
                _tail(tails, tail, link, has_text=seen >= 0),
                token,
                waits if waits >= 0 else None,
                seen=seen if seen >= 0 else None,
            )
        case CaughtUp(tail, seen):
            return lambda tails, link: link.catch_up(
                _tail(tails, tail, link, has_text=True), seen if seen >= 0 else None
            )
        case TailEnded():
            return _end_tail
        case Preferred(wishes):
            return lambda tails, link: link.client._set_preferences(wishes)
        case TailMoved():
            return lambda tails, link: tails.take(item, link._host.context.limits.max_tail)


def _tail(tails: Tails, number: int, link: TelnetLink, *, has_text: bool) -> Tail:
    return tails.get(number, link._host.context.limits.max_tail, has_text=has_text)


def _end_tail(tails: Tails, link: TelnetLink) -> None:
    tails.keep(link.tail)
    link.end_tail()


def _write(link: TelnetLink, text: Text, *, is_last: bool) -> None:
    if not link.write(text, is_last=is_last):
        link.keep(text)
