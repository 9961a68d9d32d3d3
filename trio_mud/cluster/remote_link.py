"""The link of one connection in the world: its peer is at a gateway.

Theory of operation
-------------------
The driver calls this link as it calls a telnet link. Each call of output becomes one item, and the items of one flush
become one message. Each message of input becomes the call that a telnet link would make at the receiver.
Nothing is rendered or encoded here: the gateway's telnet link does that, since it knows the client.

`RemoteOutput` queues its output, and `RemoteInput` receives its numbered input.
"""

from __future__ import annotations

from typing import Final, Protocol

import trio

from ..driver.connection.inbox import Inbox
from ..driver.core.events import Cause, Reason
from ..driver.link.base import (
    ClientKnown,
    HidingRefused,
    LinkHost,
    LinkReceiver,
    PackagesNamed,
    Resized,
)
from ..driver.link.client import Client, ClientState, FactSource
from ..driver.sessions.session import Session
from .held_input import HeldInput
from .pending import PendingOutput
from .remote_input import RemoteInput
from .remote_output import RemoteOutput
from .states import WORLD_LINK, InWorld, Machine, WorldLinkAction, WorldLinkEvent
from .wanted_tails import WantedTails
from .wire import (
    Arrived,
    Departed,
    DialogChanged,
    DiscardInput,
    Dismissed,
    Down,
    EndingDecided,
    KnownFacts,
    Numbered,
    Signalled,
    VerdictAdmitted,
    plain,
)

_CAUSES: Final = {cause.name: cause for cause in Cause}


class Port(Protocol):
    """The world's service, to a remote link.

    Attributes:
        output: The output for the next commit.
        hold: Holds input while sessions of an earlier world are restored.
        tails: The tails that gateways are asked for.
    """

    output: PendingOutput
    hold: HeldInput
    tails: WantedTails

    def attach_host(self, host: LinkHost) -> None:
        """Take note of the server's parts. Called for each link; all belong to one server."""
        ...

    def send(self, gateway: str, message: Down) -> None:
        """Queue a message for the next commit."""
        ...

    def discard_input(self, link: RemoteLink) -> None:
        """Ask the gateway to drop input, with the next commit; several requests of one commit are one."""
        ...

    def note_input(self, link: RemoteLink) -> None:
        """Take note of input that is to be acknowledged once it was taken, or of a dialog that is to be reported."""
        ...

    def forget(self, link: RemoteLink) -> None:
        """Take note that the link is closed."""
        ...


class RemoteClient(Client):
    """The facts about a client that a gateway reports."""

    __slots__ = ("has_answered",)

    def __init__(self) -> None:
        super().__init__()
        self.has_answered = False

    def _has_answered(self) -> bool:
        return self.has_answered


class RemoteLink(RemoteOutput):
    """The world's link to a peer at a gateway.

    Args:
        port: The world's service.
        gateway: The name of the gateway.
        incarnation: That of the gateway.
        arrived: Its report of the connection.
        before: The link that the connection had here before its gateway was given up. That one still takes what it has
            received, and this one begins behind it.

    Attributes:
        begins_again: True if an earlier world has admitted it, and this one continues no session of it. To be set.
        continues: The session of an earlier world that it continues, unless another connection enters that first. To be
            set.
        incarnation: That of the gateway.
        address: The peer's host.
        input: Its numbered input.
    """

    needs_handshake = False
    may_be_health_check = False

    __slots__ = (
        "_departure",
        "_dismissal",
        "_input_over",
        "_knows_dialog",
        "_lost_dialog",
        "_owes_ending",
        "_port",
        "_preferences",
        "_was_admitted",
        "address",
        "begins_again",
        "continues",
        "incarnation",
        "input",
    )

    client: RemoteClient

    def __init__(
        self,
        port: Port,
        gateway: str,
        incarnation: int,
        arrived: Arrived,
        before: RemoteLink | None = None,
    ) -> None:
        machine = Machine(WORLD_LINK, InWorld.KNOCKING)
        super().__init__(port.output, port.tails.bring, gateway, arrived.link, RemoteClient(), machine)
        self._port = port
        self.begins_again = False
        self.continues: Session | None = None
        self.incarnation = incarnation
        self.address = arrived.address
        self.learn(arrived.client)
        if arrived.is_secure:
            self.client._learn("is_secure", True, FactSource.TRANSPORT)
        self._preferences = self.client._preferences
        self.client._observer = self._facts_changed
        self._departure: Departed | None = None
        self._was_admitted = arrived.was_admitted
        self._knows_dialog: bool | None = arrived.in_dialog  # what the gateway believes; None if that is unknown
        # Its dialog is lost, with an earlier world or with the gateway, and the player is not notified yet.
        self._lost_dialog = arrived.in_dialog and arrived.was_admitted
        self._dismissal: Dismissed | None = None  # to be sent once its input was taken
        self._owes_ending = False  # its ending is decided here, which is not reported yet
        self.input: RemoteInput = RemoteInput(port.hold, arrived, None if before is None else before.input)
        if self._lost_dialog:  # one of its lines may be a password, and must not become a command
            self.input.want_discard()
        self._input_over = trio.Event()

    # The lifecycle

    def attach_host(self, host: LinkHost) -> None:
        """Set the server's parts."""
        self._host = host
        self._port.attach_host(host)
        self.client._thread = host.context.timers.thread

    def attach(self, receiver: LinkReceiver) -> None:
        """Set the receiver."""
        self._receiver = self.input.receiver = receiver
        if self.input.secrets is not None and isinstance(receiver, Inbox):
            receiver.observer = self.input.secrets

    async def locate(self) -> None:
        """Return at once: the gateway knows the address."""
        await trio.lowlevel.checkpoint()

    async def handshake(self) -> None:
        """Return at once, unless the peer has left already."""
        await trio.lowlevel.checkpoint()
        if self._departure is not None and not self._was_admitted:
            raise trio.BrokenResourceError("the peer left the gateway before it was accepted here")

    def open(self, *, offers: bool = True) -> None:
        """Allow output, after the verdict."""
        if offers:
            if self.begins_again or self._lost_dialog or self._is_displaced:
                self._begin_again()
            self._act(WorldLinkEvent.ADMITTED)
        else:
            self._clear()
            self._is_refusal = self._machine.state is InWorld.KNOCKING
            self._is_stopped = not self._is_refusal
        self._host.mark_dirty(self._receiver)

    def _begin_again(self) -> None:
        """Notify the player that what was under way is over, and drop what was typed before that can be read."""
        self._put_first(self._host.context.texts.world_restarted)
        if self._lost_dialog:
            self._lost_dialog = False
            self._port.discard_input(self)

    async def read(self) -> None:
        """Wait for the end of file; input comes by `receive`."""
        if self._departure is not None:
            self._act(WorldLinkEvent.DEPARTED)
        await self._input_over.wait()

    def stop(self, *, drop_input: bool) -> None:
        """Ignore further output, and input if told so."""
        self._is_stopped = True
        if self._ends_here:
            self._owes_ending = True
            self._port.note_input(self)
        if drop_input:
            self.input.drop()

    async def aclose(self, *, gently: bool, why: Cause) -> None:
        """Dismiss the connection."""
        self.dismiss(why)
        await trio.lowlevel.checkpoint()

    def dismiss(self, why: Cause) -> None:
        """Report to the gateway that the connection has ended here."""
        self._act(WorldLinkEvent.CLOSED, why=why)

    @property
    def in_dialog(self) -> bool:
        """True if its lines belong to a dialog or another line taker, or are secret; the next world drops them."""
        receiver = self.input.receiver
        has_taker = isinstance(receiver, Inbox) and receiver.taker is not None
        return has_taker or self._lost_dialog or self.hides_input

    def take_dialog(self) -> DialogChanged | None:
        """Return what the gateway is to know about its dialogs, once; None if it does."""
        if self._is_over or self._knows_dialog is (in_dialog := self.in_dialog):
            return None
        self._knows_dialog = in_dialog
        return DialogChanged(self.number, in_dialog)

    def repeat_reports(self) -> None:
        """Report with the next commit whether it is in a dialog, and whether it quits: the last reports may be lost."""
        self._knows_dialog = None
        self._owes_ending = self._ends_here
        self._port.note_input(self)

    def take_ending(self) -> EndingDecided | None:
        """Return the report that it quits, once; None if there is nothing to report.

        It is reported to a gateway that is given up, too, which may come back with the connection.
        """
        receiver = self.input.receiver
        if not self._owes_ending or self._machine.state is InWorld.CLOSED or not isinstance(receiver, Inbox):
            return None
        self._owes_ending, cause = False, receiver.ending
        # A link death leaves typed lines to be handled, by the next world too.
        return EndingDecided(self.number, cause.name) if cause is not None and cause.reason is Reason.QUIT else None

    def flush(self) -> None:
        """Pass all output to the next commit, if that has room; it reports a dialog that has begun or ended."""
        if not self._is_over and self._knows_dialog is not self.in_dialog:
            self._port.note_input(self)
        super().flush()

    # Input

    def receive(self, item: Numbered) -> None:
        """Take an item from the gateway: each once, in the order of their numbers."""
        for due in self.input.ordered(item):
            self._port.note_input(self)
            self.input.take(due)

    @property
    def has_unparsed(self) -> bool:
        """True if input waits for room in the receiver."""
        return self.input.is_waiting

    @property
    def can_parse(self) -> bool:
        """True if input waits for nothing but room."""
        return self.input.is_waiting and not self._port.hold.is_on

    @property
    def is_held(self) -> bool:
        """True if input waits until the sessions of an earlier world are restored."""
        return self.input.is_waiting and self._port.hold.is_on

    def taken(self) -> None:
        """Pass waiting input to the receiver, as far as it has room."""
        self.input.go_on()

    def drop_input(self) -> None:
        """Drop waiting input, and all later input."""
        self.input.drop()

    def discard_input(self) -> bool:
        """Drop the input received so far, here and at the gateway."""
        had_input = self.input.discard()
        if not self._is_stopped and self.input.want_discard():
            self._port.discard_input(self)
        return had_input

    def take_discard(self, number: int) -> DiscardInput | None:
        """Return the request to the gateway, which is being committed; None if it was answered meanwhile.

        Args:
            number: For a new request; one that is repeated keeps its number.
        """
        request = self.input.discard_requested(number)
        return DiscardInput(self.number, request) if request else None

    def learn(self, client: KnownFacts) -> None:
        """Replace the known facts about the client."""
        self.client.has_answered = client.has_answered
        self._protocols = client.protocols
        self.client._set_state(
            ClientState(client.facts, client.terminals, client.packages, client.is_ready, client.has_answered)
        )

    def signal(self, message: Signalled) -> None:
        """Report an event that overtakes lines."""
        receiver = self.input.receiver
        if receiver is None or self._is_stopped:
            return
        match message.kind:
            case "resized" if len(message.size) == 2:
                receiver.received(Resized(*message.size))
            case "hiding refused":
                receiver.received(HidingRefused())
            case "client known":
                receiver.received(ClientKnown())
            case "packages named":
                receiver.received(PackagesNamed())

    def end_input(self) -> None:
        """Take note of the end of file."""
        self._input_over.set()

    def repeat_lost(self, arrived: Arrived) -> None:
        """Repeat what the gateway has not received, or has reset with its roll for a world that it took for new.

        Facts that have changed meanwhile, and the signals of their changes, may be lost as well.
        """
        size, was_ready = self.client.size, self.client.is_ready
        self.learn(arrived.client)
        if self.client.size != size:
            self.signal(Signalled(self.number, "resized", tuple(self.client.size)))
        if self.client.is_ready and not was_ready:
            self.signal(Signalled(self.number, "client known"))
        if self._machine.state is InWorld.OPEN and not arrived.was_admitted:
            self._port.send(self.gateway, VerdictAdmitted(self.number))
        if self.input.skip_to(arrived.taken):
            self._port.note_input(self)
        if arrived.taken < self.input.acknowledged:
            self.input.acknowledged = arrived.taken
            self._port.note_input(self)
        if self._preferences:
            self._prefer(self._preferences)
        if self.input.awaits_discard:
            self._port.discard_input(self)
        self._repeat_hiding()

    def depart(self, departed: Departed) -> None:
        """End the connection as its gateway has."""
        self._departure = departed
        if not (self._was_admitted and self._machine.state is InWorld.KNOCKING):
            self._act(WorldLinkEvent.DEPARTED)
        # Otherwise the connection is accepted first, since its input for an earlier world is to be handled.

    def lose_gateway(self) -> None:
        """End the connection, because its gateway is given up. What was written so far is sent all the same."""
        if self._machine.state is InWorld.OPEN:
            self.flush()
        self._departure = Departed(self.number, Cause.RESET.name)
        self._act(WorldLinkEvent.GATEWAY_LOST)

    @property
    def owes_dismissal(self) -> bool:
        """True if it is to be dismissed once its input was taken."""
        return self._dismissal is not None

    def take_dismissal(self) -> Dismissed | None:
        """Return the dismissal that is due, once; None if there is none."""
        message, self._dismissal = self._dismissal, None
        return message

    # Parts

    @property
    def _ends_here(self) -> bool:
        """True if its ending is decided here, and the gateway has neither ended it nor been given up."""
        return self._is_stopped and self._departure is None and self._machine.state is InWorld.OPEN

    @property
    def _is_displaced(self) -> bool:
        """True if its session has ended, or another connection has entered it: it begins at the door."""
        session = self.continues
        return session is not None and not session.server.sessions._restoring.awaits(session)

    def _act(self, event: WorldLinkEvent, why: Cause = Cause.ERROR) -> None:
        for action in self._machine.step(event):
            if action is WorldLinkAction.SEND_ADMISSION:
                self._port.send(self.gateway, VerdictAdmitted(self.number))
            elif action is WorldLinkAction.SEND_DISMISSED:
                message = Dismissed(self.number, why.name, plain(self._refusal))
                is_complete = self._departure is not None or self._input_over.is_set()  # no more input can come
                if self.input.has_taken_all or not is_complete:
                    self._port.send(self.gateway, message)
                else:  # its last input still waits, and the gateway remembers it for the next world until it is taken
                    self._dismissal = message
            elif self._departure is not None and self.input.receiver is not None:
                self.input.receiver.ended(_CAUSES.get(self._departure.cause, Cause.RESET), self._departure.text)
        if self._is_over:
            self._is_stopped, self._is_refusal = True, False
            self._port.forget(self)

    def _facts_changed(self) -> None:
        if self._preferences != (wishes := self.client._preferences):
            self._preferences = wishes
            self._prefer(wishes)
