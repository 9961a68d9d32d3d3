"""One text to many listeners."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from trio.lowlevel import enable_ki_protection

from ..text import Text
from .checks import check_text
from .connection import Connection


@enable_ki_protection
def broadcast(text: Text, to: Iterable[Connection], *, but: Connection | Iterable[Connection] = ()) -> None:
    """Write a text to many connections, rendered and encoded once for each kind of client. Never waits.

    Args:
        text: As for `Connection.write`; the line is ended.
        to: The listeners; `server.connections` for everybody. Those that have ended are passed over.
        but: Who does not hear it: one connection, or several.

    Raises:
        TypeError: That is no text, also if nobody is there to hear it; or `to` is a single connection.
    """
    check_text(text, "broadcast()")
    if isinstance(to, Connection):
        raise TypeError("broadcast(to=) takes several connections: write [connection], or use connection.write()")
    left_out = {but} if isinstance(but, Connection) else set(but)
    encoded: dict[Hashable, bytes] = {}
    server = None
    for connection in to:
        if connection.server is not server:
            server = connection.server
            server.thread.check()
        if connection not in left_out:
            connection.write_shared(text, encoded)
