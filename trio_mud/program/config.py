"""The configuration: one typed object for every setting of a server that is started from the shell.

These are the fields, with their defaults and checks. `settings` derives keys and environment variables from them,
`sources` reads the configuration file, the environment and the command line, and `effective` puts these together.
"""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass
from typing import Annotated, Literal

from ..accounts.options import AccountOptions
from ..limits import Limits
from ..texts import Texts
from ..transports.site import check_origin
from ..transports.tcp import check_address
from ..web.watch import check_token

__all__ = [
    "BUNDLED_WORLD",
    "LASTING_WORLD",
    "PORTS",
    "SWITCHED_OFF",
    "WEB_PORT",
    "ClusterOptions",
    "Configuration",
    "LogOptions",
    "OperationsOptions",
    "PathKind",
    "StorageOptions",
    "WatchOptions",
]

BUNDLED_WORLD = "trio_mud.mudlib:world"
LASTING_WORLD = "trio_mud.mudlib:lasting_world"  # the same with accounts, if a database is named
SWITCHED_OFF = "none"
PORTS = ("port", "tls_port", "web_port", "web_tls_port")  # settings that name a port to listen on
WEB_PORT = 4080  # of the bundled world, if no port is set
LONGEST_NAME = 64  # characters, as in the messages of a gateway
SHORTEST_LEASE, LONGEST_LEASE = 1.0, 3600.0  # seconds; a world gives four signs of life a second
LONGEST_INTERVAL = 86_400  # seconds between two saves


class PathKind(enum.Enum):
    """Marks a setting that names a file or a folder; a relative path starts at the folder of the file that has it."""

    FILE = "a path in quotes"
    SWITCHABLE = 'a path in quotes, or "none"'
    DATABASE = 'a path in quotes, or a URL, "postgresql://…"'
    LINK = 'a path in quotes, or a URL, "redis://…"'
    SECRET = "a text in quotes"  # noqa: S105 - no path, and shown as dots


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOptions:
    """The database of a game with records.

    Raises:
        ValueError: `every` is no positive number of seconds, or more than a day.
    """

    url: Annotated[str | None, PathKind.DATABASE] = None
    """The path of an SQLite file, or the URL of a PostgreSQL database; None for a file in the folder `data`."""

    every: float = 1.0
    """Seconds between two saves; a change that is younger is lost if the process is killed."""

    backups: Annotated[str | None, PathKind.SWITCHABLE] = None
    """The folder for backups, each day at 04:00 and before upgrades; "none" switches them off.
    None for `backups` beside the SQLite file."""

    def __post_init__(self) -> None:
        if not 0 < self.every <= LONGEST_INTERVAL:
            raise ValueError(f"every = {self.every}: write a positive number of seconds, {LONGEST_INTERVAL} at most")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """The log of a server that is started from the shell."""

    form: Literal["human", "json"] = "human"
    """The form of a line: for people, or JSON with the connection, the session and the event."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is logged."""

    file: Annotated[str | None, PathKind.FILE] = None
    """The file to append to, which SIGHUP reopens; None for standard error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsOptions:
    """The means of an operator."""

    socket: Annotated[str | None, PathKind.SWITCHABLE] = None
    """The Unix socket of the console, for `trio-mud admin`; "none" switches it off.
    None for NAME.sock beside the database NAME.db; a game without a database then has no console."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """The cluster link between a gateway and a world, which are two processes of one server.

    Raises:
        ValueError: The name or the lease is invalid.
    """

    link: Annotated[str | None, PathKind.LINK] = None
    """The path of a Unix socket, where the gateway listens and the worlds of this machine join it; or the URL of a
    Redis or Valkey server that joins several machines, "redis://USER@HOST" or "rediss://USER@HOST" with TLS.
    None for MODULE.link in a folder of this user for sockets, with `trio-mud serve`; the other programs need it."""

    password_file: Annotated[str | None, PathKind.FILE] = None
    """The file with the password for Redis; None for no password."""

    ca_file: Annotated[str | None, PathKind.FILE] = None
    """The certificates of the authorities that are trusted with TLS to Redis; None for those of the system."""

    certificate_file: Annotated[str | None, PathKind.FILE] = None
    """The certificate of this process with its key, if Redis asks for one."""

    world: str = "w1"
    """The name of the world in the keys of Redis, which may have several worlds."""

    name: str | None = None
    """The name of this gateway, which no other gateway of the world has; None for the name of the machine."""

    lease: float = 3.0
    """Seconds without a sign of life of the world until a waiting one takes over, and the process of the silent one is
    killed. A world that ends is noticed at once."""

    def __post_init__(self) -> None:
        if self.name is not None and not (0 < len(self.name) <= LONGEST_NAME and self.name.isprintable()):
            raise ValueError(f"name = {self.name!r}: write 1 to {LONGEST_NAME} characters, such as gateway-1")
        if not SHORTEST_LEASE <= self.lease <= LONGEST_LEASE:
            raise ValueError(f"lease = {self.lease}: write {SHORTEST_LEASE:g} to {LONGEST_LEASE:g} seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """The port by which operators watch the game with a browser and Prometheus.

    Raises:
        ValueError: The host, the port or the token is invalid.
    """

    host: str = "localhost"
    """The host name or address to listen on; the port has no TLS, so leave it to this machine."""

    port: int | None = None
    """The port to listen on; 0 chooses a free port. None for no watch."""

    token: Annotated[str | None, PathKind.SECRET] = None
    """The secret that the admin page needs, at least 16 characters; None for a new one at each start, which is printed.
    `TRIO_MUD_WATCH_TOKEN_FILE` names a file that holds it."""

    names: tuple[str, ...] = ()
    """Further names of this host by which requests may come, such as "mud.internal"."""

    def __post_init__(self) -> None:
        check_address(self.host, self.port or 0)
        if not self.host:
            raise ValueError('host = "": write a name or an address; 0.0.0.0 is every IPv4 address of this machine')
        for name in self.names:
            if not name or set("/:@[] ") & set(name):
                raise ValueError(f"names = {name!r}: write names such as mud.internal, without a port")
        if self.token is not None:
            check_token(self.token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The settings of a server that is started from the shell.

    Raises:
        ValueError: A host, a port or a network is invalid.
    """

    game: str = BUNDLED_WORLD
    """MODULE:NAME of a `Hooks`, of a `Game`, or of a function that returns one."""

    host: str = "localhost"
    """The host name or address to listen on; `0.0.0.0` is every IPv4 address of the machine."""

    port: int = 4000
    """The port to listen on; 0 chooses a free port.
    Precedent: DikuMUD has listened on 4000 since 1991."""

    tls_port: int | None = None
    """The port to listen on for clients that use TLS; needs `tls_certificate`. None for no such port."""

    tls_certificate: Annotated[str | None, PathKind.FILE] = None
    """The PEM file of the server's certificate and its intermediate certificates."""

    tls_key: Annotated[str | None, PathKind.FILE] = None
    """The PEM file of its private key, without a passphrase; None if the certificate's file holds it."""

    unix: Annotated[str | None, PathKind.FILE] = None
    """A Unix socket for peers whose first bytes are a PROXY header, such as `trio-mud connect`; None for none."""

    proxy_from: tuple[str, ...] = ()
    """Networks or addresses of proxies. A connection from there must begin with a PROXY header."""

    web_port: int | None = None
    """The port to listen on for players who use a browser or WebSocket.
    None for no such port, but 4080 for the bundled world if no port is set."""

    web_tls_port: int | None = None
    """The port to listen on for WebSocket with TLS; needs `tls_certificate`. None for no such port."""

    web_origins: tuple[str, ...] = ()
    """Origins of pages on other sites that may connect by WebSocket, such as "https://mud.example"."""

    forwarded_from: tuple[str, ...] = ()
    """Networks or addresses of HTTP proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted."""

    data: Annotated[str | None, PathKind.FILE] = None
    """The folder of the database MODULE.db, for a game with records and without `storage.url`.
    None for `$STATE_DIRECTORY`, which systemd sets, or else `data`; the bundled world then stores nothing."""

    record: Annotated[str | None, PathKind.FILE] = None
    """The folder for recordings of all connections, which tests can replay; hidden input is left out."""

    storage: StorageOptions = StorageOptions()
    accounts: AccountOptions = AccountOptions()
    operations: OperationsOptions = OperationsOptions()
    watch: WatchOptions = WatchOptions()
    cluster: ClusterOptions = ClusterOptions()
    log: LogOptions = LogOptions()
    limits: Limits = Limits()
    texts: Texts = Texts()

    def __post_init__(self) -> None:
        for name in PORTS:
            if (port := getattr(self, name)) is not None:
                check_address(self.host, port, name)
        if not self.host:
            raise ValueError('host = "": write a name or an address; 0.0.0.0 is every IPv4 address of this machine')
        for name in ("proxy_from", "forwarded_from"):
            for text in getattr(self, name):
                _network(text, name)
        for origin in self.web_origins:
            check_origin(origin)

    @property
    def proxy_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """The networks of `proxy_from`, parsed."""
        return tuple(map(_network, self.proxy_from))

    @property
    def forwarding_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """The networks of `forwarded_from`, parsed."""
        return tuple(map(_network, self.forwarded_from))


def _network(text: str, name: str = "proxy_from") -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{name} = {text!r}: write networks such as 10.0.0.0/8, or addresses") from None
    if "/" in text and ipaddress.ip_interface(text).ip != network.network_address:
        raise ValueError(f"{name} = {text!r}: write {network}, or the address alone")
    return network
