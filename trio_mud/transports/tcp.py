"""TCP on raw non-blocking sockets: sends at once, and waits only if the kernel's buffer is full.

A `trio.SocketStream` yields to the scheduler at every call, and tries each receive in vain before it waits. For
thousands of short lines that is most of the cost (docs/topics/performance.md).
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import math
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from ..coroutines import without_origin
from . import Reader, broken, listen_by_receiving
from .poller import RECEIVE, Poller, Watch

BACKLOG = 4096  # connections waiting in the kernel, which applies its own limit as well
KEEPALIVE_PROBES = 3
IN_A_ROW = 4  # peers accepted before all other tasks run; the beginning of each takes 0.15 ms

# After these errors the kernel reports the socket as readable at once and forever.
_LOST = {errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT}

_WaitFunction = Callable[[int], Awaitable[None]]


class TcpTransport:
    """An accepted socket, which it owns.

    Attributes:
        address: The peer's host.
        port: The peer's port; 0 if not given.
    """

    __slots__ = ("_fileno", "_socket", "_watch", "address", "port")

    channel = None
    is_secure = False
    may_be_health_check = False
    needs_handshake = False

    def __init__(self, sock: socket.socket, address: str = "", port: int = 0) -> None:
        self._socket = sock
        self._fileno = sock.fileno()
        self._watch: Watch | None = None  # set while a poller reads it
        self.address = address
        self.port = port  # from `accept`, because a socket that was reset has lost it

    async def locate(self) -> None:
        """Do nothing: TCP knows the address."""

    async def handshake(self) -> None:
        """Do nothing: TCP needs no handshake here."""

    def send_nowait(self, data: bytes) -> int:
        """Send as much as the kernel accepts.

        While a poller watches, the loss of a link is reported by `listen`, in turn with the other lost links. Until
        then sent bytes are accepted and lost. Otherwise a broadcast to thousands of lost links would end them all at
        once.
        """
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            if self._watch is not None and not self._watch.has_ended and error.errno in _LOST:
                self._watch.note(error)
                return len(data)
            raise broken(error, f"cannot send to {self.address}") from error

    async def send_some(self, data: bytes) -> int:
        """Wait for room in the kernel's buffer, and fill it."""
        while True:
            await self._wait(wait_writable)
            sent = self.send_nowait(data)
            if (watch := self._watch) is not None and not watch.has_ended and watch.is_lost:
                assert watch.error is not None, "it is the loss"
                raise broken(watch.error, f"cannot send to {self.address}") from watch.error
            if sent:
                return sent

    async def receive(self) -> bytes:
        """Wait for input; return up to 4 KiB."""
        while True:
            await self._wait(wait_readable)
            try:
                return self._socket.recv(RECEIVE)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as error:
                raise broken(error, f"{self.address} is gone") from error

    def listen(self, reader: Reader, poller: Poller | None = None) -> Awaitable[None]:
        """Have the poller receive, if there is one.

        A plain function: a coroutine of its own would take 240 bytes for as long as the connection lives.
        """
        if poller is not None and self._fileno >= 0:
            try:
                self._watch = poller.watch(self._socket, reader)
            except OSError:
                return listen_by_receiving(self, reader)  # the kernel's limit is reached; this task can wait itself
            self._fileno = self._watch.fileno  # an equal number; another object would take 32 bytes
            return without_origin(self._watch.listen)
        return listen_by_receiving(self, reader)

    async def aclose(self) -> None:
        """Send the end of file, discard further input until the peer's end of file, then close.

        Closing with unread input would send a reset, which can overtake the last output.
        """
        try:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
            with contextlib.suppress(trio.BrokenResourceError):
                while await self.receive():
                    pass
        finally:
            self._close()

    async def aclose_forcefully(self) -> None:
        """Close at once."""
        self._close()
        await trio.lowlevel.checkpoint()

    def _close(self) -> None:
        if self._fileno >= 0:
            if self._watch is not None:
                self._watch.close()
            notify_closing(self._fileno)
            self._fileno = -1  # the number may be reused by another socket
            self._socket.close()

    async def _wait(self, wait: _WaitFunction) -> None:
        if self._fileno < 0:
            raise trio.BrokenResourceError(f"the link to {self.address} was closed")
        try:
            await wait(self._fileno)
        except trio.ClosedResourceError as error:  # closed while this task waited
            raise trio.BrokenResourceError(f"the link to {self.address} was closed") from error


class TcpListener:
    """A listening socket, which it owns."""

    def __init__(self, sock: socket.socket, *, dead_peer: float | None = None) -> None:
        sock.setblocking(False)
        _prepare(sock, dead_peer)  # accepted sockets inherit these options
        self._socket = sock
        self._accepted = 0
        self.address: tuple[str, int] = sock.getsockname()[:2]  # host and port that it is bound to

    async def accept(self) -> TcpTransport:
        """Wait for a peer.

        Raises:
            OSError: No peer could be accepted.
            trio.ClosedResourceError: The listener is closed.
        """
        self._accepted += 1
        sock, address = await accept_peer(self._socket, at_once=self._accepted % IN_A_ROW > 0)
        return TcpTransport(sock, canonical_host(address[0]), address[1])

    async def aclose(self) -> None:
        """Close the listening socket. A task waiting in `accept` gets ClosedResourceError."""
        await close_listening(self._socket)


async def accept_peer(listening: socket.socket, *, at_once: bool = False) -> tuple[socket.socket, Any]:
    """Wait for a peer; return its socket and address.

    Args:
        listening: The listening socket.
        at_once: True to accept a peer that waits already without letting other tasks run first.

    Raises:
        OSError: No peer could be accepted.
        trio.ClosedResourceError: The listening socket is closed.
    """
    # A turn of all tasks for each peer takes a quarter of the cost of a new connection. But when 64 were accepted at a
    # time, players waited up to 29 ms beside a flood of connections (99th percentile), so few are accepted in a row.
    if at_once:
        await trio.lowlevel.checkpoint_if_cancelled()
    else:
        await trio.lowlevel.checkpoint()
    while True:
        if listening.fileno() < 0:
            raise trio.ClosedResourceError("this listener was closed")
        try:
            sock, address = listening.accept()
        except (BlockingIOError, InterruptedError):
            await wait_readable(listening)
        else:
            sock.setblocking(False)
            return sock, address


async def close_listening(sock: socket.socket) -> None:
    """Close a listening socket; a task that waits in `accept_peer` gets ClosedResourceError."""
    if sock.fileno() >= 0:
        notify_closing(sock)
        sock.close()
    await trio.lowlevel.checkpoint()


def check_address(host: object, port: object, name: str = "port") -> None:
    """Raise unless the values are a possible host and port; the resolver decides whether the host exists.

    Raises:
        TypeError: The host is neither a `str` nor None, or the port is not an `int`.
        ValueError: The port is out of range, or the host contains characters that no name or address has.
    """
    if isinstance(port, bool) or not isinstance(port, int):
        raise TypeError(f"{name} = {port!r}: write a number from 0 to 65535")
    if not 0 <= port <= 65535:  # the resolver would reduce a larger one modulo 65536
        raise ValueError(f"{name} = {port}: write a number from 1 to 65535, or 0 for any free one")
    if host is None or host == "":
        return
    if not isinstance(host, str):
        raise TypeError(f'host = {host!r}: write a name or an address, such as "localhost", or None for all')
    try:
        host.encode("idna")
    except UnicodeError:
        is_sound = False
    else:
        is_sound = host.isprintable() and not any(character.isspace() or character in "/,;@" for character in host)
    if not is_sound:
        raise ValueError(f"host = {host!r}: write one name or address, such as localhost or 0.0.0.0")


async def open_tcp_listeners(
    port: int, *, host: str | None = "localhost", dead_peer: float | None = None
) -> list[TcpListener]:
    """Listen on every address of `host`: for "localhost" these are 127.0.0.1 and ::1.

    Args:
        port: 0 lets the system choose; then the addresses of one host may get different ports.
        host: None or "" means every interface, IPv4 and IPv6.
        dead_peer: Seconds of silence after which TCP keepalive ends the link to a peer.

    The caller owns the listeners; `MasterServer.serve` takes them over and closes them.

    Raises:
        OSError: No address could be bound; none is left open. TypeError, ValueError: The host or the port is not
            possible.
    """
    check_address(host, port)
    found = await trio.socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[TcpListener] = []
    unsupported: OSError | None = None
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                sock = socket.socket(family, kind, protocol)
            except OSError as error:
                if error.errno != errno.EAFNOSUPPORT:
                    raise
                unsupported = error  # the machine has no IPv6
                continue
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind(address)
                sock.listen(BACKLOG)
            except OSError as error:
                sock.close()
                if error.errno == errno.EADDRNOTAVAIL and family == socket.AF_INET6:
                    unsupported = error  # in the hosts file but switched off, as ::1 is in many containers
                    continue
                raise
            listeners.append(TcpListener(sock, dead_peer=dead_peer))
        if not listeners:
            raise unsupported or OSError(errno.EADDRNOTAVAIL, f"no address found for {host!r}")
    except OSError as error:
        for listener in listeners:
            await listener.aclose()
        error.filename = f"{host or 'any address'} port {port}"  # for a caller that listens on several ports
        raise
    return listeners


def take_over(listener: trio.SocketListener, *, dead_peer: float | None = None) -> TcpListener:
    """Return a listener on the same socket; trio's object is left without one."""
    sock = listener.socket
    family, kind, protocol = sock.family, sock.type, sock.proto
    return TcpListener(socket.socket(family, kind, protocol, fileno=sock.detach()), dead_peer=dead_peer)


def canonical_host(host: str) -> str:
    """Return one spelling for each host: an IPv4-mapped IPv6 address becomes IPv4, and the zone is removed."""
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:  # not an address, but a name given by another kind of transport
        return host
    return str(address.ipv4_mapped or address)


def _prepare(sock: socket.socket, dead_peer: float | None) -> None:
    """Send short lines at once, receive urgent data inline, detect a lost peer within `dead_peer_timeout` seconds."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    if dead_peer is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    probes = max(1, min(KEEPALIVE_PROBES, math.floor(dead_peer) - 1))
    interval = max(1, math.floor(dead_peer / (probes + 1)))
    for name, value in (
        ("TCP_KEEPIDLE", interval),
        ("TCP_KEEPINTVL", interval),
        ("TCP_KEEPCNT", probes),
        # The kernel does not probe a peer while sent data is unacknowledged; it retransmits for a quarter of an hour.
        ("TCP_USER_TIMEOUT", 1000 * interval * (probes + 1)),  # milliseconds; RFC 5482
    ):
        if (option := getattr(socket, name, None)) is not None:  # options that exist on this system
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
