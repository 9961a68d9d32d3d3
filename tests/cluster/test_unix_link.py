"""The cluster link over a Unix socket, on streams in memory and in virtual time; and its sockets."""

from __future__ import annotations

import math
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from trio_mud.cluster import frames, unix_link
from trio_mud.cluster.ends import Commit, Fenced, Forgotten, LinkUnavailable
from trio_mud.cluster.unix_channel import (
    FROM_GATEWAY,
    FROM_WORLD,
    BadPeer,
    CommitSent,
    FromWorld,
    GatewayGreeting,
    MessageStream,
    PeerProgram,
    StillAlive,
    TurnGranted,
    TurnOver,
    TurnRefused,
    TurnWanted,
)
from trio_mud.cluster.unix_link import GREETING_TIMEOUT, LOADING, RETURN_TIMEOUT, UnixGatewayEnd, UnixWorldEnd
from trio_mud.driver.core.guard import unwrap_single
from trio_mud.program.links import _PathListener
from trio_mud.testing.threads import settle
from trio_mud.transports import unix


class Place(trio.abc.Listener[trio.abc.Stream]):
    """Where a gateway listens: connects worlds to it in memory."""

    def __init__(self) -> None:
        self._put, self._get = trio.open_memory_channel[trio.abc.Stream](math.inf)
        self.streams: list[trio.abc.Stream] = []
        self.is_open = False

    async def accept(self) -> trio.abc.Stream:
        self.is_open = True
        return await self._get.receive()

    async def aclose(self) -> None:
        self.is_open = False
        await trio.lowlevel.checkpoint()

    async def connect(self) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if not self.is_open:
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = memory_stream_pair()
        self.streams += (ours, theirs)
        self._put.send_nowait(theirs)
        return ours


class Gateway:
    """A gateway's end, and what it has received."""

    def __init__(self, place: Place, incarnation: int = 1, epoch: float = 0.001) -> None:
        self.end = UnixGatewayEnd(place, "g", incarnation=incarnation, lease=4.0, wall_clock=lambda: epoch)
        self.received: list[bytes] = []
        self.scope = trio.CancelScope()

    async def run(self) -> None:
        with self.scope:
            await self.end.run(self.received.append)


class World:
    """A world's end, and what it has received."""

    def __init__(self, place: Place, *, waits: bool = False, goes_first: bool = False) -> None:
        self.asked: list[str] = []
        self.end = UnixWorldEnd(
            place.connect,
            "/run/inn.link",
            waits=waits,
            goes_first=goes_first,
            asked=lambda: self.asked.append("for its turn"),
        )
        self.received: list[bytes] = []
        self.lost: list[str] = []
        self.left: Mapping[bytes, bytes] = {}
        self.failed: BaseException | None = None
        self.scope = trio.CancelScope()
        self._number = 0

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with self.scope:
            try:
                self.left = await self.end.claim()
                task_status.started()
                await self.end.run(self.received.extend, self.lost.append)
            except BaseException as error:
                self.failed = unwrap_single(error)
                if not isinstance(self.failed, Exception):
                    raise
            finally:
                if self.end._channel is not None:
                    await self.end._channel.aclose()

    async def commit(self, *frames: bytes, **held: bytes | None) -> None:
        self._number += 1
        left = {key.encode(): value for key, value in held.items()}
        await self.end.commit(Commit(self._number, {"g": frames}, left))

    async def fail_to_commit(self, frame: bytes) -> None:
        with pytest.raises(Forgotten):
            await self.commit(frame)


@asynccontextmanager
async def joined() -> AsyncGenerator[tuple[Place, trio.Nursery]]:
    place = Place()
    async with trio.open_nursery() as nursery:
        yield place, nursery
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            for stream in place.streams:
                await trio.aclose_forcefully(stream)


async def start_both(nursery: trio.Nursery, place: Place) -> tuple[Gateway, World]:
    gateway, world = Gateway(place), World(place)
    nursery.start_soon(gateway.run)
    await settle()
    await nursery.start(world.serve)
    return gateway, world


async def test_frames_go_up_and_commits_come_down_in_order(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        gateway, world = await start_both(nursery, place)
        assert await world.end.gateways() == ["g"]
        for number in range(3):
            await gateway.end.send([b"%d" % number, b"and"])
            await world.commit(b"down %d" % number, b"more")
        await settle()
        assert world.received == [b"0", b"and", b"1", b"and", b"2", b"and"]
        assert gateway.received == [b"down 0", b"more", b"down 1", b"more", b"down 2", b"more"]


async def test_a_commit_returns_once_the_gateway_has_it(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        gateway, world = await start_both(nursery, place)
        await world.commit(b"x")
        assert gateway.received == [b"x"]


async def test_a_world_without_a_gateway_fails_with_the_path_and_the_remedy(autojump_clock: MockClock) -> None:
    world = World(Place())
    with pytest.raises(
        LinkUnavailable, match=r"^no gateway answers at /run/inn\.link: .*; start it by trio-mud gateway$"
    ):
        await world.end.claim()


async def test_a_world_that_is_started_with_its_gateway_waits_for_it(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        world = World(place)
        world.end = UnixWorldEnd(place.connect, "/run/inn.link", awaits_gateway=True)
        nursery.start_soon(world.serve)
        await trio.sleep(60)
        assert (world.end.epoch, world.failed) == (0, None)
        gateway = Gateway(place)
        nursery.start_soon(gateway.run)
        await trio.sleep(0.1)
        assert world.end.epoch == gateway.end.epoch > 0


async def test_a_second_world_that_does_not_wait_is_refused(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        await start_both(nursery, place)
        with pytest.raises(LinkUnavailable, match=r"another world serves at /run/inn\.link: .* --standby") as caught:
            await World(place).end.claim()
        assert caught.value.status == LinkUnavailable.MAY_WORK_LATER


async def test_a_waiting_world_serves_when_the_connection_of_the_first_ends(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        gateway, first = await start_both(nursery, place)
        second, third = World(place, waits=True), World(place, waits=True)
        nursery.start_soon(second.serve)
        await settle()
        nursery.start_soon(third.serve)
        await trio.sleep(60)
        assert second.end.epoch == third.end.epoch == 0
        began = trio.current_time()
        first.scope.cancel()
        await settle()
        assert second.end.epoch > first.end.epoch
        assert third.end.epoch == 0
        assert trio.current_time() == began
        await second.commit(b"by the second")
        assert gateway.received == [b"by the second"]


async def test_a_world_that_releases_is_followed_at_once(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        _, first = await start_both(nursery, place)
        second = World(place, waits=True)
        nursery.start_soon(second.serve)
        await settle()
        await first.end.release()
        await settle()
        assert second.end.epoch > first.end.epoch


async def test_the_new_world_of_a_hand_over_goes_before_a_spare_which_follows_it(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        gateway, first = await start_both(nursery, place)
        spare, successor = World(place, waits=True), World(place, waits=True, goes_first=True)
        for world in (spare, successor):
            nursery.start_soon(world.serve)
            await settle()
            assert world.asked == ["for its turn"]
        assert (gateway.end.has_world, gateway.end.spares) == (True, 2)
        await first.end.release()
        await settle()
        assert (gateway.end.has_world, gateway.end.spares) == (True, 1)
        assert (spare.end.epoch, successor.end.epoch > 0) == (0, True)
        successor.scope.cancel()  # as if it had failed to start
        await settle()
        assert spare.end.epoch > successor.end.epoch


async def test_what_the_commits_of_a_world_leave_is_held_for_the_next_one(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        _, first = await start_both(nursery, place)
        second = World(place, waits=True)
        nursery.start_soon(second.serve)
        await first.commit(a=b"1", b=b"2")
        await first.commit(a=None, b=b"3", c=b"4")
        first.scope.cancel()
        await settle()
        assert (first.left, second.left) == ({}, {b"b": b"3", b"c": b"4"})


async def test_a_silent_world_is_fenced_after_the_lease_if_another_one_waits(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        gateway, silent = Gateway(place), World(place)
        nursery.start_soon(gateway.run)
        await settle()
        await silent.end.claim()  # and gives no sign of life
        await trio.sleep(LOADING + 60)
        second = World(place, waits=True)
        await nursery.start(second.serve)
        with pytest.raises(Fenced):
            await silent.end.run(silent.received.extend, silent.lost.append)
        with pytest.raises(Fenced):
            await silent.commit(b"too late")
        assert gateway.received == []


async def test_a_world_that_gives_signs_of_life_is_never_fenced(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        _, world = await start_both(nursery, place)
        second = World(place, waits=True)
        nursery.start_soon(second.serve)
        await trio.sleep(1000)
        assert second.end.epoch == 0
        assert world.failed is None


async def test_a_commit_that_was_under_way_when_the_world_was_fenced_is_not_delivered(
    autojump_clock: MockClock,
) -> None:
    async with joined() as (place, nursery):
        gateway, first = await start_both(nursery, place)
        second = World(place, waits=True)
        nursery.start_soon(second.serve)
        await settle()
        assert gateway.end._world is not None
        gateway.end._end_turn(gateway.end._world)
        await settle()
        with pytest.raises(Fenced):
            await first.commit(b"late")
        await settle()
        assert gateway.received == []
        assert isinstance(first.failed, Fenced)


async def test_a_world_goes_on_at_the_next_gateway_with_its_epoch_and_has_lost_the_first(
    autojump_clock: MockClock,
) -> None:
    async with joined() as (place, nursery):
        gateway, world = await start_both(nursery, place)
        spare = World(place, waits=True)
        nursery.start_soon(spare.serve)
        await settle()
        epoch = world.end.epoch
        gateway.scope.cancel()
        await settle()
        assert world.lost == []
        nursery.start_soon(world.fail_to_commit, b"for the first gateway")
        await trio.sleep(1)
        following = Gateway(place, incarnation=2)
        nursery.start_soon(following.run)
        await trio.sleep(2 * RETURN_TIMEOUT)
        assert world.lost == ["g"]
        assert (world.end.epoch, spare.end.epoch) == (epoch + 1, 0)
        (announced,) = world.received
        assert frames.decode_up(announced).incarnation == 2
        assert following.received == []
        with pytest.raises(Forgotten):
            await world.commit(b"still for the first")
        assert await world.end.claim() == {}
        await world.commit(b"for the second")
        assert following.received == [b"for the second"]


async def test_a_spare_serves_at_a_new_gateway_if_the_world_does_not_come_back(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        nursery.start_soon(Gateway(place).run)
        await settle()
        spare, began = World(place, waits=True), trio.current_time()
        await nursery.start(spare.serve)
        assert trio.current_time() == began + RETURN_TIMEOUT


async def test_a_commit_is_delivered_once_if_only_the_connection_ends(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        gateway, world = await start_both(nursery, place)
        await world.commit(b"1")
        assert gateway.end._world is not None
        await gateway.end._world.channel.aclose()
        await world.commit(b"2")
        await world.commit(b"3")
        assert gateway.received == [b"1", b"2", b"3"]
        assert world.lost == ["g"]


async def test_an_epoch_is_greater_than_those_of_an_earlier_gateway(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        nursery.start_soon(Gateway(place, epoch=5000).run)
        await settle()
        world = World(place)
        await nursery.start(world.serve)
        assert world.end.epoch == 5_000_000


@pytest.mark.parametrize("distance", [-2, 2])
async def test_a_world_two_versions_apart_is_refused(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, distance: int
) -> None:
    async with joined() as (place, nursery):
        nursery.start_soon(Gateway(place).run)
        await settle()
        channel = MessageStream(await place.connect(), FROM_GATEWAY)
        await channel.send(TurnWanted(frames.VERSION + distance, 0, False))
        assert isinstance(await channel.receive(), GatewayGreeting)
        assert await channel.receive() == TurnRefused("version")
        assert f"a world of version {frames.VERSION + distance} is refused: this gateway has version" in caplog.text


@pytest.mark.parametrize("distance", [-2, 2])
async def test_a_gateway_two_versions_apart_is_refused_with_both_versions_named(
    autojump_clock: MockClock, distance: int
) -> None:
    version = frames.VERSION + distance
    async with joined() as (place, nursery):
        place.is_open = True
        nursery.start_soon(greet, place, GatewayGreeting(version, "g", 1))
        with pytest.raises(
            LinkUnavailable, match=f"speaks version {version}, and this world {frames.VERSION}"
        ) as caught:
            await World(place).end.claim()
        assert caught.value.status == LinkUnavailable.NEEDS_CHANGE


@pytest.mark.parametrize("distance", [-1, 1])
async def test_neighbouring_versions_work_together(autojump_clock: MockClock, distance: int) -> None:
    async with joined() as (place, nursery):
        nursery.start_soon(Gateway(place).run)
        await settle()
        channel = MessageStream(await place.connect(), FROM_GATEWAY)
        await channel.send(TurnWanted(frames.VERSION + distance, 0, False))
        await channel.receive()
        assert isinstance(await channel.receive(), TurnGranted)


async def greet(place: Place, greeting: GatewayGreeting) -> None:
    channel = MessageStream(await place.accept(), FROM_WORLD)
    await channel.send(greeting)
    await trio.sleep_forever()


@pytest.mark.parametrize(
    "sent",
    [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", b"\0\0\0\2\x91\x63", b"GET / HTTP/1.1\r\n", b"\0\0\0\1\x90" * 2],
)
async def test_a_peer_that_sends_no_message_is_closed_and_the_world_serves_on(
    autojump_clock: MockClock, sent: bytes
) -> None:
    async with joined() as (place, nursery):
        gateway, world = await start_both(nursery, place)
        stranger = await place.connect()
        await stranger.send_all(sent)
        while await stranger.receive_some():
            pass
        await world.commit(b"x")
        assert gateway.received == [b"x"]


async def test_a_gateway_that_sends_no_message_is_left_and_joined_again(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with joined() as (place, nursery):
        gateway, world = await start_both(nursery, place)
        await place.streams[1].send_all(b"\0\0\0\1\xc1")
        await trio.sleep(1)
        await world.commit(b"down")
        await gateway.end.send([b"up"])
        await settle()
        assert world.failed is None
        assert gateway.received == [b"down"]
        assert world.received[-1] == b"up"
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the connection to the gateway is ended, and tried again"
    ]


@pytest.mark.parametrize("waits", [True, False])
async def test_a_peer_that_does_not_serve_and_sends_pieces_without_end_is_closed(
    autojump_clock: MockClock, waits: bool
) -> None:
    async with joined() as (place, nursery):
        await start_both(nursery, place)
        stream = await place.connect()
        channel = MessageStream(stream, FROM_GATEWAY)
        await channel.receive()
        if waits:
            await channel.send(TurnWanted(frames.VERSION, 0, True))
        await stream.send_all((1024 | 1 << 31).to_bytes(4, "big") + bytes(1024))
        await settle()
        with pytest.raises(trio.BrokenResourceError):  # noqa: PT012 - with one of them
            for _ in range(8):
                await stream.send_all((1024 | 1 << 31).to_bytes(4, "big") + bytes(1024))
                await settle()


async def test_a_message_is_bounded_in_all_its_pieces(autojump_clock: MockClock) -> None:
    left, right = memory_stream_pair()
    channel = MessageStream(right, FROM_WORLD, largest=2048)
    await left.send_all(3 * ((1024 | 1 << 31).to_bytes(4, "big") + bytes(1024)))
    with pytest.raises(BadPeer, match="2048"):
        await channel.receive()


async def test_a_peer_that_says_nothing_is_closed(autojump_clock: MockClock) -> None:
    async with joined() as (place, nursery):
        await start_both(nursery, place)
        stranger, began = await place.connect(), trio.current_time()
        while await stranger.receive_some():
            pass
        assert trio.current_time() == began + GREETING_TIMEOUT


async def test_messages_are_received_whole_wherever_the_stream_is_split(autojump_clock: MockClock) -> None:
    sent: list[FromWorld] = [
        CommitSent(1, [b"a" * 300, b""], {b"k": None}),
        StillAlive(),
        TurnWanted(1, 2, True),
        TurnOver(),
    ]
    await send_in_two_parts(sent)


async def send_in_two_parts(sent: list[FromWorld]) -> None:
    """Send messages with the stream split at each byte in turn; they are received as they were sent."""
    left, right = memory_stream_pair()
    sender = MessageStream(left, FROM_GATEWAY)
    for message in sent:
        await sender.send(message)
    await left.aclose()
    data = b""
    while received := await right.receive_some():
        data += received
    for cut in range(1, len(data)):
        left, right = memory_stream_pair()
        got: list[FromWorld] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive_all, MessageStream(right, FROM_WORLD), got)
            await left.send_all(data[:cut])
            await settle()
            await left.send_all(data[cut:])
            await left.aclose()
        assert got == sent


async def receive_all(channel: MessageStream[FromWorld], into: list[FromWorld]) -> None:
    while (message := await channel.receive()) is not None:
        into.append(message)


# With true sockets and processes


async def test_the_socket_is_for_this_user_only_and_goes_with_the_gateway(tmp_path: Path) -> None:
    path = tmp_path / "folder/inn.link"
    listener = _PathListener(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await listener.aclose()
    assert not path.exists()


async def test_another_user_joins_neither_as_a_world_nor_as_a_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "inn.link"
    gateway = UnixGatewayEnd(_PathListener(path), "g", incarnation=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gateway.run, lambda frame: None)
        monkeypatch.setattr(os, "geteuid", lambda: -2)
        monkeypatch.setattr(unix, "ROOT", -1)  # the tests may run as root
        stream = await trio.open_unix_socket(path)
        assert await stream.receive_some() == b""
        await stream.aclose()
        with pytest.raises(
            LinkUnavailable, match=r"inn\.link: the other end of the cluster link belongs to another user"
        ):
            await UnixWorldEnd(partial(trio.open_unix_socket, path), str(path)).claim()
        nursery.cancel_scope.cancel()


JOIN = """
import socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(sys.argv[1])
print(flush=True)
link.recv(100)
{then}
"""


@pytest.mark.parametrize(
    ("then", "is_killed"),
    [("link.close(); import time; time.sleep(600)", True), ("pass", False)],
    ids=["one that stays", "one that ends"],
)
async def test_the_next_world_waits_for_the_end_of_the_process_before_which_is_killed_at_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str, is_killed: bool
) -> None:
    monkeypatch.setattr(unix_link, "END_TIMEOUT", 0.05 if is_killed else 60)  # of true seconds
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "link"))
        listening.listen()
        command = [sys.executable, "-I", "-S", "-c", JOIN.format(then=then), str(tmp_path / "link")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: ASYNC220 - nothing else runs
            assert process.stdout is not None
            process.stdout.readline()
            accepted, _ = listening.accept()
            async with trio.SocketStream(trio.socket.from_stdlib_socket(accepted)) as stream:
                peer = PeerProgram.of(stream)
                assert peer is not None
                assert peer.number == process.pid
                await stream.send_all(b"x")
                assert not await stream.receive_some()
                await unix_link._end(peer, lambda: True)
                peer.close()
            assert process.wait() == (-9 if is_killed else 0)


class SlowProgram(PeerProgram):
    """A process that takes its time to end."""

    def __init__(self) -> None:
        self.number = 4711
        self.ended = trio.Event()
        self.was_killed = False

    async def wait(self) -> None:
        await self.ended.wait()

    def kill(self) -> None:
        self.was_killed = True
        self.ended.set()


async def test_a_world_that_shuts_down_may_take_its_time_unless_another_one_waits(autojump_clock: MockClock) -> None:
    program, waiting = SlowProgram(), list[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(unix_link._end, program, lambda: bool(waiting))
        await trio.sleep(60)
        assert not program.was_killed
        waiting.append("spare")
        await trio.sleep(2 * unix_link.END_TIMEOUT)
        assert program.was_killed
