"""The gateway's service: a `MasterServer` without a game, whose connections send their input to a world.

Theory of operation
-------------------
The gateway's hooks are three. On `Connect` it reports the connection and waits for the verdict of the world's connect
hook. On `Admitted` nothing is left to do, since the `Forwarder` takes the lines. On `Disconnect` it reports the
departure. Output is applied by calling the telnet link, as the world's game would if it were here.

Messages for the world wait in the peers (`gateway_peer`), and one task sends them in frames. When a world starts, the
roll takes their place: every connection, and its input that no world has acknowledged.
"""

from __future__ import annotations

import itertools
import logging
import math
import secrets
from collections.abc import Iterator
from functools import partial
from typing import Final

import trio

from ..driver.connection.connection import Connection
from ..driver.connection.events import Connect, Disconnect
from ..driver.core.events import Cause, Reason
from ..driver.core.hooks import Hooks
from ..driver.link.telnet import TelnetLink
from ..driver.server.events import Started
from ..driver.server.server import MasterServer
from .ends import Fenced, GatewayEnd
from .frames import DownFrame, WireError, decode_down, encode_up
from .gateway_commands import obey_operator
from .gateway_output import Tails, put_out
from .gateway_peer import GatewayPeer
from .reports import Reports
from .silence import Silence
from .wire import (
    Acknowledged,
    DialogChanged,
    DiscardInput,
    Dismissed,
    Down,
    EndingDecided,
    Item,
    Listed,
    NetworkAllowed,
    NetworkBanned,
    Output,
    ProbeAnswered,
    RollOver,
    TailGiven,
    TailWanted,
    Up,
    VerdictAdmitted,
    WorldProbed,
    WorldStarted,
    plain,
)

logger = logging.getLogger("trio_mud")

MOST_GATHERED: Final = 8  # batches of events in one frame, a few milliseconds
_CAUSES: Final = {cause.name: cause for cause in Cause}
# The gateway's own failures and its shutdown are a link death to the world: its players may return by another one.
_LINK_DEATHS: Final = frozenset({Cause.SHUTDOWN, Cause.ERROR, Cause.ASKED})


class GatewayService:
    """Joins a `MasterServer` to a world: `MasterServer(gateway.hooks, services=[gateway])`.

    Args:
        name: The name of the gateway, which no other gateway of this world has.
        end: The gateway's end of the cluster link.
        incarnation: Another number each time the gateway starts, from 1 to 2**53; by default a random one.

    Attributes:
        hooks: The hooks for the server.
        epoch: The epoch of the current world; 0 before the first one.
    """

    def __init__(self, name: str, end: GatewayEnd, *, incarnation: int | None = None) -> None:
        self._name = name
        self._end = end
        self._incarnation = incarnation or 1 + secrets.randbelow(2**53)
        self._peers: dict[int, GatewayPeer] = {}
        self._pending: dict[GatewayPeer, None] = {}  # with messages for the world
        self._is_rolling = False  # the roll is to be sent, or its end
        self._probes = False  # a probe is to be sent
        self._given: dict[int, TailGiven] = {}  # tails that the world wants
        self._has_up = trio.Event()
        self._tails = Tails()
        self._silence = Silence(
            is_waiting=lambda: any(peer.is_waiting for peer in self._peers.values()),
            probe=self._probe,
            began=self._notify_waiting,
            ended=self._notify_of_answer,
        )
        self._is_closing = False
        self._over = trio.Event()
        self._server: MasterServer | None = None
        self._reports = Reports()
        self._early: list[Listed | NetworkBanned | NetworkAllowed] = []  # came before the server has started
        self._roll = 0
        self._is_known = False  # the world has sent a frame to this incarnation
        self._is_replaced = False
        self._numbers = itertools.count(1)  # of frames
        self._last = (0, 0)  # the epoch and the number of the last frame
        self.epoch = 0
        self.hooks = Hooks()
        self.hooks.on(Started)(self._start)
        self.hooks.on(Connect)(self._knock)
        self.hooks.on(Disconnect)(self._leave)

    @property
    def is_silent(self) -> bool:
        """True while the world does not answer."""
        return self._silence.is_on

    @property
    def has_world(self) -> bool | None:
        """True if a world serves; None if the cluster link cannot tell."""
        return self._end.has_world

    @property
    def spares(self) -> int | None:
        """The number of worlds that wait to take over; None if the cluster link cannot tell."""
        return self._end.spares

    def unready(self) -> str:
        """Return why no one can play although this gateway is open; "" if players can."""
        if self.has_world is False or not self.epoch:
            return "no world serves"
        return "the world does not answer" if self.is_silent else ""

    @property
    def unacknowledged(self) -> int:
        """The number of lines and messages that the world has not taken."""
        return sum(len(peer.forwarder.unacknowledged) for peer in self._peers.values())

    def waiting(self) -> Iterator[str]:
        """Describe each connection that waits for the world: its state, and how much of its input waits."""
        return (str(peer) for peer in self._peers.values() if peer.is_waiting)

    def drop_input(self, number: int) -> int:
        """Drop the input of a connection that no world has handled; return the number of lines and messages."""
        peer = self._peers.get(number)
        if peer is None or not (count := len(peer.forwarder.unacknowledged)):
            return 0
        logger.warning("gateway %s: an operator has dropped what %s has typed", self._name, peer.connection._label)
        peer.forwarder.drop()
        return count

    # The service

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Carry messages in both directions until `aclose`.

        Raises:
            Fenced: Another process has started as a gateway of this name, and the world talks to that one.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end.run, self._receive)
                task_status.started()
                await self._end.send(self._encoded([]))  # so that the world knows of this gateway, and greets it
                while not self._is_closing or (self.epoch and self._pending):
                    await self._has_up.wait()
                    await self._gather()
                    self._has_up = trio.Event()
                    if self.epoch and (messages := self._take_messages()):  # the roll for the first world has the rest
                        await self._end.send(self._encoded(messages))
                nursery.cancel_scope.cancel(reason="the gateway has ended")
        finally:
            self._over.set()
        if self._is_replaced:
            raise Fenced(f"another gateway {self._name} has started: this one stops; give each a name of its own")

    async def _gather(self) -> None:
        """Let the dispatcher take more input while some waits: many lines in one frame cost less than in several.

        The lines of a player that are sent together are also answered together.
        """
        for _ in range(MOST_GATHERED):
            if self._server is None or not self._server._context.dispatcher.ready:
                break
            await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """End `run` once everything was sent."""
        self._is_closing = True
        self._has_up.set()
        await self._over.wait()

    # Hooks

    def _start(self, event: Started) -> None:
        self._server = event.server
        self._reports.attach(event.server._context)
        event.server._host.visit_level = logging.DEBUG  # the world logs each visit, with the player's name
        event.server.operator_commands = partial(obey_operator, self, event.server)
        event.server.start_soon(self._release_visitors, event.server, name="trio_mud visitors at the end")
        early, self._early = self._early, []
        for message in early:
            self._obey(message)
        if (timeout := event.server.limits.world_silence_timeout) is not None:
            event.server.start_soon(self._silence.run, timeout, name="trio_mud silence of the world")

    async def _knock(self, event: Connect) -> None:
        """Report a connection, and wait for the verdict of the world."""
        connection = event.connection
        if connection.is_refused or self._turns_away(connection):
            return
        peer = GatewayPeer(connection, has_messages=self._mark, forget=self._forget)
        self._peers[connection.number] = peer
        with trio.move_on_after(connection.server.limits.world_timeout) as patience:
            await peer.verdict.wait()
        if patience.cancelled_caught:
            connection._reject(connection.server.texts.world_away, Cause.HOOK_TOO_SLOW)
        elif peer.is_knocking:
            self._turns_away(connection)

    async def _release_visitors(self, server: MasterServer) -> None:
        """Let no visitor wait for the world once the server is closing: its end would wait for them."""
        await server._tree.wait_closing()
        for peer in self._peers.values():
            peer.verdict.set()

    def _turns_away(self, connection: Connection) -> bool:
        """Refuse a visitor if the server is closing, and return whether it is."""
        if not connection.server.is_closing:
            return False
        connection._reject(connection.server._tree.last_words or "", Cause.SHUTDOWN)
        return True

    def _leave(self, event: Disconnect) -> None:
        peer = self._peers.get(event.connection.number)
        if peer is not None:
            self._tails.keep(_link_of(peer).tail)
            if peer.ending is not None:  # the client may have closed its end after the last words
                peer.leave(peer.ending, "")
            elif event.reason is Reason.REFUSED or event.cause in _LINK_DEATHS:
                peer.leave(Cause.RESET, "")
            else:
                peer.leave(event.cause, plain(event.text))

    # Up

    def _mark(self, peer: GatewayPeer) -> None:
        """Take note that a peer has messages for the world."""
        self._pending[peer] = None
        self._has_up.set()
        if self._silence.is_on:
            self._notify_of_silence(peer)

    def _forget(self, peer: GatewayPeer) -> None:
        del self._peers[peer.connection.number]
        if peer.has_none:
            self._pending.pop(peer, None)

    def _probe(self) -> None:
        self._probes = True
        self._has_up.set()

    def _take_messages(self) -> list[Up]:
        """Return all messages that wait."""
        pending, self._pending = self._pending, {}
        messages = [message for peer in pending for message in peer.take_messages()]
        if messages:
            self._silence.sent()
        if self._is_rolling:
            self._is_rolling = False
            messages.append(RollOver())
        if self._probes:
            self._probes = False
            messages.append(WorldProbed())
        messages += self._given.values()
        self._given.clear()
        return messages

    def _encoded(self, messages: list[Up]) -> list[bytes]:
        self._reports.count("messages for the world", len(messages))
        return encode_up(
            *(self._name, self._incarnation, self.epoch, self._roll, messages, self._numbers), self._reports.left_out
        )

    # The silence of the world

    def _notify_waiting(self) -> None:
        """Notify the players whose input waits; others are notified when they type."""
        logger.warning("gateway %s: the world does not answer; the input of players waits for it", self._name)
        self._reports.count("silences of the world")
        for peer in list(self._peers.values()):
            self._notify_of_silence(peer)

    def _notify_of_silence(self, peer: GatewayPeer) -> None:
        if peer.is_open and peer.forwarder.unacknowledged and not peer.was_notified:
            peer.was_notified = True
            peer.connection._notify_player(peer.connection.server.texts.world_silent)

    def _notify_of_answer(self) -> None:
        logger.info("gateway %s: the world answers again", self._name)
        for peer in self._peers.values():
            if peer.was_notified:
                peer.was_notified = False
                if peer.is_open:
                    peer.connection._notify_player(peer.connection.server.texts.world_back)

    # Down

    def _receive(self, frame: bytes) -> None:
        try:
            decoded = decode_down(frame, self._reports.unknown)
        except WireError as error:
            text = f"gateway {self._name} cannot decode a frame of the world: {error}"
            self._reports.failed("frames not decoded", text)
            return
        if not self._is_for_me(decoded):
            return
        if decoded.number:
            if (decoded.epoch, decoded.number) <= self._last:
                self._reports.count("frames that came twice")
                return
            self._last = decoded.epoch, decoded.number
        self._silence.heard()
        self._reports.count("messages of the world", len(decoded.messages))
        for message in decoded.messages:
            try:
                self._obey(message)
            except Exception as error:  # noqa: BLE001 - the other messages go on
                self._failed(f"obey a message {type(message).__name__}", error)

    def _failed(self, what: str, error: Exception) -> None:
        self._reports.failed("messages failed", f"gateway {self._name} cannot {what} of the world", error)

    def _is_for_me(self, frame: DownFrame) -> bool:
        """Return True if a frame is of the current world or a later one, and for this incarnation of the gateway."""
        if frame.epoch < self.epoch:
            self._reports.count("frames of an earlier world")
            return False
        if frame.incarnation == self._incarnation:
            self._is_known = True
        elif frame.incarnation:
            self._reports.count("frames of another incarnation")
            if self._is_known and not self._is_replaced:  # those that an earlier process has left came before
                self._is_replaced = True
                if self._server is not None:
                    self._server.shutdown()
            return False
        return True

    def _obey(self, message: Down) -> None:
        match message:
            case Output(links, items):
                put_out(self._tails, self._links_of(links), items, self._item_failed)
            case Acknowledged(taken, secret):
                hidden: dict[int, set[int]] = {}
                for link, line in zip(secret[::2], secret[1::2], strict=False):
                    hidden.setdefault(link, set()).add(line)
                for number, upto in zip(taken[::2], taken[1::2], strict=False):
                    if (peer := self._peers.get(number)) is not None:
                        peer.forwarder.acknowledge(upto, hidden.get(number, ()))
            case WorldStarted(epoch, roll):
                self._call_the_roll(epoch, roll)
            case Listed() | NetworkBanned() | NetworkAllowed():
                self._configure(message)
            case VerdictAdmitted() | Dismissed() | DiscardInput() | DialogChanged() | EndingDecided():
                if (peer := self._peers.get(message.link)) is not None:
                    self._obey_for(peer, message)
            case TailWanted(tail):
                self._given[tail] = self._tails.give(tail)
                self._has_up.set()
            case ProbeAnswered():
                pass  # each frame counts

    def _item_failed(self, item: Item, error: Exception) -> None:
        self._failed(f"put out an item {type(item).__name__}", error)

    def _configure(self, message: Listed | NetworkBanned | NetworkAllowed) -> None:
        """Change the server of this gateway, or remember the change until it has started."""
        if self._server is None:
            self._early.append(message)
            return
        match message:
            case Listed(variables):
                self._server.mssp = dict(variables)
            case NetworkBanned(network, text, seconds):
                self._server.ban(network, text, seconds=seconds if seconds >= 0 else math.inf)
            case NetworkAllowed(network):
                self._server.unban(network)

    def _obey_for(
        self, peer: GatewayPeer, message: VerdictAdmitted | Dismissed | DiscardInput | DialogChanged | EndingDecided
    ) -> None:
        match message:
            case VerdictAdmitted():
                peer.admit()
            case Dismissed(_, cause, text):
                peer.dismiss(_CAUSES.get(cause, Cause.ASKED), text)
            case DiscardInput(_, request):
                peer.forwarder.discard(request)
            case DialogChanged(_, in_dialog):
                peer.in_dialog = in_dialog
            case EndingDecided(_, cause):
                peer.ending = _CAUSES.get(cause, Cause.ASKED)

    def _links_of(self, numbers: list[int]) -> list[TelnetLink]:
        return [_link_of(peer) for number in numbers if (peer := self._peers.get(number)) is not None]

    def _call_the_roll(self, epoch: int, roll: int) -> None:
        """Report every connection to a new world, and send it what no world has acknowledged."""
        self.epoch, self._roll = epoch, roll
        self._is_rolling = True
        # A listing stays: that of the new world may precede the request for the roll.
        self._early = [message for message in self._early if type(message) is Listed]
        if self._server is not None:
            self._server._bans.clear()  # those of the new world follow
        self._pending.clear()  # all of it is sent again
        for peer in list(self._peers.values()):
            peer.call_up()
        self._has_up.set()


def _link_of(peer: GatewayPeer) -> TelnetLink:
    link = peer.connection._link
    assert isinstance(link, TelnetLink), "the transports of a gateway carry telnet"
    return link
