"""The command line: `trio-mud`, and `python -m trio_mud`.

It turns arguments into one call of `serve_places`, and the result into an exit status and at most one line.
Arguments take precedence over the environment, the environment over the configuration file, and that over the defaults.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Any, TypeVar

import cyclopts
from cyclopts import Parameter, validators

from trio_mud import __version__

from ..bench.command import bench
from ..driver.core.hooks import Hooks
from ..driver.server.console import CannotOpenConsole
from ..driver.server.log_lines import printable
from ..driver.server.places import CannotListen, Place, Places
from ..driver.server.running import Lifespan, serve_places
from ..driver.server.server import MasterServer
from ..errors import CannotOpenStorage, ConfigurationError, StorageError
from ..storage import Backend, Memory
from ..transports.tls import Certificate
from ..world import Game
from ..world.game import StoreSettings
from . import logs
from .admin_command import NoConsole, add_admin_command, console_of
from .config import BUNDLED_WORLD, LASTING_WORLD, Configuration, OperationsOptions, StorageOptions, read
from .environment import override
from .game_code import game_files
from .loading import GameBroken, find_game
from .new import add_new_command
from .reload import enable_reload
from .reload import watch as watch_files
from .storage_commands import add_commands, database_of

__all__ = ["main"]

CLEAN = 0
FAILED = 1
ACCOUNTS = "TRIO_MUD_ACCOUNTS_"  # the variables of the table [accounts]
WRONG_USAGE = 2  # usage or configuration; nothing was started

T = TypeVar("T", Configuration, StorageOptions, OperationsOptions)

UNENCRYPTED = "Telnet is not encrypted: every network on the way can read it, including passwords."


app = cyclopts.App(
    name="trio-mud",
    help="Serve a MUD; without arguments, the small world that is bundled with trio_mud.",
    help_epilogue=(
        "Try: trio-mud, then telnet localhost 4000. Your own game: trio-mud run tavern:hooks.\n\n"
        "The variables TRIO_MUD_ACCOUNTS_… set the rules of the table accounts, such as TRIO_MUD_ACCOUNTS_GUESTS=false."
        "\n\n"
        "Exit status: 0 clean, 1 crash or damaged storage, 2 usage or configuration, 75 cannot bind the port, the "
        "storage is in use, or no server answers, 130 interrupted twice."
    ),
    version=f"trio-mud {__version__}",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
app.command(bench, name="bench")
add_commands(app)
add_admin_command(app)
add_new_command(app)

logger = logging.getLogger("trio_mud")


@app.command(name="run")
@app.default
def run_game(
    game: Annotated[str | None, Parameter(env_var="TRIO_MUD_GAME", show_default=False)] = None,
    /,
    *,
    host: Annotated[str | None, Parameter(env_var="TRIO_MUD_HOST")] = None,
    port: Annotated[
        int | None, Parameter(env_var="TRIO_MUD_PORT", validator=validators.Number(gte=0, lte=65535))
    ] = None,
    tls_port: Annotated[
        int | None, Parameter(env_var="TRIO_MUD_TLS_PORT", validator=validators.Number(gte=0, lte=65535))
    ] = None,
    tls_certificate: Annotated[Path | None, Parameter(env_var="TRIO_MUD_TLS_CERTIFICATE")] = None,
    tls_key: Annotated[Path | None, Parameter(env_var="TRIO_MUD_TLS_KEY")] = None,
    proxy_from: Annotated[list[str] | None, Parameter(env_var="TRIO_MUD_PROXY_FROM", negative="")] = None,
    data: Annotated[Path | None, Parameter(env_var="TRIO_MUD_DATA")] = None,
    storage: Annotated[str | None, Parameter(env_var="TRIO_MUD_STORAGE_URL")] = None,
    storage_every: Annotated[float | None, Parameter(env_var="TRIO_MUD_STORAGE_EVERY")] = None,
    storage_backups: Annotated[str | None, Parameter(env_var="TRIO_MUD_STORAGE_BACKUPS")] = None,
    console: Annotated[Path | None, Parameter(env_var="TRIO_MUD_OPERATIONS_SOCKET")] = None,
    record: Annotated[Path | None, Parameter(env_var="TRIO_MUD_RECORD")] = None,
    config: Annotated[Path | None, Parameter(env_var="TRIO_MUD_CONFIG")] = None,
    watch: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    check_config: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> int:
    """Serve a game until it is stopped with Ctrl-C or SIGTERM.

    Args:
        game: MODULE:NAME, where NAME is a Hooks, a Game, or a function that returns one; MODULE may be in the
            current directory. Default: the bundled world.
        host: The host name or address to listen on. Default: localhost; 0.0.0.0 accepts connections from other
            machines.
        port: The port to listen on. Default: 4000; 0 chooses a free port.
        tls_port: An additional port for clients that use TLS; 0 chooses a free port.
        tls_certificate: The certificate for the TLS port, a PEM file; SIGHUP reloads it.
        tls_key: The key of the certificate, a PEM file. Default: the file of the certificate.
        proxy_from: A network, such as 10.0.0.0/8, whose PROXY headers are trusted and required; may be repeated.
        data: The folder of the database, MODULE.db. Default: $STATE_DIRECTORY, or data; the bundled world stores
            nothing without it.
        storage: The database of a game with records: the path of an SQLite file, or a URL, postgresql://…
        storage_every: Seconds between two saves.
        storage_backups: The folder for daily backups, or none. Default: backups, beside the SQLite file.
        console: The Unix socket of the console, for trio-mud admin, or none. Default: MODULE.sock, beside the database.
        record: A folder for recordings of all connections, which tests can replay. Hidden input is left out.
        config: A TOML file with these settings, and the tables storage, accounts, operations, log, limits
            and texts.
        watch: Reload the game whenever one of its files changes; for development. SIGHUP reloads it at any time.
        check_config: Check the configuration, print its effect, and exit.
    """
    configuration = read(config) if config else Configuration()
    said: dict[str, object] = {
        "game": game,
        "host": host,
        "port": port,
        "tls_port": tls_port,
        "tls_certificate": tls_certificate and str(tls_certificate),
        "tls_key": tls_key and str(tls_key),
        "proxy_from": proxy_from and tuple(proxy_from),
        "data": data and str(data),
    }
    stored = {"url": storage, "every": storage_every, "backups": storage_backups}
    try:
        said["storage"] = _with(configuration.storage, stored)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}, as --storage-every or TRIO_MUD_STORAGE_EVERY") from error
    said["accounts"] = override(configuration.accounts, ACCOUNTS, os.environ)
    said["operations"] = _with(configuration.operations, {"socket": console and str(console)})
    configuration = _with(configuration, said)
    certificate = _certificate(configuration)
    game_name = _game_of(configuration)
    game_found = find_game(game_name)
    backend = database_of(configuration) if isinstance(game_found, Game) else None
    if check_config:
        print(f"the configuration is valid: {_plan(configuration, backend)}")
        return CLEAN
    if record is not None:
        _make_folder(record)
    files = game_files(game_name) if watch else {}  # as they were imported
    _log(configuration)

    def announce(server: MasterServer, places: Sequence[Place]) -> None:
        print(_welcome(configuration.game, places), flush=True)
        if watch:
            server.start_soon(watch_files, server, game_name, files)

    places = Places(
        configuration.host, configuration.port, configuration.tls_port, certificate, configuration.proxy_networks
    )
    hooks = game_found if isinstance(game_found, Hooks) else Hooks()
    server = MasterServer(hooks, limits=configuration.limits, texts=configuration.texts)
    enable_reload(server, game_name)
    lifespan = None
    if isinstance(game_found, Game) and backend is not None:
        lifespan = _lifespan(game_found, backend, configuration)
    try:
        serve_places(
            server,
            places,
            on_open=announce,
            record=record,
            lifespan=lifespan,
            console=console_of(configuration, backend),
            needs_console=configuration.operations.socket is not None,
        )
    except CannotOpenConsole as error:
        return _complain(f"{error}; choose another with --console", error.status)
    except CannotListen as error:
        return _complain(f"{error}; choose another with --{error.parameter.replace('_', '-')}", error.status)
    return CLEAN


def main(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` name, and return the exit status.

    Raises:
        SystemExit: With 130 after a second interrupt, or with the status that the game passed to `sys.exit`.
        Exception: The error that crashed the server.
    """
    try:
        status = app(arguments, print_error=False, exit_on_error=False)
    except cyclopts.CycloptsError as error:
        return _complain(f"{str(error).rstrip('.')}; see trio-mud --help", WRONG_USAGE)
    except GameBroken as error:
        if sys.stderr is not None:  # print would take standard output instead
            print(error, file=sys.stderr)
        return _complain("the game's own code failed, as shown above", WRONG_USAGE)
    except ConfigurationError as error:
        return _complain(str(error), WRONG_USAGE)
    except CannotOpenStorage as error:
        return _complain(str(error), error.status)
    except NoConsole as error:
        return _complain(str(error), error.status)
    except StorageError as error:
        return _complain(str(error), FAILED)
    return status if isinstance(status, int) else CLEAN  # --help and --version return nothing


def _complain(text: str, status: int) -> int:
    if sys.stderr is not None:
        print(f"trio-mud: {printable(text)}", file=sys.stderr)
    return status


def _lifespan(game: Game, backend: Backend, configuration: Configuration) -> Lifespan:
    """Return what surrounds the server of a game with records: its open store."""

    @asynccontextmanager
    async def open_game(server: MasterServer) -> AsyncGenerator[None]:
        settings = StoreSettings(interval=configuration.storage.every, cleanup=configuration.limits.cleanup_timeout)
        accounts = configuration.accounts
        if accounts.tls_port is None:
            accounts = replace(accounts, tls_port=configuration.tls_port)
        async with game.open(backend, options=(accounts,), **settings) as (server.hooks, server.world):
            if isinstance(backend, Memory):
                logger.info("records are not stored; name a folder with --data to store them")
            else:
                logger.info("records are stored in %s", backend.name)
            yield

    return open_game


def _game_of(configuration: Configuration) -> str:
    """Return the name of the game; the bundled world has accounts if it has a database."""
    has_database = configuration.data is not None or configuration.storage.url is not None
    return LASTING_WORLD if configuration.game == BUNDLED_WORLD and has_database else configuration.game


def _with(settings: T, said: Mapping[str, Any]) -> T:
    """Return the settings, overridden by the arguments and the environment; None overrides nothing."""
    try:
        return replace(settings, **{name: value for name, value in said.items() if value is not None})
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def _certificate(configuration: Configuration) -> Certificate | None:
    """Return the certificate if TLS is configured.

    Raises:
        ConfigurationError: A setting for TLS is missing, or a file is not a certificate or a key.
    """
    if configuration.tls_port is None:
        if configuration.tls_certificate is not None or configuration.tls_key is not None:
            raise ConfigurationError("a certificate or key for TLS is set, but no port: set tls_port")
        return None
    if configuration.tls_certificate is None:
        raise ConfigurationError("tls_port needs a certificate: set tls_certificate to its PEM file")
    if configuration.tls_port == configuration.port != 0:
        raise ConfigurationError(f"port and tls_port are both {configuration.port}: give TLS a port of its own")
    return Certificate(configuration.tls_certificate, configuration.tls_key)


def _make_folder(path: Path) -> None:
    """Create the folder for recordings, so that an invalid one is refused before a port is opened."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot record into {path}: {error.strerror}; name a folder as --record") from error


def _log(configuration: Configuration) -> None:
    """Begin to log as configured, before anything is opened."""
    options = configuration.log
    level = logging.getLevelNamesMapping()[options.level.upper()]
    file = Path(options.file) if options.file is not None else None
    try:
        logs.show(level, most=configuration.limits.max_log, form=options.form, file=file)
    except OSError as error:
        raise ConfigurationError(f"cannot log to {file}: {error.strerror}; name a file as log.file") from error


def _plan(configuration: Configuration, backend: Backend | None) -> str:
    """Return one line on what a server with this configuration does, with all changed limits and texts."""
    changed = [
        f"{table} {field.name} = {getattr(ours, field.name)!r}"
        for table, ours in (
            ("accounts", configuration.accounts),
            ("limits", configuration.limits),
            ("texts", configuration.texts),
        )
        for field in fields(ours)
        if getattr(ours, field.name) != field.default
    ]
    plan = f"would open {configuration.game} at {configuration.host} port {configuration.port}"
    if configuration.tls_port is not None:
        plan += f" and with TLS at port {configuration.tls_port}, certificate {configuration.tls_certificate}"
    if configuration.proxy_from:
        plan += f", behind proxies in {', '.join(configuration.proxy_from)}"
    if backend is not None and not isinstance(backend, Memory):
        plan += f", with records in {backend.name}"
    return plan + (f", with {'; '.join(changed)}" if changed else "")


def _welcome(game: str, places: Sequence[Place]) -> str:
    """Return the lines that say how to connect, from where, and how to stop the server."""
    lines = [f"{game} is open. To connect:"]
    for is_secure, form in ((False, "    telnet {} {}"), (True, "    {} port {} with TLS, in a client that speaks it")):
        lines += _reached([place for place in places if place.is_secure is is_secure], form)
    if all(_address(place).is_loopback for place in places):
        lines.append(f"Only local connections are accepted. Use --host 0.0.0.0 to accept others. {UNENCRYPTED}")
    else:
        lines.append(f"Other machines connect by the name or address of this machine. {UNENCRYPTED}")
    lines.append("Press Ctrl-C to stop the server.")
    return "\n".join(lines)


def _reached(places: Sequence[Place], form: str) -> list[str]:
    """Return one line for each way to reach these places from this machine."""
    one_port = len({place.port for place in places}) == 1  # a free port may differ between the addresses of one name
    lines: dict[str, None] = {}
    for place in places:
        address = _address(place)
        is_localhost = address.is_unspecified or (address.is_loopback and one_port)
        lines[form.format("localhost" if is_localhost else address, place.port)] = None
    return list(lines)


def _address(place: Place) -> IPv4Address | IPv6Address:
    return ip_address(place.host.partition("%")[0])
