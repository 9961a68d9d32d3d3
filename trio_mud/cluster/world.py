"""The world's service: a `MasterServer` with the game and without sockets, whose connections are at gateways.

Theory of operation
-------------------
Frames of gateways become calls of `RemoteLink`; the listener returns a link for each connection that arrives.
Messages for the gateways are queued and committed together, one commit at a time, so that the commits grow with the
load. A commit contains the acknowledgements of the input that was taken since the last one. It is made between two
batches of events, so an acknowledgement is never without the output that its line caused. The changes of records are
in it, too: `ChangeJournal` takes them in the same step.

A world with a game that stores records claims before the game is opened, since an earlier world could still change
them: `async with world.claimed() as journal`, and then `game.open(…, journal=journal)`.

`states.WORLD` decides what a claim, a lost claim and lost data cause.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio

from ..driver.core.guard import unwrap_single
from ..driver.link.bans import Ban
from ..driver.link.base import LinkHost
from ..driver.server.server import MasterServer
from ..errors import Superseded
from ..storage.journal import ChangeJournal
from .ends import Commit, Fenced, Forgotten, WorldEnd
from .frames import UpFrame, WireError, decode_up, encode_down
from .gateway_settings import Listing, ban_message
from .held_input import HeldInput
from .held_sessions import HeldSessions
from .known_gateways import KnownGateways
from .pending import PendingOutput
from .remote_link import RemoteLink
from .reports import Reports
from .states import WORLD, Machine, WorldAction, WorldEvent, WorldPhase
from .wanted_tails import WantedTails
from .wire import (
    Acknowledged,
    Arrived,
    Departed,
    Dismissed,
    Down,
    FactsLearned,
    InputOver,
    ProbeAnswered,
    RollOver,
    Signalled,
    TailGiven,
    TailMoved,
    Up,
    VerdictAdmitted,
    WorldProbed,
    WorldStarted,
)
from .world_listener import WorldListener

RELEASE_TIMEOUT: Final = 1.0  # seconds
MOST_ACKNOWLEDGED: Final = 64 * 1024  # numbers of one message, and those of one connection more; a frame has room
MOST_DISMISSED: Final = 4096  # dismissed connections that are known, in case their gateways do not hear of it


class WorldService:
    """Joins a `MasterServer` to gateways: `MasterServer(game, services=[world])`, served with `[world.listener]`.

    Args:
        end: The world's end of the cluster link.
        fenced: Called when another world has claimed; it may end the process, so that nothing is written. Without it
            the server stops, and its last steps are handled.
        given_up: Called with the error if the game fails to start; it may end the process. Nothing more is committed
            then, so players stay connected, and the next world has them.

    Attributes:
        listener: The listener for `MasterServer.serve`.
        journal: The changes of the game's records, for `Game.open`.
        output: The output for the next commit.
        hold: Holds input while sessions of an earlier world are restored.
        tails: The tails that gateways are asked for.
    """

    def __init__(
        self,
        end: WorldEnd,
        *,
        fenced: Callable[[], object] | None = None,
        given_up: Callable[[BaseException], object] = lambda error: None,
    ) -> None:
        self._end = end
        self._fenced = fenced
        self._given_up = given_up
        self._is_held = False  # by `claimed`
        self._is_yielding = False
        self.journal = ChangeJournal()
        self.journal.wanted = self._wake
        self._sessions = HeldSessions()
        self.hold = HeldInput()
        self._host: LinkHost | None = None
        self._reports = Reports()
        self._server: MasterServer | None = None
        self._machine = Machine(WORLD, WorldPhase.LOADED)
        self._links: dict[tuple[str, int], RemoteLink] = {}
        self._active: dict[RemoteLink, None] = {}  # with input that is not acknowledged, or a dialog to be reported
        self._abandoned: dict[tuple[str, int], RemoteLink] = {}  # of gateways that are given up, and may come back
        self._gateways = KnownGateways()
        self._numbers = itertools.count(1)  # of frames
        self.tails = WantedTails(self._gateways, self.send)
        self._dismissed: dict[tuple[str, int], Dismissed] = {}  # the last ones, the oldest first
        self._discarding: dict[RemoteLink, None] = {}  # links whose input gateways are to drop
        # The numbers of the requests for that. No two worlds begin alike: the answer to another world's request is in
        # the roll, and lines for a dialog that is lost may follow it.
        self._requests = itertools.count(1 + secrets.randbelow(2**52))
        self._listing = Listing()
        self._must_list = False
        self._number = 0  # of the last commit
        self._dirty = trio.Event()
        self.output = PendingOutput(self._wake)
        self._committing = trio.Lock()
        self._serving = trio.Event()
        self._over = trio.Event()
        self.listener = WorldListener()

    def attach_server(self, server: MasterServer) -> None:
        """Set the server. `MasterServer` calls it."""
        self._sessions.attach_server(server)
        self._server = server

    def start_failed(self, error: BaseException) -> None:
        """End without a commit: an end in order would dismiss all players. The server calls it."""
        for action in self._machine.step(WorldEvent.START_FAILED):
            if action is WorldAction.GIVE_UP:
                self._given_up(error)
                self._dirty.set()

    # The service

    @asynccontextmanager
    async def claimed(self) -> AsyncGenerator[ChangeJournal]:
        """Claim the cluster link for the length of the block, and release it at the end. Yields the journal.

        For a game with a database, which is opened after the claim and closed before the release. Without it `run`
        claims, and `aclose` releases.

        Raises:
            LinkUnavailable: The cluster link cannot be used.
            Fenced: Another world has claimed it meanwhile.
        """
        await self._claim()
        self._is_held = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_claim)
                yield self.journal
                nursery.cancel_scope.cancel(reason="the block is over")
        except BaseExceptionGroup as group:
            # A cancellation may come with what it could not save, as `NotSaved`, which the caller expects alone.
            rest = group.split(trio.Cancelled)[1] or group
            error = unwrap_single(rest)
            if error is rest and rest.split((Fenced, Superseded))[1] is None:  # the database says the same
                error = Fenced("another world has claimed the cluster link while this one loaded its game: it stops")
            raise error from None
        finally:
            if self._machine.state is not WorldPhase.FENCED:
                with trio.move_on_after(RELEASE_TIMEOUT, shield=True):
                    await self._end.release()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Claim the cluster link, unless that was done, and serve until `aclose`.

        Raises:
            Fenced: Another world has claimed it; nothing that this one does counts any more.
        """
        try:
            if self._server is not None:  # so that a ban needs no visitor
                self.attach_host(self._server._link_host)
            self._serving.set()
            if self._machine.state is WorldPhase.LOADED:
                await self._claim()
            self.journal.is_bound = True
            if self._sessions.restore(self.hold.advanced):
                self.hold.begin(self._sessions.is_over)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._receive_all)
                nursery.start_soon(self._sessions.run, self._gateways.rolling, self._wake)
                nursery.start_soon(self.hold.limit)
                if self._server is not None:
                    # No connection ends before its input.
                    nursery.start_soon(_call_after, self._server._tree.wait_closing, self.hold.release)
                    # The pages of gateways show the name of the game to the first visitor.
                    nursery.start_soon(_call_after, self._server._tree.wait_started, self._list_soon)
                task_status.started()
                while self._machine.state in (WorldPhase.SERVING, WorldPhase.YIELDING, WorldPhase.CLOSING):
                    with trio.move_on_after(self._end.heartbeat) as pause:
                        await self._dirty.wait()
                    self._dirty = trio.Event()
                    await self._commit(may_be_empty=pause.cancelled_caught)
                nursery.cancel_scope.cancel(reason="the world has ended")
            if self._machine.state is WorldPhase.FENCED:
                raise Fenced("another world has claimed the cluster link: this one stops, and its last steps are lost")
        finally:
            self._over.set()
        if self._is_yielding:  # its server is not closed, so that no player leaves
            await trio.sleep_forever()

    async def hand_over(self) -> None:
        """Stop taking input, handle and commit what was taken, and end without closing a link; the next world has them.

        Call it while the server serves, and end the process afterwards. Functions that take longer than
        `limits.hand_over_timeout` are not waited for.
        """
        self._is_yielding = True
        await self._act(WorldEvent.HAND_OVER)
        if self._host is not None:  # a connection was accepted
            context = self._host.context
            context.timers.stop()
            with trio.move_on_after(context.limits.hand_over_timeout):
                await context.dispatcher.drained()
        await self.aclose()

    async def release(self) -> None:
        """Let another world claim at once, after `hand_over` and as the last step of this process."""
        with trio.move_on_after(RELEASE_TIMEOUT):
            await self._end.release()

    async def aclose(self) -> None:
        """Commit what is left, release the cluster link unless `claimed` does, and end `run`."""
        self.journal.ending()
        await self._act(WorldEvent.CLOSE)
        await self._over.wait()

    async def _receive_all(self) -> None:
        try:
            await self._end.run(self._receive, self._lose_gateway)
        except Fenced:
            await self._act(WorldEvent.FENCED)

    async def _act(self, event: WorldEvent) -> None:
        for action in self._machine.step(event):
            match action:
                case WorldAction.GREET:
                    for gateway in await self._end.gateways():
                        self._greet(gateway)
                case WorldAction.CLAIM:
                    await self._claim()
                case WorldAction.COMMIT_REST:
                    self._dirty.set()
                case WorldAction.RELEASE:
                    self.journal.release()
                    if not self._is_held:
                        await self._end.release()
                case WorldAction.STOP:
                    self.hold.release()
                    if self._fenced is not None:
                        self._fenced()
                    self._dirty.set()

    async def _keep_claim(self) -> None:
        """Commit nothing at the pace of the cluster link, before `run` commits, and after it."""
        while True:
            with trio.move_on_after(self._end.heartbeat):
                await self._serving.wait()
            if self._serving.is_set():
                await self._over.wait()
                await trio.sleep(self._end.heartbeat)
            if self._machine.state in (WorldPhase.FENCED, WorldPhase.GIVEN_UP):
                return
            async with self._committing:
                if not self._serving.is_set() or self._over.is_set():
                    try:  # by the last number: that commit may have been given up, and a gap would mean a loss
                        await self._end.commit(Commit(self._number, {}))
                    except Fenced:
                        await self._act(WorldEvent.FENCED)
                        raise
                    except Forgotten:
                        if not await self._claim_again():
                            raise Fenced from None

    async def _claim(self) -> None:
        held = await self._end.claim()
        self._number = 0
        self.journal.begin(self._end.epoch, held)
        self._sessions.begin(held)
        await self._act(WorldEvent.CLAIMED)

    async def _claim_again(self) -> bool:
        """Claim after the cluster link has lost its data; return False if this world was replaced before.

        The cluster link does not know that any more; but a later world has opened the same database.
        """
        is_superseded = await self.journal.is_superseded()
        await self._act(WorldEvent.FENCED if is_superseded else WorldEvent.FORGOTTEN)
        return not is_superseded

    def _wake(self) -> None:
        self._dirty.set()

    # Called by the links

    def attach_host(self, host: LinkHost) -> None:
        """Take note of the server's parts."""
        if self._host is None:
            self._host = host
            self._reports.attach(host.context)
            host.after_flush.append(self._flushed)
            host.bans.observer = self._send_ban
            for ban in host.bans:
                self._send_ban(ban)

    def _send_ban(self, change: Ban | str) -> None:
        """Repeat a ban, or its lifting, at the gateways; those that are greeted later get all bans."""
        for gateway in self._gateways.rolls:
            self.send(gateway, ban_message(change))

    def send(self, gateway: str, message: Down) -> None:
        """Queue a message for the next commit."""
        self.output.send(gateway, message)
        if type(message) is VerdictAdmitted:
            self._must_list = True
        elif type(message) is Dismissed:
            self._dismissed[gateway, message.link] = message
            if len(self._dismissed) > MOST_DISMISSED:
                del self._dismissed[next(iter(self._dismissed))]

    def discard_input(self, link: RemoteLink) -> None:
        """Ask the gateway of a link to drop input."""
        self._discarding[link] = None
        self._dirty.set()

    def note_input(self, link: RemoteLink) -> None:
        """Acknowledge the input of a link once it was taken, and report its dialog."""
        self._active[link] = None

    def forget(self, link: RemoteLink) -> None:
        """Forget a closed link."""
        if link.owes_dismissal:
            return
        if self._abandoned.get((link.gateway, link.number)) is not link:  # otherwise its input is still acknowledged
            self._active.pop(link, None)
        self._discarding.pop(link, None)
        self.tails.forget(link)
        if self._links.get((link.gateway, link.number)) is link:
            del self._links[link.gateway, link.number]

    def _flushed(self) -> None:
        """Take note of a moment between two batches of events."""
        self.output.end_flush()
        if self._active or self._discarding or self.journal.has_news or self._sessions.has_news:
            self._dirty.set()

    # Up

    def _receive(self, frames: Sequence[bytes]) -> None:
        if self._machine.state is not WorldPhase.SERVING:
            return
        for frame in frames:
            try:
                decoded = decode_up(frame, self._reports.unknown)
            except WireError as error:
                self._reports.failed("frames not decoded", f"the world cannot decode a frame of a gateway: {error}")
                continue
            if self._is_for_me(decoded):
                self._reports.count("messages of gateways", len(decoded.messages))
                for message in decoded.messages:
                    try:
                        self._take(decoded.gateway, message)
                    except Exception as error:  # noqa: BLE001 - the other messages go on
                        what = f"obey a message {type(message).__name__} of gateway {decoded.gateway}"
                        self._reports.failed("messages failed", f"the world cannot {what}", error)
                    if not self._gateways.follows_roll(decoded):
                        break  # it is asked for again, with the rest

    def _is_for_me(self, frame: UpFrame) -> bool:
        """Return True if a frame is for this world; greet a gateway that does not know it."""
        if self._gateways.is_superseded(frame):
            self._reports.count("frames of an earlier gateway")
            return False
        if self._gateways.has_restarted(frame):
            self._end_gateway(frame.gateway)
        if self._gateways.meet(frame):
            self._greet(frame.gateway)
        if not self._gateways.note_frame(frame):
            self._reports.count("frames that came twice")
            return False
        return frame.epoch == self._end.epoch and self._gateways.follows_roll(frame)

    def _take(self, gateway: str, message: Up) -> None:
        if isinstance(message, RollOver):
            self._close_roll(gateway)
            return
        if isinstance(message, WorldProbed):
            self.send(gateway, ProbeAnswered())
            return
        if isinstance(message, TailGiven):
            self.tails.pass_on(gateway, TailMoved(message.tail, message.lines, message.data))
            return
        if isinstance(message, Arrived):
            self._gateways.name(gateway, message.link)
            place = gateway, message.link
            if (known := self._links.get(place)) is not None:
                known.repeat_lost(message)
            elif (dismissal := self._dismissed.get(place)) is not None:  # it is on its way, or lost
                self.send(gateway, dismissal)
            else:
                self._arrive(gateway, message)
            return
        # A message for an unknown link is ignored: a new world knows none before the roll.
        found = self._links.get((gateway, message.link))
        if found is None:
            return
        match message:
            case FactsLearned(_, client):
                found.learn(client)
            case Signalled():
                found.signal(message)
            case InputOver():
                found.end_input()
            case Departed():
                found.depart(message)
            case _:
                found.receive(message)
                # Frames arrive in order, so one before this item was lost. It is asked for once, and not again by
                # each item that the roll brings before the gap is closed.
                if found.input.is_early(message):
                    self._greet(gateway)

    def _arrive(self, gateway: str, arrived: Arrived) -> None:
        """Accept a connection; ignore a new one while too much is not committed, which its gateway refuses then."""
        if not (self.output.has_room or arrived.was_admitted):
            self._reports.count("arrivals ignored")
            return
        before = self._abandoned.pop((gateway, arrived.link), None)
        link = RemoteLink(self, gateway, self._gateways.incarnation_of(gateway), arrived, before)
        continues = self._sessions.take_place(link)
        link.continues = None if continues is None else continues.session
        link.begins_again = arrived.was_admitted and continues is None and before is None
        self._links[gateway, arrived.link] = link
        self.hold.wait(link.input.notify)
        if before is not None:
            self._active.pop(before, None)
            self._active[link] = None
        self.listener.arrive(link, continues)

    def _greet(self, gateway: str) -> None:
        """Ask a gateway for its roll."""
        self.send(gateway, WorldStarted(self._end.epoch, self._gateways.begin_roll(gateway)))
        if self._listing.message is not None:
            self.send(gateway, self._listing.message)
        for ban in self._host.bans if self._host is not None else ():
            self.send(gateway, ban_message(ban))
        for (name, _), link in self._links.items():
            if name == gateway:  # in this commit, before another acknowledgement
                link.repeat_reports()
        self.tails.ask_again(gateway)

    def _close_roll(self, gateway: str) -> None:
        """End the connections that the gateway has not named in its roll."""
        here = self._gateways.end_roll(gateway)
        if here is None:
            return
        for (name, number), link in list(self._links.items()):
            if name == gateway and number not in here:
                link.lose_gateway()
        self._sessions.close_roll(gateway, self._gateways.rolling)

    def _lose_gateway(self, gateway: str) -> None:
        """Lose the links of a gateway that is given up. It may be alive: what they have taken is acknowledged."""
        self._gateways.give_up(gateway)
        self.tails.lose_gateway(gateway)
        for place, link in list(self._links.items()):
            if place[0] == gateway and not link.owes_dismissal:
                self._abandoned[place] = link
                link.lose_gateway()

    def _end_gateway(self, gateway: str) -> None:
        """Forget a gateway that has ended: another one of its name has started."""
        self._lose_gateway(gateway)
        self._gateways.supersede(gateway)
        self.output.forget(gateway)
        for links in (self._abandoned, self._links):
            for place in [place for place in links if place[0] == gateway]:
                link = links.pop(place)
                self._active.pop(link, None)
                self._discarding.pop(link, None)
        for place in [place for place in self._dismissed if place[0] == gateway]:
            del self._dismissed[place]
        self._dirty.set()  # there may be room now

    # Down

    async def _commit(self, *, may_be_empty: bool) -> None:
        """Commit everything since the last commit; at the end, release the cluster link."""
        if self._machine.state is WorldPhase.GIVEN_UP:
            return
        # From here to `take` nothing waits: acknowledgements, output and changes are those of one moment.
        self._acknowledge()
        self._discard()
        self._list()
        out = self.output.take()
        size = self.output.size
        is_empty = not (out or self.journal.has_news or self._sessions.has_news)
        self.journal.take()
        sessions = self._sessions.take()
        if is_empty and self._machine.state is WorldPhase.CLOSING:
            await self._act(WorldEvent.COMMITTED)
            return
        if is_empty and not may_be_empty:
            return
        incarnations, greeted = self._gateways.incarnations(), self._gateways.take_greeted()
        held = await self.journal.held() | sessions
        frames = {
            gateway: self._encoded(messages, incarnations.get(gateway, 0), is_greeted=gateway in greeted)
            for gateway, messages in out.items()
        }
        try:
            async with self._committing:
                self._number += 1
                await self._end.commit(Commit(self._number, frames, held))
        except Fenced:
            await self._act(WorldEvent.FENCED)
        except Forgotten as forgotten:
            if forgotten.is_kept:
                self.output.make_room(size)
                out = {}
            for gateway, messages in out.items():  # nothing of it was delivered, and it precedes all that follows
                if incarnations.get(gateway, 0) == self._gateways.incarnation_of(gateway):  # a new one has other links
                    self.output.give_back(gateway, messages)
            self.journal.refused()
            await self._claim_again()
            self._dirty.set()
        else:
            self.output.make_room(size)
            self._reports.count("messages for gateways", sum(map(len, out.values())))
            self.journal.accepted(self._number)
        if self._machine.state is WorldPhase.CLOSING:
            self._dirty.set()

    def _encoded(self, messages: list[Down], incarnation: int, *, is_greeted: bool) -> list[bytes]:
        """Encode messages for one incarnation of a gateway. A greeting is for any: another one may have started."""
        if not is_greeted:
            return encode_down(self._end.epoch, messages, incarnation, self._numbers, self._reports.left_out)
        frames: list[bytes] = []
        for is_greeting, part in itertools.groupby(messages, lambda message: type(message) is WorldStarted):
            audience = 0 if is_greeting else incarnation
            frames += encode_down(self._end.epoch, [*part], audience, self._numbers, self._reports.left_out)
        return frames

    def _acknowledge(self) -> None:
        """Queue the acknowledgements of the input that was taken, and what has become of dialogs by it."""
        due: dict[str, list[Acknowledged]] = {}
        for link in list(self._active):
            if link.holds_output:  # perhaps the reply to a line: both are committed together
                continue
            received = link.input
            if (acknowledged := received.acknowledge()) is not None:
                upto, secret = acknowledged
                messages = due.setdefault(link.gateway, [Acknowledged([], [])])
                if len(messages[-1].taken) + len(messages[-1].secret) >= MOST_ACKNOWLEDGED:
                    messages.append(Acknowledged([], []))
                messages[-1].taken.extend((link.number, upto))  # with its secret lines in one message
                for line in secret:
                    messages[-1].secret.extend((link.number, line))
            for change in (link.take_dialog(), link.take_ending()):
                if change is not None:
                    self.send(link.gateway, change)
            if received.is_settled:
                del self._active[link]
                if (dismissal := link.take_dismissal()) is not None:
                    self.send(link.gateway, dismissal)
                    self.forget(link)
        for gateway, messages in due.items():
            for message in messages:
                self.send(gateway, message)

    def _discard(self) -> None:
        """Queue the requests to drop input."""
        for link in list(self._discarding):
            if not link.holds_output:  # otherwise the line that has caused it is not acknowledged yet
                del self._discarding[link]
                if (request := link.take_discard(next(self._requests))) is not None:
                    self.send(link.gateway, request)

    def _list_soon(self) -> None:
        """Send the listing variables with the next commit, at the latest that of a heartbeat."""
        self._must_list = True

    def _list(self) -> None:
        """Queue the variables for MUD listings before the admission of a connection that may ask for them."""
        if self._must_list and self._host is not None:
            self._must_list = False
            if (changed := self._listing.update(self._host)) is not None:
                self.output.put_first(self._gateways.rolls, changed)


async def _call_after(wait: Callable[[], Awaitable[object]], act: Callable[[], object]) -> None:
    await wait()
    act()
