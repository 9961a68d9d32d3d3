"""The record of a split server: a trace for each gateway and each world, and what has crossed between them.

`split_harness` fills it, and `split_invariants` read it. Everything that crosses is decoded from the frames, so that it
does not depend on what either side believes.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import trio

from ...cluster.ends import Commit
from ...cluster.frames import decode_down, decode_up
from ...cluster.gateway import GatewayService
from ...cluster.shares import limits_of_gateway, limits_of_world
from ...cluster.states import AtGateway
from ...cluster.wire import (
    Acknowledged,
    Arrived,
    DialogChanged,
    DiscardInput,
    Dismissed,
    Down,
    EndingDecided,
    InputDiscarded,
    LineTyped,
    Numbered,
    Output,
    TextSent,
)
from ...cluster.world import WorldService
from ...driver.connection.connection import Connection
from ...driver.connection.events import Connect, Input
from ...driver.core.events import Reason
from ...driver.server.server import MasterServer
from ...driver.sessions.events import SessionRestored
from ...driver.sessions.session import Session
from ..memory_cluster import MemoryCluster, MemoryGatewayEnd, MemoryWorldEnd
from . import inside
from .invariants import numbered
from .plan import RunPlan
from .restored import LeftSession, Place, RestoredSessions, sessions_of
from .split_records import KeptRecords
from .trace import Trace


class GatewayTrace(Trace):
    """The trace of one gateway.

    Attributes:
        name: The name of the gateway.
        incarnation: Greater each time that it has started.
        is_dead: True once it was killed: from then on nothing of it is observed.
    """

    def __init__(
        self, plan: RunPlan, server: MasterServer, service: GatewayService, end: MemoryGatewayEnd, incarnation: int
    ) -> None:
        super().__init__(replace(plan, limits=limits_of_gateway(plan.limits), operator="nobody"), server)
        self.service = service
        self.end = end
        self.name = inside.name_of(service)
        self.incarnation = incarnation
        self.is_dead = False
        self.services = 1

    def __str__(self) -> str:
        return f"gateway {self.name}.{self.incarnation}"

    def after_step(self) -> None:
        """Check what must hold after each step of this process."""
        if not self.is_dead:
            super().after_step()

    def place(self, connection: Connection) -> Place:
        """Return the place of one of its connections."""
        return self.name, self.incarnation, connection.number


@dataclass(slots=True, eq=False)
class Arrival:
    """A connection of a gateway in one world.

    Attributes:
        at: When this world saw it first.
        began_after: The number of the input behind which it began.
        acknowledged: The greatest number in a commit of this world that took effect.
        shown: Its numbered lines in commits that took effect.
        is_cancelled: True if a dialog of the connection was lost, so that the lines up to the answer to this world's
            request are to be dropped.
        discards_after: The greatest number that was sent up when the first request to drop input took effect.
        dismissed_with: The number of lines that were taken when its dismissal took effect; None if it did not.
        has_quit: True if a commit that took effect has decided that it quits, so that no later world takes its lines.
        replies: For each line that a hook has taken: its number among the lines, and the number of lines that the game
            had written before its reply.
    """

    world: WorldSideTrace
    connection: Connection
    place: Place
    at: float
    began_after: int
    acknowledged: int
    shown: list[str] = field(default_factory=list)
    replies: list[tuple[int, int]] = field(default_factory=list)
    is_cancelled: bool = False
    discards_after: int | None = None
    dismissed_with: int | None = None
    has_quit: bool = False

    def __str__(self) -> str:
        return f"{self.place} in {self.world}"

    @property
    def taken(self) -> list[str]:
        """The lines that hooks and dialogs have taken, in order."""
        watched = self.world.watched.get(self.connection.number)  # none if it has failed in its handshake
        return [] if watched is None else watched.taken

    @property
    def is_whole(self) -> bool:
        """True if no line may be dropped."""
        watched = self.world.watched.get(self.connection.number)
        return self.connection.ending is None and watched is not None and not watched.may_skip

    @property
    def may_lose_text(self) -> bool:
        """True if some output was dropped, or is dropped because the link is lost."""
        return self.connection.ending is not None or bool(self.world.server.counters["messages dropped"])


class WorldSideTrace(Trace):
    """The trace of one world.

    Attributes:
        number: The number of worlds before it.
        is_dead: True once it was killed: from then on nothing of it is observed.
        arrivals: The connections that it has seen, by their numbers here.
        committing: Its sessions at the moment of the commit that is under way; None without one, as for those that only
            keep the claim of a world which loads its game.
        dialogs: The places of its connections at that moment, and whether a dialog has their lines.
        quitting: Its connections that quit at that moment.
        restored: What it makes of the sessions of an earlier world; None before its claim, and for a game that does not
            restore them.
    """

    def __init__(
        self,
        plan: RunPlan,
        server: MasterServer,
        service: WorldService,
        end: MemoryWorldEnd,
        number: int,
        split: SplitTrace,
    ) -> None:
        super().__init__(replace(plan, limits=limits_of_world(plan.limits), life=number - 1), server)
        self.service = service
        self.end = end
        self.number = number
        self.is_dead = False
        self.services = 1
        self.arrivals: dict[int, Arrival] = {}
        self.committing: dict[object, LeftSession] | None = None
        self.dialogs: dict[Place, bool] = {}
        self.quitting: set[Arrival] = set()
        self.restored: RestoredSessions | None = None
        self._split = split

    def __str__(self) -> str:
        return f"world {self.number}"

    def after_step(self) -> None:
        """Check what must hold after each step of this process."""
        if not self.is_dead:
            for connection in inside.guests(self.server):
                self._see(connection)
            super().after_step()

    def took(self, connection: Connection, line: str) -> None:
        """Record a line received by a dialog."""
        if not self.is_dead:
            super().took(connection, line)

    def said(self, connection: Connection, line: str, accepted: bool) -> None:
        """Record a numbered line written by the game."""
        if not self.is_dead:
            super().said(connection, line, accepted)

    def fault(self, invariant: str, text: str) -> None:
        """Record a violation that is visible now."""
        if not self.is_dead:
            super().fault(invariant, text)

    def arrival_at(self, place: Place) -> Arrival | None:
        """Return its latest connection of a place."""
        found = [arrival for arrival in self.arrivals.values() if arrival.place == place]
        return found[-1] if found else None

    def _see(self, connection: Connection) -> Arrival:
        arrival = self.arrivals.get(connection.number)
        if arrival is None:
            link = inside.remote_link(connection)
            place = (link.gateway, inside.incarnation(self.service, link.gateway), link.number)
            taken = link.input._passed
            arrival = self.arrivals[connection.number] = Arrival(
                self, connection, place, trio.current_time(), taken, taken
            )
            self._split.arrives(arrival)
        return arrival

    def opened(self) -> None:
        """Check the records of the store, which was opened, and the database was watched, at this moment."""
        if self.restored is not None:
            self.restored.begins_at(trio.current_time())
        if self.storage is None or self.is_dead:
            return
        is_last = all(world.end.epoch <= self.end.epoch for world in self._split.worlds)
        if is_last:  # a later one may have committed since this one has read the database; this one is fenced then
            for text in self._split.records.opened(self.storage):
                self.fault("I-34", text)

    def keep_calm(self) -> None:
        """Check the state that must hold after a long time without new faults."""
        super().keep_calm()
        if self.restored is not None:
            self._judge(self.restored.missing())

    def _judge(self, faults: Iterator[str]) -> None:
        for text in faults:
            self.fault("I-33", text)

    def _enters(self, session: Session) -> None:
        super()._enters(session)
        if self.restored is not None:
            self.restored.enters(session)

    def _goes_on(self, connection: Connection, session: Session) -> None:
        super()._goes_on(connection, session)
        if self.restored is not None:
            self._judge(self.restored.continues(connection, session, inside.place_of(connection)))

    def _begins(self, event: Any) -> None:
        super()._begins(event)
        if self.restored is not None:
            self._judge(self.restored.begins(event))
            if isinstance(event, Connect):
                sessions = {session.key: session for session in self.server.sessions}
                place = inside.place_of(event.connection)
                self._judge(self.restored.connects(event.connection, place, sessions))
        if isinstance(event, Input):
            watched = self.watch(event.connection)
            self._see(event.connection).replies.append((len(watched.taken), len(watched.said)))


@dataclass(slots=True)
class _Acknowledgement:
    arrival: Arrival
    number: int
    is_lost: bool = False  # before it reached the gateway: the cluster link has lost its data


class SplitTrace:
    """The record of one run of a split server.

    Attributes:
        plan: The plan of the run.
        gateways: In the order of their starts; so are the worlds.
        typed: The numbered input of each connection, as it was sent up.
        arrivals: The connections of each place, in the order of their arrivals in worlds.
        faults: Violations observed when they happened.
        log: The log records of all processes.
        stuck: The error of a run that did not end.
        left: The sessions as the last commit has left them, by their keys.
        records: The records as the last commit has left them.
        at_quit: Called once, when a world is about to commit that it has decided to end a connection.
    """

    def __init__(self, plan: RunPlan) -> None:
        self.plan = plan
        self.gateways: list[GatewayTrace] = []
        self.worlds: list[WorldSideTrace] = []
        self.typed: defaultdict[Place, dict[int, Numbered]] = defaultdict(dict)
        self.arrivals: defaultdict[Place, list[Arrival]] = defaultdict(list)
        self.faults: list[tuple[str, str]] = []
        self.log: list[str] = []
        self.stuck: BaseException | None = None
        self.left: dict[object, LeftSession] = {}
        self.records = KeptRecords()
        self.at_quit: Callable[[], object] | None = None
        self._acknowledged: defaultdict[Place, list[_Acknowledgement]] = defaultdict(list)
        self._differences: dict[Place, str] = {}
        self._dropped: defaultdict[Place, dict[int, int]] = defaultdict(dict)  # see `lines_of`
        self._reported: dict[Place, bool] = {}  # whether it was in a dialog, as its gateway has said last
        self._in_dialog: dict[Place, bool] = {}  # as the commits have said, unless that may be lost

    def fault(self, text: str) -> None:
        """Record that I-25 is violated now."""
        if len(self.faults) < 20:
            self.faults.append(("I-25", f"{text} (at {trio.current_time():g} s)"))

    # Reported by the cluster link

    def sent_up(self, data: bytes) -> None:
        """Record a frame of a gateway."""
        frame = decode_up(data)
        for message in frame.messages:
            if isinstance(message, Numbered):
                place = frame.gateway, frame.incarnation, message.link
                typed = self.typed[place]
                if typed.setdefault(message.number, message) == message:
                    continue
                if isinstance(message, InputDiscarded):
                    self._dropped[place].setdefault(message.number, len(self.arrivals[place]))
                else:
                    self.fault(f"{message} was {typed[message.number]} before")
            elif isinstance(message, Arrived):
                place = frame.gateway, frame.incarnation, message.link
                self._reported[place] = message.in_dialog and message.was_admitted

    def committed(self, epoch: int, commit: Commit, *, is_current: bool) -> None:
        """Record a commit that takes effect."""
        (world,) = [world for world in self.worlds if world.end.epoch == epoch]
        if not is_current:
            self.fault(f"{world} was replaced, and a commit of it has taken effect")
        touched: dict[Arrival, None] = {}
        taken: dict[Arrival, None] = {}
        for gateway, frames in commit.frames.items():
            decoded = map(decode_down, frames)
            for incarnation, message in [(frame.incarnation, one) for frame in decoded for one in frame.messages]:
                for link in _links_of(message):
                    arrival = world.arrival_at((gateway, incarnation, link))
                    if arrival is not None:
                        touched[arrival] = None
                        if isinstance(message, Acknowledged):
                            taken[arrival] = None
                        self._committed(arrival, message)
                    elif not world.server.is_closing and not inside.has_ended(world.server):
                        self.fault(f"{world} has committed {message} for a connection that it does not have")
        for arrival in touched:
            self._check_reply(arrival)
            knows = self._in_dialog.get(arrival.place) if arrival in taken else None
            if knows is not None and knows != (is_true := world.dialogs.get(arrival.place, knows)):
                self.fault(f"{arrival} has acknowledged {arrival.acknowledged}; in a dialog: {is_true}, unsaid")
            if arrival in taken and arrival in world.quitting:
                arrival.has_quit = True
        if not (commit.frames or commit.held):
            return  # it only keeps the claim, perhaps beside another one that is under way, or was given up
        if world.committing is not None:
            self.left, world.committing = world.committing, None
        if world.storage is not None:
            self.records.committed(world.storage)

    def claimed(self, frames: object) -> None:
        """Record that the world which reads these frames has claimed."""
        (world,) = [world for world in self.worlds if inside.frames_for_world(world.end) is frames]
        # A game with records is opened later, and has such a function then.
        restores = world.storage is not None or world.server.hooks.functions_for(SessionRestored)
        if world.restored is None and restores:
            world.restored = RestoredSessions(self.left, trio.current_time(), self.plan.limits.grace)

    def forgotten(self, cluster: MemoryCluster) -> None:
        """Record that the cluster link loses all its data now."""
        self.left = {}
        self._in_dialog.clear()
        self.records.forgotten()
        for gateway, waiting in inside.frames_for_gateways(cluster).items():
            for message in [message for data in waiting for message in decode_down(data).messages]:
                if isinstance(message, Acknowledged):
                    for link, number in _pairs(message):
                        for place, known in self._acknowledged.items():
                            if place[0] == gateway and place[2] == link:
                                for one in known:
                                    one.is_lost = one.is_lost or one.number >= number
        for arrivals in self.arrivals.values():
            for arrival in arrivals:
                arrival.has_quit = False  # the commit may not have reached the gateway

    # Reported by the two sides

    def takes(self, service: WorldService) -> None:
        """Record the sessions and the records of a world that is about to take what it commits."""
        (world,) = [world for world in self.worlds if world.service is service]
        world.committing = sessions_of(world.server, world.restored)
        world.dialogs = {
            arrival.place: inside.has_private_lines(arrival.connection)
            for arrival in world.arrivals.values()
            if arrival.connection in world.server.connections and arrival.connection.ending is None
        }
        known, world.quitting = world.quitting, set(_quitting(world))
        if self.at_quit is not None and world.quitting - known:
            act, self.at_quit = self.at_quit, None
            act()
        if world.storage is not None and world.storage.is_open:
            self.records.takes(world.storage)

    def arrives(self, arrival: Arrival) -> None:
        """Record a connection that has arrived in a world: it must begin where the last one has ended."""
        place = arrival.place
        for one in self._acknowledged[place]:
            # What was lost with the data of the cluster link has no effect, unless its own world still knows of it.
            is_earlier = one.arrival.world.end.epoch < arrival.world.end.epoch and not one.is_lost
            if one.number > arrival.began_after and (one.arrival.world is arrival.world or is_earlier):
                self.fault(f"{arrival} begins after {arrival.began_after}, and {one.number} had been acknowledged")
        arrival.is_cancelled = self._reported.get(place, False)
        self.arrivals[place].append(arrival)
        for gateway in self.gateways:
            if (gateway.name, gateway.incarnation) == place[:2] and place[2] in gateway.watched:
                gateway.watched[place[2]].shows.add(arrival.connection.number)

    def writes(self, connection: Connection, text: str) -> None:
        """Record a text that a link has accepted, if it is a gateway's."""
        gateway = self.gateway_of(connection)
        if gateway is None or gateway.is_dead:
            return
        for line in numbered(f"{text}\r\n"):
            number = int(line[1:].partition(":")[0])
            (arrival,) = [world.arrivals[number] for world in self.worlds if number in world.arrivals] or (None,)
            if arrival is None or arrival.place != gateway.place(connection):
                self.fault(f"{line} of {arrival} is shown by {connection.name} of {gateway}")
            gateway.said(connection, line, True)

    def gateway_of(self, connection: Connection) -> GatewayTrace | None:
        """Return the gateway of a connection; None if it is a connection of a world."""
        for gateway in self.gateways:
            if gateway.server is connection.server:
                return gateway
        return None

    def gateway_at(self, place: Place) -> GatewayTrace | None:
        """Return the gateway of a place."""
        found = [gateway for gateway in self.gateways if (gateway.name, gateway.incarnation) == place[:2]]
        return found[0] if found else None

    def hides_input(self, connection: Connection) -> None:
        """Record that a game has hidden the input of a connection of a world, or shown it again."""
        for gateway in self.gateways:
            for watched in gateway.watched.values():
                if watched.connection.address == connection.address:
                    watched.hidings += 1

    def world_starts(self) -> None:
        """Record that a world starts, for which the gateways show all input again."""
        for gateway in self.gateways:
            for watched in gateway.watched.values():
                watched.hidings += 1

    # After the calm

    def compare(self, world: WorldSideTrace) -> None:
        """Compare the two sides: whatever differs twice in a row, a while apart, is a violation."""
        found = dict(self._compared(world))
        for place, text in found.items():
            if self._differences.get(place) == text:
                self.fault(f"after the calm, {place}: {text}")
        self._differences = found

    def _compared(self, world: WorldSideTrace) -> Iterator[tuple[Place, str]]:
        here = {
            arrival.place: arrival
            for arrival in world.arrivals.values()
            if arrival.connection.ending is None and arrival.connection in world.server.connections
        }
        there: dict[Place, Connection] = {}
        for gateway in self.gateways:
            if gateway.is_dead:
                continue
            for state, connection, typed, acknowledged, in_dialog in inside.peers(gateway.service):
                place = gateway.place(connection)
                if state not in (AtGateway.OPEN, AtGateway.INPUT_OVER) or connection.ending is not None:
                    continue
                there[place] = connection
                if (arrival := here.get(place)) is None:
                    yield place, f"{connection.name} is {state} at the gateway, and not in {world}"
                    continue
                link = inside.remote_link(arrival.connection)
                if in_dialog != link.in_dialog:
                    yield place, f"it is {'' if in_dialog else 'not '}in a dialog at the gateway only"
                if link.input._order.received != typed:
                    yield place, f"{typed} items were typed, and {link.input._order.received} have come"
                if link.input.acknowledged != acknowledged:
                    yield place, f"{acknowledged} items are acknowledged, and {link.input.acknowledged} in the world"
                if dict(connection.client._state.facts) != dict(arrival.connection.client._state.facts):
                    yield (
                        place,
                        f"{connection.client._state.facts} is known, not {arrival.connection.client._state.facts}",
                    )
        for place in here.keys() - there.keys():
            yield place, f"it is in {world} and at no gateway"

    # Parts

    def _committed(self, arrival: Arrival, message: Down) -> None:
        match message:
            case Acknowledged():
                number = dict(_pairs(message))[arrival.place[2]]
                arrival.acknowledged = max(arrival.acknowledged, number)
                self._acknowledged[arrival.place].append(_Acknowledgement(arrival, number))
                if arrival.is_whole and self.lines(arrival) > len(arrival.taken):
                    self.fault(f"{arrival} has acknowledged {self.lines(arrival)} lines, and taken {arrival.taken}")
            case Output(_, items):
                mark = f"<{arrival.connection.number}:"
                for item in items:
                    if isinstance(item, TextSent) and isinstance(item.text, str) and item.text.startswith(mark):
                        arrival.shown.append(item.text)
            case DialogChanged(_, in_dialog):
                self._in_dialog[arrival.place] = in_dialog
            case DiscardInput():
                if arrival.discards_after is None:
                    arrival.discards_after = max(self.typed[arrival.place], default=0)
            case EndingDecided():
                arrival.has_quit = True
            case Dismissed():
                arrival.dismissed_with = len(arrival.taken)
                if arrival.connection.ending is None:
                    self.fault(f"{arrival} is dismissed, and lives")
                gateway = self.gateway_at(arrival.place)
                if gateway is not None and arrival.world.server._aborting.is_set():
                    gateway.cut_refusals.add(arrival.place[2])

    def lines(self, arrival: Arrival) -> int:
        """Return the number of lines that a world has acknowledged, without hidden ones, which it may drop."""
        lines = self.lines_of(arrival)
        return sum(number <= arrival.acknowledged and not line.is_hidden for number, line in lines.items())

    def lines_of(self, arrival: Arrival) -> dict[int, LineTyped]:
        """Return the lines that are for an arrival, by their numbers.

        Those of a dialog that was lost are not, and neither are those that an earlier world has dropped.
        """
        place, begins_after = arrival.place, float(arrival.began_after)
        typed, dropped, index = self.typed[place], self._dropped[place], self.arrivals[place].index(arrival)
        if arrival.is_cancelled:
            asked_after = arrival.discards_after
            answers = [
                number
                for number, item in typed.items()
                if isinstance(item, InputDiscarded) and asked_after is not None and number > asked_after
            ]
            begins_after = min(answers, default=math.inf)
        return {
            number: item
            for number, item in sorted(typed.items())
            if number > begins_after and isinstance(item, LineTyped) and dropped.get(number, index + 1) > index
        }

    def _check_reply(self, arrival: Arrival) -> None:
        """Check that the reply to an acknowledged line is in the same commit, or in an earlier one."""
        if arrival.is_whole and not arrival.may_lose_text:
            count = self.lines(arrival)
            for number, before in arrival.replies:
                if number <= count and len(arrival.shown) <= before:
                    self.fault(f"{arrival} has acknowledged line {number}, and not shown its reply: {arrival.shown}")


class RecordedCluster(MemoryCluster):
    """A cluster link that reports what crosses it."""

    def __init__(self, trace: SplitTrace) -> None:
        super().__init__()
        self._trace = trace
        self._committing = 0  # the epoch of the commit that takes effect

    def forget(self) -> None:
        """Lose all data."""
        self._trace.forgotten(self)
        super().forget()

    def _send_up(self, frames: Any) -> None:
        for frame in frames:
            self._trace.sent_up(frame)
        super()._send_up(frames)

    def _claim(self, up: Any) -> int:
        epoch = super()._claim(up)
        self._trace.claimed(up)
        return epoch

    def _commit(self, epoch: int, commit: Commit) -> None:
        self._committing = epoch
        super()._commit(epoch, commit)

    def _send_down(self, commit: Commit) -> None:
        self._trace.committed(self._committing, commit, is_current=self._committing == self.epoch)
        super()._send_down(commit)


def _quitting(world: WorldSideTrace) -> Iterator[Arrival]:
    for arrival in world.arrivals.values():
        cause = arrival.connection.ending
        if cause is not None and cause.reason is Reason.QUIT:
            yield arrival


def _links_of(message: Down) -> list[int]:
    match message:
        case Output(links, _):
            return links
        case Acknowledged():
            return [link for link, _ in _pairs(message)]
        case Dismissed(link) | DiscardInput(link) | DialogChanged(link) | EndingDecided(link):
            return [link]
    return []


def _pairs(message: Acknowledged) -> list[tuple[int, int]]:
    return list(zip(message.taken[::2], message.taken[1::2], strict=True))
