"""TLS: a peer that does not use it never becomes a connection, and a proper end differs from a cut link."""

from __future__ import annotations

import datetime as dt
import fcntl
import logging
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import termios
import warnings
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.abc
import trio.lowlevel
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_mud import Cause, Connect, Disconnect, Hooks, Input, Limits, MasterServer, Reason
from trio_mud.errors import ConfigurationError
from trio_mud.testing import Pipe, PipeListener
from trio_mud.transports import Transport, tls
from trio_mud.transports.streams import StreamListener, StreamTransport
from trio_mud.transports.tls import Certificate, TlsListener, TlsTransport, open_tls_listeners

from .authority import client_context, issue
from .narrow import Gated, Narrow

LONG = "All work and no play makes Jack a dull boy. " * 2000  # 88 kB: several records, more than a pipe holds


class TlsServer:
    """A server that echoes, with a listener for pipes, and the events of its hooks."""

    def __init__(self, limits: Limits) -> None:
        self.server = MasterServer(Hooks(), limits=limits)
        self.door = PipeListener()
        self.typed: list[str] = []
        self.came: list[str] = []
        self.gone: list[Disconnect] = []
        self.server.hooks.on(Connect)(lambda event: self.came.append(event.connection.address))
        self.server.hooks.on(Disconnect)(self.gone.append)
        self.server.hooks.on(Input)(self._answer)

    def _answer(self, event: Input) -> None:
        self.typed.append(event.line)
        match event.line:
            case "quit":
                event.connection.quit("Farewell.")
            case "recite":
                event.connection.write(LONG)
            case _:
                event.connection.write(f"you said {event.line}")

    @property
    def counters(self) -> Counter[str]:
        return self.server.counters

    def connect(self, *, address: str = "192.0.2.1", capacity: int = 64 * 1024) -> Pipe:
        pipe = Pipe(address=address, capacity=capacity)
        self.door.connect(pipe)
        return pipe

    async def client(
        self, *, capacity: int = 64 * 1024, newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
    ) -> tuple[trio.SSLStream[trio.abc.Stream], Pipe]:
        """One that has shaken hands."""
        pipe = self.connect(capacity=capacity)
        stream: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(
            pipe.client, client_context(newest), server_hostname="localhost"
        )
        await stream.do_handshake()
        await trio.testing.wait_all_tasks_blocked()
        return stream, pipe

    async def is_over(self) -> None:
        """Wait until a connection has ended."""
        await until(lambda: self.gone)


async def until(is_so: Callable[[], object]) -> None:
    """Advance time until a condition is true."""
    with trio.fail_after(100):
        while not is_so():  # noqa: ASYNC110 - what is waited for has no event
            await trio.sleep(0.01)


@asynccontextmanager
async def open_house(certificate: Certificate, limits: Limits | None = None) -> AsyncGenerator[TlsServer, None]:
    house = TlsServer(limits or Limits())
    async with trio.open_nursery() as nursery:
        await nursery.start(house.server.serve, [TlsListener(StreamListener(house.door), certificate)])
        yield house
        house.server.shutdown(within=1)


async def hears(stream: trio.abc.ReceiveStream, text: bytes) -> bytes:
    heard = b""
    while text not in heard:
        data = await stream.receive_some()
        assert data, heard
        heard += data
    return heard


async def hears_all(stream: trio.abc.ReceiveStream) -> bytes:
    return b"".join([bytes(data) async for data in stream])


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]


# Who speaks it


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_player_types_and_reads_in_the_cipher(
    certificate: Certificate, autojump_clock: trio.testing.MockClock, newest: ssl.TLSVersion
) -> None:
    async with open_house(certificate) as house:
        player, _ = await house.client(newest=newest)
        (connection,) = house.server.connections
        assert connection.client.is_secure
        assert connection.address == "192.0.2.1"
        await player.send_all(b"hello\r\n")
        await hears(player, b"you said hello\r\n")
        await player.send_all(b"quit\r\n")
        assert (await hears_all(player)).endswith(b"Farewell.\r\n")  # and it was no truncation
    assert [gone.cause for gone in house.gone] == [Cause.ASKED]


@pytest.mark.parametrize("capacity", [50, 5000])
async def test_a_slow_reader_gets_everything_in_order(
    certificate: Certificate, autojump_clock: trio.testing.MockClock, capacity: int
) -> None:
    async with open_house(certificate) as house:
        player, _ = await house.client(capacity=capacity)
        await player.send_all(b"recite\r\nquit\r\n")
        heard = (await hears_all(player)).decode(errors="replace")
    assert heard.endswith(f"{LONG.rstrip()}\r\nFarewell.\r\n") or f"{LONG}\r\nFarewell.\r\n" in heard


async def test_the_lines_before_a_farewell_in_the_cipher_are_served(
    certificate: Certificate, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_house(certificate) as house:
        player, _ = await house.client()
        await player.send_all(b"one\r\ntwo\r\n")
        await player.aclose()
        await house.is_over()
    assert house.typed == ["one", "two"]
    assert [gone.cause for gone in house.gone] == [Cause.EOF]


async def test_an_end_without_a_farewell_in_the_cipher_is_link_death(
    certificate: Certificate, autojump_clock: trio.testing.MockClock
) -> None:
    """N20."""
    async with open_house(certificate) as house:
        player, pipe = await house.client()
        await player.send_all(b"one\r\n")
        await hears(player, b"you said one")
        await pipe.client.send_eof()
        await house.is_over()
    assert [gone.cause for gone in house.gone] == [Cause.RESET]


async def test_junk_after_the_handshake_is_link_death(
    certificate: Certificate, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_house(certificate) as house:
        _, pipe = await house.client()
        await pipe.client.send_all(b"look\r\n" * 10)
        await house.is_over()
    assert [gone.cause for gone in house.gone] == [Cause.RESET]
    assert (house.typed, complaints(caplog)) == ([], [])


async def test_a_peer_that_does_not_read_the_farewell_holds_nobody_up(
    certificate: Certificate, autojump_clock: trio.testing.MockClock
) -> None:
    """N19."""
    async with open_house(certificate, Limits(quit_timeout=3, linger_timeout=2)) as house:
        await house.client(capacity=2000)
        (connection,) = house.server.connections
        connection.quit("Off with you!")
        await house.is_over()
        assert house.gone[0].cause is Cause.ASKED
        assert trio.current_time() <= 5.1


async def test_a_stalled_reader_is_found_dead_and_costs_no_more_than_its_outbox(
    certificate: Certificate, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_house(certificate, Limits(write_stall_timeout=7)) as house:
        player, _ = await house.client(capacity=500)
        await player.send_all(b"recite\r\n")
        await house.is_over()
        assert house.gone[0].cause is Cause.WRITE_STALL
        assert trio.current_time() == pytest.approx(7, abs=0.1)


async def test_trios_own_tls_listeners_are_served_too(
    certificate: Certificate, autojump_clock: trio.testing.MockClock
) -> None:
    house = TlsServer(Limits())
    async with trio.open_nursery() as nursery:
        await nursery.start(house.server.serve, [trio.SSLListener(house.door, certificate.context)])
        player, _ = await house.client()
        (connection,) = house.server.connections
        assert (connection.client.is_secure, connection.address) == (True, "192.0.2.1")
        await player.send_all(b"hello\r\n")
        await hears(player, b"you said hello\r\n")
        await house.connect().client.send_all(b"connect bob secret\r\n")
        await trio.testing.wait_all_tasks_blocked()
        house.server.shutdown()
    assert house.counters["handshakes failed"] == 1
    assert len(house.came) == len(house.gone) == 1


# Who does not


@pytest.mark.parametrize("said", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
async def test_a_stalled_handshake_ends_at_the_deadline_and_was_never_there(
    certificate: Certificate,
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
    said: bytes,
) -> None:
    """N16."""
    caplog.set_level(logging.DEBUG, logger="trio_mud")
    async with open_house(certificate, Limits(handshake_timeout=10, max_connections=1)) as house:
        pipe = house.connect()
        await pipe.client.send_all(said)
        with suppress(trio.BrokenResourceError):
            assert await hears_all(pipe.client) == b""
        assert trio.current_time() == 10
        await trio.testing.wait_all_tasks_blocked()
        assert house.counters["handshakes failed"] == 1
        await house.client()  # the only place is free again
        assert house.counters["admitted"] == 1
    assert len(house.came) == len(house.gone) == 1
    assert [text for text in caplog.messages if text.startswith("handshake of")] == [
        "handshake of guest-1 (#1) from 192.0.2.1 failed: it took too long"
    ]


@pytest.mark.parametrize(
    "said",
    [b"connect bob secret\r\n", b"\xff\xfd\x18\xff\xfb\x1f" * 2, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\0\x05junk!"],
)
async def test_what_is_no_tls_is_a_failed_handshake_without_a_traceback(
    certificate: Certificate, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    """N17."""
    async with open_house(certificate) as house:
        pipe = house.connect()
        await pipe.client.send_all(said)
        with suppress(trio.BrokenResourceError):
            await hears_all(pipe.client)
        assert trio.current_time() == 0
    assert house.counters["handshakes failed"] == 1
    assert (house.came, house.gone, house.typed, complaints(caplog)) == ([], [], [], [])


@pytest.mark.parametrize("act", [Pipe.reset, lambda pipe: pipe.client.send_eof(), lambda pipe: pipe.client.aclose()])
async def test_a_port_scan_is_a_failed_handshake(
    certificate: Certificate,
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
    act: Callable[[Pipe], Awaitable[None] | None],
) -> None:
    async with open_house(certificate) as house:
        if (awaitable := act(house.connect())) is not None:
            await awaitable
        await trio.testing.wait_all_tasks_blocked()
        assert house.counters["handshakes failed"] == 1
    assert (house.came, complaints(caplog)) == ([], [])


async def test_tls_older_than_1_2_is_refused(certificate: Certificate, autojump_clock: trio.testing.MockClock) -> None:
    context = client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with open_house(certificate) as house:
        stream = trio.SSLStream(house.connect().client, context, server_hostname="localhost")
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.do_handshake()
        assert "ALERT" in str(caught.value.__cause__)
    assert house.counters["handshakes failed"] == 1


class BoundListener(StreamListener):
    """A listener in memory, in place of one at an address of the host."""

    address = ("localhost", 0)


async def opened(listeners: list[BoundListener], *_: object, **__: object) -> list[BoundListener]:
    """Stand in for `open_tcp_listeners`."""
    return listeners


@pytest.mark.parametrize("addresses", [1, 2])
async def test_between_two_steps_of_handshakes_every_other_task_has_a_turn(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch, addresses: int
) -> None:
    """K13."""
    turns, steps = 0, Counter[int]()

    class Watched(ssl.SSLObject):
        def do_handshake(self) -> None:
            if self.server_side:
                steps[turns] += 1
            super().do_handshake()

    monkeypatch.setattr(certificate.context, "sslobject_class", Watched)
    doors = [PipeListener() for _ in range(addresses)]
    below = [BoundListener(door) for door in doors]
    monkeypatch.setattr(tls, "open_tcp_listeners", partial(opened, below))
    listeners = await open_tls_listeners(0, certificate=certificate)
    hello = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        client_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
    said, transports = hello.read(), list[TlsTransport]()
    for number in range(10):
        doors[number % addresses].connect(pipe := Pipe())
        await pipe.client.send_all(said)
        transports.append(await listeners[number % addresses].accept())
    async with trio.open_nursery() as nursery:
        for transport in transports:
            nursery.start_soon(transport.handshake)
        while steps.total() < 20:  # the first finds nothing to read
            turns += 1
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    # One may come at the end of this task's turn and the next at the beginning of its next.
    assert max(steps.values()) <= 2


async def test_past_the_bound_of_handshakes_the_oldest_is_dropped_for_the_newest(
    certificate: Certificate, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """K13."""
    async with open_house(certificate, Limits(max_handshakes=2, handshake_timeout=10, log_interval=60)) as house:
        stalled = []
        for _ in range(4):
            stalled.append(house.connect())
            await trio.testing.wait_all_tasks_blocked()
        for pipe in stalled[:2]:
            with suppress(trio.BrokenResourceError):
                assert await hears_all(pipe.client) == b""
        assert trio.current_time() == 0
        assert house.counters["handshakes dropped"] == house.counters["handshakes failed"] == 2
        player, _ = await house.client()
        await player.send_all(b"hello\r\n")
        await hears(player, b"you said hello\r\n")
        assert house.counters["handshakes dropped"] == 3
        await house.client()  # that one has arrived, and counts no more
        assert (len(house.server.connections), house.counters["handshakes dropped"]) == (2, 3)
        (warning,) = complaints(caplog)
        assert "limits.max_handshakes" in warning
        await trio.sleep(60)
        for _ in range(3):
            house.connect()
        await trio.testing.wait_all_tasks_blocked()
        assert len(complaints(caplog)) == 2
    assert len(house.came) == len(house.gone) == 2


async def test_a_shutdown_does_not_wait_for_handshakes(
    certificate: Certificate, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_house(certificate) as house:
        house.connect()
        await trio.testing.wait_all_tasks_blocked()
        house.server.shutdown()
        await house.server.closed.wait()
        assert trio.current_time() == 0
    assert (house.came, house.gone, house.counters["handshakes failed"]) == ([], [], 1)


async def test_an_abort_does_not_wait_for_handshakes(
    certificate: Certificate, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_house(certificate) as house:
        house.connect()
        await trio.testing.wait_all_tasks_blocked()
        house.server.abort()
        await house.server.closed.wait()
        assert trio.current_time() == 0
    assert (house.came, house.counters["handshakes failed"]) == ([], 1)


async def test_a_bug_in_a_handshake_costs_that_connection_and_shows_its_traceback(
    certificate: Certificate,
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_house(certificate) as house:
        context = certificate.context
        monkeypatch.setattr(certificate, "context", None)
        house.connect()
        await trio.testing.wait_all_tasks_blocked()
        monkeypatch.setattr(certificate, "context", context)
        await house.client()
    assert [record.exc_info is not None for record in caplog.records if record.levelno > logging.INFO] == [True]
    assert len(house.came) == 1


async def test_one_address_cannot_hold_every_place_by_shaking_no_hands(
    certificate: Certificate, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_house(
        certificate, Limits(max_per_address=2, max_connections=100, handshake_timeout=10, linger_timeout=2)
    ) as house:
        for _ in range(5):
            house.connect()
        await trio.sleep(3)
        assert house.counters["handshakes failed"] == 3
        await trio.sleep(8)
        assert house.counters["handshakes failed"] == 5


# The bytes, whatever the transport below takes of them


@pytest.mark.unmeasured
@settings(max_examples=settings().max_examples // 2)  # each shakes hands
@given(
    takes=st.lists(st.integers(0, 3000), max_size=30),
    pieces=st.lists(st.binary(min_size=1, max_size=40_000), min_size=1, max_size=4),
    waits=st.lists(st.booleans(), max_size=20),
)
def test_what_is_sent_is_what_is_read_however_it_is_taken(
    takes: list[int], pieces: list[bytes], waits: list[bool]
) -> None:
    async def play() -> None:
        pipe = Pipe(capacity=1 << 20)
        narrow = Narrow(StreamTransport(pipe.server), [])
        ours = TlsTransport(narrow, CERTIFICATE)
        theirs: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(
            pipe.client, client_context(ssl.TLSVersion.TLSv1_3), server_hostname="localhost"
        )

        async def shake() -> None:
            await ours.handshake()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(theirs.do_handshake)
            nursery.start_soon(shake)
        narrow._takes = takes
        for piece in pieces:
            rest = piece
            while rest:
                taken = await ours.send_some(rest) if waits and waits.pop() else ours.send_nowait(rest)
                rest = rest[taken:]
        await pipe.server.send_all(narrow.taken)
        whole, heard = b"".join(pieces), b""
        while len(heard) < len(whole):
            heard += await theirs.receive_some()
        assert heard == whole

    trio.run(play)


def _certificate() -> Certificate:
    with tempfile.TemporaryDirectory() as name:
        issue(Path(name))
        return Certificate(Path(name, "certificate.pem"), Path(name, "key.pem"))


CERTIFICATE = _certificate()


async def test_what_a_task_waits_to_send_is_not_sent_by_the_reader_too(certificate: Certificate) -> None:
    pipe = Pipe()
    below = Gated(StreamTransport(pipe.server))
    ours = TlsTransport(below, certificate)
    theirs: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(pipe.client, client_context(), server_hostname="localhost")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(theirs.do_handshake)
        nursery.start_soon(ours.handshake)
    below._takes = [0, 0, 0]  # until the task waits at the gate
    async with trio.open_nursery() as nursery:
        assert ours.send_nowait(b"say it once") == 0
        nursery.start_soon(ours.send_some, b"say it once")
        await trio.testing.wait_all_tasks_blocked()
        await theirs.send_all(b"hello")
        assert await ours.receive() == b"hello"
        below.gate.set()
    await ours.send_some(b", and then this")
    await pipe.server.send_all(below.taken)
    heard = b""
    while len(heard) < 26:
        heard += await theirs.receive_some()
    assert heard == b"say it once, and then this"


# What is received, however it is cut


class Scripted(Narrow):
    """A transport that receives the chunks of a script, and then the end of file."""

    def __init__(self, below: Transport) -> None:
        super().__init__(below, [])
        self.add, self._chunks = trio.open_memory_channel[bytes](1 << 20)

    async def receive(self) -> bytes:
        try:
            return await self._chunks.receive()
        except trio.EndOfChannel:
            return b""

    async def aclose(self) -> None:
        pass


class Gathering:
    """A reader that has room for a few pieces at a time."""

    def __init__(self, room: int = 1 << 20) -> None:
        self.pieces: list[bytes] = []
        self._room = room

    def feed(self, data: bytes) -> bool:
        self.pieces.append(data)
        return len(self.pieces) % self._room != 0

    async def room(self) -> None:
        await trio.lowlevel.checkpoint()

    def lost(self, error: trio.BrokenResourceError) -> None:
        raise NotImplementedError


class Scene:
    """A server that has shaken hands with a client in memory.

    Attributes:
        rest: The client's bytes that the server has not received: the end of the handshake, and all that follows.
    """

    def __init__(self, newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> None:
        self.below = Scripted(StreamTransport(Pipe().server))
        self.ours = TlsTransport(self.below, CERTIFICATE)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.theirs = client_context(newest).wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self.rest = b""

    async def shake(self) -> None:
        """Shake hands up to the last bytes that the client sends by itself."""
        while True:
            self._incoming.write(self.below.taken)
            self.below.taken = b""
            try:
                self.theirs.do_handshake()
            except ssl.SSLWantReadError:
                self.below.add.send_nowait(self._outgoing.read())
                await trio.testing.wait_all_tasks_blocked()
            else:
                self.rest = self._outgoing.read()
                return

    def write(self, data: bytes) -> None:
        self.theirs.write(data)
        self.rest += self._outgoing.read()

    def end(self) -> None:
        with suppress(ssl.SSLError):
            self.theirs.unwrap()
        self.rest += self._outgoing.read()

    def deliver(self, sizes: list[int]) -> None:
        """Deliver the rest in chunks of these sizes, the last ones of 4 KiB, then the end of file."""
        while self.rest:
            size = sizes.pop() if sizes else 4096
            self.below.add.send_nowait(self.rest[:size])
            self.rest = self.rest[size:]
        self.below.add.close()

    def heard(self) -> bytes:
        """What the client reads."""
        self._incoming.write(self.below.taken)
        self.below.taken = b""
        data = b""
        with suppress(ssl.SSLWantReadError):
            while part := self.theirs.read(65536):
                data += part
        return data


@pytest.mark.unmeasured
@settings(max_examples=settings().max_examples // 2)  # each shakes hands
@given(
    newest=st.sampled_from([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]),
    records=st.lists(st.binary(min_size=1, max_size=20_000) | st.binary(min_size=1, max_size=3), max_size=20),
    sizes=st.lists(st.integers(1, 4096) | st.integers(1, 30), max_size=60),
    room=st.integers(1, 4),
    says_that_it_ends=st.booleans(),
    is_received=st.booleans(),
)
def test_however_the_stream_is_cut_the_reader_gets_the_same(
    newest: ssl.TLSVersion,
    records: list[bytes],
    sizes: list[int],
    room: int,
    says_that_it_ends: bool,
    is_received: bool,
) -> None:
    async def play() -> None:
        scene, reader, ending = Scene(newest), Gathering(room), list[str]()

        async def serve() -> None:
            await scene.ours.handshake()
            try:
                if is_received:
                    while data := await scene.ours.receive():
                        reader.feed(data)
                else:
                    await scene.ours.listen(reader)
                ending.append("end")
            except trio.BrokenResourceError as error:
                ending.append(str(error))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            await scene.shake()
            for record in records:
                scene.write(record)
            if says_that_it_ends:
                scene.end()
            scene.deliver(sizes)
        assert b"".join(reader.pieces) == b"".join(records)
        assert all(0 < len(piece) <= 4096 for piece in reader.pieces)
        assert ending == ["end" if says_that_it_ends else f"the link to 192.0.2.1 was cut: {CUT}"]

    trio.run(play)


CUT = "TLS ended without close_notify"


async def listening(scene: Scene, reader: Gathering) -> None:
    await scene.ours.handshake()
    await scene.ours.listen(reader)


async def test_many_tiny_records_are_one_piece_for_the_reader() -> None:
    """N32."""
    scene, reader = Scene(), Gathering()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listening, scene, reader)
        await scene.shake()
        for letter in b"x" * 100:
            scene.write(bytes((letter,)))
        scene.end()
        scene.deliver([])
    assert reader.pieces == [b"x" * 100]


@pytest.mark.parametrize("is_received", [False, True])
async def test_bytes_that_carry_nothing_are_metered(autojump_clock: trio.testing.MockClock, is_received: bool) -> None:
    """N33: so do new keys, which Python's client cannot send."""
    scene, reader = Scene(), Gathering()

    async def receive() -> None:
        await scene.ours.handshake()
        while data := await scene.ours.receive():
            reader.feed(data)

    async with trio.open_nursery() as nursery:
        if is_received:
            nursery.start_soon(receive)
        else:
            nursery.start_soon(listening, scene, reader)
        await scene.shake()
        for _ in range(5000):
            scene.write(b"x")
        surplus = len(scene.rest) - 5000
        scene.end()
        scene.deliver([])
    assert b"".join(reader.pieces) == b"x" * 5000
    in_the_long_run = (surplus - tls.SURPLUS.burst - 2 * tls.UNMETERED) / tls.SURPLUS.per_second
    assert trio.current_time() > in_the_long_run > 5


@pytest.mark.parametrize("size", [10, 1000, 16_384, 50_000])
async def test_a_client_that_types_fast_is_not_metered(autojump_clock: trio.testing.MockClock, size: int) -> None:
    """Its lines come one a read, or in long records."""
    scene, reader = Scene(), Gathering()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listening, scene, reader)
        await scene.shake()
        scene.below.add.send_nowait(scene.rest)
        for _ in range(2000 if size < 4000 else 40):
            scene.rest = b""
            scene.write(b"x" * size)
            for at in range(0, len(scene.rest), 4096):
                scene.below.add.send_nowait(scene.rest[at : at + 4096])
        scene.rest = b""
        scene.end()
        scene.deliver([])
    assert trio.current_time() == 0


async def test_the_lines_before_a_violation_are_read_and_the_error_names_it() -> None:
    scene, reader = Scene(), Gathering()
    with pytest.RaisesGroup(pytest.RaisesExc(trio.BrokenResourceError, match="violates the TLS protocol: WRONG_VER")):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listening, scene, reader)
            await scene.shake()
            scene.write(b"look\r\n")
            scene.rest += b"connect bob secret\r\n"
            scene.deliver([])
    assert reader.pieces == [b"look\r\n"]


async def test_a_close_with_unread_records_says_the_end_in_the_cipher_all_the_same() -> None:
    """N34: typed behind a `quit`, and left unread because the reader was full."""
    scene = Scene()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.ours.handshake)
        await scene.shake()
        scene.write(b"look\r\n" * 1500)
        scene.write(b"dance\r\n")
        scene.deliver([len(scene.rest)])
    assert len(await scene.ours.receive()) == 4096
    assert scene.ours.send_nowait(b"Farewell.\r\n") == 11
    await scene.ours.aclose()
    assert scene.heard() == b"Farewell.\r\n"
    assert scene.theirs.read() == b""  # and it was no truncation


async def test_a_peer_that_has_ended_its_half_still_gets_answers() -> None:
    scene, reader = Scene(), Gathering()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listening, scene, reader)
        await scene.shake()
        scene.write(b"look\r\n")
        scene.end()
        scene.deliver([])
    assert reader.pieces == [b"look\r\n"]
    assert scene.ours.send_nowait(b"a room\r\n") == 8
    assert scene.heard() == b"a room\r\n"


# Certificates


def serial_of(stream: trio.SSLStream[trio.abc.Stream]) -> str:
    return str(stream.getpeercert()["serialNumber"])


async def test_a_renewed_certificate_is_used_by_new_handshakes_and_drops_nobody(
    certificate: Certificate, folder: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """O11."""
    async with open_house(certificate) as house:
        old, _ = await house.client()
        issue(folder)
        unaware, _ = await house.client()
        certificate.reload()
        new, _ = await house.client()
        assert serial_of(old) == serial_of(unaware) != serial_of(new)
        await old.send_all(b"still here\r\n")
        await hears(old, b"you said still here")


async def test_a_renewal_that_cannot_be_read_leaves_the_old_certificate(
    certificate: Certificate, folder: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """O5."""
    async with open_house(certificate) as house:
        old, _ = await house.client()
        (folder / "certificate.pem").write_text("half a fi", encoding="ascii")
        with pytest.raises(ConfigurationError, match=r"certificate\.pem holds no certificate"):
            certificate.reload()
        new, _ = await house.client()
        assert serial_of(old) == serial_of(new)


NOON = dt.datetime(2030, 6, 1, 12, tzinfo=dt.UTC)
DAY = 24 * 60 * 60.0  # seconds


async def test_a_server_that_runs_for_weeks_warns_once_when_its_certificate_is_near_its_end_and_once_behind_it(
    folder: Path, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    """O11."""
    began, start = trio.current_time(), NOON.timestamp() - 16 * DAY
    issue(folder, ends=NOON)
    certificate = Certificate(
        folder / "certificate.pem",
        folder / "key.pem",
        wall_clock=lambda: start + trio.current_time() - began,
    )
    warned = Counter[str]()
    async with open_house(certificate, Limits(idle_timeout=None)) as house:
        for day in range(19):
            await house.client()
            for record in caplog.records:
                if "certificate" in record.getMessage():
                    warned[f"day {day}, {'ended' if 'has ended' in record.getMessage() else 'ends'}"] += 1
            caplog.clear()
            await trio.sleep(DAY)
    assert warned == {"day 2, ends": 1, "day 16, ended": 1}


# Over true sockets


@asynccontextmanager
async def open_port(
    certificate: Certificate, limits: Limits | None = None
) -> AsyncGenerator[tuple[TlsServer, int], None]:
    house = TlsServer(limits or Limits())
    listeners = await open_tls_listeners(0, host="127.0.0.1", certificate=certificate, dead_peer=60)
    async with trio.open_nursery() as nursery:
        await nursery.start(house.server.serve, listeners)
        yield house, listeners[0].address[1]
        house.server.shutdown(within=1)


async def test_pythons_own_client_comes_plays_and_reads_a_true_end(certificate: Certificate) -> None:
    def play(port: int) -> bytes:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
            client_context().wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as player,
        ):
            player.sendall(b"recite\r\nquit\r\nand type on\r\n" + b"blind\r\n" * 1000)
            return b"".join(iter(lambda: player.recv(4096), b""))

    async with open_port(certificate) as (house, port):
        heard = await trio.to_thread.run_sync(play, port)
    assert heard.endswith(b"Farewell.\r\n")
    assert [gone.cause for gone in house.gone] == [Cause.ASKED]


async def test_a_true_stalled_handshake_is_closed(certificate: Certificate) -> None:
    async with (
        open_port(certificate, Limits(handshake_timeout=0.1)) as (house, port),
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        await stream.send_all(b"\x16")
        with trio.fail_after(60), suppress(trio.BrokenResourceError):
            assert await stream.receive_some() == b""
        await until(lambda: house.counters["handshakes failed"])
    assert (house.came, house.counters["handshakes failed"]) == ([], 1)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl command")
async def test_openssl_may_ask_for_new_keys_at_any_time(certificate: Certificate) -> None:
    async with open_port(certificate) as (house, port):
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-crlf", "-tls1_3"]
        async with trio.open_nursery() as nursery:
            process = await nursery.start(
                partial(
                    trio.run_process,
                    command,
                    stdin=subprocess.PIPE,
                    capture_stdout=False,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                )
            )
            for asks, line in ((b"K\n", "one"), (b"k\n", "two")):
                await process.stdin.send_all(asks)
                await until(partial(is_read, process.stdin))  # read together with a line it would be part of that
                await process.stdin.send_all(f"{line}\n".encode())
                await until(partial(house.typed.__contains__, line))
            process.terminate()
    assert house.typed == ["one", "two"]


def is_read(pipe: trio.abc.SendStream) -> bool:
    """Return True if the other side of a process's pipe has read everything."""
    assert isinstance(pipe, trio.lowlevel.FdStream)
    unread = fcntl.ioctl(pipe.fileno(), termios.FIONREAD, struct.pack("i", 0))
    return struct.unpack("i", unread) == (0,)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl command")
async def test_openssl_may_not_renegotiate(certificate: Certificate) -> None:
    """N18: TLS 1.2 has it, and here it is refused; the server continues."""
    async with open_port(certificate) as (house, port):
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-crlf", "-tls1_2"]
        async with trio.open_nursery() as nursery:
            process = await nursery.start(
                partial(
                    trio.run_process,
                    command,
                    stdin=subprocess.PIPE,
                    capture_stdout=False,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                )
            )
            await process.stdin.send_all(b"one\n")
            await until(partial(house.typed.__contains__, "one"))
            await process.stdin.send_all(b"R\n")
            with trio.fail_after(60):
                await process.wait()  # it was refused
        assert process.returncode != 0
        await until(lambda: house.gone)
        stream = await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=unchecked_context())
        await stream.send_all(b"two\r\n")
        await until(partial(house.typed.__contains__, "two"))
        await trio.aclose_forcefully(stream)
    assert house.typed == ["one", "two"]
    assert house.gone[0].reason is Reason.LINKDEATH


def unchecked_context() -> ssl.SSLContext:
    """Return the context of a client that does not verify the server."""
    context = client_context()
    context.check_hostname = False
    return context


async def test_a_true_end_without_a_farewell_in_the_cipher_is_link_death(certificate: Certificate) -> None:
    """N20: the client is killed; its kernel sends a FIN, but no close_notify was sent."""
    async with open_port(certificate) as (house, port):
        stream = await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=unchecked_context())
        await stream.send_all(b"one\r\n")
        await hears(stream, b"you said one")
        await stream.transport_stream.send_eof()
        await until(lambda: house.gone)
        await trio.aclose_forcefully(stream)
    assert [gone.cause for gone in house.gone] == [Cause.RESET]


async def test_a_true_peer_that_reads_no_farewell_holds_nobody_up(certificate: Certificate) -> None:
    """N19."""
    async with open_port(certificate, Limits(quit_timeout=0.2, linger_timeout=0.1)) as (house, port):
        stream = await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=unchecked_context())
        await stream.send_all(b"recite\r\n" * 50)  # more than the kernel holds for one who does not read
        await until(lambda: len(house.typed) >= 20)
        began = trio.current_time()
        for connection in house.server.connections:
            connection.quit("Off with you!")
        await until(lambda: house.gone)
        assert trio.current_time() - began < 3
        await trio.aclose_forcefully(stream)
    assert [gone.cause for gone in house.gone] == [Cause.ASKED]
