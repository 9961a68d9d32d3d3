"""One text to many listeners."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from trio.lowlevel import enable_ki_protection

from ...text import Text
from ..core.checks import article, check_text
from .connection import Connection


@enable_ki_protection
def broadcast(text: Text, to: Iterable[Connection], *, but: Connection | Iterable[Connection] = ()) -> None:
    """Write a text to many connections, rendered and encoded once for each kind of client. Never waits.

    Args:
        text: As for `Connection.write`; the line is ended.
        to: The listeners; `server.connections` for everybody. Those that have ended are passed over.
        but: Who does not hear it: one connection, or several.

    Raises:
        TypeError: That is no text, also if nobody is there to hear it; or `to` is a single connection, or holds
            something else than connections.
    """
    text = check_text(text, "broadcast()")
    if isinstance(to, Connection):
        raise TypeError("broadcast(to=) takes several connections: write [connection], or use connection.write()")
    left_out = {but} if isinstance(but, Connection) else set(but)
    encoded: dict[Hashable, bytes] = {}
    server = listener = None
    try:
        for listener in to:
            if listener.server is not server:
                server = listener.server
                server.thread.check()
            if listener not in left_out:
                listener.write_shared(text, encoded)
    except (AttributeError, TypeError):
        if listener is None and not isinstance(to, Iterable):
            raise TypeError(
                f"broadcast(to=) takes several connections, such as server.connections, not {article(to)}"
            ) from None
        if listener is None or isinstance(listener, Connection):
            raise
        raise TypeError(
            f"broadcast(to=) takes connections, such as server.connections, not {article(listener)}: "
            "write to a session by session.write()"
        ) from None
