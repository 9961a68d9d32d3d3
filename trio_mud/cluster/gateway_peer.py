"""One connection at its gateway: its state, and the messages about it that wait to be sent.

Theory of operation
-------------------
The messages of a connection wait here until the cluster link takes them, and what they hold is bounded however long it
blocks. The report of the arrival and the known facts are made when they are taken, so they are kept once. A signal
replaces an earlier one of its kind. Input is bounded by its window. A connection that leaves before its arrival was
sent takes its messages with it.

`states.GATEWAY` decides what each event causes.
Used by `gateway.GatewayService`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from ..driver.connection.connection import Connection
from ..driver.core.events import Cause, Reason
from ..driver.link.telnet import TelnetLink
from ..telnet.codes import GMCP, MSDP
from .forwarder import Forwarder
from .recorded_lines import RecordedLines
from .states import GATEWAY, AtGateway, GatewayAction, GatewayEvent, Machine
from .wire import Arrived, Departed, FactsLearned, InputOver, KnownFacts, Protocol, Signalled, Up

_FOR_OPERATORS: Final = {
    AtGateway.KNOCKING: "waits for the world to admit it",
    AtGateway.OPEN: "connected",
    AtGateway.INPUT_OVER: "sends no more, and still reads",
    AtGateway.DISMISSED: "is being disconnected by the world",
    AtGateway.DEPARTED: "has left, which the world has not confirmed",
    AtGateway.GONE: "has left",
}


class GatewayPeer:
    """One connection at a gateway.

    Args:
        connection: The connection.
        has_messages: Called with this peer when messages wait in it.
        forget: Called with this peer once neither side needs it.

    Attributes:
        connection: The connection.
        forwarder: Takes its input.
        ending: The cause by which the world is ending it, as `EndingDecided` says; None until then.
        in_dialog: True if a dialog of the world has its lines, as `DialogChanged` says.
        verdict: Set with the world's verdict.
        was_notified: True if the player was notified that the world is silent.
    """

    __slots__ = (
        "_cause",
        "_facts",
        "_forget",
        "_has_messages",
        "_machine",
        "_may_differ",
        "_must_arrive",
        "_queue",
        "_signals",
        "_text",
        "connection",
        "ending",
        "forwarder",
        "in_dialog",
        "verdict",
        "was_notified",
    )

    def __init__(
        self,
        connection: Connection,
        *,
        has_messages: Callable[[GatewayPeer], object],
        forget: Callable[[GatewayPeer], object],
    ) -> None:
        self.connection = connection
        self.forwarder = Forwarder(
            connection, self._send, signal=self._signal, ended=lambda: self._step(GatewayEvent.INPUT_OVER)
        )
        self.ending: Cause | None = None
        self.in_dialog = False
        self.verdict = trio.Event()
        self.was_notified = False
        self._has_messages = has_messages
        self._forget = forget
        self._machine = Machine(GATEWAY, AtGateway.KNOCKING)
        self._must_arrive = True
        self._facts = KnownFacts()  # as they were sent last
        self._may_differ = False  # from those
        self._signals: dict[str, Signalled] = {}  # by their kind
        self._queue: list[Up] = []
        self._cause = Cause.RESET  # of its ending, in the world or here
        self._text = ""
        connection._inbox.taker = self.forwarder
        if (recording := connection._inbox.observer) is not None:
            self.forwarder.recorded = connection._inbox.observer = RecordedLines(recording)
        connection.client._observer = self._mark_facts
        self._mark()

    @property
    def is_open(self) -> bool:
        """True if it is admitted and has not ended."""
        return self._machine.state in (AtGateway.OPEN, AtGateway.INPUT_OVER)

    @property
    def is_knocking(self) -> bool:
        """True if the world has neither admitted nor dismissed it."""
        return self._machine.state is AtGateway.KNOCKING

    @property
    def is_waiting(self) -> bool:
        """True if the world has not answered all that was sent."""
        return bool(self.forwarder.unacknowledged) or self._machine.state in (AtGateway.KNOCKING, AtGateway.DEPARTED)

    def __str__(self) -> str:
        """Describe it for an operator: its state, and how much of its input no world has handled."""
        said = _FOR_OPERATORS[self._machine.state]
        if waiting := len(self.forwarder.unacknowledged):
            said += f"; {waiting} {'line or message is' if waiting == 1 else 'lines and messages are'} not handled yet"
        return f"{self.connection._label} from {self.connection.address}: {said}"

    # Up

    def take_messages(self) -> list[Up]:
        """Return the messages that wait, and keep them no longer."""
        number, messages = self.connection.number, list[Up]()
        if self._must_arrive:
            self._must_arrive = self._may_differ = False
            self._facts = _facts_of(self.connection)
            messages.append(
                Arrived(
                    number,
                    self.connection.address,
                    self.connection.client.is_secure,
                    self._facts,
                    self.forwarder.unacknowledged.acknowledged,
                    self._machine.state is not AtGateway.KNOCKING,
                    self.forwarder.recorded is not None,
                    self.in_dialog,
                )
            )
        elif self._may_differ and self._machine.state is not AtGateway.GONE:  # not for each line: it costs as much
            self._may_differ = False
            if (facts := _facts_of(self.connection)) != self._facts:
                self._facts = facts
                messages.append(FactsLearned(number, facts))
        messages += self._signals.values()
        messages += self._queue
        self._signals.clear()
        self._queue.clear()
        return messages

    def _send(self, message: Up) -> None:
        self._queue.append(message)
        self._mark()

    def _signal(self, message: Signalled) -> None:
        self._signals[message.kind] = message
        self._mark_facts()

    def _mark(self) -> None:
        self._has_messages(self)

    def _mark_facts(self) -> None:
        self._may_differ = True
        self._mark()

    # Events

    def admit(self) -> None:
        """The world has admitted it."""
        self._step(GatewayEvent.ADMITTED)

    def dismiss(self, cause: Cause, text: str) -> None:
        """The world has ended or refused it."""
        if self._machine.state is not AtGateway.DISMISSED:
            self._cause, self._text = cause, text
        self._step(GatewayEvent.DISMISSED)

    def leave(self, cause: Cause, text: str) -> None:
        """It has ended here."""
        self._cause, self._text = cause, text
        self._step(GatewayEvent.ENDED)

    def call_up(self) -> None:
        """Report the connection, and all input that no world has acknowledged, to a world that asks for the roll.

        Signals that wait are kept: the world that asks may be the same one. If a world was ending the connection, this
        gateway ends it now, unless it has already, and drops the input that was typed behind the quit.
        """
        ending = self.ending if self.is_open else None
        if self.ending is not None:
            self.forwarder.drop_sent()
        self._queue.clear()
        self.connection.client._set_preferences({})  # those of the earlier world
        # Of one in a dialog the input stays hidden: the dialog may live, and otherwise the next world shows it again.
        if self._machine.state is AtGateway.OPEN and not self.in_dialog:
            link = self.connection._link
            link.hide_input(False, marks=True, ends_line=False, is_answered=not link.hides_input)
        self._step(GatewayEvent.WORLD_STARTED)
        if ending is not None:
            self.connection.quit(cause=ending)

    def _step(self, event: GatewayEvent) -> None:
        number = self.connection.number
        for action in self._machine.step(event):
            match action:
                case GatewayAction.ADMIT:
                    self.verdict.set()
                case GatewayAction.REFUSE:
                    if self._cause.reason is Reason.REFUSED:
                        self.connection._reject(self._text, self._cause)
                    else:  # it was ended within the world's connect hook, and no refusal outweighed that
                        self._close()
                    self.verdict.set()
                case GatewayAction.CLOSE:
                    self._close()
                case GatewayAction.SEND_ARRIVED:
                    self._must_arrive = True
                    self._mark()
                case GatewayAction.SEND_UNACKNOWLEDGED:
                    self._queue += self.forwarder.unacknowledged
                case GatewayAction.SEND_INPUT_OVER:
                    self._send(InputOver(number))
                case GatewayAction.SEND_DEPARTED:
                    self._send(Departed(number, self._cause.name, self._text))
                case GatewayAction.FORGET:
                    self._end()

    def _close(self) -> None:
        """End the connection as the world has: gently if it quit, at the end of file, or at once.

        One that this gateway is ending already is left to that, with its last words.
        """
        connection, cause = self.connection, self._cause
        if cause.reason is Reason.QUIT:
            connection.quit(cause=cause)
        elif cause.reason is Reason.REFUSED:  # by a new world; an earlier one has admitted it
            connection.quit(self._text, cause=Cause.KICKED)
        elif cause is Cause.EOF:
            self.forwarder.release()
        elif connection.ending is None:
            connection._lifecycle.lose_link(cause)

    def _end(self) -> None:
        self.connection.client._observer = None
        if self._must_arrive:  # the world has not heard of it
            self._must_arrive = False
            self._signals.clear()
            self._queue.clear()
        self._forget(self)

    @property
    def has_none(self) -> bool:
        """True if no message waits, or will."""
        return not (self._must_arrive or self._signals or self._queue)


def _facts_of(connection: Connection) -> KnownFacts:
    """Return the known facts about the client of a connection."""
    state = connection.client._state
    link = connection._link
    assert isinstance(link, TelnetLink)
    protocols: tuple[Protocol, ...] = ()
    if link.engine.is_ours(GMCP):
        protocols += ("gmcp",)
    if link.engine.is_ours(MSDP) or link.engine.is_ours(GMCP):  # MSDP may be carried by GMCP
        protocols += ("msdp",)
    return KnownFacts(dict(state.facts), state.terminals, state.packages, state.is_ready, state.has_answered, protocols)
