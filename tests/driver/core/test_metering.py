"""A peer that floods the server with telnet commands waits, does not affect other peers, and loses nothing."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
import trio
import trio.testing

from trio_mud import Cause, Connect, GmcpMessage, Input, Limits, Rate, Reason, WindowSize
from trio_mud.driver.core.metering import TOKEN
from trio_mud.driver.link.incoming import SLICE
from trio_mud.telnet import TelnetEngine, TelnetEvent
from trio_mud.telnet.codes import AO, AYT, CHARSET, DO, DONT, EC, GMCP, IAC, MSDP, NAWS, NOP, SB, SE, TTYPE, WILL, WONT
from trio_mud.telnet.lines import FREE_LENGTH, LONG_LINE_COST
from trio_mud.testing import OpenMud

from ..conftest import EventLog, feed, first_connection, link_of, open_house, settled

AGREED3 = b"\xff\xfd\x57\xff\xfa\x57\xff\xf0"
STEP = 0.5  # seconds
SLOW = Limits(protocol_rate=Rate(10, burst=20), command_rate=None, first_input_timeout=None)


def sub(code: int, payload: bytes) -> bytes:
    return bytes((IAC, SB, code)) + payload + bytes((IAC, SE))


def flushed(data: bytes) -> bytes:
    peer = zlib.compressobj(9)
    return peer.compress(data) + peer.flush(zlib.Z_SYNC_FLUSH)


STORMS = {  # the bytes of one, and the tokens that it costs
    "a command": (bytes((IAC, NOP)), 1),
    "an editing command": (bytes((IAC, EC)), 1),
    "abort output": (bytes((IAC, AO)), 1),
    "are you there": (bytes((IAC, AYT)), 1),
    "a negotiation": (bytes((IAC, WONT, 99)), 1),
    "an erasing key": (b"\x08", 1),
    "a window's size": (bytes((IAC, WILL, NAWS)) + sub(NAWS, b"\0P\0\x18"), 2 + 4 / 256),
    "a payload of an unknown option": (sub(99, b"x" * 507), 4),
}


async def taken_at(witness: EventLog, story: str, *, within: float = 300) -> float:
    """When the witness saw this; in steps of time that a pause cannot hide between."""
    with trio.fail_after(within):
        while story not in witness.story():  # noqa: ASYNC110 - what is waited for has no event
            await trio.sleep(STEP)
    return trio.current_time()


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of everything that any engine was given to parse."""
    sizes: list[int] = []

    class Counting(TelnetEngine):
        __slots__ = ()

        def receive(self, data: bytes) -> list[TelnetEvent]:
            sizes.append(len(data))
            return super().receive(data)

    monkeypatch.setattr("trio_mud.driver.server.server.TelnetEngine", Counting)
    return sizes


# A storm


@pytest.mark.parametrize(("unit", "tokens"), STORMS.values(), ids=STORMS)
async def test_no_storm_is_parsed_faster_than_its_budget_and_the_line_behind_it_is_handled(
    autojump_clock: trio.testing.MockClock, talkers: EventLog, parsed: list[int], unit: bytes, tokens: float
) -> None:
    count = int(1000 / tokens)
    async with open_house(talkers.hooks, limits=SLOW) as house:
        wire = await house.connect()
        began = trio.current_time()
        wire.say(b"hello\n" + unit * count + b"look\n")
        await settled()
        assert talkers.story()[-1] == "guest-1: hello"
        assert sum(parsed) <= max(SLICE, 20 / tokens * len(unit) + SLICE)
        assert link_of(first_connection(house.server))._incoming.is_full
        took = await taken_at(talkers, "guest-1: look") - began
        # A slice may go below zero, and a pause is no shorter than a quarter of a second.
        slack = (SLICE / len(unit) + 1) * tokens + 10
        assert count * tokens - 20 - slack <= took * 10 <= count * tokens - 20 + slack


async def test_a_paused_peer_is_read_no_further_than_one_read(
    autojump_clock: trio.testing.MockClock, parsed: list[int], witness: EventLog
) -> None:
    async with open_house(witness.hooks, limits=SLOW) as house:
        wire = await house.connect()
        for _ in range(50):
            wire.say(bytes((IAC, NOP)) * 200)
        await settled()
        assert parsed == [400]
        await trio.sleep(30)
        assert sum(parsed) == 800


async def test_a_burst_is_parsed_a_slice_a_turn_so_that_others_come_between(
    autojump_clock: trio.testing.MockClock, witness: EventLog, parsed: list[int]
) -> None:
    async with open_house(witness.hooks) as house:
        await house.connect()
        connection = first_connection(house.server)
        assert not feed(connection, bytes((IAC, NOP)) * 450 + b"look\n")
        assert parsed == [SLICE]
        await settled()
        assert parsed == [SLICE, 905 - SLICE]
        assert witness.story()[-1] == "guest-1: look"


async def test_lines_among_a_storm_are_handled_in_order_and_none_is_lost(mud: OpenMud, witness: EventLog) -> None:
    storm = bytes((IAC, NOP)) * 500
    async with mud(witness.hooks, limits=SLOW) as place:
        player = await place.player()
        for number in range(8):
            await player.send(b"line %d\n" % number + storm + b"li")
            await player.send(b"ne %d too\n" % number)
        await taken_at(witness, "guest-1: line 7 too", within=1000)
    lines = [f"guest-1: line {number}{more}" for number in range(8) for more in ("", " too")]
    assert witness.story()[2:-1] == lines


async def test_a_typist_beside_storms_is_answered_in_the_same_moment(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks, limits=SLOW) as place:
        typist = await place.player()
        for unit, _ in STORMS.values():
            stormer = await place.player()
            await stormer.send(unit * (4096 // len(unit)))
        began = trio.current_time()
        for number in range(20):
            await typist.type(f"look {number}")
            await typist.sees(f"you said look {number}\n")
        assert trio.current_time() == began


async def test_a_storm_behind_typed_lines_waits_until_the_budget_allows_too(mud: OpenMud, witness: EventLog) -> None:
    """The dispatcher parses what did not fit, when it takes a line."""
    limits = Limits(protocol_rate=Rate(10, burst=20), command_rate=None, max_typeahead=2, first_input_timeout=None)
    async with mud(witness.hooks, limits=limits) as place:
        player = await place.player()
        began = trio.current_time()
        await player.send(b"one\n" * 200 + bytes((IAC, NOP)) * 1000 + b"two\n")
        await settled()
        assert witness.story().count("guest-1: one") == 200
        assert "guest-1: two" not in witness.story()
        assert await taken_at(witness, "guest-1: two") - began > 60


async def test_a_compressed_storm_waits_as_a_plain_one_does(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=SLOW) as place:
        player = await place.player()
        began = trio.current_time()
        await player.send(AGREED3 + flushed(b"one\n" + bytes((IAC, NOP)) * 1000 + b"two\n"))
        await settled()
        assert "guest-1: two" not in witness.story()
        assert 70 <= await taken_at(witness, "guest-1: two") - began <= 100
        assert "guest-1: one" in witness.story()


async def test_a_compressed_stream_of_nothing_waits_too(
    autojump_clock: trio.testing.MockClock, witness: EventLog, parsed: list[int]
) -> None:
    async with open_house(witness.hooks, limits=SLOW) as house:
        wire = await house.connect()
        peer = zlib.compressobj()
        wire.say(AGREED3 + peer.flush(zlib.Z_SYNC_FLUSH))
        for _ in range(50):
            wire.say(peer.flush(zlib.Z_FULL_FLUSH) * 800)
        await settled()
        assert sum(parsed) < 20_000


async def test_a_line_without_end_is_read_slowly(
    autojump_clock: trio.testing.MockClock, witness: EventLog, parsed: list[int]
) -> None:
    async with open_house(witness.hooks, limits=SLOW) as house:
        wire = await house.connect()
        for _ in range(50):
            wire.say(b"x" * 4096)
        await settled()
        assert sum(parsed) <= 4096 + 20 * 256 + SLICE


DRIPS = {
    "a line without end": b"x" * 1000,
    "lines": b"look around and around\n" * 40,
    "a payload": bytes((IAC, SB, 99)) + b"x" * 1000,
    "commands": bytes((IAC, NOP)) * 100,
}


@pytest.mark.parametrize("data", DRIPS.values(), ids=DRIPS)
async def test_bytes_one_at_a_time_are_read_four_times_a_second_past_the_budget(
    autojump_clock: trio.testing.MockClock, witness: EventLog, parsed: list[int], data: bytes
) -> None:
    """Bytes that collect in a pause, here as in a kernel, are read at once."""
    limits = Limits(protocol_rate=Rate(200, burst=100), command_rate=None)
    async with open_house(witness.hooks, limits=limits) as house:
        await house.connect()
        connection = first_connection(house.server)
        gathered = bytearray()
        for byte in data:
            gathered.append(byte)
            if not link_of(connection)._incoming.is_full:
                feed(connection, bytes(gathered))
                gathered.clear()
            await trio.sleep(0.005)
        assert len(parsed) <= 100 / 3 + 4 * trio.current_time() + data.count(b"\n")
        await trio.sleep(30)
        assert sum(parsed) + len(gathered) == len(data)
        assert not link_of(connection)._incoming.is_full


async def test_long_lines_are_read_no_faster_than_the_budget_and_none_is_lost(
    autojump_clock: trio.testing.MockClock, witness: EventLog
) -> None:
    lines = [f"{number} {'x' * 4000}" for number in range(20)]
    async with open_house(witness.hooks, limits=Limits(command_rate=None)) as house:
        wire = await house.connect()
        for line in lines:
            wire.say(f"{line}\n".encode())
        tokens = len(lines) * (4000 - FREE_LENGTH) * LONG_LINE_COST / TOKEN
        took = await taken_at(witness, f"guest-1: {lines[-1]}")
        assert took >= (tokens - 500) / 200 - 1
        assert [event.line for event in witness.events if isinstance(event, Input)] == lines


# Who is not held up


@pytest.mark.parametrize("keys", [b"north", b"nn\x7fort\x08th"], ids=["letters", "letters and erasing keys"])
async def test_a_client_that_sends_each_key_by_itself_is_never_held_up(
    autojump_clock: trio.testing.MockClock, witness: EventLog, keys: bytes
) -> None:
    """A person types fewer than 30 a second; a key held down repeats 40 times."""
    async with open_house(witness.hooks) as house:
        wire = await house.connect()
        connection = first_connection(house.server)
        for number in range(200):
            for key in keys * 2 + b"\r":
                wire.say(bytes((key,)))
                await trio.sleep(1 / 40)
                assert not link_of(connection)._incoming.is_full
            assert witness.story().count(witness.story()[-1]) == number + 1


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_what_clients_send_at_login_is_not_held_up(mud: OpenMud, witness: EventLog) -> None:
    """All that a client could sensibly answer, twice, with names, sizes, hellos and packages."""
    answers = bytes((IAC, WILL, TTYPE, IAC, WILL, NAWS, IAC, DO, GMCP, IAC, DO, MSDP, IAC, WILL, CHARSET)) * 2
    refusals = b"".join(bytes((IAC, verb, code)) for verb in (WONT, DONT) for code in range(40, 60))
    payloads = sub(NAWS, b"\0P\0\x18") * 10 + sub(GMCP, b'Core.Hello {"client":"Mudlet","version":"4.20"}')
    packages = sub(GMCP, b"Core.Supports.Set [" + b",".join(b'"Package%d 1"' % each for each in range(60)) + b"]")
    async with mud(witness.hooks) as place:
        player = await place.player()
        began = trio.current_time()
        await player.send((answers + refusals + payloads + packages) * 2 + b"Ann\n")
        await settled()
        assert witness.story()[-1] == "guest-1: Ann"
        assert trio.current_time() == began
        assert not link_of(first_connection(place.server))._incoming.is_full


async def test_a_modern_client_plays_on_without_a_pause(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks) as place:
        names = ("MUDLET", "XTERM-256COLOR", "MTTS 13")
        player = await place.player(columns=100, rows=30, terminal=names, gmcp=("Room", "Comm.Channel"))
        began = trio.current_time()
        for number in range(50):
            await player.type(f"look {number}")
            await player.send(sub(GMCP, b"Core.KeepAlive") + sub(NAWS, b"\0P\0\x18"))
            await player.sees(f"you said look {number}\n")
        assert trio.current_time() == began


async def test_without_a_rate_nothing_waits(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=Limits(protocol_rate=None)) as place:
        player = await place.player()
        await player.send(bytes((IAC, NOP)) * 20_000 + b"look\n")
        await settled()
        assert witness.story()[-1] == "guest-1: look"


@pytest.mark.parametrize(("count", "is_kept"), [(4, False), (19, True)])
async def test_a_meter_is_freed_by_the_first_tick_if_its_bucket_is_full_again(
    autojump_clock: trio.testing.MockClock, talkers: EventLog, count: int, is_kept: bool
) -> None:
    async with open_house(talkers.hooks, limits=SLOW) as house:
        wire = await house.connect()
        await settled()
        wire.say(bytes((IAC, WONT, 99)) * count)  # 10 of them earn their tokens back in a second, when the tick is due
        await settled()
        incoming = link_of(first_connection(house.server))._incoming
        assert incoming._meter is not None
        await trio.sleep(1.5)
        assert (incoming._meter is not None) is is_kept


# Endings in a pause


async def test_every_line_before_an_end_of_file_is_handled_though_a_storm_came_before(
    autojump_clock: trio.testing.MockClock, witness: EventLog
) -> None:
    async with open_house(witness.hooks, limits=SLOW) as house:
        wire = await house.connect()
        wire.say(b"one\n" + bytes((IAC, NOP)) * 2000 + b"two\n")
        wire.say(b"")
        await taken_at(witness, "guest-1 linkdeath: end of file")
        assert witness.story()[2:] == ["guest-1: one", "guest-1: two", "guest-1 linkdeath: end of file"]
        assert len(house.server._context.timers) == 0


async def test_every_line_before_a_reset_is_handled_at_once_though_a_storm_came_before(
    autojump_clock: trio.testing.MockClock, witness: EventLog
) -> None:
    async with open_house(witness.hooks, limits=SLOW) as house:
        wire = await house.connect()
        wire.say(b"one\n" + bytes((IAC, NOP)) * 2000 + b"two\n")
        await settled()
        first_connection(house.server)._lifecycle.lose_link(Cause.RESET)
        await settled()
        assert witness.story()[2:] == ["guest-1: one", "guest-1: two", "guest-1 linkdeath: reset"]
        assert len(house.server._context.timers) == 0


@pytest.mark.parametrize("pack", [bytes, lambda data: AGREED3 + flushed(data)], ids=["plain", "compressed"])
async def test_a_quit_in_a_pause_ends_at_once_and_leaves_no_deadline(
    mud: OpenMud, witness: EventLog, pack: Callable[[bytes], bytes]
) -> None:
    async with mud(witness.hooks, limits=SLOW) as place:
        player = await place.player()
        await player.send(pack(b"one\n" + bytes((IAC, NOP)) * 2000 + b"two\n"))
        await settled()
        began = trio.current_time()
        first_connection(place.server).quit("Out!")
        await player.sees("Out!")
        await player.sees_the_end()
        assert trio.current_time() == began
        await settled()
        assert len(place.server._context.timers) == 0
    assert witness.story()[2:] == ["guest-1: one", "guest-1 quit: asked"]


async def test_a_compressed_storm_behind_a_dead_link_gets_one_more_burst_and_is_dropped(
    autojump_clock: trio.testing.MockClock, witness: EventLog, parsed: list[int]
) -> None:
    async with open_house(witness.hooks, limits=SLOW) as house:
        wire = await house.connect()
        wire.say(AGREED3 + flushed(b"one\n" + bytes((IAC, NOP)) * 100_000))
        await settled()
        first_connection(house.server)._lifecycle.lose_link(Cause.RESET)
        await settled()
        assert witness.story()[2:] == ["guest-1: one", "guest-1 linkdeath: reset"]
        assert len(parsed) <= 6
        assert len(house.server._context.timers) == 0


async def test_a_storm_does_not_keep_a_shutdown_waiting(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=SLOW) as place:
        player = await place.player()
        await player.send(bytes((IAC, NOP)) * 2000 + b"two\n")
        await settled()
        began = trio.current_time()
    assert trio.current_time() - began < 3
    assert witness.last_ending.reason is Reason.QUIT


# What many mean


async def test_of_many_sizes_of_a_dragged_window_the_last_one_is_told(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks) as place:
        player = await place.player()
        sizes = b"".join(sub(NAWS, bytes((0, columns, 0, 24))) for columns in range(40, 90))
        await player.send(bytes((IAC, WILL, NAWS)) + sizes)
        await settled()
        assert [event.columns for event in witness.events if isinstance(event, WindowSize)] == [89]
        assert first_connection(place.server).client.size == (89, 24)


async def test_messages_in_a_storm_are_handled_in_turn_with_the_lines(mud: OpenMud, witness: EventLog) -> None:
    told: list[object] = []
    witness.hooks.on(GmcpMessage)(lambda event: told.append(event.data))
    witness.hooks.on(Input)(lambda event: told.append(event.line))
    limits = Limits(protocol_rate=Rate(10, burst=20), command_rate=None, max_typeahead=4, first_input_timeout=None)
    async with mud(witness.hooks, limits=limits) as place:
        player = await place.player(gmcp=("A",))
        for number in range(100):
            await player.send(sub(GMCP, b"A %d" % number) + b"line %d\n" % number)
        await trio.sleep(30)
    assert told == [each for number in range(100) for each in (number, f"line {number}")]


async def test_a_storm_at_the_door_waits_for_the_verdict(mud: OpenMud, witness: EventLog, parsed: list[int]) -> None:
    @witness.hooks.on(Connect)
    async def think(event: Connect) -> None:
        await trio.sleep(3)

    async with mud(witness.hooks, limits=SLOW) as place:
        pipe = place.connect()
        await pipe.client.send_all(bytes((IAC, NOP)) * 100 + b"look\n")
        await settled()
        assert not parsed
        assert await taken_at(witness, "guest-1: look") >= 3
