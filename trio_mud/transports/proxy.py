"""The PROXY protocol, versions 1 and 2: a proxy in front of the server sends the address of its peer.

The first half is the parser, which does no I/O; the second is the transport that uses it. A header is accepted only
from the configured networks of proxies, because any peer could send one, and from those it is required. The bytes
after it belong to the next layer: telnet, or TLS.

Source: "The PROXY protocol, Versions 1 & 2", haproxy.org, sections 2.1 and 2.2
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import trio

from . import Listener, Reader, Transport
from .poller import Poller
from .tcp import TcpTransport, canonical_host

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_V1 = b"PROXY "
_V1_LONGEST = 107  # bytes, including its line ending; section 2.1
_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_START = 16  # bytes: the signature, version and command, family and protocol, 2 of length (big-endian)
_V2_LONGEST = 4096  # bytes; the TLVs about a peer are short, and nginx has the same limit

_TLV_SSL = 0x20
_CLIENT_SSL = 0x01  # bit of its first byte: the peer is connected to the proxy by TLS
_SSL_FIXED = 5  # bytes before the nested TLVs: 1 of bits, 4 about a certificate


class NoProxyHeader(ValueError):
    """These bytes do not begin with a PROXY header."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """The information that a proxy sends about its peer.

    Attributes:
        size: Bytes of the header; the bytes after it are the peer's.
        address: The peer's address in canonical spelling; "" if the proxy connects for itself or does not know it.
        port: The peer's port; 0 without an address.
        is_secure: True if the peer is connected to the proxy by TLS.
    """

    size: int
    address: str = ""
    port: int = 0
    is_secure: bool = False


def read_header(received: bytes) -> ProxyHeader | None:
    """Parse the header at the beginning of the received bytes; return None if it is incomplete.

    Raises:
        NoProxyHeader: It is missing or malformed; raised as soon as that is certain.
    """
    if received.startswith(_V2):
        return _read_v2(received)
    if received.startswith(_V1):
        return _read_v1(received)
    if _V1.startswith(received) or _V2.startswith(received):
        return None
    raise NoProxyHeader("it does not begin like a PROXY header")


def _read_v1(received: bytes) -> ProxyHeader | None:
    """Parse a line: `PROXY TCP4 192.0.2.1 192.0.2.9 56324 4000`; after `PROXY UNKNOWN` the rest is ignored."""
    line, end, _ = received[:_V1_LONGEST].partition(b"\r\n")
    if not end:
        if len(received) >= _V1_LONGEST:
            raise NoProxyHeader(f"its line is longer than {_V1_LONGEST} bytes")
        return None
    size = len(line) + len(end)
    try:
        words = line.decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise NoProxyHeader("its line is not ASCII") from None
    match words:
        case ["PROXY", "UNKNOWN", *_]:
            return ProxyHeader(size)
        case ["PROXY", "TCP4" | "TCP6" as family, source, destination, *ports] if len(ports) == 2:
            version = 4 if family == "TCP4" else 6
            if all(_is_address(text, version) for text in (source, destination)) and all(map(_is_port, ports)):
                return ProxyHeader(size, canonical_host(source), int(ports[0]))
    raise NoProxyHeader("its line is malformed")


def _is_address(text: str, version: int) -> bool:
    try:
        return "%" not in text and ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _is_port(text: str) -> bool:
    return text.isdigit() and len(text) <= 5 and int(text) <= 65535 and str(int(text)) == text


def _read_v2(received: bytes) -> ProxyHeader | None:
    """Parse the binary form: the fixed start, then addresses, ports and TLVs of the length given in the start."""
    if len(received) < _V2_START:
        return None
    command, family, length = struct.unpack_from("!BBH", received, len(_V2))
    size = _V2_START + length
    if command >> 4 != 2 or command & 0xF > 1 or family >> 4 > 3 or family & 0xF > 2:
        raise NoProxyHeader(f"its command {command:#x} or its family {family:#x} is unknown")
    if size > _V2_LONGEST:
        raise NoProxyHeader(f"it is longer than {_V2_LONGEST} bytes")
    if len(received) < size:
        return None
    if command & 0xF == 0:  # LOCAL: a health check of the proxy itself
        return ProxyHeader(size)
    body = received[_V2_START:size]
    addresses = {0x1: 2 * 4 + 2 * 2, 0x2: 2 * 16 + 2 * 2, 0x3: 2 * 108}.get(family >> 4, 0)  # bytes
    if length < addresses:
        raise NoProxyHeader("it is shorter than its addresses")
    host = body[: {0x11: 4, 0x21: 16}.get(family, 0)]  # TCP over IPv4 or IPv6; other families are not supported
    address, port = "", 0
    if host:
        address = canonical_host(str(ipaddress.ip_address(host)))
        (port,) = struct.unpack_from("!H", body, 2 * len(host))  # the source port comes first
    is_secure = False
    for kind, value in _tlvs(body[addresses:]):
        if kind == _TLV_SSL:
            if len(value) < _SSL_FIXED:
                raise NoProxyHeader("its TLS information is too short")
            is_secure = bool(value[0] & _CLIENT_SSL)
    return ProxyHeader(size, address, port, is_secure)


def _tlvs(rest: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each TLV: 1 byte of type, 2 bytes of length (big-endian), and the value."""
    while rest:
        if len(rest) < 3 or len(rest) < 3 + (length := int.from_bytes(rest[1:3], "big")):
            raise NoProxyHeader("its last TLV is incomplete")
        yield rest[0], rest[3 : 3 + length]
        rest = rest[3 + length :]


def encode_header(address: str, port: int, *, is_secure: bool) -> bytes:
    """Return the header, in version 2, that reports a peer; for a program that brings it.

    Args:
        address: The IP address of the peer.
        port: The port of the peer, or 0.
        is_secure: True if nothing on the way to the peer can read what is sent. The header says so by the flag for
            TLS, the only one that it has for this.

    Raises:
        ValueError: The address is no IP address.
    """
    host = ipaddress.ip_address(address)
    family, own = (0x11, bytes(4)) if host.version == 4 else (0x21, bytes(16))
    tls = struct.pack("!BHBI", _TLV_SSL, _SSL_FIXED, _CLIENT_SSL, 0) if is_secure else b""
    body = host.packed + own + struct.pack("!HH", port, 0) + tls
    return _V2 + struct.pack("!BBH", 0x21, family, len(body)) + body


class ProxiedTransport:
    """A transport from a trusted proxy: `locate` reads the address of the actual peer. It owns the other transport.

    Before that it has no address, so that no connection is counted under the proxy's address.
    """

    __slots__ = ("_rest", "_transport", "address", "is_secure", "may_be_health_check")

    channel = None
    needs_handshake = True

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._rest = b""  # bytes received after the header
        self.address = ""
        self.is_secure = False
        self.may_be_health_check = False

    async def locate(self) -> None:
        """Read the header.

        Raises:
            trio.BrokenResourceError: The header is missing.
        """
        await self._transport.locate()
        received = b""
        while True:
            try:
                header = read_header(received)
            except NoProxyHeader as error:
                raise trio.BrokenResourceError(f"no PROXY header from {self._transport.address}: {error}") from None
            if header is not None:
                break
            if not (data := await self._transport.receive()):
                raise trio.BrokenResourceError(
                    f"no PROXY header from {self._transport.address}: the peer closed the link"
                )
            received += data
        self._rest = received[header.size :]
        self.address = header.address or self._transport.address
        self.is_secure = header.is_secure
        self.may_be_health_check = not header.address or self._is_own_end(header)

    def _is_own_end(self, header: ProxyHeader) -> bool:
        """True if the header names the very socket it came from.

        haproxy 2.6 sends that for its health checks in version 1, although it could send UNKNOWN.
        """
        return isinstance(self._transport, TcpTransport) and (header.address, header.port) == (
            self._transport.address,
            self._transport.port,
        )

    async def handshake(self) -> None:
        """Delegate to the transport below."""
        await self._transport.handshake()

    def send_nowait(self, data: bytes) -> int:
        """Delegate to the transport below."""
        return self._transport.send_nowait(data)

    async def send_some(self, data: bytes) -> int:
        """Delegate to the transport below."""
        return await self._transport.send_some(data)

    async def receive(self) -> bytes:
        """Return the bytes received after the header first, then delegate to the transport below."""
        if self._rest:
            data, self._rest = self._rest, b""
            await trio.lowlevel.checkpoint()
            return data
        return await self._transport.receive()

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        """Pass on the bytes received after the header, then delegate to the transport below."""
        if self._rest and not reader.feed(await self.receive()):
            await reader.room()
        await self._transport.listen(reader, poller)

    async def aclose(self) -> None:
        """Delegate to the transport below."""
        await self._transport.aclose()

    async def aclose_forcefully(self) -> None:
        """Delegate to the transport below."""
        await self._transport.aclose_forcefully()


class ProxyListener:
    """A listener that accepts peers from proxies and directly. It owns the other listener.

    Args:
        listener: The listener that accepts both.
        proxy_from: The networks of the proxies. The address of any other peer is its own, and a header from it is
            treated as input.
    """

    def __init__(self, listener: Listener, proxy_from: Sequence[Network]) -> None:
        self._listener = listener
        self._proxy_from = tuple(proxy_from)

    async def accept(self) -> Transport:
        """Wait for a peer."""
        transport = await self._listener.accept()
        return ProxiedTransport(transport) if self._is_proxy(transport.address) else transport

    async def aclose(self) -> None:
        """Close the listener below."""
        await self._listener.aclose()

    def _is_proxy(self, host: str) -> bool:
        if not self._proxy_from:
            return False
        try:
            address = ipaddress.ip_address(host)
        except ValueError:  # unknown, or not an address
            return False
        return any(address in network for network in self._proxy_from)
