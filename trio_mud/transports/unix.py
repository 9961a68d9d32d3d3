"""Unix sockets: a door for programs of this machine that bring a peer, such as the one that sshd starts for a player.

The mode of the file keeps other users out, so whoever connects is trusted to name its peer: each link begins with a
PROXY header.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path

import trio

from .proxy import ProxiedTransport
from .tcp import TcpTransport, accept_peer, close_listening

BACKLOG = 1024
ROOT = 0  # the uid


class UnixListener:
    """A listening Unix socket, which it owns together with its file."""

    def __init__(self, sock: socket.socket, path: Path) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._path = path
        self._inode = path.stat().st_ino

    async def accept(self) -> ProxiedTransport:
        """Wait for a peer, which has to send a PROXY header."""
        sock, _ = await accept_peer(self._socket)
        return ProxiedTransport(TcpTransport(sock))

    async def aclose(self) -> None:
        """Close the socket and remove its file."""
        remove_own(self._path, self._inode)
        await close_listening(self._socket)


def open_unix_listener(path: Path) -> UnixListener:
    """Listen at a path of the file system for peers that send a PROXY header, such as `trio-mud connect`.

    Only the user of the server can connect. The folder is created if there is none, and a socket that an ended server
    has left there is replaced. The caller owns the listener; `MasterServer.serve` takes it over and closes it.

    Raises:
        OSError: Another server listens there, or something else is in the way.
    """
    return UnixListener(bind(path, backlog=BACKLOG), path)


def bind(path: Path, *, backlog: int) -> socket.socket:
    """Return a socket that listens at a path and that only its owner can use.

    Raises:
        OSError: Another server listens there, or something else is in the way.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX)
    # The umask, since between bind and chmod another user could connect. Nothing else runs at this moment.
    old = os.umask(0o177)
    try:
        listener.bind(str(path))
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(old)
    return listener


def remove_own(path: Path, inode: int) -> None:
    """Remove the file of a socket, unless another server has replaced it."""
    with suppress(OSError):
        if path.stat().st_ino == inode:
            path.unlink()


def is_own(peer: socket.socket | trio.socket.SocketType) -> bool:
    """True if the peer is a process of this user, or of root. Without SO_PEERCRED the mode of the file decides."""
    credentials = credentials_of(peer)
    return credentials is None or credentials[1] in (ROOT, os.geteuid())


def credentials_of(peer: socket.socket | trio.socket.SocketType) -> tuple[int, int] | None:
    """Return the process and the user of a peer; None on a platform without SO_PEERCRED.

    A process that this one cannot see, such as one in another container, is 0.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    process, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return process, user


def _remove_stale(path: Path) -> None:
    """Remove the socket of a server that has ended.

    Raises:
        OSError: It is in use, or is no socket.
    """
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "a file is there that is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # its backlog is full
            pass
    raise OSError(errno.EADDRINUSE, "another server listens there")
