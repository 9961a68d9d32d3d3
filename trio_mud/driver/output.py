"""One text to many listeners."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from trio.lowlevel import enable_ki_protection

from ..text import Text
from .connection import Connection


@enable_ki_protection
def broadcast(text: Text, to: Iterable[Connection], *, but: Connection | Iterable[Connection] = ()) -> None:
    """Write a text to many connections, rendered and encoded once for each kind of client. Never waits.

    Args:
        text: As for `Connection.write`; the line is ended.
        to: The listeners; `server.connections` for everybody. Those that have ended are passed over.
        but: Who does not hear it: one connection, or several.
    """
    left_out = {but} if isinstance(but, Connection) else set(but)
    encoded: dict[Hashable, bytes] = {}
    for connection in to:
        if connection not in left_out:
            connection.write_shared(text, encoded)
