"""The properties of streams: they cannot send at once, and need not know their peer's address."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest
import trio
from trio.testing import memory_stream_pair

from trio_mud.testing import Pipe, PipeListener
from trio_mud.transports import DeadPeer
from trio_mud.transports.streams import PIECE, StreamListener, StreamTransport


async def test_it_sends_a_piece_at_a_time_so_that_a_slow_peer_shows_that_it_lives() -> None:
    pipe = Pipe(capacity=PIECE)
    assert await StreamTransport(pipe.server).send_some(b"x" * 3 * PIECE) == PIECE


async def test_a_stream_that_cannot_say_the_end_is_closed_without_waiting() -> None:
    pipe = Pipe()
    transport = StreamTransport(Whole(pipe.server))
    await pipe.client.send_all(b"typed on")
    await transport.aclose()
    assert await pipe.client.receive_some() == b""


class Whole(trio.abc.Stream):
    """A stream without `send_eof`, as TLS is."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


# Where the peer is


def test_whoever_makes_it_may_say_where_the_peer_is() -> None:
    assert StreamTransport(Pipe(address="192.0.2.1").server, "198.51.100.7").address == "198.51.100.7"


def test_a_stream_may_say_where_the_peer_is() -> None:
    assert StreamTransport(Pipe(address="192.0.2.1").server).address == "192.0.2.1"


async def test_a_socket_below_says_where_the_peer_is_also_under_tls() -> None:
    (door,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with door, await trio.open_tcp_stream(*door.socket.getsockname()), await door.accept() as stream:
        assert StreamTransport(stream).address == "127.0.0.1"
        secured = trio.SSLStream(stream, ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), server_side=True)
        assert StreamTransport(secured).address == "127.0.0.1"


@pytest.mark.parametrize("closed", [True, False])
async def test_a_stream_that_does_not_know_is_from_nowhere(closed: bool) -> None:
    one, other = socket.socketpair()
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(one))
    if closed:
        await stream.aclose()
    assert StreamTransport(stream).address == ""
    assert StreamTransport(memory_stream_pair()[0]).address == ""
    await stream.aclose()
    other.close()


# The door


async def test_a_listener_hands_out_its_streams_one_by_one_and_closes_its_door() -> None:
    door, first, second = PipeListener(), Pipe(address="192.0.2.1"), Pipe(address="192.0.2.2")
    listener = StreamListener(door)
    door.connect(first)
    door.connect(second)
    assert [(await listener.accept()).address for _ in range(2)] == ["192.0.2.1", "192.0.2.2"]
    await listener.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await door.accept()


async def test_an_error_of_the_door_is_the_callers() -> None:
    door = PipeListener()
    door.fail(OSError("the door sticks"))
    with pytest.raises(OSError, match="sticks"):
        await StreamListener(door).accept()


# Endings


class Broken(Whole):
    """A stream whose socket failed."""

    def __init__(self, number: int) -> None:
        super().__init__(Pipe().server)
        self._error = OSError(number, "failed")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        raise trio.BrokenResourceError from self._error

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        await trio.lowlevel.checkpoint()
        raise trio.BrokenResourceError from self._error


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ETIMEDOUT, DeadPeer), (errno.ECONNRESET, trio.BrokenResourceError)]
)
async def test_a_stream_whose_peer_is_dead_is_told_from_one_that_was_torn(number: int, kind: type[Exception]) -> None:
    transport = StreamTransport(Broken(number))
    for act in (transport.receive, lambda: transport.send_some(b"Hello?")):
        with pytest.raises(trio.BrokenResourceError) as caught:
            await act()
        assert type(caught.value) is kind
