"""Every named peer runs against a server, beside honest players: only the peer itself may be affected.

The server echoes at length, so that a peer that does not read soon misses much.
"""

from __future__ import annotations

import enum
import gc
from functools import partial
from types import BuiltinFunctionType, FunctionType, ModuleType

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_mud import (
    Cause,
    Connect,
    Connection,
    Disconnect,
    HookEvent,
    Hooks,
    Input,
    Limits,
    MasterServer,
    Reason,
    Texts,
    open_tcp_listeners,
)
from trio_mud.telnet import Option
from trio_mud.testing import OpenMud, Player, peers
from trio_mud.testing.peers import Peer

every_peer = pytest.mark.parametrize("peer", peers.EVERY, ids=lambda peer: peer.__name__)
WORDY = " and so on" * 50
BOUND = 384 * 1024  # bytes of one connection, with everything that waits in it
IDLE_BOUND = 8_600  # bytes of one that has not typed yet (I-11)


class Street:
    """Hooks that echo at length, and remember every event."""

    def __init__(self, *, door_takes: float = 0) -> None:
        self.hooks = Hooks()
        self.events: list[HookEvent] = []
        for event_type in (Connect, Input, Disconnect):
            self.hooks.on(event_type, order=-1)(self.events.append)

        @self.hooks.on(Input)
        def echo(event: Input) -> None:
            if event.line == "quit":
                event.connection.quit("Farewell.")
            else:
                event.connection.write(f"you said {event.line}" + WORDY * (not event.line.startswith("line")))

        if door_takes:

            @self.hooks.on(Connect)
            async def think_it_over(event: Connect) -> None:
                await trio.sleep(door_takes)

    def connections(self) -> list[Connection]:
        return [event.connection for event in self.events if isinstance(event, Connect)]

    def story_of(self, connection: Connection) -> list[str]:
        return [type(event).__name__ for event in self.events if getattr(event, "connection", None) is connection]

    def ending_of(self, connection: Connection) -> tuple[Reason, Cause] | None:
        for event in self.events:
            if isinstance(event, Disconnect) and event.connection is connection:
                return event.reason, event.cause
        return None


async def converse(player: Player, *, lines: int, every: float) -> None:
    """Type numbered lines and check that every answer arrives soon, in order, once."""
    for number in range(lines):
        await player.type(f"line {number}")
        assert await player.sees(f"you said line {number}\n", within=2) == f"you said line {number}\n"
        await trio.sleep(every)


# How it ends

OWN_ENDINGS = {
    peers.leaves_at_once: Cause.EOF,
    peers.resets_at_once: Cause.RESET,
    peers.half_closes: Cause.EOF,
    peers.resets_while_written_to: Cause.RESET,
    peers.talks_through_the_farewell: Cause.ASKED,
    peers.says_nothing: Cause.LOGIN_DEADLINE,
    peers.never_reads: Cause.WRITE_STALL,
    peers.reads_a_byte_a_second: Cause.WRITE_STALL,
    peers.drips: Cause.LOGIN_DEADLINE,
    peers.types_a_line_and_drips: None,
    peers.sends_byte_by_byte: Cause.ASKED,
    peers.floods: None,  # it gets its lines in its turn
    peers.never_ends_a_subnegotiation: Cause.PROTOCOL,
    peers.negotiates_for_ever: Cause.PROTOCOL,
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("peer", OWN_ENDINGS, ids=lambda peer: peer.__name__)
async def test_it_comes_to_the_end_it_deserves_and_to_no_other(mud: OpenMud, peer: Peer) -> None:
    street, cause = Street(), OWN_ENDINGS[peer]
    async with mud(street.hooks) as place:
        place.nursery.start_soon(peer, place.connect(capacity=512).client)
        await trio.sleep(100)
        (connection,) = street.connections()
        assert street.ending_of(connection) == (cause and (cause.reason, cause))


# What it costs


@pytest.mark.unmeasured
@every_peer
async def test_it_costs_an_honest_player_nothing(mud: OpenMud, peer: Peer) -> None:
    street = Street()
    async with mud(street.hooks) as place:
        ann = await place.player()
        bad = place.connect()
        place.nursery.start_soon(peer, bad.client)
        bob = await place.player()
        async with trio.open_nursery() as nursery:
            for player, pause in ((ann, 3), (bob, 2.9)):
                nursery.start_soon(partial(converse, player, lines=25, every=pause))
        honest = [connection for connection in place.server.connections if connection.address != bad.server.address]
        assert len(honest) == 2
    for connection in honest:
        assert street.ending_of(connection) == (Reason.QUIT, Cause.SHUTDOWN)
        assert street.story_of(connection) == ["Connect", *["Input"] * 25, "Disconnect"]


@pytest.mark.slow
@every_peer
async def test_a_crowd_of_it_costs_an_honest_player_nothing(mud: OpenMud, peer: Peer) -> None:
    street = Street()
    async with mud(street.hooks) as place:
        ann = await place.player()
        for _ in range(8):
            place.nursery.start_soon(peer, place.connect(capacity=512).client)
        await converse(ann, lines=5, every=1)


@pytest.mark.unmeasured
@every_peer
@pytest.mark.parametrize("door_takes", [0.05, 60], ids=["slow door", "door stuck"])
async def test_it_gets_one_connect_and_one_disconnect_however_slow_the_door(
    mud: OpenMud, peer: Peer, door_takes: float
) -> None:
    street = Street(door_takes=door_takes)
    async with mud(street.hooks, limits=Limits(shutdown_timeout=0.5), allow_errors=True) as place:
        for capacity in (64 * 1024, 512):
            place.nursery.start_soon(peer, place.connect(capacity=capacity).client)
        await trio.sleep(8)
    assert len(street.connections()) == 2
    for connection in street.connections():
        story = street.story_of(connection)
        assert (story[0], story[-1]) == ("Connect", "Disconnect")
        assert set(story[1:-1]) <= {"Input"}
        ending = street.ending_of(connection)
        assert ending is not None
        was_admitted = door_takes < 5
        assert (ending[0] is not Reason.REFUSED) == was_admitted


@pytest.mark.unmeasured
@every_peer
@pytest.mark.parametrize(
    ("limits", "seconds"), [(Limits(), 60), (Limits(command_rate=None), 1)], ids=["usual limits", "no rate"]
)
async def test_its_connection_takes_bounded_memory(mud: OpenMud, peer: Peer, limits: Limits, seconds: int) -> None:
    street = Street()
    async with mud(street.hooks, limits=limits) as place:
        place.nursery.start_soon(peer, place.connect(capacity=512).client)
        await wait_all_tasks_blocked()
        (connection,) = street.connections()
        weights = [weight(connection)]
        for _ in range(10):
            await trio.sleep(seconds / 10)
            weights.append(weight(connection))
    assert max(weights) <= BOUND


async def test_an_idle_connection_takes_little_memory(mud: OpenMud) -> None:
    street = Street()
    async with mud(street.hooks) as place:
        await place.player(columns=80, rows=24, terminal=("MUDLET", "XTERM", "MTTS 9"))
        (connection,) = street.connections()
        assert weight(connection) <= IDLE_BOUND


def weight(connection: Connection) -> int:
    """Bytes of everything that only this connection holds; the scales of this file."""
    seen: set[int] = set()
    total, to_weigh = 0, [connection, *_slots_of(connection)]
    while to_weigh:
        thing = to_weigh.pop()
        if id(thing) not in seen and not _is_shared(thing):
            seen.add(id(thing))
            total += thing.__sizeof__()
            to_weigh += gc.get_referents(thing)
    return total


SHARED_KINDS = (type, ModuleType, FunctionType, BuiltinFunctionType, MasterServer, Limits, Texts, Option, enum.Enum)
SHARED_ROOMS = (
    "trio.",
    "logging.",
    "trio_mud.transports.",
    "trio_mud.driver.core.dispatcher.",
    "trio_mud.driver.core.context.",
    "trio_mud.driver.core.thread.",
    "trio_mud.driver.core.timers.Timers",
    "trio_mud.driver.link.base.LinkHost",
    "trio_mud.telnet.initial_state.InitialState",
    "trio_mud.telnet.negotiation._Side",  # a state that all negotiations share, with the moves found so far
)


def _slots_of(connection: Connection) -> list[object]:
    """Return the values of a slotted object; the collector does not report values that are None."""
    return [getattr(connection, name, None) for name in Connection.__slots__ if name != "__weakref__"]


def _is_shared(thing: object) -> bool:
    """True if it belongs to the server, the kernel or all connections."""
    kind = type(thing)
    return isinstance(thing, SHARED_KINDS) or f"{kind.__module__}.{kind.__qualname__}".startswith(SHARED_ROOMS)


async def test_the_scales_of_this_file_see_what_waits_in_a_connection(mud: OpenMud) -> None:
    street = Street()
    async with mud(street.hooks) as place:
        ann = await place.player(capacity=16)
        (connection,) = street.connections()
        light = weight(connection)
        ann.stop_reading()
        for _ in range(10):
            connection.write("x" * 10_000)
        await ann.catches_up()
        assert 100_000 <= weight(connection) - light <= 220_000


# Over TCP


async def test_all_of_them_at_once_over_tcp_cost_an_honest_player_nothing() -> None:
    street = Street()
    limits = Limits(
        max_per_address=None, accept_rate_per_address=None, linger_timeout=0.2, quit_timeout=0.2, shutdown_timeout=0.5
    )
    server = MasterServer(street.hooks, limits=limits)
    (listener,) = await open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as outside, trio.open_nursery() as nursery:
        outside.cancel_scope.deadline = trio.current_time() + 10  # whatever goes wrong, it ends
        await nursery.start(server.serve, [listener])
        for peer in peers.EVERY:
            outside.start_soon(visit, peer, listener.address)
        async with await trio.open_tcp_stream(*listener.address) as ann:
            reader = ReadsLines(ann)
            for number in range(50):
                await ann.send_all(b"line %d\r\n" % number)
                assert await reader.line() == b"you said line %d" % number
                await trio.sleep(0.005)
            server.shutdown("Good night.")
            assert await reader.line() == b"Good night."
        await server.closed.wait()
        outside.cancel_scope.cancel()
    assert len(street.connections()) == len(peers.EVERY) + 1
    for connection in street.connections():
        assert street.story_of(connection).count("Disconnect") == 1


async def visit(peer: Peer, address: tuple[str, int]) -> None:
    async with await trio.open_tcp_stream(*address) as stream:
        await peer(stream)
        await trio.sleep_forever()


class ReadsLines:
    """Reads a server's output over TCP, line by line, without its initial offers."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._rest = b""

    async def line(self) -> bytes:
        while b"\r\n" not in self._rest:
            self._rest += await self._stream.receive_some() or b"(closed)\r\n"
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line[line.rfind(b"\xff") + 3 :] if b"\xff" in line else line
