"""The addresses that a server listens on: ports that it binds, or sockets that a supervisor has opened.

Used by `run` and the command line.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol

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


class CannotListen(TrioMudError):
    """A port cannot be bound, or the host is unknown; the message names the address and the error.

    Attributes:
        status: The exit status of a program that ends by it.
        parameter: The argument or setting to change, such as "port", "tls_port", "host" or "unix".
    """

    def __init__(self, host: str | None, port: int, parameter: str, error: OSError) -> None:
        if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
            super().__init__(f"host {host!r} is unknown")
            self.status = EXIT_USAGE
        else:
            where = error.filename or f"{host} port {port}"
            super().__init__(f"cannot bind {where}: {error.strerror or error}")
            self.status = EXIT_UNAVAILABLE
        is_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        self.parameter = "host" if is_host else parameter


class Place(NamedTuple):
    """An address that a server listens on."""

    host: str
    port: int
    is_secure: bool = False
    protocol: str = "telnet"


class BoundListener(Listener, Protocol):
    """A listener that knows where it is bound."""

    address: tuple[str, int]


class Opening(NamedTuple):
    """A further port, whose protocol is opened by another part of the program.

    Attributes:
        parameter: The setting that names the port, for an error text.
        place: The host and port as configured, and the protocol.
        open: Opens the listeners.
    """

    parameter: str
    place: Place
    open: Callable[[], Awaitable[Sequence[BoundListener]]]


@dataclass(frozen=True, slots=True)
class Places:
    """The addresses to listen on; the arguments of `run`.

    Raises:
        TypeError, ValueError: A host or port is invalid, or only one of `tls_port` and `certificate` is given.
    """

    host: str | None
    port: int
    tls_port: int | None
    certificate: Certificate | None
    proxy_from: Sequence[Network]
    inherited: Sequence[InheritedSocket] = ()
    unix: Path | None = None
    openings: Sequence[Opening] = ()

    def __post_init__(self) -> None:
        check_address(self.host, self.port)
        if self.tls_port is not None:
            check_address(self.host, self.tls_port, "tls_port")
        if (self.tls_port is None) != (self.certificate is None):
            raise ValueError("TLS needs a port and a certificate: pass both tls_port= and certificate=")
        if self.certificate is None and any(each.is_secure for each in self.inherited):
            raise ConfigurationError("a socket of LISTEN_FDS is for TLS: set tls_port and tls_certificate")

    async def open(self, dead_peer: float | None) -> tuple[list[AnyListener], list[Place]]:
        """Open all listeners, or none if one cannot be opened.

        Raises:
            CannotListen: A listener cannot be opened.
            ConfigurationError: An inherited socket cannot be used.
        """
        plain = await self._listen(dead_peer, is_secure=False)
        secure: list[TcpListener] = []
        further: list[tuple[BoundListener, Place]] = []
        try:
            secure = await self._listen(dead_peer, is_secure=True)
            for opening in self.openings:
                further += await self._open(opening)
            joined = self._listen_at_path()
        except BaseException:
            for bound in (*plain, *secure, *(listener for listener, _ in further)):
                await bound.aclose()
            raise
        listeners: list[AnyListener] = [
            ProxyListener(listener, self.proxy_from) if self.proxy_from else listener for listener in plain
        ]
        if self.certificate is not None:
            listeners += secure_listeners(secure, self.certificate, self.proxy_from)
        listeners += joined
        listeners += (listener for listener, _ in further)
        places = [Place(*listener.address) for listener in plain]
        places += (Place(*listener.address, is_secure=True) for listener in secure)
        return listeners, [*places, *(place for _, place in further)]

    async def _open(self, opening: Opening) -> list[tuple[BoundListener, Place]]:
        """Return the listeners of a further port, each with its place."""
        place = opening.place
        try:
            opened = await opening.open()
        except OSError as error:
            raise CannotListen(self.host, place.port, opening.parameter, error) from error
        return [(listener, place._replace(host=listener.address[0], port=listener.address[1])) for listener in opened]

    async def _listen(self, dead_peer: float | None, *, is_secure: bool) -> list[TcpListener]:
        """Return the inherited listeners of one kind, or else those of its port."""
        inherited = [each for each in self.inherited if each.is_secure is is_secure]
        port = self.tls_port if is_secure else self.port
        if inherited:
            return adopt(inherited, dead_peer=dead_peer)
        if port is None:
            return []
        try:
            return await open_tcp_listeners(port, host=self.host, dead_peer=dead_peer)
        except OSError as error:
            raise CannotListen(self.host, port, "tls_port" if is_secure else "port", error) from error

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
