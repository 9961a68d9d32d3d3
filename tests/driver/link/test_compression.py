"""Compressed players get the same service as all others, and their input costs no other player a turn."""

from __future__ import annotations

import zlib

import pytest
import trio
import trio.testing

from trio_mud import Cause, Input, Limits, Reason
from trio_mud.driver.server.hook_host import HookHost
from trio_mud.telnet import Option, Policy
from trio_mud.telnet.client import TakesMccp2
from trio_mud.telnet.codes import MCCP2, MCCP3
from trio_mud.telnet.compression import PIECE, InflationLimits
from trio_mud.telnet.options import DEFAULT_OPTIONS, Mccp3
from trio_mud.testing import OpenMud
from trio_mud.testing.mud import Mud
from trio_mud.testing.player import Player
from trio_mud.testing.terminal import Terminal

from ..conftest import EventLog, engine_of

START2 = b"\xff\xfa\x56\xff\xf0"
INFLATING_ONLY = Limits(protocol_rate=None, first_input_timeout=None)  # only the limits on inflating hold a peer up
AGREED3 = b"\xff\xfd\x57\xff\xfa\x57\xff\xf0"


class LetsInflate(Option):
    """Agrees to MCCP3; the test sends the stream, and the agreement once more in front of it."""

    code = MCCP3
    theirs = Policy.ACCEPT


class InflatingTerminal(Terminal):
    """Agrees to MCCP2, and counts received bytes."""

    def __init__(self) -> None:
        super().__init__(more=[TakesMccp2()])
        self.compressed = 0  # bytes

    def receive(self, data: bytes) -> bytes:
        if self.is_compressed:
            self.compressed += len(data)
        return super().receive(data)


async def player_with(terminal: Terminal, place: Mud) -> Player:
    player = Player(place.connect(), terminal, place.nursery, "compressed player")
    await trio.testing.wait_all_tasks_blocked()
    return player


def lax(ratio: int = 2000, burst: int = 1024 * 1024) -> tuple[Option, ...]:
    """Return the default options, with MCCP3 limited by a rate only."""
    return (
        *(option for option in DEFAULT_OPTIONS if not isinstance(option, Mccp3)),
        Mccp3(InflationLimits(burst=burst, ratio=ratio)),
    )


def flushed(data: bytes) -> bytes:
    peer = zlib.compressobj(9)
    return peer.compress(data) + peer.flush(zlib.Z_SYNC_FLUSH)


def counting_batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list with the number of dispatcher batches so far."""
    count = [0]
    flush = HookHost.flush

    def counted(server: HookHost) -> None:
        count[0] += 1
        flush(server)

    monkeypatch.setattr(HookHost, "flush", counted)
    return count


# What they see


async def test_a_compressed_player_sees_the_same_screen(mud: OpenMud, talkers: EventLog) -> None:
    @talkers.hooks.on(Input, order=1)
    def hide(event: Input) -> None:
        if event.line == "password":
            event.connection.prompt("Which? ")
            event.connection.hide_input(True)
        if event.line == "sesame":
            event.connection.hide_input(False)

    async with mud(talkers.hooks) as place:
        plain, terminal = await place.player(), InflatingTerminal()
        compressed = await player_with(terminal, place)
        for line in ("hello", "né ÿ", "password", "sesame", "x" * 4000, *["north"] * 100, "quit"):
            for player in (plain, compressed):
                await player.type(line)
                await trio.testing.wait_all_tasks_blocked()
        await plain.sees_the_end()
        await compressed.sees_the_end()
    assert plain.screen == compressed.screen
    assert "you said north\nyou said north\n" in compressed.screen
    assert compressed.screen.endswith("Farewell.\n")
    assert 0 < terminal.compressed < len(compressed.screen)


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_compression_may_end_and_begin_anew_in_the_midst_of_a_talk(mud: OpenMud, talkers: EventLog) -> None:
    @talkers.hooks.on(Input, order=1)
    def toggle(event: Input) -> None:
        if event.line == "plain":
            engine_of(event.connection).end_compression()
        if event.line == "compress":
            engine_of(event.connection).enable_ours(MCCP2)

    async with mud(talkers.hooks) as place:
        terminal = InflatingTerminal()
        player = await player_with(terminal, place)
        for line, grows in (("a", True), ("plain", True), ("b", False), ("compress", False), ("c", True)):
            before = terminal.compressed
            await player.type(line)
            await player.sees(f"you said {line}\n")
            await player.catches_up()
            assert (terminal.compressed > before) is grows, line


async def test_a_slow_reader_gets_a_stream_that_is_whole(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks, limits=Limits(command_rate=None)) as place:
        player = Player(place.connect(capacity=64), InflatingTerminal(), place.nursery, "slow player")
        for number in range(200):
            await player.type(f"line {number} {hash(str(number))}")
        for number in range(200):
            await player.sees(f"you said line {number} {hash(str(number))}\n")


# How they are heard


@pytest.mark.parametrize("size", [1, 2, 7, 100, 100_000])
async def test_lines_arrive_in_order_however_their_stream_is_cut(mud: OpenMud, witness: EventLog, size: int) -> None:
    lines = [f"say {number}" for number in range(300)]
    typed = b"before\r\n" + AGREED3 + zlib.compress("".join(f"{line}\r\n" for line in lines).encode()) + b"after\r\n"
    async with mud(witness.hooks, limits=Limits(command_rate=None, protocol_rate=None)) as place:
        player = await place.player(options=[LetsInflate()])
        for at in range(0, len(typed), size):
            await player.send(typed[at : at + size])
        await trio.testing.wait_all_tasks_blocked()
    assert [event.line for event in witness.events if isinstance(event, Input)] == ["before", *lines, "after"]


async def test_what_is_asked_inside_a_stream_is_answered_though_the_game_writes_nothing(
    mud: OpenMud, witness: EventLog
) -> None:
    async with mud(witness.hooks) as place:
        pipe = place.connect()
        await pipe.client.send_all(AGREED3 + flushed(b" " * 10 * PIECE + b"\xff\xfd\x06"))
        heard = b""
        with trio.fail_after(1):
            while not heard.endswith(b"\xff\xfb\x06"):
                heard += await pipe.client.receive_some()


async def test_compressed_lines_before_the_end_of_file_are_served(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks, limits=Limits(command_rate=None)) as place:
        player = await place.player(options=[LetsInflate()])
        await player.send(AGREED3 + zlib.compress(b"".join(b"say %d\r\n" % number for number in range(500))))
        await player.finish_typing()
        assert "you said say 499\n" in await player.sees_the_end()
    assert talkers.last_ending.cause is Cause.EOF


async def test_compressed_lines_outlive_the_link(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=Limits(command_rate=None)) as place:
        player = await place.player(options=[LetsInflate()])
        await player.send(AGREED3 + zlib.compress(b"".join(b"say %d\r\n" % number for number in range(500))))
        await trio.testing.wait_all_tasks_blocked()
        await player.vanish()
    assert len([event for event in witness.events if isinstance(event, Input)]) == 500
    assert [event.reason for event in witness.disconnects()] == [Reason.LINKDEATH]


# What they may not


@pytest.mark.parametrize(
    "data",
    [b"look\r\n", flushed(b"\0" * 1_000_000), flushed(b"\xff\xf1" * 450_000), zlib.compress(b"")[:-1] + b"!"],
    ids=["plain", "zeros", "commands", "checksum"],
)
async def test_a_stream_that_cannot_be_read_ends_the_connection(mud: OpenMud, witness: EventLog, data: bytes) -> None:
    async with mud(witness.hooks, limits=INFLATING_ONLY) as place:
        player = await place.player(options=[LetsInflate()])
        await player.send(AGREED3 + data + b"shout\r\n")
        await player.sees(place.server.texts.protocol_abuse)
        await player.sees_the_end()
        assert place.front.counters["compression failed"] == 1
    assert (witness.last_ending.reason, witness.last_ending.cause) == (Reason.QUIT, Cause.PROTOCOL)
    assert not any(isinstance(event, Input) for event in witness.events)


@pytest.mark.unmeasured
@pytest.mark.parametrize("pattern", [b"\0", b"\n", b"\xff\xf1"], ids=["zeros", "newlines", "commands"])
async def test_a_bomb_keeps_nobody_waiting(
    mud: OpenMud, talkers: EventLog, pattern: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = counting_batches(monkeypatch)
    answered: list[int] = []
    async with mud(talkers.hooks, options=lax(burst=256 * 1024)) as place:
        bomber, other = await place.player(options=[LetsInflate()]), await place.player(options=[LetsInflate()])
        await bomber.send(AGREED3 + flushed(pattern * (10_000_000 // len(pattern))))
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        for at in range(5):
            before = batches[0]
            await other.type(f"look {at}")
            await other.sees(f"you said look {at}\n")
            answered.append(batches[0] - before)
        await bomber.vanish()
    assert max(answered) <= 5


@pytest.mark.unmeasured
async def test_what_comes_too_fast_waits_and_is_read_in_time(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks, options=lax(burst=256 * 1024), limits=INFLATING_ONLY) as place:
        player = await place.player(options=[LetsInflate()])
        start = trio.current_time()
        await player.send(AGREED3 + flushed(b"\x15" * 512 * 1024 + b"look\r\n"))
        await player.sees("you said look\n")
        # A burst of 256 KiB at once, and as much a second.
        assert 0.9 <= trio.current_time() - start <= 1.1


async def test_a_pause_is_not_read_through_and_the_peer_is_held_up(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks, options=lax(), limits=INFLATING_ONLY) as place:
        pipe = place.connect(capacity=1024)
        await pipe.client.send_all(AGREED3)
        sent = 0
        with trio.move_on_after(5):
            peer = zlib.compressobj(9)
            while True:
                await pipe.client.send_all(peer.compress(bytes(1024 * 1024)) + peer.flush(zlib.Z_SYNC_FLUSH))
                sent += 1
        assert 1 < sent <= 5


async def test_the_end_of_file_is_read_when_the_pause_is_over(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, options=lax(), limits=INFLATING_ONLY) as place:
        player = await place.player(options=[LetsInflate()])
        await player.send(AGREED3 + flushed(bytes(2 * 1024 * 1024)))
        await player.finish_typing()
        start = trio.current_time()
        await player.sees_the_end()
        assert 3.9 <= trio.current_time() - start <= 4.1
    assert witness.last_ending.cause is Cause.EOF


async def test_whoever_is_sent_away_in_a_pause_goes_at_once(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, options=lax()) as place:
        player = await place.player(options=[LetsInflate()])
        await player.send(AGREED3 + flushed(bytes(50_000_000)))
        await trio.testing.wait_all_tasks_blocked()
        [connection] = place.server.connections
        connection.quit("Out!")
        await player.sees("Out!", within=0.1)
        await player.sees_the_end(within=0.1)
        await trio.testing.wait_all_tasks_blocked()
        assert not place.server.connections
    assert len(witness.disconnects()) == 1
