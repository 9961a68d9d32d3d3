"""Listening sockets that a supervisor has opened, and keeps open while the server restarts: systemd's socket units.

LISTEN_FDS is the number of the sockets; their descriptors begin with 3. LISTEN_PID is the process that they are for,
and LISTEN_FDNAMES has a name for each, separated by colons. Source: sd_listen_fds(3).

A peer who connects while no server runs waits in the queue of the socket, and is accepted by the next one.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Final, NamedTuple

from ..errors import ConfigurationError
from .tcp import TcpListener

FIRST_DESCRIPTOR: Final = 3  # SD_LISTEN_FDS_START
MOST_SOCKETS: Final = 64
VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_UNNAMED = "unknown"  # systemd's name for a socket that was passed on without one

logger = logging.getLogger("trio_mud")


class InheritedSocket(NamedTuple):
    """A descriptor that this process has been started with."""

    descriptor: int
    is_secure: bool = False
    protocol: str = "telnet"


# What the names of sockets mean: whether TLS is used, and the protocol as in `Place`.
NAMES: Final[Mapping[str, tuple[bool, str]]] = MappingProxyType(
    {
        "telnet": (False, "telnet"),
        "tls": (True, "telnet"),
        "web": (False, "websocket"),
        "web-tls": (True, "websocket"),
    }
)


def take_inherited(environment: MutableMapping[str, str], process: int) -> tuple[InheritedSocket, ...]:
    """Return the sockets that are for this process, and remove the variables, which are not for its children.

    A socket is for what its name in `NAMES` says. One without a name of its own, to which systemd then gives that of
    the unit, is for telnet.

    Args:
        environment: The variables; those of another process stay.
        process: The number of this process.

    Raises:
        ConfigurationError: A variable is malformed, or a name is unknown.
    """
    meant_for, count = (environment.get(name, "").strip() for name in VARIABLES[:2])
    if not count or not meant_for:
        return ()
    if meant_for != str(process):
        logger.warning(
            "LISTEN_FDS is for the process %s, and this is %d: let the unit start the server", meant_for, process
        )
        return ()
    if not (count.isascii() and count.isdecimal() and len(count) < 9 and int(count) <= MOST_SOCKETS):
        raise ConfigurationError(f"LISTEN_FDS={count}: it has to be the number of sockets, at most {MOST_SOCKETS}")
    listed = environment.get(VARIABLES[2])
    names = [_UNNAMED] * int(count) if listed is None else listed.split(":") if listed else []
    if len(names) != int(count):
        raise ConfigurationError(f"LISTEN_FDNAMES={listed}: it has to name {count} sockets, and names {len(names)}")
    for name in VARIABLES:
        environment.pop(name, None)
    return tuple(_named(FIRST_DESCRIPTOR + place, name) for place, name in enumerate(names))


def _named(descriptor: int, name: str) -> InheritedSocket:
    if name == _UNNAMED or name.endswith(".socket"):
        return InheritedSocket(descriptor)
    if name not in NAMES:
        known = ", ".join(list(NAMES)[:-1]) + f" or {list(NAMES)[-1]}"
        raise ConfigurationError(f"a socket is called {name!r}: write FileDescriptorName={known} into its unit")
    return InheritedSocket(descriptor, *NAMES[name])


def adopt(sockets: Iterable[InheritedSocket], *, dead_peer: float | None = None) -> list[TcpListener]:
    """Return a listener on each socket. The caller owns them; closing one leaves the socket of the supervisor open.

    Raises:
        ConfigurationError: A descriptor is no TCP socket that listens.
    """
    found = [_listening(inherited.descriptor) for inherited in sockets]
    return [TcpListener(sock, dead_peer=dead_peer) for sock in found]


def _listening(descriptor: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ConfigurationError(
            f"LISTEN_FDS: the descriptor {descriptor} is no socket ({error.strerror}): let systemd start the server"
        ) from error
    is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM
    if not is_tcp or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.close()
        raise ConfigurationError(
            f"LISTEN_FDS: the socket {descriptor} does not listen for TCP: write ListenStream=PORT and Accept=no"
        )
    os.set_inheritable(descriptor, False)
    return sock
