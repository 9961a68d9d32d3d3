"""Transports move bytes between a peer and a connection; listeners accept them.

A transport knows no telnet, no lines and no players. All kinds share one interface, so the driver is the same for all:
`tcp` works on raw non-blocking sockets, `streams` on any `trio.abc.Stream`.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final, Protocol

import trio

if TYPE_CHECKING:
    from .poller import Poller

# Errors that Linux reports when a peer did not answer for too long: a timeout, or what a router reported meanwhile.
_UNANSWERED: Final = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN}


class DeadPeer(trio.BrokenResourceError):
    """The link is lost because the peer has not answered for too long. The peer may not know it."""


class ProtocolViolation(trio.BrokenResourceError):
    """The peer has violated the protocol of its transport, and was answered. The transport can still close gently."""


class RequestAnswered(trio.BrokenResourceError):
    """The peer asked for a page, which is not a connection to the game, and was answered.

    Attributes:
        status: The status of the answer, such as 200.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def broken(error: BaseException, message: str) -> trio.BrokenResourceError:
    """Return the exception to raise for a failed read or write, with its cause: `DeadPeer` if the peer timed out."""
    loss = trio.BrokenResourceError(message)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _UNANSWERED:
            loss = DeadPeer(message)
        cause = cause.__cause__
    loss.__cause__ = error  # here, since mypyc leaves it out of `raise loss from error`
    return loss


class Reader(Protocol):
    """The receiver of a transport's bytes."""

    def feed(self, data: bytes) -> bool:
        """Process received bytes; return True if there is room for more.

        Args:
            data: `bytes` exactly. The readers of the compiled build raise TypeError for a bytearray or a memoryview.
        """
        ...

    async def room(self) -> None:
        """Wait until there is room."""
        ...

    def lost(self, error: trio.BrokenResourceError) -> None:
        """Handle the loss of the link, before `listen` raises this error.

        A poller calls it from its own task, so that the reader can cancel the listening task instead of waking it with
        an exception.
        """
        ...


class MessageChannel(Protocol):
    """The abilities of a transport whose bytes travel in messages, such as WebSocket, beyond those of a stream.

    Attributes:
        close_code: The reason for closing, reported to the peer by `Transport.aclose`. RFC 6455, section 7.4.
    """

    close_code: int

    @property
    def colours(self) -> int | None:
        """The number of colours that the peer shows; None if unknown. Certain after the handshake."""
        ...

    def ping(self, *, is_read: bool) -> None:
        """Send bytes that the peer's program has to answer, and that show proxies that the link is in use.

        Args:
            is_read: False while input is not read, so that no answer can arrive.

        Raises:
            DeadPeer: The peer has not answered for too long.
            trio.BrokenResourceError: The link is lost.
        """
        ...


class Transport(Protocol):
    """The bytes of one peer, in both directions. The task that accepted it closes it."""

    @property
    def channel(self) -> MessageChannel | None:
        """The further abilities of a transport whose bytes travel in messages; None for a stream."""
        ...

    @property
    def address(self) -> str:
        """The peer's host without a port, for display and for counting; "" if unknown."""
        ...

    @property
    def is_secure(self) -> bool:
        """True if nothing on the way to the peer can read what is sent."""
        ...

    @property
    def needs_handshake(self) -> bool:
        """True if `locate` or `handshake` may wait for the peer; if False, they need not be called."""
        ...

    @property
    def may_be_health_check(self) -> bool:
        """True if a proxy opened this link for itself, or did not report its peer; certain after `locate`.

        Such a link becomes a connection with its first byte, because a health check sends none.
        """
        ...

    async def locate(self) -> None:
        """Determine the peer's address by reading the PROXY header, if one is due. Called first, and once.

        It waits for the peer, so bound it. `address` is certain only after it. If nothing is due, it does not yield.

        Raises:
            trio.BrokenResourceError: The header is missing, or the peer is gone; the message says which.
        """
        ...

    async def handshake(self) -> None:
        """Complete the TLS handshake, if there is one. Called after `locate`, and once.

        It waits for the peer, so bound it. `is_secure` is certain only after it. If nothing is due, it does not yield.

        Raises:
            trio.BrokenResourceError: The peer failed the handshake, or is gone; the message says which.
        """
        ...

    def send_nowait(self, data: bytes) -> int:
        """Send the bytes that can be sent at once, and return their number.

        While a poller listens, the loss of the link may be reported by `listen` only, and bytes sent in between are
        lost.

        Raises:
            trio.BrokenResourceError: The link is lost; `DeadPeer` if the peer did not answer.
        """
        ...

    async def send_some(self, data: bytes) -> int:
        """Wait until at least one byte can be sent, and return the number of bytes sent.

        Raises:
            trio.BrokenResourceError: The link is lost; `DeadPeer` if the peer did not answer.
        """
        ...

    async def receive(self) -> bytes:
        """Wait for bytes; return b"" at the end of file.

        A transport over this one may rely on `bytes`; under a connection, a bytearray is converted.

        Raises:
            trio.BrokenResourceError: The link is lost; `DeadPeer` if the peer did not answer.
        """
        ...

    def listen(self, reader: Reader, poller: Poller | None = None) -> Awaitable[None]:
        """Pass all received bytes to the reader, while it has room, until the end of file.

        Args:
            reader: Called from this task or from the poller's.
            poller: Receives in place of this task, if the transport uses a socket that the poller can read.

        Raises:
            trio.BrokenResourceError: The link is lost; `DeadPeer` if the peer did not answer.
        """
        ...

    async def aclose(self) -> None:
        """Close without losing sent bytes: input that still arrives is read and discarded.

        It waits for the peer, so bound it. If cancelled, it closes at once.
        """
        ...

    async def aclose_forcefully(self) -> None:
        """Close at once, without waiting."""
        ...


async def listen_by_receiving(transport: Transport, reader: Reader) -> None:
    """Implement `Transport.listen` for transports that can only be read by waiting in `receive`."""
    while data := await transport.receive():
        # mypy without strict_bytes takes a bytearray for bytes, and the readers of the compiled build do not.
        if not reader.feed(data if type(data) is bytes else bytes(data)):
            await reader.room()


async def receive_exactly_bytes(transport: Transport) -> bytes:
    """Receive as `Transport.receive` does, and convert a bytearray; for modules of the compiled build.

    There, the result of an `await` is checked to be `bytes` before anything can convert it.
    """
    data = await transport.receive()
    return data if type(data) is bytes else bytes(data)


class Listener(Protocol):
    """A source of peers."""

    async def accept(self) -> Transport:
        """Wait for a peer, and let other tasks run before it is accepted.

        Raises:
            OSError: No peer could be accepted; the caller decides whether to retry.
        """
        ...

    async def aclose(self) -> None:
        """Stop accepting peers."""
        ...
