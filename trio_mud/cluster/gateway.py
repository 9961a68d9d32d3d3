"""The gateway's service: a `MasterServer` without a game, whose connections send their input to a world.

Theory of operation
-------------------
The gateway's hooks are three. On `Connect` it reports the connection and waits for the verdict of the world's connect
hook. On `Admitted` nothing is left to do, since the `Forwarder` takes the lines. On `Disconnect` it reports the
departure. Output is applied by calling the telnet link, as the world's game would if it were here.
`states.GATEWAY` decides what each event causes.

Messages for the world are queued, and one task sends them in frames. When a world starts, the queue is dropped, and
the roll is sent instead: every connection, and its input that no world has acknowledged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import msgspec
import trio

from ..driver.connection.connection import Connection
from ..driver.connection.events import Connect, Disconnect
from ..driver.core.events import Cause, Reason
from ..driver.core.hooks import Hooks
from ..driver.link.base import OutOfBand
from ..driver.link.tail import Tail
from ..driver.link.telnet import TelnetLink
from ..driver.server.events import Started
from ..driver.server.server import MasterServer
from ..telnet.codes import GMCP, MSDP
from ..telnet.gmcp_messages import NO_DATA, from_json
from ..text import Text
from .ends import GatewayEnd
from .forwarder import Forwarder
from .states import GATEWAY, AtGateway, GatewayAction, GatewayEvent, Machine
from .wire import (
    Acknowledged,
    Arrived,
    CaughtUp,
    Departed,
    DiscardInput,
    Dismissed,
    Down,
    FactsLearned,
    InputHidden,
    InputOver,
    Item,
    KnownFacts,
    Listed,
    MessageSent,
    Output,
    Preferred,
    PromptAnswered,
    PromptSent,
    Protocol,
    ReturnOffered,
    RollOver,
    TailEnded,
    TextSent,
    Up,
    VerdictAdmitted,
    WireError,
    WorldStarted,
    decode_down,
    encode_up,
    off_wire,
)

logger = logging.getLogger("trio_mud")

MOST_TAILS: Final = 1000  # tails of links, kept for the return of their clients; each has at most `limits.max_tail`
_CAUSES: Final = {cause.name: cause for cause in Cause}
# The gateway's own failures and its shutdown are a link death to the world: its players may return by another one.
_LINK_DEATHS: Final = frozenset({Cause.SHUTDOWN, Cause.ERROR, Cause.ASKED})


class _Peer:
    """One connection at this gateway."""

    __slots__ = ("cause", "connection", "facts", "forwarder", "has_news", "machine", "text", "verdict")

    def __init__(self, connection: Connection, forwarder: Forwarder) -> None:
        self.connection = connection
        self.forwarder = forwarder
        self.machine = Machine(GATEWAY, AtGateway.KNOCKING)
        self.verdict = trio.Event()
        self.facts = KnownFacts()  # as the world knows them
        self.has_news = False  # they have changed since
        self.cause = Cause.RESET  # of its ending, in the world or here
        self.text = ""


class GatewayService:
    """Joins a `MasterServer` to a world: `MasterServer(gateway.hooks, services=[gateway])`.

    Args:
        name: The name of the gateway, which no other gateway of this world has.
        end: The gateway's end of the cluster link.
        incarnation: Greater each time the gateway starts.

    Attributes:
        hooks: The hooks for the server.
        epoch: The epoch of the current world; 0 before the first one.
    """

    def __init__(self, name: str, end: GatewayEnd, *, incarnation: int = 1) -> None:
        self._name = name
        self._end = end
        self._incarnation = incarnation
        self._peers: dict[int, _Peer] = {}
        self._up: list[Up] = []
        self._has_up = trio.Event()
        self._news: list[_Peer] = []  # peers whose facts have changed
        self._tails: dict[int, Tail] = {}  # by the world's number, the oldest first
        self._closing = trio.Event()
        self._server: MasterServer | None = None
        self._roll = 0
        self.epoch = 0
        self.hooks = Hooks()
        self.hooks.on(Started)(self._start)
        self.hooks.on(Connect)(self._knock)
        self.hooks.on(Disconnect)(self._leave)

    # The service

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Carry messages in both directions until `aclose`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end.run, self._receive)
            task_status.started()
            await self._end.send(self._encoded([]))  # so that the world knows of this gateway, and greets it
            while self._up or self._news or not self._closing.is_set():
                await self._has_up.wait()
                self._has_up = trio.Event()
                self._send_facts()
                messages, self._up = self._up, []
                if messages:
                    await self._end.send(self._encoded(messages))
            nursery.cancel_scope.cancel(reason="the gateway has ended")

    async def aclose(self) -> None:
        """End `run` once everything was sent."""
        self._closing.set()
        self._has_up.set()
        await trio.lowlevel.checkpoint()

    # Hooks

    def _start(self, event: Started) -> None:
        self._server = event.server

    async def _knock(self, event: Connect) -> None:
        """Report a connection, and wait for the verdict of the world."""
        connection = event.connection
        if connection.is_refused:
            return
        assert isinstance(connection._link, TelnetLink), "the transports of a gateway carry telnet"
        forwarder = Forwarder(
            connection,
            self._send,
            facts_changed=lambda: self._send_facts_of(peer),
            ended=lambda: self._step(peer, GatewayEvent.INPUT_OVER),
        )
        peer = self._peers[connection.number] = _Peer(connection, forwarder)
        connection._inbox.taker = forwarder
        connection.client._observer = lambda: self._facts_changed(peer)
        self._act(peer, (GatewayAction.SEND_ARRIVED,))
        with trio.move_on_after(connection.server.limits.world_timeout) as patience:
            await peer.verdict.wait()
        if patience.cancelled_caught:
            connection._reject(connection.server.texts.world_away, Cause.HOOK_TOO_SLOW)

    def _leave(self, event: Disconnect) -> None:
        peer = self._peers.get(event.connection.number)
        if peer is not None:
            if event.reason is Reason.REFUSED or event.cause in _LINK_DEATHS:
                peer.cause, peer.text = Cause.RESET, ""
            else:
                peer.cause, peer.text = event.cause, event.text
            self._step(peer, GatewayEvent.ENDED)

    # Up

    def _send(self, message: Up) -> None:
        if self.epoch:  # otherwise the roll for the first world brings it
            self._up.append(message)
            self._has_up.set()

    def _encoded(self, messages: list[Up]) -> list[bytes]:
        return encode_up(self._name, self._incarnation, self.epoch, self._roll, messages)

    def _facts_changed(self, peer: _Peer) -> None:
        """Take note that facts of a client have changed; several changes are sent once."""
        if not peer.has_news:
            peer.has_news = True
            self._news.append(peer)
            self._has_up.set()

    def _send_facts(self) -> None:
        news, self._news = self._news, []
        for peer in news:
            if peer.has_news:
                self._send_facts_of(peer)

    def _send_facts_of(self, peer: _Peer) -> None:
        peer.has_news = False
        facts = _facts_of(peer.connection)
        if facts != peer.facts and peer.machine.state is not AtGateway.GONE:
            peer.facts = facts
            self._send(FactsLearned(peer.connection.number, facts))

    def _step(self, peer: _Peer, event: GatewayEvent) -> None:
        self._act(peer, peer.machine.step(event))

    def _act(self, peer: _Peer, actions: tuple[GatewayAction, ...]) -> None:
        connection, number = peer.connection, peer.connection.number
        for action in actions:
            match action:
                case GatewayAction.ADMIT:
                    peer.verdict.set()
                case GatewayAction.REFUSE:
                    if peer.cause.reason is Reason.REFUSED:
                        connection._reject(peer.text, peer.cause)
                    else:  # it was ended within the world's connect hook, and no refusal outweighed that
                        self._close(peer)
                    peer.verdict.set()
                case GatewayAction.CLOSE:
                    self._close(peer)
                case GatewayAction.SEND_ARRIVED:
                    peer.facts = _facts_of(connection)
                    self._send(
                        Arrived(
                            number,
                            connection.address,
                            connection.client.is_secure,
                            peer.facts,
                            peer.forwarder.unacknowledged.acknowledged,
                            peer.machine.state is not AtGateway.KNOCKING,
                        )
                    )
                case GatewayAction.SEND_UNACKNOWLEDGED:
                    for item in peer.forwarder.unacknowledged:
                        self._send(item)
                case GatewayAction.SEND_INPUT_OVER:
                    self._send(InputOver(number))
                case GatewayAction.SEND_DEPARTED:
                    self._send(Departed(number, peer.cause.name, peer.text))
                case GatewayAction.FORGET:
                    del self._peers[number]
                    connection.client._observer = None

    def _close(self, peer: _Peer) -> None:
        """End a connection as the world has: gently if it quit, at the end of file, or at once."""
        connection, cause = peer.connection, peer.cause
        if cause.reason is Reason.QUIT:
            connection.quit(cause=cause)
        elif cause.reason is Reason.REFUSED:  # by a new world; an earlier one has admitted it
            connection.quit(peer.text, cause=Cause.KICKED)
        elif cause is Cause.EOF:
            peer.forwarder.release()
        else:
            connection._lifecycle.lose_link(cause)

    # Down

    def _receive(self, frame: bytes) -> None:
        try:
            decoded = decode_down(frame, self._count_unknown)
        except WireError as error:
            self._count("frames not decoded")
            logger.error("gateway %s cannot decode a frame of the world: %s", self._name, error)  # noqa: TRY400 - the text says all
            return
        if decoded.epoch < self.epoch:
            self._count("frames of an earlier world")
            return
        for message in decoded.messages:
            try:
                self._obey(message)
            except Exception:
                self._count("messages failed")
                logger.exception("gateway %s cannot obey a message of the world", self._name)

    def _obey(self, message: Down) -> None:
        match message:
            case Output(links, items):
                self._put_out(links, items)
            case Acknowledged(taken):
                for number, upto in zip(taken[::2], taken[1::2], strict=False):
                    if (peer := self._peers.get(number)) is not None:
                        peer.forwarder.acknowledge(upto)
            case WorldStarted(epoch, roll):
                self._call_the_roll(epoch, roll)
            case Listed(variables):
                if self._server is not None:
                    self._server.mssp = dict(variables)
            case _:
                if (peer := self._peers.get(message.link)) is not None:
                    self._obey_for(peer, message)

    def _obey_for(self, peer: _Peer, message: VerdictAdmitted | Dismissed | DiscardInput | Preferred) -> None:
        match message:
            case VerdictAdmitted():
                self._step(peer, GatewayEvent.ADMITTED)
            case Dismissed(_, cause, text):
                if peer.machine.state is not AtGateway.DISMISSED:
                    peer.cause, peer.text = _CAUSES.get(cause, Cause.ASKED), text
                self._step(peer, GatewayEvent.DISMISSED)
            case DiscardInput():
                if peer.connection.ending is None:
                    peer.forwarder.discard()
            case Preferred(_, wishes):
                peer.connection.client._set_preferences(wishes)

    def _put_out(self, links: list[int], items: tuple[Item, ...]) -> None:
        calls = [_call_of(item) for item in items]  # once for all links, since markup is compared by identity
        for number in links:
            if (peer := self._peers.get(number)) is not None:
                link = peer.connection._link
                assert isinstance(link, TelnetLink)
                for call in calls:
                    call(self, link)

    def _tail(self, number: int, link: TelnetLink) -> Tail:
        """Return a tail by the world's number; a new one if it is not here, such as that of another gateway's link."""
        tail = self._tails.pop(number, None) or Tail(link._host.context.limits.max_tail)
        self._tails[number] = tail
        if len(self._tails) > MOST_TAILS:
            del self._tails[next(iter(self._tails))]
        return tail

    def _call_the_roll(self, epoch: int, roll: int) -> None:
        """Report every connection to a new world, and send it what no world has acknowledged."""
        self.epoch, self._roll = epoch, roll
        self._up.clear()  # all of it is sent again
        self._tails.clear()
        for peer in list(self._peers.values()):
            peer.connection.client._set_preferences({})  # those of the earlier world
            if peer.machine.state is AtGateway.OPEN:  # the dialog that has hidden the input ended with its world
                peer.connection._link.hide_input(False, marks=True, ends_line=False)
            self._step(peer, GatewayEvent.WORLD_STARTED)
        self._send(RollOver())

    def _count_unknown(self, count: int) -> None:
        self._count("unknown messages", count)

    def _count(self, what: str, count: int = 1) -> None:
        if self._server is not None:
            self._server.counters[what] += count


def _call_of(item: Item) -> Callable[[GatewayService, TelnetLink], object]:
    """Return the call of a link that an item of output stands for."""
    match item:
        case TextSent(text, is_last):
            words = off_wire(text)
            return lambda gateway, link: _write(link, words, is_last=is_last)
        case PromptSent(text):
            words = off_wire(text)
            return lambda gateway, link: link.prompt(words)
        case PromptAnswered():
            return lambda gateway, link: link.prompt_answered(False)
        case MessageSent(protocol, name, body):
            data = NO_DATA if not body else msgspec.Raw(body) if protocol == "gmcp" else from_json(body)
            return lambda gateway, link: link.send(OutOfBand(protocol, name, data))
        case InputHidden(is_hidden, marks, ends_line, is_answered):
            return lambda gateway, link: link.hide_input(
                is_hidden, marks=marks, ends_line=ends_line, is_answered=is_answered
            )
        case ReturnOffered(tail, token, waits, seen):
            return lambda gateway, link: link.offer_return(
                gateway._tail(tail, link),
                token,
                waits if waits >= 0 else None,
                seen=seen if seen >= 0 else None,
            )
        case CaughtUp(tail, seen):
            return lambda gateway, link: link.catch_up(gateway._tail(tail, link), seen if seen >= 0 else None)
        case TailEnded():
            return lambda gateway, link: link.end_tail()


def _write(link: TelnetLink, text: Text, *, is_last: bool) -> None:
    if not link.write(text, is_last=is_last):
        link.keep(text)


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
