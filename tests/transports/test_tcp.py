"""TCP: accepted peers, their addresses, and socket options."""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import math
import socket
import struct
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio
import trio.lowlevel
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from trio_mud import open_tcp_listeners
from trio_mud.testing.peers import reset
from trio_mud.transports import DeadPeer
from trio_mud.transports.tcp import IN_A_ROW, TcpListener, TcpTransport, canonical_host, take_over

PATIENCE = 60.0  # true seconds until a test that hangs has failed
SO_ATTACH_FILTER = 26  # <asm-generic/socket.h>; the module has no name for it


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


with_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@asynccontextmanager
async def listening(
    host: str | None = "127.0.0.1", dead_peer: float | None = None
) -> AsyncGenerator[TcpListener, None]:
    with trio.fail_after(PATIENCE):
        (listener,) = await open_tcp_listeners(0, host=host, dead_peer=dead_peer)
        try:
            yield listener
        finally:
            await listener.aclose()


@asynccontextmanager
async def accepted(listener: TcpListener) -> AsyncGenerator[TcpTransport, None]:
    """One connection to this listener, as it accepted it."""
    async with await trio.open_tcp_stream(*listener.address):
        transport = await listener.accept()
        yield transport
        await transport.aclose_forcefully()


# Accepting


async def test_all_who_wait_are_taken_in_their_order_and_none_twice() -> None:
    async with listening() as listener, AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(await trio.open_tcp_stream(*listener.address)) for _ in range(100)]
        taken = [await listener.accept() for _ in peers]
        for number, peer in enumerate(peers):
            await peer.send_all(b"%d" % number)
        assert [await transport.receive() for transport in taken] == [b"%d" % n for n in range(100)]
        for transport in taken:
            await transport.aclose_forcefully()


async def test_accept_waits_for_whoever_comes_next() -> None:
    async with listening() as listener, trio.open_nursery() as nursery:
        found: list[TcpTransport] = []

        async def accept() -> None:
            found.append(await listener.accept())

        nursery.start_soon(accept)
        await wait_all_tasks_blocked(0.01)
        assert found == []
        async with await trio.open_tcp_stream(*listener.address):
            while not found:
                await trio.lowlevel.checkpoint()
        await found[0].aclose_forcefully()


async def test_whoever_has_gone_again_does_no_harm_to_those_behind() -> None:
    async with listening() as listener:
        hasty = await trio.open_tcp_stream(*listener.address)
        await reset(hasty)
        async with await trio.open_tcp_stream(*listener.address) as peer:
            await peer.send_all(b"look")
            transport = await listener.accept()
            if transport.port != peer.socket.getsockname()[1]:  # the kernel hands out the dead one, which breaks
                with pytest.raises(trio.BrokenResourceError):
                    await transport.receive()
                await transport.aclose_forcefully()
                transport = await listener.accept()
            assert await transport.receive() == b"look"
            await transport.aclose_forcefully()


async def test_a_closed_listener_wakes_whoever_accepts_and_refuses_the_rest() -> None:
    async with listening() as listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accepts_nobody, listener)
            await wait_all_tasks_blocked(0.01)
            await listener.aclose()
        await accepts_nobody(listener)
        with pytest.raises(OSError):  # noqa: PT011  trio wraps the refusal
            await trio.open_tcp_stream(*listener.address)


async def accepts_nobody(listener: TcpListener) -> None:
    with pytest.raises(trio.ClosedResourceError):
        await listener.accept()


async def test_others_have_a_turn_between_a_few_peers_who_wait() -> None:
    async with listening() as listener, AsyncExitStack() as stack, trio.open_nursery() as nursery:
        for _ in range(10):
            await stack.enter_async_context(await trio.open_tcp_stream(*listener.address))
        story: list[str] = []

        async def take_turns() -> None:
            while True:
                story.append("a turn")
                await trio.lowlevel.checkpoint()

        nursery.start_soon(take_turns)
        taken = []
        for _ in range(10):
            taken.append(await listener.accept())
            story.append("a peer")
        for transport in taken:
            await transport.aclose_forcefully()
        nursery.cancel_scope.cancel()
        # Trio runs the tasks of a pass in any order, so two groups may follow each other, and no third.
        assert ", ".join(["a peer"] * (2 * IN_A_ROW + 1)) not in ", ".join(story)


async def test_a_cancelled_accept_takes_no_peer_even_in_a_row() -> None:
    async with listening() as listener, AsyncExitStack() as stack:
        for _ in range(2 * IN_A_ROW):
            await stack.enter_async_context(await trio.open_tcp_stream(*listener.address))
        for _ in range(IN_A_ROW):
            with trio.CancelScope() as scope:
                scope.cancel()
                await listener.accept()
            assert scope.cancelled_caught


async def test_an_error_of_accept_is_the_callers() -> None:
    async with listening() as listener, await trio.open_tcp_stream(*listener.address):
        listener._socket = WithoutDescriptors(fileno=listener._socket.detach())
        with pytest.raises(OSError, match="no more files"):
            await listener.accept()


class WithoutDescriptors(socket.socket):
    """A listening socket in a process that has no descriptor left."""

    def accept(self) -> tuple[socket.socket, object]:
        raise OSError(errno.EMFILE, "no more files")


# Where from


async def test_it_says_where_its_peer_is() -> None:
    async with listening() as listener, accepted(listener) as transport:
        assert transport.address == "127.0.0.1"


@with_ipv6
async def test_it_says_where_its_peer_is_in_ipv6_too() -> None:
    async with listening("::1") as listener, accepted(listener) as transport:
        assert (listener.address[0], transport.address) == ("::1", "::1")


@with_ipv6
async def test_an_ipv4_peer_at_an_ipv6_door_has_its_ipv4_address() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as door:
        listener, port = TcpListener(door), door.getsockname()[1]
        async with await trio.open_tcp_stream("127.0.0.1", port):
            transport = await listener.accept()
            assert transport.address == "127.0.0.1"
            await transport.aclose_forcefully()


@pytest.mark.parametrize(
    ("spelt", "canonical"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::FFFF:7f00:1", "127.0.0.1"),
        ("::1", "::1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_one_host_has_one_spelling(spelt: str, canonical: str) -> None:
    assert canonical_host(spelt) == canonical


@given(address=st.ip_addresses(v=6))
def test_every_spelling_of_an_ipv6_address_comes_to_the_same(address: ipaddress.IPv6Address) -> None:
    spellings = {address.compressed, address.exploded, address.exploded.upper(), f"{address.compressed}%eth0"}
    (one,) = {canonical_host(spelling) for spelling in spellings}
    assert canonical_host(one) == one


@given(address=st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_inside_an_ipv6_one(address: ipaddress.IPv4Address) -> None:
    assert canonical_host(f"::ffff:{address}") == canonical_host(str(address)) == str(address)


# Options


async def test_small_lines_are_sent_at_once_and_urgent_data_stays_in_its_place() -> None:
    async with listening() as listener, accepted(listener) as transport:
        assert transport._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert transport._socket.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE)
        assert not transport._socket.getblocking()


@pytest.mark.parametrize("dead_peer", [2, 3, 3.5, 7, 10, 60, 119.9, 120, 32767])
async def test_a_dead_peer_is_found_within_its_time_whether_it_is_written_to_or_not(dead_peer: float) -> None:
    async with listening(dead_peer=dead_peer) as listener, accepted(listener) as transport:
        silent, unanswered = times_to_find_a_dead_peer(transport)
        assert dead_peer / 2 <= silent <= dead_peer
        assert dead_peer / 2 <= unanswered <= dead_peer


async def test_for_the_shortest_time_there_is_one_probe_after_a_second() -> None:
    async with listening(dead_peer=1) as listener, accepted(listener) as transport:
        assert times_to_find_a_dead_peer(transport) == (2, 2)


def times_to_find_a_dead_peer(transport: TcpTransport) -> tuple[float, float]:
    """Return the seconds after which Linux gives up on an idle peer, and on one that acknowledges nothing."""

    def option(name: str) -> int:
        return transport._socket.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))

    assert transport._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    silent = option("TCP_KEEPIDLE") + option("TCP_KEEPINTVL") * option("TCP_KEEPCNT")
    return silent, option("TCP_USER_TIMEOUT") / 1000


async def reads(transport: TcpTransport) -> None:
    await transport.receive()


async def sends_at_once(transport: TcpTransport) -> None:
    await trio.lowlevel.wait_readable(transport._socket)
    transport.send_nowait(b"Hello?")


async def waits_to_send(transport: TcpTransport) -> None:
    while True:
        await transport.send_some(b"x" * 100_000)


@pytest.mark.skipif(sys.platform != "linux", reason="a filter of Linux makes the peer deaf")
@pytest.mark.parametrize("act", [reads, sends_at_once, waits_to_send])
async def test_a_peer_that_acknowledges_nothing_is_a_dead_peer(act: Callable[[TcpTransport], Awaitable[None]]) -> None:
    """N5, without waiting for the probes: to the kernel it is the same if what was sent is not acknowledged in time."""
    async with listening() as listener, await trio.open_tcp_stream(*listener.address) as peer:
        transport = await listener.accept()
        drop = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0 bytes of each packet
        peer.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(drop)))
        transport._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1)  # millisecond
        transport.send_nowait(b"Hello?")
        with pytest.raises(DeadPeer) as caught:
            await act(transport)
        assert isinstance(caught.value.__cause__, OSError)
        await transport.aclose_forcefully()


async def test_without_a_time_for_dead_peers_nobody_is_probed() -> None:
    async with listening(dead_peer=None) as listener, accepted(listener) as transport:
        assert not transport._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


# Opening


class Resolver(trio.abc.HostnameResolver):
    """Knows one name."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def getaddrinfo(self, host: object, port: object, *_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port)) for address in self.addresses]

    async def getnameinfo(self, sockaddr: object, flags: int) -> tuple[str, str]:
        raise NotImplementedError


async def test_it_listens_on_every_address_of_a_host_once() -> None:
    trio.socket.set_custom_hostname_resolver(Resolver("127.0.0.1", "127.0.0.2", "127.0.0.1"))
    listeners = await open_tcp_listeners(0, host="tavern.example")
    assert [listener.address[0] for listener in listeners] == ["127.0.0.1", "127.0.0.2"]
    for listener in listeners:
        await listener.aclose()


async def test_when_one_address_cannot_be_had_none_is_left_open() -> None:
    trio.socket.set_custom_hostname_resolver(Resolver("127.0.0.1", "127.0.0.2"))
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"Errno {errno.EADDRINUSE}"):
            await open_tcp_listeners(port, host="tavern.example")
        socket.create_server(("127.0.0.1", port)).close()  # so it is free


async def test_a_host_without_any_address_is_an_error_that_names_it() -> None:
    trio.socket.set_custom_hostname_resolver(Resolver())
    with pytest.raises(OSError, match=r"tavern\.example"):
        await open_tcp_listeners(0, host="tavern.example")


async def test_port_zero_lets_the_system_choose_and_the_listener_tells() -> None:
    async with listening() as first, listening() as second:
        assert first.address[1] not in {0, second.address[1]}
        async with accepted(first), accepted(second):
            pass


@pytest.mark.parametrize("host", [None, ""])
async def test_no_host_means_every_interface(host: str | None) -> None:
    listeners = await open_tcp_listeners(0, host=host)
    hosts = {listener.address[0]: listener for listener in listeners}
    assert set(hosts) == ({"0.0.0.0", "::"} if has_ipv6() else {"0.0.0.0"})
    for name, near in (("0.0.0.0", "127.0.0.1"), ("::", "::1")):
        if name in hosts:
            async with await trio.open_tcp_stream(near, hosts[name].address[1]):
                transport = await hosts[name].accept()
                await transport.aclose_forcefully()
    for listener in listeners:
        await listener.aclose()


@with_ipv6
async def test_ipv4_and_ipv6_share_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    listeners = await open_tcp_listeners(port, host=None)
    assert [listener.address[1] for listener in listeners] == [port, port]
    for listener in listeners:
        await listener.aclose()


@pytest.mark.parametrize("port", [-1, 65536, 70000])
async def test_a_port_that_does_not_exist_is_not_taken_for_another(port: int) -> None:
    with pytest.raises(ValueError, match=f"port = {port}: write a number from 1 to 65535"):
        await open_tcp_listeners(port, host="127.0.0.1")


async def test_a_port_can_be_had_again_at_once_after_a_server_closed_connections_on_it() -> None:
    async with listening() as listener, await trio.open_tcp_stream(*listener.address) as peer:
        transport = await listener.accept()
        await transport.aclose_forcefully()  # who closes first leaves the port in TIME_WAIT
        assert await peer.receive_some() == b""
    again = await open_tcp_listeners(listener.address[1], host="127.0.0.1")
    await again[0].aclose()


async def test_a_listener_of_trio_is_taken_over_with_its_socket() -> None:
    with trio.fail_after(PATIENCE):
        (theirs,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        ours = take_over(theirs, dead_peer=60)
        assert theirs.socket.fileno() == -1
        async with accepted(ours) as transport:
            silent, _ = times_to_find_a_dead_peer(transport)
            assert math.isclose(silent, 60)
        await ours.aclose()
