"""Output at a gateway: each item is the call of a telnet link, and tails are kept for clients that return.

Used by `gateway.GatewayService`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from ..driver.link.base import OutOfBand
from ..driver.link.tail import Tail
from ..driver.link.telnet import TelnetLink
from ..telnet.gmcp_messages import NO_DATA, from_json
from ..text import Text
from .wire import (
    CaughtUp,
    InputHidden,
    Item,
    MessageSent,
    Preferred,
    PromptAnswered,
    PromptSent,
    ReturnOffered,
    TailEnded,
    TailMoved,
    TextSent,
    off_wire,
)

MOST_TAILS: Final = 1000  # tails of links, kept for the return of their clients; each has at most `limits.max_tail`


class Tails:
    """The tails of one gateway's clients, by the number that the world has given each."""

    def __init__(self) -> None:
        self._tails: dict[int, Tail] = {}  # the oldest first

    def clear(self) -> None:
        """Forget all."""
        self._tails.clear()

    def get(self, number: int, limit: int) -> Tail:
        """Return a tail; a new one of this limit if it is not here."""
        tail = self._tails.pop(number, None) or Tail(limit)
        self._tails[number] = tail
        if len(self._tails) > MOST_TAILS:
            del self._tails[next(iter(self._tails))]
        return tail


def put_out(tails: Tails, links: Iterable[TelnetLink], items: Iterable[Item]) -> None:
    """Apply items of output to each link."""
    calls = [_call_of(item) for item in items]  # once for all links, since markup is compared by identity
    for link in links:
        for call in calls:
            call(tails, link)


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
                _tail(tails, tail, link), token, waits if waits >= 0 else None, seen=seen if seen >= 0 else None
            )
        case CaughtUp(tail, seen):
            return lambda tails, link: link.catch_up(_tail(tails, tail, link), seen if seen >= 0 else None)
        case TailEnded():
            return lambda tails, link: link.end_tail()
        case Preferred(wishes):
            return lambda tails, link: link.client._set_preferences(wishes)
        case TailMoved():
            return lambda tails, link: None


def _tail(tails: Tails, number: int, link: TelnetLink) -> Tail:
    return tails.get(number, link._host.context.limits.max_tail)


def _write(link: TelnetLink, text: Text, *, is_last: bool) -> None:
    if not link.write(text, is_last=is_last):
        link.keep(text)
