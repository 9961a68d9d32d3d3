"""The options of the command line that set settings, shared by `run` and `config`.

Values are texts here: `sources` reads them by the types of the settings, as it reads the environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from ..errors import ConfigurationError
from .sources import OptionText

__all__ = [
    "ARGUMENT",
    "NO_OPTIONS",
    "OF_NO_GATEWAY",
    "OF_NO_WORLD",
    "Database",
    "File",
    "GatewayOptions",
    "RunOptions",
    "WorldOptions",
]

ARGUMENT: Final = "GAME"  # of the command line, as `--help` calls it
_KEYS: Final = {  # of options that are called otherwise than their setting
    "storage": "storage.url",
    "storage_every": "storage.every",
    "storage_backups": "storage.backups",
    "console": "operations.socket",
    "watch_host": "watch.host",
    "watch_port": "watch.port",
    "link": "cluster.link",
}
_MANY = Parameter(negative="", show_default=False)
_NETWORKS = Parameter(metavar="NETWORK")
_ORIGINS = Parameter(metavar="ORIGIN")
_ASSIGNMENTS = Parameter(metavar="KEY=VALUE")

File = Annotated[Path | None, Parameter(metavar="FILE", show_default=False)]
Database = Annotated[str | None, Parameter(name="storage", metavar="FILE|URL", show_default=False)]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options; None for an option that is not given."""

    host: Annotated[str | None, Parameter(metavar="NAME")] = None
    """The host name or address to listen on. Default: localhost; 0.0.0.0 accepts connections from other machines."""

    port: Annotated[str | None, Parameter(metavar="NUMBER")] = None
    """The port to listen on. Default: 4000; 0 chooses a free port."""

    tls_port: Annotated[str | None, Parameter(metavar="NUMBER")] = None
    """An additional port for clients that use TLS; 0 chooses a free port."""

    tls_certificate: Annotated[str | None, Parameter(metavar="FILE")] = None
    """The certificate for the TLS ports, a PEM file; SIGHUP reloads it."""

    tls_key: Annotated[str | None, Parameter(metavar="FILE")] = None
    """The key of the certificate, a PEM file. Default: the file of the certificate."""

    unix: Annotated[str | None, Parameter(metavar="SOCKET")] = None
    """An additional Unix socket for players who come by trio-mud connect, which sshd starts."""

    proxy_from: Annotated[tuple[str, ...], _MANY, _NETWORKS] = ()
    """A network, such as 10.0.0.0/8, whose PROXY headers are trusted and required; may be repeated."""

    web_port: Annotated[str | None, Parameter(metavar="NUMBER")] = None
    """An additional port for browsers, which find a page to play in there, and for clients that use WebSocket; 0
    chooses a free port. Default: 4080 for the bundled world without a port."""

    web_tls_port: Annotated[str | None, Parameter(metavar="NUMBER")] = None
    """An additional port for WebSocket with TLS; 0 chooses a free port."""

    web_origins: Annotated[tuple[str, ...], _MANY, _ORIGINS] = ()
    """An origin, such as https://mud.example, whose pages may connect by WebSocket; may be repeated."""

    forwarded_from: Annotated[tuple[str, ...], _MANY, _NETWORKS] = ()
    """A network of HTTP proxies whose X-Forwarded-For header is trusted; may be repeated."""

    data: Annotated[str | None, Parameter(metavar="FOLDER")] = None
    """The folder of the database, MODULE.db. Default: $STATE_DIRECTORY, or data; the bundled world stores nothing
    without it."""

    storage: Annotated[str | None, Parameter(metavar="FILE|URL")] = None
    """The database of a game with records: the path of an SQLite file, or a URL, postgresql://…"""

    storage_every: Annotated[str | None, Parameter(metavar="SECONDS")] = None
    """Seconds between two saves."""

    storage_backups: Annotated[str | None, Parameter(metavar="FOLDER")] = None
    """The folder for daily backups, or none. Default: backups, beside the SQLite file."""

    console: Annotated[str | None, Parameter(metavar="SOCKET")] = None
    """The Unix socket of the console, for trio-mud admin, or none. Default: MODULE.sock, beside the database."""

    watch_port: Annotated[str | None, Parameter(metavar="NUMBER")] = None
    """An additional port by which operators watch the game: a page, health and metrics; 0 chooses a free port."""

    watch_host: Annotated[str | None, Parameter(metavar="NAME")] = None
    """The host name or address for that port. Default: localhost."""

    link: Annotated[str | None, Parameter(metavar="SOCKET|URL")] = None
    """The cluster link, by which a gateway and its worlds reach each other: the path of a Unix socket of this machine,
    or redis://USER@HOST. trio-mud run has none."""

    record: Annotated[str | None, Parameter(metavar="FOLDER")] = None
    """A folder for recordings of all connections, which tests can replay. Hidden input is left out."""

    set: Annotated[tuple[str, ...], _MANY, _ASSIGNMENTS] = ()
    """Sets any other setting, such as limits.max_line=8192 or log.form=json; may be repeated."""

    config: File = None
    """A TOML file with settings, or $TRIO_MUD_CONFIG. A relative path in it starts at the folder of the file."""

    def arguments(self) -> list[str]:
        """Return the options as a command line has them, for another process of the same configuration."""
        given = [] if self.config is None else ["--config", str(self.config)]
        for name in (field.name for field in fields(self) if field.name != "config"):
            value: str | tuple[str, ...] | None = getattr(self, name)
            for text in () if value is None else (value,) if isinstance(value, str) else value:
                given += [f"--{name.replace('_', '-')}", text]
        return given

    def texts(self, game: str | None) -> Iterator[OptionText]:
        """Yield the settings of these options, and the game.

        Raises:
            ConfigurationError: `--set` has no `=`.
        """
        if game is not None:
            yield OptionText("game", ARGUMENT, game)
        for name in (field.name for field in fields(self) if field.name not in ("config", "set")):
            given: str | tuple[str, ...] | None = getattr(self, name)
            if given is not None and given != ():
                text = given if isinstance(given, str) else " ".join(given)
                yield OptionText(_KEYS.get(name, name), f"--{name.replace('_', '-')}", text)
        for assignment in self.set:
            key, equals, text = assignment.partition("=")
            if not equals:
                raise ConfigurationError(f"--set {assignment}: write KEY=VALUE, such as limits.max_line=8192")
            yield OptionText(key.strip(), "--set", text)


_Other = Annotated[str | None, Parameter(show=False)]  # of the other side; one command line may serve both
_OthersNetworks = Annotated[tuple[str, ...], Parameter(negative="", show=False)]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions(RunOptions):
    """Those of a gateway; `--help` leaves out those of a world, which have no effect."""

    data: _Other = None
    storage: _Other = None
    storage_every: _Other = None
    storage_backups: _Other = None
    console: Annotated[
        str | None,
        Parameter(
            metavar="SOCKET",
            help="The Unix socket of the gateway's console, for trio-mud admin, or none. Default: LINK.gateway.sock, "
            "beside a link that is a Unix socket.",
        ),
    ] = None
    watch_port: Annotated[
        str | None,
        Parameter(
            metavar="NUMBER",
            help="An additional port by which operators watch the gateway: a page, health and metrics; 0 chooses a "
            "free port.",
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions(RunOptions):
    """Those of a world; `--help` leaves out those of a gateway, which have no effect."""

    host: _Other = None
    port: _Other = None
    tls_port: _Other = None
    tls_certificate: _Other = None
    tls_key: _Other = None
    unix: _Other = None
    proxy_from: _OthersNetworks = ()
    web_port: _Other = None
    web_tls_port: _Other = None
    web_origins: _OthersNetworks = ()
    forwarded_from: _OthersNetworks = ()
    record: _Other = None


NO_OPTIONS: Final = RunOptions()
OF_NO_GATEWAY: Final = GatewayOptions()
OF_NO_WORLD: Final = WorldOptions()
