"""The sending half of a remote link: queues what the gateway is to render, until the next commit has room for it.

Nothing in the queue grows with the time that the cluster link blocks: text is bounded by `limits.max_output`, and what
may be repeated without end is joined. Nothing is rendered or encoded here.
Used by `remote_link.RemoteLink`, which adds the receiving half and the lifecycle.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

from ..driver.link.base import LinkHost, LinkReceiver, OutOfBand
from ..driver.link.client import Client, Ranked
from ..driver.link.tail import Tail
from ..telnet.gmcp_messages import NO_DATA, opening, to_json
from ..telnet.msdp_messages import encode_msdp
from ..telnet.options.gmcp import is_among
from ..text import Text
from .pending import PendingOutput
from .states import InWorld, Machine, WorldLinkAction, WorldLinkEvent
from .wire import (
    MAX_BODY,
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
    on_wire,
)

ITEM_SIZE: Final = 16  # bytes that an item counts for besides its text


class RemoteOutput:
    """Output to one peer at a gateway, in order, bounded by `limits.max_output`.

    Args:
        pending: Takes the output for the next commit.
        bring_tail: Returns False if the link's gateway has the tail; else calls `take_tail` once that of another one
            has come.
        gateway: The name of the gateway.
        number: The number of the connection at its gateway.
        client: The known facts about the peer's program.
        machine: The state of the connection. Once that is over, nothing is sent.

    Attributes:
        gateway: The name of the gateway.
        number: The number of the connection at its gateway.
        client: The known facts about the peer's program.
        round: The number of the flush in which it last sent output; used by `PendingOutput`.
    """

    __slots__ = (
        "_bring_tail",
        "_dropped",
        "_has_tail",
        "_host",
        "_is_dirty",
        "_is_hidden",
        "_is_prompted",
        "_is_refusal",
        "_is_stopped",
        "_items",
        "_machine",
        "_marks_hidden",
        "_pending",
        "_protocols",
        "_receiver",
        "_refusal",
        "_size",
        "_tail_at",
        "client",
        "gateway",
        "number",
        "round",
    )

    _host: LinkHost
    _receiver: LinkReceiver

    def __init__(
        self,
        pending: PendingOutput,
        bring_tail: Callable[[RemoteOutput, Tail], bool],
        gateway: str,
        number: int,
        client: Client,
        machine: Machine[InWorld, WorldLinkEvent, WorldLinkAction],
    ) -> None:
        self._pending = pending
        self._bring_tail = bring_tail
        self._machine = machine
        self.gateway = gateway
        self.number = number
        self.client = client
        self._protocols: tuple[str, ...] = ()  # those that the client supports
        self._items: list[Item] = []
        self._size = 0  # bytes, about
        self._is_dirty = True  # so that nothing is sent before `open`, as in a telnet link
        self._is_stopped = False
        self._is_prompted = False  # a prompt was sent since the last line
        self._is_hidden = self._marks_hidden = False
        self._is_refusal = False  # the next text is that of a refusal
        self._refusal = ""
        self._dropped = 0  # messages since the last notice
        self._has_tail = False  # the gateway keeps its text, for the client's return
        self._tail_at: int | None = None  # the place in the output for a tail that another gateway is asked for
        self.round = -1

    def write(self, text: Text, *, is_last: bool = False) -> bool:
        """Queue a text; return False if it was dropped."""
        if self._is_refusal:
            self._refusal = str(text)
            self._is_refusal = False
            return True
        item = TextSent(on_wire(text), is_last) if is_last else self._pending.item_of(TextSent, text)
        return self._add(item, _size_of(text), is_last=is_last)

    def write_shared(self, text: Text, rendered: dict[Hashable, bytes]) -> bool:
        """Do as `write`, which shares the texts of one flush anyway."""
        return self.write(text)

    def prompt(self, text: Text) -> bool:
        """Queue a prompt."""
        if not self._add(self._pending.item_of(PromptSent, text), _size_of(text)):
            return False
        self._is_prompted = True
        return True

    def prompt_answered(self, hidden: bool) -> None:
        """Mark the place in the output at which a line was handled, if the gateway may still show a prompt."""
        if self._is_prompted and not self._is_stopped:
            self._is_prompted = False
            self._items.append(PromptAnswered())
            self.mark_dirty()

    def send(self, message: OutOfBand) -> bool:
        """Queue a GMCP or MSDP message if the client supports it."""
        if message.protocol == "gmcp":
            opening(message.name)  # raises if the name is malformed
            body = b"" if message.data is NO_DATA else to_json(message.data)
            is_supported = is_among(self.client.packages, message.name)
        else:
            encode_msdp(message.name, message.data)  # type: ignore[arg-type]  # as in `Outgoing.send`
            body = to_json(message.data)
            is_supported = True
        if message.protocol not in self._protocols or not is_supported or len(body) > MAX_BODY:
            return False
        return self._add(MessageSent(message.protocol, message.name, body), len(body))

    def hide_input(
        self, hidden: bool, *, marks: bool = False, ends_line: bool = True, is_answered: bool = True
    ) -> None:
        """Ask the client to hide or show typed input."""
        if marks:
            self._marks_hidden = hidden
        if not self._is_stopped:
            self._is_hidden = hidden
            item = InputHidden(hidden, marks, ends_line, is_answered)
            # Questions that are asked and given up while the cluster link blocks leave the last two changes.
            if self._items[-2:-1] == [item] and isinstance(self._items[-1], InputHidden):
                self._items.pop()
            else:
                self._items.append(item)
            self.mark_dirty()

    @property
    def hides_input(self) -> bool:
        """True if typed input is secret now."""
        return self._is_hidden or self._marks_hidden

    def offer_return(self, tail: Tail, token: str, waits: float | None, *, seen: int | None = None) -> None:
        """Let the gateway send a token, and keep the text from here on."""
        self._has_tail = True
        if tail.holder is None and seen is not None:  # no gateway has it, since nothing was sent, so nothing is lost
            self._items.append(TailMoved(tail.number, 0, b""))
        if self._tail_at is None:
            self._tail_at = len(self._items)  # everything from here on waits for it
            if not self._bring_tail(self, tail):
                self._tail_at = None
        received = -1 if seen is None else seen if 0 <= seen <= 2**53 else 0
        self._items.append(ReturnOffered(tail.number, token, -1.0 if waits is None else waits, received))
        self.mark_dirty()

    @property
    def has_tail(self) -> bool:
        """True if the gateway keeps its text, for the client's return."""
        return self._has_tail

    def keep_tail(self) -> None:
        """Take note that the gateway keeps its text since an earlier world."""
        self._has_tail = True

    def take_tail(self, moved: TailMoved) -> None:
        """Send the output that has waited for a tail."""
        if self._tail_at is not None:
            self._items.insert(self._tail_at, moved)
            self._tail_at = None
            self.mark_dirty()

    def catch_up(self, tail: Tail, seen: int | None) -> None:
        """Let the gateway send what the client is missing."""
        self._has_tail = True
        self._items.append(CaughtUp(tail.number, -1 if seen is None or not 0 <= seen <= 2**53 else seen))
        self.mark_dirty()

    def end_tail(self) -> None:
        """Let the gateway stop keeping the text."""
        if self._has_tail:
            self._has_tail = False
            self._items.append(TailEnded())
            self.mark_dirty()

    def mark_dirty(self) -> None:
        """Mark the receiver dirty."""
        if not self._is_dirty:
            self._is_dirty = True
            self._host.mark_dirty(self._receiver)

    @property
    def is_drained(self) -> bool:
        """True if all output was passed to the next commit."""
        return not self._is_dirty and not self._items

    async def drain(self) -> None:
        """Wait until `is_drained`."""
        await self._receiver.wait_until(lambda: self.is_drained)

    def discard(self) -> None:
        """Drop all pending output; the gateway still gets it if it keeps the tail of a client that may return."""
        if self._has_tail and self._items and self._tail_at is None and not self._is_over:
            self._pending.send_output(self, tuple(self._items), self._size)
        self._clear()
        self._tail_at = None
        self._is_dirty = False

    def flush(self) -> None:
        """Pass all output to the next commit, if that has room."""
        self._is_dirty = False
        if self._dropped:
            self._dropped = 0
            if (notice := self._host.context.texts.output_dropped) and not self._is_stopped:
                self._add_once(TextSent(on_wire(notice)))
        if self._is_over:  # another connection may have its number by now
            self._clear()
        if not self._items or self._tail_at is not None:
            return
        if not self._pending.has_room:
            self._pending.wait_for_room(self)
            return
        items, size = tuple(self._items), self._size
        self._clear()
        self._pending.send_output(self, items, size)

    @property
    def holds_output(self) -> bool:
        """True if output waits here that was not passed to the next commit."""
        return bool(self._items) and not self._is_over

    @property
    def _is_over(self) -> bool:
        return self._machine.state in (InWorld.CLOSED, InWorld.ABANDONED)

    def _add(self, item: Item, size: int, *, is_last: bool = False) -> bool:
        """Queue an item if there is room and the link is not stopped."""
        if self._is_stopped:
            return False
        size += ITEM_SIZE
        if self._size + size > self._host.context.limits.max_output and not is_last:
            self._dropped += 1
            self._host.context.counters["messages dropped"] += 1
            self.mark_dirty()
            return False
        self._items.append(item)
        self._size += size
        self.mark_dirty()
        return True

    def _add_once(self, notice: TextSent) -> None:
        """Queue a notice, unless it is the last item: text may be dropped with each flush while the link is blocked."""
        if self._items[-1:] != [notice]:
            self._items.append(notice)

    def _put_first(self, notice: str) -> None:
        """Queue a notice before all output, if it is not empty, and forget the prompt that it covers."""
        # The question of the prompt is void: a password that answered it would be a command.
        last: list[Item] = [PromptAnswered(), InputHidden(False, marks=True, ends_line=False, is_answered=False)]
        self._items[:0] = [TextSent(on_wire(notice)), *last] if notice else last

    def _repeat_hiding(self) -> None:
        """Ask the client again to hide typed input, if it is secret now."""
        if self.hides_input and not self._is_stopped:
            self._items.append(InputHidden(True, self._marks_hidden, ends_line=False))
            self.mark_dirty()

    def _prefer(self, preferences: Ranked) -> None:
        """Queue the preferences of the user, in place of earlier ones that are queued last."""
        if self._is_stopped:
            return
        if self._items and isinstance(self._items[-1], Preferred):
            self._items.pop()  # a game may change its mind as often as it likes while the cluster link blocks
        self._items.append(Preferred(dict(preferences)))
        self.mark_dirty()

    def _clear(self) -> None:
        self._items.clear()
        self._size = 0


def _size_of(text: Text) -> int:
    return len(text) if isinstance(text, str) else sum([len(piece) for piece, _ in text.spans])
