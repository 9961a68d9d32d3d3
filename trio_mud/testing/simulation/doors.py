"""The doors of a simulated server, by which its players come: telnet, TLS, and each subprotocol of the web port.

Of each door there is the side of the player, a *wire*, and the side of the server, a real transport that reports when
it is given something to send. TLS uses an anonymous cipher, so no certificate is needed, and all runs of a seed send
records of the same lengths.

Used by `players`, which have a wire, and by `harness`, which serves the doors.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from random import Random
from typing import Final, Protocol, cast

from ...transports import Listener, Transport
from ...transports.certificate import Certificate
from ...transports.site import Site
from ...transports.streams import StreamListener
from ...transports.tls import TlsTransport
from ...transports.websocket import WebSocketTransport
from ...web import SUBPROTOCOLS
from ..pipe import PipeListener
from ..web_wire import NO_SUBPROTOCOL, PAGE, WITH_GMCP, WebWire

TELNET: Final = "telnet"
TLS: Final = "tls"
PAGES: Final = "pages"  # of the web port, for those that send their own request
WEB: Final = "web "  # followed by a subprotocol

# Telnet comes first: what another door changes must not happen to all players.
DOORS: Final = (
    *(TELNET,) * 5,
    TLS,
    *(f"{WEB}{PAGE}",) * 2,
    *(f"{WEB}{name}" for name in (*SUBPROTOCOLS, NO_SUBPROTOCOL)),
)
RETURNING: Final = (TELNET, TLS, *(f"{WEB}{name}" for name in WITH_GMCP))  # doors of clients that keep a token

_CIPHER: Final = "AECDH-AES128-SHA:@SECLEVEL=0"
_PIECE: Final = 16 * 1024  # bytes of a TLS record


class PlayersWire(Protocol):
    """The player's side of a door.

    Attributes:
        greeting: Telnet bytes for the program to answer in place of those that the server does not send.
    """

    greeting: bytes

    @property
    def has_data_to_send(self) -> bool:
        """True if anything is queued."""
        ...

    def send(self, data: bytes) -> None:
        """Queue telnet bytes."""
        ...

    def close(self, code: int) -> None:
        """Queue the end."""
        ...

    def receive(self, data: bytes) -> bytes:
        """Return the telnet bytes in received bytes."""
        ...

    def data_to_send(self) -> bytes:
        """Return and remove the queued bytes."""
        ...

    def telnet(self, size: int | None = None) -> bytes:
        """Return the telnet bytes that a server reads in the first `size` sent bytes; None: in all."""
        ...


def make_wire(door: str, chance: Random) -> PlayersWire | None:
    """Return the player's side of a door; None if it sends its bytes as they are."""
    if door == TLS:
        return TlsWire()
    return WebWire(door.removeprefix(WEB), chance=chance) if door.startswith(WEB) else None


def _context(side: ssl._SSLMethod) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHER)
    return context


class TlsWire:
    """A client of TLS, without I/O."""

    greeting = b""

    def __init__(self) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = _context(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(self._incoming, self._outgoing)
        self._is_open = self._has_ended = False
        self._early = b""
        self._records: list[tuple[int, bytes]] = []
        self._queued = b""
        self._shake_hands()

    @property
    def has_data_to_send(self) -> bool:
        """True if anything is queued."""
        return bool(self._queued)

    def send(self, data: bytes) -> None:
        """Queue telnet bytes."""
        if not self._is_open:
            self._early += data
            return
        for at in range(0, len(data), _PIECE):
            with contextlib.suppress(ssl.SSLError):  # it is closed
                self._tls.write(data[at : at + _PIECE])
            self._take(data[at : at + _PIECE])

    def close(self, code: int) -> None:
        """Queue the end."""
        if self._is_open:
            with contextlib.suppress(ssl.SSLError):  # the server has not sent its own yet
                self._tls.unwrap()
            self._take()

    def receive(self, data: bytes) -> bytes:
        """Return the telnet bytes in received bytes."""
        self._incoming.write(data)
        if not self._is_open:
            self._shake_hands()
        plain = b""
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while self._is_open and (piece := self._tls.read(_PIECE)):
                plain += piece
        self._take()
        return plain

    def data_to_send(self) -> bytes:
        """Return and remove the queued bytes."""
        data, self._queued = self._queued, b""
        return data

    def telnet(self, size: int | None = None) -> bytes:
        """Return the telnet bytes in whole records among the first `size` sent bytes; None: in all."""
        read = b""
        for record, telnet in self._records:
            if size is not None:
                size -= record
                if size < 0:
                    break
            read += telnet
        return read

    def _shake_hands(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
            self._is_open = True
        self._take()
        if self._is_open and self._early:
            early, self._early = self._early, b""
            self.send(early)

    def _take(self, telnet: bytes = b"") -> None:
        data = self._outgoing.read()
        if data:
            self._queued += data
            self._records.append((len(data), telnet))


class _Anonymous:
    """Stands for a certificate."""

    def __init__(self) -> None:
        self.context = _context(ssl.PROTOCOL_TLS_SERVER)

    def warn_in_time(self) -> None:
        """Never warn."""


OnSend = Callable[[str], object]  # called with the address of a player to whom something is sent


class _WatchedTls(TlsTransport):
    __slots__ = ("_on_send",)

    def __init__(self, transport: Transport, certificate: Certificate, on_send: OnSend) -> None:
        super().__init__(transport, certificate)
        self._on_send = on_send

    def _wrap(self, data: bytes, start: int) -> int:
        self._on_send(self.address)
        return super()._wrap(data, start)


class _WatchedWebSocket(WebSocketTransport):
    __slots__ = ("_on_send",)

    def __init__(self, transport: Transport, site: Site, on_send: OnSend) -> None:
        super().__init__(transport, site)
        self._on_send = on_send

    def _wrap(self, data: bytes, start: int) -> int:
        self._on_send(self.address)
        return super()._wrap(data, start)


class _LayeredListener:
    """Wraps the transports of another listener, which it owns."""

    def __init__(self, listener: Listener, wrap: Callable[[Transport], Transport]) -> None:
        self._listener = listener
        self._wrap = wrap

    async def accept(self) -> Transport:
        """Wait for a transport."""
        return self._wrap(await self._listener.accept())

    async def aclose(self) -> None:
        """Close the listener below."""
        await self._listener.aclose()


def layered(tls: PipeListener, web: PipeListener, site: Site, on_send: OnSend) -> list[Listener]:
    """Return the listeners of all doors but telnet's.

    Args:
        tls: The listener below that of TLS.
        web: The listener below that of the web port.
        site: The settings of the web port.
        on_send: Called whenever a player is sent something.
    """
    certificate = cast(Certificate, _Anonymous())
    return [
        _LayeredListener(StreamListener(tls), lambda transport: _WatchedTls(transport, certificate, on_send)),
        _LayeredListener(StreamListener(web), lambda transport: _WatchedWebSocket(transport, site, on_send)),
    ]
