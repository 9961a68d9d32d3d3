"""The promises of every transport to the driver, for any transport below.

Each test runs over every kind: raw sockets, plain and with TLS, read by their own task or by a poller, a trio stream
over a socket, and a trio stream in memory.
"""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import pytest
import trio
import trustme
from trio.testing import check_two_way_stream, wait_all_tasks_blocked

from trio_mud.testing import Pipe, peers
from trio_mud.transports import Reader, Transport
from trio_mud.transports.poller import Poller
from trio_mud.transports.streams import StreamTransport
from trio_mud.transports.tcp import TcpTransport
from trio_mud.transports.tls import Certificate, TlsTransport

from .as_stream import TransportStream
from .tls_peer import TlsPeer

PATIENCE = 60.0  # true seconds until a test that hangs has failed
LAST_WORDS = b"farewell, and " * 20_000


class Link(NamedTuple):
    """A transport, and the stream at the peer's end of it."""

    transport: Transport
    peer: trio.abc.HalfCloseableStream


@asynccontextmanager
async def over_tcp() -> AsyncGenerator[Link, None]:
    here, peer = await connected()
    here.setblocking(False)
    async with peer:
        transport = TcpTransport(here, "127.0.0.1")
        yield Link(transport, peer)
        await transport.aclose_forcefully()


class Polled:
    """A transport that is read by a poller: what its reader is fed waits for `receive`, and a little is enough."""

    ROOM = 4096  # bytes
    channel = None

    def __init__(self, below: Transport, poller: Poller) -> None:
        self._below = below
        self._poller = poller
        self._heard = b""
        self._ending: Exception | None = None
        self._is_over = False
        self._news = trio.Event()
        self.locate, self.handshake, self.aclose = below.locate, below.handshake, below.aclose
        self.may_be_health_check = below.may_be_health_check
        self.send_nowait, self.send_some = below.send_nowait, below.send_some
        self.address, self.is_secure, self.needs_handshake = below.address, below.is_secure, below.needs_handshake

    async def run(self) -> None:
        try:
            await self._below.listen(self, self._poller)
        except trio.BrokenResourceError as error:
            self._ending = error
        self._is_over = True
        self._news.set()

    def feed(self, data: bytes) -> bool:
        self._heard += data
        self._news.set()
        return len(self._heard) < self.ROOM

    def lost(self, error: trio.BrokenResourceError) -> None:
        """`listen` raises it."""

    async def room(self) -> None:
        while len(self._heard) >= self.ROOM:
            await self._something_new()

    async def receive(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while not self._heard and not self._is_over:
            await self._something_new()
        data, self._heard = self._heard, b""
        self._news.set()
        if not data and self._ending is not None:
            raise self._ending
        return data or (b"" if self._is_over else await self.receive())

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        raise NotImplementedError

    async def aclose_forcefully(self) -> None:
        await self._below.aclose_forcefully()

    async def _something_new(self) -> None:
        self._news = trio.Event()
        await self._news.wait()


@asynccontextmanager
async def polled(link: Link) -> AsyncGenerator[Link, None]:
    poller = Poller()
    async with trio.open_nursery() as nursery:
        transport = Polled(link.transport, poller)
        nursery.start_soon(poller.run)
        nursery.start_soon(transport.run)
        yield Link(transport, link.peer)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def over_polled_tcp() -> AsyncGenerator[Link, None]:
    async with over_tcp() as link, polled(link) as polled_link:
        yield polled_link


@asynccontextmanager
async def over_tls() -> AsyncGenerator[Link, None]:
    certificate, trust = certificates()
    async with over_tcp() as (below, socket_stream):
        assert isinstance(socket_stream, trio.SocketStream)
        transport, peer = TlsTransport(below, certificate), TlsPeer(socket_stream, trust)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(transport.handshake)
            nursery.start_soon(peer.do_handshake)
        yield Link(transport, peer)


@asynccontextmanager
async def over_polled_tls() -> AsyncGenerator[Link, None]:
    async with over_tls() as link, polled(link) as polled_link:
        yield polled_link


@cache
def certificates() -> tuple[Certificate, ssl.SSLContext]:
    """Return a certificate, and the context of a client that trusts it."""
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder) / "both.pem"
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
        certificate = Certificate(pem)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    return certificate, trust


@asynccontextmanager
async def over_a_socket_pair() -> AsyncGenerator[Link, None]:
    here, there = socket.socketpair()
    here.setblocking(False)
    async with trio.SocketStream(trio.socket.from_stdlib_socket(there)) as peer:
        transport = TcpTransport(here, "127.0.0.1")
        yield Link(transport, peer)
        await transport.aclose_forcefully()


@asynccontextmanager
async def over_a_socket_stream() -> AsyncGenerator[Link, None]:
    here, peer = await connected()
    async with peer:
        transport = StreamTransport(trio.SocketStream(trio.socket.from_stdlib_socket(here)))
        yield Link(transport, peer)
        await transport.aclose_forcefully()


@asynccontextmanager
async def over_a_pipe() -> AsyncGenerator[Link, None]:
    pipe = Pipe(latency=0.001, address="127.0.0.1")  # so that a reset can overtake what was sent
    async with pipe.client as peer:
        transport = StreamTransport(pipe.server)
        yield Link(transport, peer)
        await transport.aclose_forcefully()


async def connected() -> tuple[socket.socket, trio.SocketStream]:
    """Both ends of a TCP connection, the first as a plain socket."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        peer = await trio.open_tcp_stream(*door.getsockname())
        here, _ = door.accept()
    return here, peer


PLAIN = [over_tcp, over_polled_tcp, over_a_socket_pair, over_a_socket_stream, over_a_pipe]
KINDS = [*PLAIN, over_tls, over_polled_tls]
RESETTING = [kind for kind in KINDS if kind is not over_a_socket_pair]  # it knows no reset
Kind = Callable[[], AbstractAsyncContextManager[Link]]


def over(kinds: Sequence[Kind]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.__name__)


async def send(transport: Transport, data: bytes) -> None:
    """As the driver sends: at once what is taken at once, and then the rest as it is taken."""
    data = data[transport.send_nowait(data) :]
    while data:
        data = data[await transport.send_some(data) :]


async def everything_from(receive: Callable[[], Awaitable[bytes | bytearray]]) -> bytes:
    parts: list[bytes | bytearray] = []
    while data := await receive():
        parts.append(data)
    return b"".join(parts)


async def fill(transport: Transport) -> int:
    """Send until nothing more is taken; returns how many bytes were."""
    size = 0
    with trio.move_on_after(0.05):
        while True:
            size += await transport.send_some(b"x" * 65536)
    while sent := transport.send_nowait(b"x" * 65536):  # a kernel takes less than it wakes anybody for
        size += sent
    return size


# Sending and receiving


@over(KINDS)
async def test_what_is_sent_arrives_whole_and_in_order_both_ways_at_once(kind: Kind) -> None:
    down, up = bytes(range(256)) * 4000, bytes(reversed(range(256))) * 4000
    arrived = {}

    async def read_down(peer: trio.abc.ReceiveStream) -> None:
        received = b""
        while len(received) < len(down):
            received += await peer.receive_some()
        arrived["down"] = received

    async def read_up(transport: Transport) -> None:
        received = b""
        while len(received) < len(up):
            received += await transport.receive()
        arrived["up"] = received

    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer), trio.open_nursery() as nursery:
            nursery.start_soon(send, transport, down)
            nursery.start_soon(peer.send_all, up)
            nursery.start_soon(read_down, peer)
            nursery.start_soon(read_up, transport)
    assert arrived == {"down": down, "up": up}


@over(KINDS)
async def test_receive_waits_for_the_peer_and_comes_back_with_what_there_is(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer):
            with trio.move_on_after(0.01) as patience:
                await transport.receive()
            assert patience.cancelled_caught
            await peer.send_all(b"look")
            assert await transport.receive() == b"look"


@over(KINDS)
async def test_a_peer_that_does_not_read_is_waited_for_and_costs_no_more_than_its_buffers(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer):
            sent = await fill(transport)
            assert 0 < sent < 20_000_000
            assert transport.send_nowait(b"more") == 0  # and did not wait
            async with trio.open_nursery() as nursery:
                nursery.start_soon(transport.send_some, b"more")
                await wait_all_tasks_blocked(0.01)
                assert nursery.child_tasks
                while nursery.child_tasks:  # there is room again when the peer reads
                    await peer.receive_some()


@over(KINDS)
async def test_send_some_says_how_many_bytes_went(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer):
            sent = await transport.send_some(b"x" * 5_000_000)
            assert 0 < sent < 5_000_000
            received = 0
            while received < sent:
                received += len(await peer.receive_some())
            assert received == sent


# Endings the peer makes


@over(KINDS)
async def test_an_end_of_file_is_empty_bytes_behind_what_came_before_it_and_stays(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer):
            await peer.send_all(b"last line")
            await peer.send_eof()
            assert await everything_from(transport.receive) == b"last line"
            assert await transport.receive() == b""


@over(KINDS)
async def test_after_the_peers_end_of_file_it_can_still_be_answered(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer):
            await peer.send_eof()
            assert await transport.receive() == b""
            await send(transport, b"answer")
            assert await peer.receive_some() == b"answer"


@over(RESETTING)
async def test_a_reset_breaks_whoever_reads(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer), trio.open_nursery() as nursery:
            nursery.start_soon(breaks, transport.receive)
            await wait_all_tasks_blocked(0.01)
            await reset(peer)


@over(RESETTING)
async def test_a_reset_breaks_whoever_waits_to_write(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer):
            await fill(transport)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(breaks, partial(transport.send_some, b"more"))
                await wait_all_tasks_blocked(0.01)
                await reset(peer)


@over(RESETTING)
async def test_after_a_reset_every_sending_breaks(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer):
            await reset(peer)
            await breaks(transport.receive)
            await breaks(partial(send_often, transport))


async def reset(peer: trio.abc.Stream) -> None:
    await peers.reset(peer.below if isinstance(peer, TlsPeer) else peer)


async def send_often(transport: Transport) -> None:
    """The first may be taken still."""
    for _ in range(3):
        await send(transport, b"too late")


async def breaks(operation: Callable[[], Awaitable[object]]) -> None:
    with pytest.raises(trio.BrokenResourceError):
        await operation()


# Endings we make


@over(KINDS)
async def test_a_close_loses_no_last_words_although_the_peer_types_on(kind: Kind) -> None:
    typing, typed, heard = trio.CancelScope(), trio.Event(), []

    async def type_on(peer: trio.abc.SendStream) -> None:
        with typing:
            while True:
                await peer.send_all(b"say what?\r\n")
                await trio.sleep(0.001)
        typed.set()

    async def listen(peer: trio.abc.HalfCloseableStream) -> None:
        await trio.sleep(0.02)  # slower than the farewell is spoken
        heard.append(await everything_from(peer.receive_some))
        typing.cancel()
        await typed.wait()  # a stream takes no end in the midst of a sending
        await peer.send_eof()

    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer), trio.open_nursery() as nursery:
            nursery.start_soon(type_on, peer)
            nursery.start_soon(listen, peer)
            await send(transport, LAST_WORDS)
            await transport.aclose()
    assert [LAST_WORDS] == heard


@over(KINDS)
async def test_a_close_is_over_when_the_peer_ends_too(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer), trio.open_nursery() as nursery:
            nursery.start_soon(transport.aclose)
            await wait_all_tasks_blocked(0.01)
            assert nursery.child_tasks  # it waits for the peer
            assert await peer.receive_some() == b""  # who knows it already
            await peer.send_eof()


@over(RESETTING)
async def test_a_close_is_over_when_the_peer_resets(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer), trio.open_nursery() as nursery:
            nursery.start_soon(transport.aclose)
            await wait_all_tasks_blocked(0.01)
            await reset(peer)


@over(KINDS)
async def test_a_cancelled_close_closes_at_once(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer):
            with trio.move_on_after(0.01) as linger:
                await transport.aclose()
            assert linger.cancelled_caught
            await is_closed_to(peer)


@over(KINDS)
async def test_a_close_that_is_cancelled_before_it_begins_closes_all_the_same(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer):
            with trio.CancelScope() as scope:
                scope.cancel()
                await transport.aclose()
            await is_closed_to(peer)


@over(KINDS)
async def test_a_forceful_close_waits_for_nothing(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer):
            await fill(transport)
            await transport.aclose_forcefully()
            await is_closed_to(peer)


@over(KINDS)
async def test_a_forceful_close_inside_a_cancelled_scope_closes_too(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, peer):
            with trio.CancelScope() as scope:
                scope.cancel()
                await transport.aclose_forcefully()
            await is_closed_to(peer)


async def is_closed_to(peer: trio.abc.HalfCloseableStream) -> None:
    """Assert that the peer's bytes are not received any more."""

    async def send_for_ever() -> None:
        while True:
            await peer.send_all(b"x" * 1000)
            await trio.sleep(0.001)

    await breaks(send_for_ever)


@over(KINDS)
async def test_a_close_breaks_whoever_still_uses_it(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, _):
            await fill(transport)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(breaks, transport.receive)
                nursery.start_soon(breaks, partial(transport.send_some, b"more"))
                await wait_all_tasks_blocked(0.01)
                await transport.aclose_forcefully()


@over(KINDS)
async def test_once_closed_it_breaks_whoever_comes_later_and_may_be_closed_again(kind: Kind) -> None:
    with trio.fail_after(PATIENCE):
        async with kind() as (transport, _):
            await transport.aclose_forcefully()
            await breaks(transport.receive)
            await breaks(partial(send, transport, b"too late"))
            await breaks(partial(transport.send_some, b"too late"))
            await transport.aclose()
            await transport.aclose_forcefully()


# Where the peer is


@over(KINDS)
async def test_it_knows_where_its_peer_is(kind: Kind) -> None:
    async with kind() as (transport, _):
        assert transport.address == "127.0.0.1"


# As trio checks streams


class Joined(NamedTuple):
    """Both ends as streams."""

    transport: TransportStream
    peer: trio.abc.Stream


Join = Callable[[AsyncExitStack], Awaitable[Joined]]


async def passes_the_checks_of_trio(join: Join) -> None:
    """Each end against the other: ours as it is seen through `TransportStream`, the peer's as it is."""
    with trio.fail_after(PATIENCE):
        async with AsyncExitStack() as stack:
            await check_two_way_stream(partial(join, stack), None)


@over(PLAIN)
async def test_it_passes_the_checks_of_trio_for_streams(kind: Kind) -> None:
    async def join(stack: AsyncExitStack) -> Joined:
        transport, peer = await stack.enter_async_context(kind())
        return Joined(TransportStream(transport), peer)

    await passes_the_checks_of_trio(join)


async def test_tls_passes_the_checks_of_trio_for_streams() -> None:
    certificate, trust = certificates()

    async def join(stack: AsyncExitStack) -> Joined:
        below, socket_stream = await stack.enter_async_context(over_tcp())
        transport = TlsTransport(below, certificate)
        peer = trio.SSLStream(socket_stream, trust, server_hostname="localhost")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(transport.handshake)
            nursery.start_soon(peer.do_handshake)
        return Joined(TransportStream(transport), peer)

    await passes_the_checks_of_trio(join)
