"""The addresses that a server listens on: ports that it binds, or sockets that a supervisor has opened.

Used by `run` and the command line.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ...errors import ConfigurationError, TrioMudError
from ...transports import Listener
from ...transports.inherited import InheritedSocket, adopt
from ...transports.proxy import Network, ProxyListener
from ...transports.tcp import TcpListener, check_address, open_tcp_listeners
from ...transports.tls import Certificate, secure_listeners
from ...transports.unix import UnixListener, open_unix_listener
from .acceptor import AnyListener

logger = logging.getLogger("trio_mud")

EXIT_USAGE: Final = 2
EXIT_UNAVAILABLE: Final = 75  # EX_TEMPFAIL of sysexits.h: a supervisor may retry


# What an inherited socket needs, by whether it uses TLS and by its protocol.
_SETTINGS: Final = {
    (True, "telnet"): "TLS: set tls_port and tls_certificate",
    (False, "websocket"): "WebSocket: set web_port",
    (True, "websocket"): "WebSocket with TLS: set web_tls_port and tls_certificate",
}


class CannotListen(TrioMudError):
    """A port cannot be bound, or the host is unknown; the message names the address and the error.

    Args:
        host: The host as configured.
        port: The port as configured.
        parameter: The argument or setting of the port.
        error: The cause.
        host_parameter: The argument or setting of the host.

    Attributes:
        status: The exit status of a program that ends by it.
        parameter: The argument or setting to change, such as "port", "tls_port", "host" or "unix".
    """

    def __init__(
        self, host: str | None, port: int, parameter: str, error: OSError, *, host_parameter: str = "host"
    ) -> None:
        if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
            super().__init__(f"host {host!r} is unknown")
            self.status = EXIT_USAGE
        else:
            where = error.filename or f"{host} port {port}"
            super().__init__(f"cannot bind {where}: {error.strerror or error}")
            self.status = EXIT_UNAVAILABLE
        is_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        self.parameter = host_parameter if is_host else parameter


class Place(NamedTuple):
    """An address that a server listens on."""

    host: str
    port: int
    is_secure: bool = False
    protocol: str = "telnet"


class Opening(NamedTuple):
    """A further port, whose protocol is opened by another part of the program.

    Attributes:
        parameter: The setting that names the port, for an error text.
        place: The host and port as configured, and the protocol.
        wrap: Returns listeners of the protocol on those of TCP, in the same order; it takes them over.
    """

    parameter: str
    place: Place
    wrap: Callable[[Sequence[TcpListener]], Sequence[Listener]]


@dataclass(frozen=True, slots=True)
class Places:
    """The addresses to listen on; the arguments of `run`.

    Raises:
        TypeError, ValueError: A host or port is invalid, or only one of `tls_port` and `certificate` is given.
        ConfigurationError: An inherited socket is for a protocol that no setting opens.
    """

    host: str | None
    port: int
    tls_port: int | None
    certificate: Certificate | None
    proxy_from: Sequence[Network]
    inherited: Sequence[InheritedSocket] = ()
    unix: Path | None = None
    openings: Sequence[Opening] = ()
    listeners: Sequence[AnyListener] = ()
    """Listeners in place of all others, such as that of a world, which has no ports."""

    def __post_init__(self) -> None:
        check_address(self.host, self.port)
        if self.tls_port is not None:
            check_address(self.host, self.tls_port, "tls_port")
        if (self.tls_port is None) != (self.certificate is None):
            raise ValueError("TLS needs a port and a certificate: pass both tls_port= and certificate=")
        served = {(False, "telnet"), (self.certificate is not None, "telnet")}
        served |= {(opening.place.is_secure, opening.place.protocol) for opening in self.openings}
        for kind, needed in _SETTINGS.items():
            if kind not in served and any(each[1:] == kind for each in self.inherited):
                raise ConfigurationError(f"a socket of LISTEN_FDS is for {needed}")

    async def open(self, dead_peer: float | None) -> tuple[list[AnyListener], list[Place]]:
        """Open all listeners, or none if one cannot be opened.

        Raises:
            CannotListen: A listener cannot be opened.
            ConfigurationError: An inherited socket cannot be used.
        """
        if self.listeners:
            return list(self.listeners), []
        opened: list[TcpListener] = []
        try:
            plain = await self._listen(self.port, "port", dead_peer)
            opened += plain
            secure = await self._listen(self.tls_port, "tls_port", dead_peer, is_secure=True)
            opened += secure
            further = []
            for opening in self.openings:
                place = opening.place
                bound = await self._listen(
                    place.port, opening.parameter, dead_peer, is_secure=place.is_secure, protocol=place.protocol
                )
                opened += bound
                further.append((opening, bound))
            joined = self._listen_at_path()
        except BaseException:
            for listener in opened:
                await listener.aclose()
            raise
        listeners: list[AnyListener] = [
            ProxyListener(listener, self.proxy_from) if self.proxy_from else listener for listener in plain
        ]
        if self.certificate is not None:
            listeners += secure_listeners(secure, self.certificate, self.proxy_from)
        listeners += joined
        places = [Place(*listener.address) for listener in plain]
        places += (Place(*listener.address, is_secure=True) for listener in secure)
        for opening, bound in further:
            listeners += opening.wrap(bound)
            places += (opening.place._replace(host=each.address[0], port=each.address[1]) for each in bound)
        return listeners, places

    async def _listen(
        self,
        port: int | None,
        parameter: str,
        dead_peer: float | None,
        *,
        is_secure: bool = False,
        protocol: str = "telnet",
    ) -> list[TcpListener]:
        """Return the inherited listeners of one kind, or else those of its port."""
        inherited = [each for each in self.inherited if each[1:] == (is_secure, protocol)]
        if inherited:
            return adopt(inherited, dead_peer=dead_peer)
        if port is None:
            return []
        try:
            return await open_tcp_listeners(port, host=self.host, dead_peer=dead_peer)
        except OSError as error:
            raise CannotListen(self.host, port, parameter, error) from error

    def _listen_at_path(self) -> list[UnixListener]:
        if self.unix is None:
            return []
        try:
            listener = open_unix_listener(self.unix)
        except OSError as error:
            error.filename = str(self.unix)
            raise CannotListen(None, 0, "unix", error) from error
        logger.info("players of this machine come by the socket %s", self.unix)
        return [listener]
