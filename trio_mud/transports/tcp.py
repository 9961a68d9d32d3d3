"""TCP on raw non-blocking sockets: sent to at once, waited for only when the kernel's buffer is full.

A `trio.SocketStream` yields to the scheduler at every call and tries each receive in vain before it waits;
for thousands of small lines that is most of the cost (docs/topics/performance.md).
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import math
import socket
from collections.abc import Awaitable, Callable, Sequence

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from . import Reader, broken, listen_by_receiving
from .poller import RECEIVE, Poller, Watch

BACKLOG = 4096  # connections waiting in the kernel; it caps this itself
ACCEPTS = 64  # connections accepted in one go
KEEPALIVE_PROBES = 3

# After these the kernel reports the socket as readable at once and for ever.
_LOST = {errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT}

_WaitFunction = Callable[[int], Awaitable[None]]


class TcpTransport:
    """One accepted socket. Owns it.

    Attributes:
        address: The peer's host.
        port: The peer's port; 0 if not given.
    """

    __slots__ = ("_fileno", "_socket", "_watch", "address", "port")

    is_secure = False
    may_be_health_check = False
    shakes_hands = False

    def __init__(self, sock: socket.socket, address: str = "", port: int = 0) -> None:
        self._socket = sock
        self._fileno = sock.fileno()
        self._watch: Watch | None = None  # while a poller reads it
        self.address = address
        self.port = port  # from `accept`: a socket that was reset no longer knows it

    async def locate(self) -> None:
        """TCP has done that."""

    async def handshake(self) -> None:
        """TCP has done that."""

    def send_nowait(self, data: bytes) -> int:
        """Give the kernel what it takes.

        Where a poller watches, a lost link is told by `listen`, in turn with all others that are lost, and until then
        whatever is sent is taken and lost: or a word to thousands who have gone would end them all at once.
        """
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            if self._watch is not None and error.errno in _LOST:
                self._watch.note(error)
                return len(data)
            raise broken(error, f"cannot send to {self.address}") from error

    async def send_some(self, data: bytes) -> int:
        """Wait for room in the kernel's buffer, and fill it."""
        while True:
            await self._wait(wait_writable)
            sent = self.send_nowait(data)
            if self._watch is not None and self._watch.error is not None:
                raise broken(self._watch.error, f"cannot send to {self.address}") from self._watch.error
            if sent:
                return sent

    async def receive(self) -> bytes:
        """Up to 4 KiB, as soon as there is anything."""
        while True:
            await self._wait(wait_readable)
            try:
                return self._socket.recv(RECEIVE)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as error:
                raise broken(error, f"{self.address} is gone") from error

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        """Let the poller receive, if there is one."""
        if poller is not None and self._fileno >= 0:
            with contextlib.suppress(OSError):  # the kernel watches no more of them; this task can still wait
                self._watch = poller.watch(self._socket, reader)
        if self._watch is None:
            await listen_by_receiving(self, reader)
        else:
            try:
                await self._watch.listen()
            finally:
                self._watch = None

    async def aclose(self) -> None:
        """Say the end, throw away what the peer still sends until it ends too, then close.

        Closed with unread input, TCP would send a reset, which can overtake the last words.
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
            self._fileno = -1  # the number may soon be another socket's
            self._socket.close()

    async def _wait(self, wait: _WaitFunction) -> None:
        if self._fileno < 0:
            raise trio.BrokenResourceError(f"the link to {self.address} was closed")
        try:
            await wait(self._fileno)
        except trio.ClosedResourceError as error:  # while it waited
            raise trio.BrokenResourceError(f"the link to {self.address} was closed") from error


class TcpListener:
    """A listening socket. Owns it."""

    def __init__(self, sock: socket.socket, *, dead_peer: float | None = None) -> None:
        sock.setblocking(False)
        _prepare(sock, dead_peer)  # what is accepted from it inherits that
        self._socket = sock
        self.address: tuple[str, int] = sock.getsockname()[:2]  # host and port it is bound to

    async def accept(self) -> Sequence[TcpTransport]:
        """Wait for peers, and take all that wait, up to 64.

        Raises:
            OSError: None could be accepted.
            trio.ClosedResourceError: The listener is closed.
        """
        while True:
            if self._socket.fileno() < 0:
                raise trio.ClosedResourceError("this listener was closed")
            await wait_readable(self._socket)
            accepted: list[TcpTransport] = []
            while len(accepted) < ACCEPTS:
                try:
                    sock, address = self._socket.accept()
                except (BlockingIOError, InterruptedError):
                    break
                except OSError:
                    if not accepted:
                        raise
                    break  # those accepted come first; the error comes again
                sock.setblocking(False)
                accepted.append(TcpTransport(sock, canonical_host(address[0]), address[1]))
            if accepted:
                return accepted

    async def aclose(self) -> None:
        """Close the listening socket. Whoever waits in `accept` is told."""
        if self._socket.fileno() >= 0:
            notify_closing(self._socket)
            self._socket.close()
        await trio.lowlevel.checkpoint()


def check_address(host: object, port: object, name: str = "port") -> None:
    """Raise unless these could be a host and a port; whether the host is known is the resolver's to say.

    Raises:
        TypeError: The host is no `str` and not None, or the port is no `int`.
        ValueError: There is no such port, or the host holds what no name or address has.
    """
    if isinstance(port, bool) or not isinstance(port, int):
        raise TypeError(f"{name} = {port!r}: write a number from 0 to 65535")
    if not 0 <= port <= 65535:  # the resolver would take the remainder of a larger one
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
    """Listen on every address that `host` has: for "localhost" that is 127.0.0.1 and ::1.

    Args:
        port: 0 lets the system choose; then the addresses of one host may get different ports.
        host: None or "" means every interface, IPv4 and IPv6.
        dead_peer: TCP keepalive ends the link to a peer that has been silent for so many seconds.

    The caller owns the listeners; `MasterServer.serve` takes them over and closes them.

    Raises:
        OSError: Nothing could be bound; none is left open.
        TypeError, ValueError: There can be no such host or port.
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
                unsupported = error  # a machine without IPv6
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
                    unsupported = error  # named, but switched off, as ::1 is in many containers
                    continue
                raise
            listeners.append(TcpListener(sock, dead_peer=dead_peer))
        if not listeners:
            raise unsupported or OSError(errno.EADDRNOTAVAIL, f"no address found for {host!r}")
    except OSError as error:
        for listener in listeners:
            await listener.aclose()
        error.filename = f"{host or 'any address'} port {port}"  # for whoever listens at several
        raise
    return listeners


def take_over(listener: trio.SocketListener, *, dead_peer: float | None = None) -> TcpListener:
    """The same listening socket as ours; trio's object is left without one."""
    sock = listener.socket
    family, kind, protocol = sock.family, sock.type, sock.proto
    return TcpListener(socket.socket(family, kind, protocol, fileno=sock.detach()), dead_peer=dead_peer)


def canonical_host(host: str) -> str:
    """One spelling for one host: an IPv4 address mapped into IPv6 is the IPv4 address, a zone is left out."""
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:  # no address, but the word of some other kind of transport
        return host
    return str(address.ipv4_mapped or address)


def _prepare(sock: socket.socket, dead_peer: float | None) -> None:
    """Send small lines at once, take urgent data inline, and notice a vanished peer within `dead_peer` seconds."""
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
        # Nobody is probed while something sent is not acknowledged: that is repeated for a quarter of an hour.
        ("TCP_USER_TIMEOUT", 1000 * interval * (probes + 1)),  # milliseconds; RFC 5482
    ):
        if (option := getattr(socket, name, None)) is not None:  # not every system has each
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
