"""The ends of the cluster link that a configuration names.

Used by the programs of a gateway and of a world. Another kind of cluster link adds a branch to both functions.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from ..cluster.ends import GatewayEnd, LinkUnavailable, WorldEnd
from ..cluster.redis_access import RedisAccess
from ..cluster.redis_link import RedisGatewayEnd, RedisWorldEnd
from ..cluster.unix_link import UnixGatewayEnd, UnixWorldEnd
from ..transports.unix import bind, remove_own
from .config import PORTS, SWITCHED_OFF, Configuration
from .effective import Effective

__all__ = [
    "default_link",
    "gateway_console",
    "gateway_name",
    "open_gateway_end",
    "open_world_end",
    "port_of_gateway_watch",
]

MOST_PORT = 65535
BACKLOG = 16  # worlds that wait to be accepted
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

logger = logging.getLogger("trio_mud")


def gateway_name(configuration: Configuration) -> str:
    """Return the name of the gateway: the configured one, or that of the machine."""
    return configuration.cluster.name or socket.gethostname()[:64] or "gateway"


def default_link(effective: Effective) -> Path:
    """Return the path of the cluster link for `trio-mud serve` and `trio-mud handover` if none is configured.

    It is MODULE.link in the folder of the service, which systemd makes, or in one of this user, which is made here.

    Raises:
        ConfigurationError: A cluster link of another kind is configured, or that folder is not this user's alone.
    """
    configuration = effective.configuration
    if configuration.cluster.link is not None:
        return _path(effective).absolute()
    name = f"{configuration.game.partition(':')[0].rpartition('.')[2]}.link"
    if service := os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        return Path(service) / name
    if user := os.environ.get("XDG_RUNTIME_DIR", ""):
        folder = Path(user) / "trio_mud"
    else:
        folder = Path(tempfile.gettempdir()) / f"trio_mud-{os.getuid()}"
    _make_own(folder, effective)
    return folder / name


def _make_own(folder: Path, effective: Effective) -> None:
    """Make a folder of this user. In a folder for all users, another one could have made it before."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        reason = error.strerror or error
        raise effective.error(
            "cluster.link", f"cannot make the folder {folder}: {reason}; name another link with --link"
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
        raise effective.error(
            "cluster.link",
            f"{folder} is not a folder of this user alone: remove it, or name another link with --link",
        )


def gateway_console(effective: Effective, *, is_supervised: bool) -> Path | None:
    """Return the socket of the gateway's console; None if it has none.

    It is LINK.gateway.sock beside a cluster link that is a Unix socket. A gateway that is started by itself has that of
    `operations.socket`, if it is set; under `trio-mud serve` this is the world's.
    """
    configuration = effective.configuration
    wanted, link = configuration.operations.socket, configuration.cluster.link
    if wanted == SWITCHED_OFF:
        return None
    if wanted is not None and not is_supervised:
        return Path(wanted)
    return None if link is None or "://" in link else Path(link).with_suffix(".gateway.sock")


def port_of_gateway_watch(effective: Effective) -> int:
    """Return the port of the gateway's watch under `trio-mud serve`: the one after that of the world, or 0 as that.

    Raises:
        ConfigurationError: It is the port of something else.
    """
    port = effective.configuration.watch.port
    assert port is not None, "there is a watch"
    if port == 0:
        return 0
    taken = next((name for name in PORTS if effective.value(name) == port + 1), None)
    if taken is not None or port == MOST_PORT:
        why = f"that is {taken}" if taken is not None else "there is none"
        raise effective.error(
            "watch.port",
            f"the page of the gateway is at the port after watch.port, and {why}: choose another watch.port",
        )
    return port + 1


def open_gateway_end(effective: Effective) -> tuple[GatewayEnd, int]:
    """Return the gateway's end, which listens already or has reached Redis, and the incarnation of the gateway.

    Raises:
        LinkUnavailable: The socket cannot be bound, or Redis does not answer.
        ConfigurationError: No cluster link is configured, or it is of an unknown kind.
    """
    configuration = effective.configuration
    name, incarnation = gateway_name(configuration), time.time_ns() // 1_000_000
    if (access := redis_of(effective)) is not None:
        try:
            end = RedisGatewayEnd(access, configuration.cluster.world, name)
        except ValueError as error:
            raise effective.error("cluster.name", str(error)) from None
        logger.info("the cluster link is at %s: gateway %s of world %s", access, name, configuration.cluster.world)
        return end, incarnation
    path = _path(effective)
    try:
        listener = _PathListener(path)
    except OSError as error:
        raise LinkUnavailable(f"cannot bind {path}: {error.strerror or error}; name another with --link") from error
    return UnixGatewayEnd(listener, name, incarnation=incarnation, lease=configuration.cluster.lease), incarnation


def open_world_end(
    effective: Effective,
    *,
    waits: bool,
    is_supervised: bool = False,
    goes_first: bool = False,
    asked: Callable[[], object] = lambda: None,
) -> WorldEnd:
    """Return the world's end; its `claim` joins the gateway, or becomes the world of Redis, which was reached.

    Args:
        effective: The configuration.
        waits: True to wait in `claim` as long as another world serves.
        is_supervised: True to wait for the gateway, too, which is started at the same time.
        goes_first: True to serve before the worlds that wait already at a Unix socket.
        asked: Called when the gateway at a Unix socket was asked for the turn.

    Raises:
        LinkUnavailable: Redis does not answer.
        ConfigurationError: No cluster link is configured, or it is of an unknown kind.
    """
    options = effective.configuration.cluster
    if (access := redis_of(effective)) is not None:
        try:
            end = RedisWorldEnd(access, options.world, lease=options.lease, waits=waits)
        except ValueError as error:
            raise effective.error("cluster.world", str(error)) from None
        logger.info("the cluster link is at %s: world %s", access, options.world)
        return end
    path = str(_path(effective))
    connect = partial(trio.open_unix_socket, path)
    return UnixWorldEnd(connect, path, waits=waits, awaits_gateway=is_supervised, goes_first=goes_first, asked=asked)


def _path(effective: Effective) -> Path:
    link = effective.configuration.cluster.link
    if link is None:
        raise effective.error(
            "cluster.link", "no cluster link is set: name the path of a Unix socket, or the URL of Redis, with --link"
        )
    if "://" in link:
        raise effective.error(
            "cluster.link",
            "trio-mud serve needs the path of a Unix socket: with Redis, start trio-mud gateway and world",
        )
    return Path(link)


def redis_of(effective: Effective) -> RedisAccess | None:
    """Return the way to Redis, which was reached once; None for another kind of link."""
    options = effective.configuration.cluster
    if options.link is None or "://" not in options.link:
        return None
    try:
        access = RedisAccess.from_url(
            options.link,
            password_file=_file(options.password_file),
            ca_file=_file(options.ca_file),
            certificate_file=_file(options.certificate_file),
        )
    except ValueError as error:
        raise effective.error("cluster.link", str(error)) from None
    trio.run(access.check)
    return access


def _file(name: str | None) -> Path | None:
    return None if name is None else Path(name)


class _PathListener(trio.abc.Listener[trio.SocketStream]):
    """Accepts processes of this user at a path, and removes it at the end."""

    def __init__(self, path: Path) -> None:
        listening = bind(path, backlog=BACKLOG)
        self._path, self._inode = path, path.stat().st_ino
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))

    async def accept(self) -> trio.SocketStream:
        return await self._listener.accept()

    async def aclose(self) -> None:
        remove_own(self._path, self._inode)
        await self._listener.aclose()
