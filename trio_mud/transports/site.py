"""A site: the settings that all connections of one web port share, and the decisions that follow from them.

It decides which subprotocol a client gets, which pages may connect, and whose address a proxy has forwarded.
Sans-IO. `websocket` has one site for each port.

Source: RFC 6455, sections 4.1, 4.2.2 and 10.2; RFC 6454, section 6.2
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from websockets.http11 import Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from ..limits import Limits
from .framing import LIBRARY_LOGGER, Codec, Framing
from .http import BadRequest, Head, HttpAnswer
from .proxy import Network
from .tcp import canonical_host

NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Site:
    """The settings of one web port.

    Args:
        subprotocols: Makes the codec of each supported subprotocol; None for telnet bytes as they are. A client that
            names none of them gets telnet bytes, and no subprotocol is confirmed.
        pages: The answers to requests that are not for a WebSocket, by path.
        origins: Further origins whose pages may connect, such as "https://mud.example". A page of the port itself may
            always connect, and so may a program that sends no origin.
        forwarded_from: The networks of HTTP proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted.
        limits: The limits of messages, and of the time to close.
    """

    subprotocols: Mapping[str, Callable[[], Codec] | None]
    pages: Mapping[str, HttpAnswer] = field(default_factory=dict)
    origins: frozenset[str] = frozenset()
    forwarded_from: Sequence[Network] = ()
    limits: Limits = NO_LIMITS

    def answer(self, head: Head) -> HttpAnswer:
        """Return the answer to a request that is not for a WebSocket."""
        not_found = HttpAnswer(b"404 Not Found\n", status=HTTPStatus.NOT_FOUND)
        return self.pages.get(head.path, not_found)

    def check_origin(self, head: Head) -> None:
        """Refuse a page of another site, so that it cannot use its visitors' browsers to connect.

        Raises:
            BadRequest: It sends several origins, "null", or one that may not connect.
        """
        origins = [origin.lower() for origin in head.request.headers.get_all("Origin")]
        if not origins or (len(origins) == 1 and origins[0] in self.origins):
            return
        own_host = [host.lower() for host in head.request.headers.get_all("Host")]
        if [origin.partition("://")[2] for origin in origins] != own_host:
            raise BadRequest(HTTPStatus.FORBIDDEN, f"the origin {origins[0][:100]!r} may not connect")

    def accept(self, head: Head) -> tuple[Response, Callable[[], Codec] | None]:
        """Return the answer to a request for a WebSocket, and how to make its codec.

        The subprotocol is the first that the client names and this site supports: clients name them in their order of
        preference. Telix 0.1.10 names the one last that it cannot speak without a crash.

        Raises:
            BadRequest: The request is invalid.
        """
        protocol = ServerProtocol(select_subprotocol=lambda _, named: self._choose(named), logger=LIBRARY_LOGGER)
        response = protocol.accept(head.request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            raise BadRequest(HTTPStatus(response.status_code), f"no valid handshake: {protocol.handshake_exc}")
        chosen = protocol.subprotocol
        return response, None if chosen is None else self.subprotocols[chosen]

    def frame(self, codec: Codec | None) -> Framing:
        """Return the framing of an accepted WebSocket."""
        limits = self.limits
        return Framing(codec, max_message=limits.max_web_message, empty_frames=limits.empty_frame_rate)

    def is_proxy(self, host: str) -> bool:
        """True if this address belongs to a trusted proxy."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self.forwarded_from)

    def client_address(self, head: Head, proxy: str) -> str:
        """Return the address that a trusted proxy has forwarded: the last that is not a proxy's; "" for none.

        Addresses to the left of it were sent by the client, and may be invented.
        """
        hops = [hop.strip() for value in head.request.headers.get_all("X-Forwarded-For") for hop in value.split(",")]
        client = ""
        for hop in reversed(hops):
            address = _address_in(hop)
            if not address:
                break
            client = address
            if not self.is_proxy(address):
                break
        return client

    def is_forwarded_securely(self, head: Head) -> bool:
        """True if a trusted proxy reports that its client uses TLS."""
        return [value.lower() for value in head.request.headers.get_all("X-Forwarded-Proto")] == ["https"]

    def _choose(self, named: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((name for name in named if name in self.subprotocols), None)


def check_origin(origin: str) -> str:
    """Return an origin as browsers send it, in lower case.

    Raises:
        ValueError: It is not of the form scheme://host or scheme://host:port.
    """
    scheme, separator, host = origin.lower().partition("://")
    if not (scheme in ("http", "https") and separator and host) or set("/?#@ ") & set(host):
        raise ValueError(f"web_origins = {origin!r}: write an origin such as https://mud.example, without a path")
    return f"{scheme}://{host}"


def _address_in(hop: str) -> str:
    """Return the address of a hop, which may have a port: 192.0.2.7:80 or [2001:db8::7]:80; "" if there is none."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        ipaddress.ip_address(hop)
    except ValueError:
        return ""
    return canonical_host(hop)
