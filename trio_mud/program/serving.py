"""A game as the command line serves it: found, with its certificate, its database and its log, until it is stopped.

Everything that can be checked is checked by `prepare`, before anything is opened.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..driver.core.hooks import Hooks
from ..driver.server.places import Opening, Place, Places
from ..driver.server.running import Lifespan, serve_places
from ..driver.server.server import MasterServer
from ..errors import ConfigurationError
from ..storage import Backend, Memory
from ..storage.journal import ChangeJournal
from ..transports.tls import Certificate
from ..web.ports import web_listeners
from ..world import Game
from ..world.game import StoreSettings
from . import announcements, logs
from .admin_command import console_of
from .config import BUNDLED_WORLD, LASTING_WORLD, PORTS, Configuration
from .effective import Effective
from .game_code import game_files
from .loading import GameBroken, find_game
from .options import ARGUMENT
from .reload import enable_reload, watch
from .renewal import renew_with_code
from .storage_commands import database_of
from .watching import watching, within_all

__all__ = [
    "CheckedProgram",
    "begin_log",
    "check_ports",
    "make_folder",
    "open_storage",
    "places_of",
    "prepare",
    "serve_program",
]

logger = logging.getLogger("trio_mud")


@dataclass(frozen=True, slots=True)
class CheckedProgram:
    """A configuration, and what it names: checked, and not yet opened."""

    effective: Effective
    name: str
    """The game as MODULE:NAME; the bundled world has accounts if it has a database."""

    game: Hooks | Game
    backend: Backend | None
    """The database of a game with records."""

    certificate: Certificate | None


def prepare(effective: Effective) -> CheckedProgram:
    """Find what a configuration names.

    Raises:
        GameBroken: The game's code raised an exception.
        ConfigurationError: The game, the certificate or a combination of settings is wrong; the text names the source.
    """
    configuration = effective.configuration
    certificate = check_ports(effective)
    has_database = configuration.data is not None or configuration.storage.url is not None
    name = LASTING_WORLD if configuration.game == BUNDLED_WORLD and has_database else configuration.game
    try:
        game = find_game(name)
    except ConfigurationError as error:
        if isinstance(error, GameBroken) or effective.source("game") == ARGUMENT:
            raise  # the text names the game
        raise effective.error("game", error) from error
    backend = database_of(configuration) if isinstance(game, Game) else None
    return CheckedProgram(effective, name, game, backend, certificate)


def serve_program(program: CheckedProgram, *, watched: bool, reread: Callable[[], Effective]) -> None:
    """Serve until the server is stopped.

    Args:
        program: The checked program.
        watched: True to reload the game whenever one of its files changes.
        reread: Returns the configuration as it is now; a reload compares it with the running one.

    Raises:
        ConfigurationError: A file or a folder of the configuration cannot be used.
        CannotListen, CannotOpenConsole: A port or the console cannot be bound.
    """
    configuration, game = program.effective.configuration, program.game
    files = game_files(program.name) if watched else {}  # as they were imported
    record = make_folder(program.effective)
    begin_log(program.effective)

    admin_page: list[str] = []  # its address, once it is open

    def announce(server: MasterServer, places: Sequence[Place]) -> None:
        print(announcements.welcome(configuration.game, places, *admin_page), flush=True)
        if watched:
            server.start_soon(watch, server, program.name, files)

    hooks = game if isinstance(game, Hooks) else Hooks()
    server = MasterServer(hooks, limits=configuration.limits, texts=configuration.texts)
    enable_reload(server, program.name)
    renew_with_code(server, program.effective, reread)
    lifespans = [watching(configuration.watch, program.certificate, admin_page.append)]
    if isinstance(game, Game) and program.backend is not None:
        lifespans.append(open_storage(game, program.backend, configuration))
    serve_places(
        server,
        places_of(program.effective, program.certificate, server),
        on_open=announce,
        record=record,
        lifespan=within_all(lifespans),
        console=console_of(configuration, program.backend),
        needs_console=configuration.operations.socket is not None,
    )


def places_of(effective: Effective, certificate: Certificate | None, server: MasterServer) -> Places:
    """Return the addresses of a server with this configuration."""
    configuration = effective.configuration
    return Places(
        configuration.host,
        configuration.port,
        configuration.tls_port,
        certificate if configuration.tls_port is not None else None,
        configuration.proxy_networks,
        unix=Path(configuration.unix) if configuration.unix is not None else None,
        openings=_web_openings(effective, certificate, server),
    )


def _web_openings(effective: Effective, certificate: Certificate | None, server: MasterServer) -> list[Opening]:
    """Return the ports for browsers and WebSocket."""
    configuration = effective.configuration
    host = configuration.host
    on_tcp = partial(
        web_listeners,
        origins=configuration.web_origins,
        forwarded_from=configuration.forwarding_networks,
        proxy_from=configuration.proxy_networks,
        limits=configuration.limits,
        name=lambda: str(server.mssp.get("NAME", "MUD")),
    )
    openings = []
    if (port := effective.web_port) is not None:
        openings.append(Opening("web_port", Place(host, port, protocol="websocket"), on_tcp()))
    if (port := configuration.web_tls_port) is not None:
        place = Place(host, port, is_secure=True, protocol="websocket")
        openings.append(Opening("web_tls_port", place, on_tcp(certificate=certificate)))
    return openings


def open_storage(
    game: Game, backend: Backend, configuration: Configuration, journal: ChangeJournal | None = None
) -> Lifespan:
    """Return what surrounds the server of a game with records: its open store, with a journal in a world."""

    @asynccontextmanager
    async def open_game(server: MasterServer) -> AsyncGenerator[None]:
        settings = StoreSettings(
            interval=configuration.storage.every, cleanup=configuration.limits.cleanup_timeout, journal=journal
        )
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


def check_ports(effective: Effective) -> Certificate | None:
    """Return the certificate if TLS is configured.

    Raises:
        ConfigurationError: Two settings name one port, a setting for TLS is missing, or a file is not a certificate or
            a key.
    """
    names: dict[object, str] = {}
    for name in (*PORTS, "watch.port"):
        port = effective.value(name)
        if port and names.setdefault(port, name) != name:
            raise effective.error(name, f"{names[port]} and {name} are both {port}: give each a port of its own")
    configuration = effective.configuration
    secure = [key for key in ("tls_port", "web_tls_port") if effective.value(key) is not None]
    if not secure:
        for key in ("tls_certificate", "tls_key"):
            if effective.value(key) is not None:
                raise effective.error(key, "a certificate or key for TLS is set, but no port: set tls_port")
        return None
    if configuration.tls_certificate is None:
        raise effective.error(secure[0], f"{secure[0]} needs a certificate: set tls_certificate to its PEM file")
    try:
        return Certificate(configuration.tls_certificate, configuration.tls_key)
    except ConfigurationError as error:  # it begins with the path
        is_key = configuration.tls_key is not None and str(error).startswith(configuration.tls_key)
        raise effective.error("tls_key" if is_key else "tls_certificate", error) from error


def make_folder(effective: Effective) -> Path | None:
    """Create and return the folder for recordings, so that an invalid one is refused before a port is opened."""
    if effective.configuration.record is None:
        return None
    path = Path(effective.configuration.record)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        problem = f"cannot record into {path}: {error.strerror}; name a folder as record"
        raise effective.error("record", problem) from error
    return path


def begin_log(effective: Effective, process: Callable[[], str] | None = None) -> None:
    """Begin to log as configured, before anything is opened.

    Args:
        effective: The configuration.
        process: As for `logs.show`.
    """
    options = effective.configuration.log
    file = Path(options.file) if options.file is not None else None
    most = effective.configuration.limits.max_log
    try:
        logs.show(logs.level_of(options.level), most=most, form=options.form, file=file, process=process)
    except OSError as error:
        problem = f"cannot log to {file}: {error.strerror}; name a file as log.file"
        raise effective.error("log.file", problem) from error
