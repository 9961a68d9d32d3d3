"""The input of one connection in the world: each item once, in the order of its numbers.

Input that the receiver has no room for waits in a backlog, as unparsed bytes wait in a telnet link. It is bounded by
the window of the gateway (`numbering`). Input is acknowledged once it was taken from the receiver, so that the next
world handles what this one has only received.
"""

from __future__ import annotations

from collections import deque

from ..driver.link.base import Interrupted, LinkReceiver, OutOfBand
from ..telnet import InterruptKind
from ..telnet.gmcp_messages import from_json
from .held_input import HeldInput
from .numbering import InputOrder
from .recorded_lines import SecretLines
from .wire import Arrived, InputDiscarded, KeyPressed, LineTyped, MessageReceived, Numbered


class RemoteInput:
    """The numbered input of a `RemoteLink`.

    Args:
        hold: Holds input while sessions of an earlier world are restored.
        arrived: The gateway's report of the connection.
        before: The input of the link that the connection had here before its gateway was given up. That one still takes
            what it has received, and this one begins behind it.

    Attributes:
        receiver: The receiver of the items; None until it is attached.
        is_waiting: True if input waits for room in the receiver.
        acknowledged: The greatest acknowledged number.
        secrets: The lines that must not be recorded; None without a recording at the gateway.
    """

    __slots__ = (
        "_awaited",
        "_backlog",
        "_before",
        "_hold",
        "_is_dropped",
        "_order",
        "_passed",
        "_wants_discard",
        "acknowledged",
        "is_waiting",
        "receiver",
        "secrets",
    )

    def __init__(self, hold: HeldInput, arrived: Arrived, before: RemoteInput | None) -> None:
        self._hold = hold
        self._before = before
        received = arrived.taken if before is None else max(arrived.taken, before._order.received)
        self._order: InputOrder = InputOrder(received)
        self._backlog: deque[Numbered] = deque()
        self._passed = received  # the greatest number passed to the receiver, or dropped
        self._awaited = 0  # the last request without an answer: the gateway may still send input that is to be dropped
        self._wants_discard = False  # another request follows
        self._is_dropped = False
        self.receiver: LinkReceiver | None = None
        self.is_waiting = False
        self.acknowledged = arrived.taken
        self.secrets = SecretLines() if arrived.is_recorded else None

    def ordered(self, item: Numbered) -> list[Numbered]:
        """Return the items that are due: none if one before this was not received, or this was received before."""
        return self._order.receive(item)

    def take(self, item: Numbered) -> None:
        """Pass a due item to the receiver as soon as it has room."""
        if self.receiver is None or self.is_waiting or self.receiver.is_full or self._hold.is_on:
            self._backlog.append(item)
            self.is_waiting = True
            self.notify()
        else:
            self._pass(item, self.receiver)

    def is_early(self, item: Numbered) -> bool:
        """True if an item was received, and one before it was not."""
        return self._order.is_early(item.number)

    def skip_to(self, number: int) -> bool:
        """Skip input up to a number, which another world has taken; return False if all of it was received here.

        It happens if the cluster link has lost its data, and a world that was replaced, and has not noticed it, claims
        again first. The gateway does not have that input any more, so to ask for it would never end.
        """
        if not self._order.skip_to(number):
            return False
        if not self._backlog:
            self._passed = number
        self.acknowledged = number
        return True

    def go_on(self) -> None:
        """Pass waiting input to the receiver, as far as it has room."""
        receiver = self.receiver
        while self._backlog and receiver is not None and not (receiver.is_full or self._hold.is_on):
            item = self._backlog.popleft()
            self.is_waiting = bool(self._backlog)
            self._pass(item, receiver)

    def notify(self) -> None:
        """Let the receiver look at waiting input."""
        if self.is_waiting and self.receiver is not None:
            self.receiver.notify()

    def drop(self) -> None:
        """Drop waiting input, and all later input."""
        self._is_dropped = True
        self.discard()

    def discard(self) -> bool:
        """Drop waiting input; return False if there was none."""
        had_input = self.is_waiting
        if self._backlog:
            if self.secrets is not None:
                for item in self._backlog:
                    self.secrets.dropped(item.number)
            self._passed = self._backlog[-1].number
            self._backlog.clear()
        self.is_waiting = False
        return had_input

    def want_discard(self) -> bool:
        """Drop what the gateway sends until it has answered a request to discard; return False if all is dropped."""
        if self._is_dropped:
            return False
        self._wants_discard = True
        return True

    def discard_requested(self, number: int) -> int:
        """Return the number of the request to discard that the gateway is sent now; 0 if none is due any more.

        Args:
            number: For a new request. The last one without an answer is repeated under its own number.
        """
        if self._wants_discard:
            self._wants_discard = False
            self._awaited = number
        return self._awaited

    @property
    def awaits_discard(self) -> bool:
        """True if a request was sent, and not answered; it, or its answer, may be lost."""
        return bool(self._awaited)

    @property
    def is_settled(self) -> bool:
        """True if everything received was taken and acknowledged."""
        return not self._backlog and self.acknowledged >= self._passed

    @property
    def has_taken_all(self) -> bool:
        """True if everything received was taken."""
        return not self._backlog and self.taken_number >= self._passed

    @property
    def taken_number(self) -> int:
        """The greatest number of which everything up to it was taken from the receiver."""
        if self._before is not None:
            if not self._before.has_taken_all:
                return self._before.taken_number
            self._take_over()
        waiting = 0 if self.receiver is None else self.receiver.waiting
        return self._passed - waiting

    def acknowledge(self) -> tuple[int, list[int]] | None:
        """Return the number that is to be acknowledged now, and those of the lines that must not be recorded.

        None if there is nothing new to acknowledge.
        """
        since, upto = self.acknowledged, self.taken_number
        if upto <= since:
            return None
        self.acknowledged = upto
        return upto, self._secret_lines(since, upto)

    def _secret_lines(self, since: int, upto: int) -> list[int]:
        own = [] if self.secrets is None else self.secrets.take(since, upto)
        return own if self._before is None else sorted({*own, *self._before._secret_lines(since, upto)})

    def _take_over(self) -> None:
        """Forget the input of the link before, of which everything was taken."""
        before, self._before = self._before, None
        if self.secrets is not None and before is not None and before.secrets is not None:
            self.secrets.add(before.secrets)

    def _pass(self, item: Numbered, receiver: LinkReceiver) -> None:
        """Pass one item to the receiver, unless it is to be dropped."""
        self._passed = item.number
        try:
            match item:
                case InputDiscarded(_, _, request):
                    if request in (self._awaited, -1):  # not one that an earlier world has asked for
                        self._awaited = 0
                case _ if self._awaited or self._wants_discard or self._is_dropped:
                    if self.secrets is not None:
                        self.secrets.dropped(item.number)
                case LineTyped():
                    if self.secrets is not None:
                        self.secrets.passed(item.number)
                    receiver.received_line(item.text, item.is_hidden)
                case MessageReceived():
                    receiver.received(OutOfBand(item.protocol, item.name, from_json(item.body)))
                case KeyPressed():
                    receiver.received(Interrupted(InterruptKind(item.kind)))
        except BaseException as error:  # noqa: BLE001 - code of the game, or a body that is not JSON
            receiver.failed(error)
