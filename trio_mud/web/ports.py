"""Opening a web port: listeners whose clients use WebSocket.

Used by the command line, and by games that pass their own listeners to `serve`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from trio_mud.limits import Limits
from trio_mud.telnet.subprotocols import AsciiCodec, GmcpCodec, JsonCodec, TerminalCodec
from trio_mud.transports.framing import Codec
from trio_mud.transports.http import HttpAnswer
from trio_mud.transports.proxy import Network, ProxyListener
from trio_mud.transports.site import Site, check_origin
from trio_mud.transports.tcp import TcpListener, open_tcp_listeners
from trio_mud.transports.tls import Certificate, TlsListener, secure_listeners
from trio_mud.transports.websocket import WebListener

from .pages import Pages

SUBPROTOCOLS: Final[Mapping[str, Callable[[], Codec] | None]] = MappingProxyType(
    {
        "telnet.mudstandards.org": None,
        "terminal.mudstandards.org": TerminalCodec,
        "gmcp.mudstandards.org": GmcpCodec,
        "json.mudstandards.org": JsonCodec,
        "telnet": None,
        "binary": None,  # telnet by websockify, and by FluffOS
        "ascii": AsciiCodec,
    }
)
"""The supported subprotocols, and what makes the codec of each; None for telnet bytes as they are."""

HEALTH: Final = HttpAnswer(b"ok\n", headers=(("Cache-Control", "no-store"),))
_DEFAULT_LIMITS: Final = Limits()


async def open_web(
    port: int,
    *,
    host: str | None = "localhost",
    certificate: Certificate | None = None,
    origins: Iterable[str] = (),
    forwarded_from: Sequence[Network] = (),
    proxy_from: Sequence[Network] = (),
    limits: Limits = _DEFAULT_LIMITS,
    name: Callable[[], str] = lambda: "MUD",
) -> list[WebListener]:
    """Listen for players who use WebSocket, on any path, and for browsers, which get a page to play in at `/`.

    `GET /healthz` is answered with "ok".

    The caller owns the listeners; `serve` and `MasterServer.serve` take them over and close them.

    Args:
        port: 0 lets the system choose.
        host: As for `open_tcp_listeners`.
        certificate: With it, the port takes TLS only: `wss://` in place of `ws://`.
        origins: The origins of pages on other sites that may connect, such as "https://mud.example". Programs, which
            send no origin, may always connect.
        forwarded_from: The networks of HTTP proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted.
        proxy_from: The networks of proxies that send a PROXY header.
        limits: The limits of the server.
        name: Returns the name of the game, which the page shows; called for each request.

    Raises:
        OSError: No address could be bound; none is left open.
        ValueError: An origin is malformed.
    """
    wrap = web_listeners(
        certificate=certificate,
        origins=origins,
        forwarded_from=forwarded_from,
        proxy_from=proxy_from,
        limits=limits,
        name=name,
    )
    return wrap(await open_tcp_listeners(port, host=host, dead_peer=limits.dead_peer_timeout))


def web_listeners(
    *,
    certificate: Certificate | None = None,
    origins: Iterable[str] = (),
    forwarded_from: Sequence[Network] = (),
    proxy_from: Sequence[Network] = (),
    limits: Limits = _DEFAULT_LIMITS,
    name: Callable[[], str] = lambda: "MUD",
) -> Callable[[Sequence[TcpListener]], list[WebListener]]:
    """Return a function that makes listeners of a web port of those of TCP, which they own.

    Args: as for `open_web`.

    Raises:
        ValueError: An origin is malformed.
    """
    site = Site(
        SUBPROTOCOLS,
        pages=Pages(name, {"/healthz": HEALTH}),
        origins=frozenset(map(check_origin, origins)),
        forwarded_from=tuple(forwarded_from),
        limits=limits,
    )

    def wrap(listeners: Sequence[TcpListener]) -> list[WebListener]:
        below: Sequence[TlsListener | ProxyListener]
        if certificate is not None:
            below = secure_listeners(listeners, certificate, proxy_from)
        else:
            below = [ProxyListener(listener, proxy_from) for listener in listeners]
        return [
            WebListener(listener, site, address=bound.address) for listener, bound in zip(below, listeners, strict=True)
        ]

    return wrap
