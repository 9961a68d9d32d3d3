"""The line taker of a gateway: takes all input of one connection, in turn, and sends it to the world.

The connection's inbox stays as it is: it holds input while the window is closed, and its link stops reading when the
inbox is full. After a link death the rest of the input is sent whatever the window, since no more can follow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from ..driver.connection.connection import Connection
from ..driver.connection.events import Interrupt
from ..driver.connection.waiting import HiddenLine, Payload
from ..driver.core.events import HookEvent
from ..driver.link.base import ClientKnown, HidingRefused, LinkEvent, PackagesNamed, Resized
from ..telnet import InterruptKind
from .numbering import Unacknowledged
from .recorded_lines import RecordedLines
from .wire import (
    MAX_BODY,
    InputDiscarded,
    Key,
    KeyPressed,
    LineTyped,
    MessageReceived,
    Numbered,
    Protocol,
    Signalled,
    Up,
)

_KEYS: Final[Mapping[InterruptKind, Key]] = {
    InterruptKind.INTERRUPT: "interrupt process",
    InterruptKind.BREAK: "break",
    InterruptKind.SUSPEND: "suspend",
    InterruptKind.ABORT: "abort",
}


class Forwarder:
    """Sends the input of one connection to the world.

    Args:
        connection: The connection at this gateway.
        send: Queues a message for the world.
        signal: Queues a signal, in place of an earlier one of its kind; changed facts precede it.
        ended: Called once the end of file has come and everything before it was sent.

    Attributes:
        unacknowledged: The input that was sent and that the world has not acknowledged.
        recorded: The lines of a recorded connection; None without a recording.
    """

    asks_hidden = True  # hidden lines are sent too; the world decides which it takes
    has_begun = True
    takes_all = True
    holds_line = False  # what it has taken is numbered and kept

    __slots__ = ("_connection", "_ended", "_is_input_over", "_obeyed", "_send", "_signal", "recorded", "unacknowledged")

    def __init__(
        self,
        connection: Connection,
        send: Callable[[Up], None],
        *,
        signal: Callable[[Signalled], None],
        ended: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._send = send
        self._signal = signal
        self._ended = ended
        self._is_input_over = False
        self._obeyed = 0  # the last request to discard that was obeyed
        self.unacknowledged = Unacknowledged()
        self.recorded: RecordedLines | None = None

    @property
    def is_asking(self) -> bool:
        """True if the window is open. After the end of file, False until the world has dismissed the connection."""
        if self._connection._lifecycle.is_link_dead:
            return True
        return not self._is_input_over and self.unacknowledged.has_room

    def answer(self, line: str) -> None:
        """Send a line."""
        link, is_hidden = self._connection.number, type(line) is HiddenLine
        self._add(lambda number: LineTyped(link, number, str(line), is_hidden))
        if self.recorded is not None:
            self.recorded.sent(self.unacknowledged.number)

    def forward(self, item: HookEvent | Payload) -> None:
        """Send a message or an interrupt."""
        link = self._connection.number
        if isinstance(item, Payload):
            if len(item.body) <= MAX_BODY:
                protocol: Protocol = "msdp" if item.is_msdp else "gmcp"
                name, body = item.name, item.body
                self._add(lambda number: MessageReceived(link, number, protocol, name, body))
        elif isinstance(item, Interrupt):
            kind = _KEYS[item.kind]
            self._add(lambda number: KeyPressed(link, number, kind))

    def discard(self, request: int) -> None:
        """Drop the input that was not sent, and that the world has not taken, and mark the place in the rest.

        The world that asks has dropped all input without an acknowledgement. If it dies before it can acknowledge that,
        the next one gets nothing of it.

        A request that comes again, since its answer may be lost, drops nothing: what was typed since then is for the
        world.
        """
        if request and request == self._obeyed:
            self._mark_dropped(request)
        else:
            self._obeyed = request
            self._drop(request)

    def drop(self) -> None:
        """Drop all input that the world has not taken. One that has it already may handle it; no later one does."""
        self._drop(0)

    def drop_sent(self) -> None:
        """Put nothing in place of each item that was sent, and that the world has not taken."""
        link = self._connection.number
        self.unacknowledged.replace(lambda number: InputDiscarded(link, number, 0))

    def input_over(self) -> None:
        """Report the end of file."""
        self._is_input_over = True
        self._ended()

    def received(self, event: LinkEvent) -> None:
        """Send an event that overtakes lines."""
        link = self._connection.number
        match event:
            case Resized(columns, rows):
                self._signal(Signalled(link, "resized", (columns, rows)))
            case HidingRefused():
                self._signal(Signalled(link, "hiding refused"))
            case ClientKnown():
                self._signal(Signalled(link, "client known"))
            case PackagesNamed():
                self._signal(Signalled(link, "packages named"))
            case _:
                pass  # messages and interrupts wait in turn with the lines; a cut line is the gateway's affair

    def show_input(self) -> None:
        """Do nothing: the world decides when input is shown."""

    def give_way(self) -> None:
        """Do nothing: sessions are the world's."""

    def acknowledge(self, number: int, secret: Collection[int] = ()) -> None:
        """Forget what the world has taken; take more if that has opened the window.

        Args:
            number: The greatest number of it.
            secret: The numbers of the lines that must not be recorded.
        """
        if self.recorded is not None:
            self.recorded.acknowledge(number, secret)
        if self.unacknowledged.acknowledge(number):
            self._connection._offer_line()

    def release(self) -> None:
        """Let the connection end by the end of file that was reported."""
        self._is_input_over = False
        self._connection._offer_line()

    def _drop(self, request: int) -> None:
        self.drop_sent()
        if self._connection.ending is None:
            self._connection._inbox.discard_lines()
        self._mark_dropped(request)

    def _mark_dropped(self, request: int) -> None:
        """Let the world know behind which item later input begins, unless the connection has ended: none follows."""
        if self._connection.ending is None:
            link = self._connection.number
            self._add(lambda number: InputDiscarded(link, number, request))

    def _add(self, make: Callable[[int], Numbered]) -> None:
        self._send(self.unacknowledged.add(make))
