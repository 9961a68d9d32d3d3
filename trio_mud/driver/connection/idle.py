"""The vigil over one connection that came in: a silence that is too long, and probes that keep its link open.

Exists only where `limits.idle` or `limits.keepalive` asks for it, from the first line on.
Nothing is done for a line: an entry of the timers' heap that comes too early, since there was a line, moves on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from ...telnet.codes import END_OF_RECORD, GMCP, IAC, NOP
from ...telnet.gmcp_messages import encode_gmcp
from ..core.events import Cause
from ..core.timers import Deadline

if TYPE_CHECKING:
    from .connection import Connection

WARNING: Final = 60.0  # seconds between warning and ending, but never more than half of `limits.idle`

_NOP: Final = bytes((IAC, NOP))
_KEEP_ALIVE: Final = encode_gmcp("Core.KeepAlive")


class Vigil:
    """At most one entry in the heap for the silence, and one for the probes."""

    __slots__ = ("_connection", "_probe", "_silence", "_warned_of")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._silence: Deadline | None = None
        self._probe: Deadline | None = None
        self._warned_of: float | None = None  # the silence that began then
        limits = connection.server.limits
        if limits.idle is not None:
            self._mind_silence()
        if limits.keepalive is not None:
            self._probe_in(limits.keepalive)

    def end(self) -> None:
        """The ending is decided."""
        for deadline in (self._silence, self._probe):
            if deadline is not None:
                deadline.cancel()

    def _look_at(self, when: float) -> None:
        self._silence = self._connection.server.timers.at(when, self._mind_silence, self._connection.inbox)

    def _mind_silence(self) -> None:
        """Warn, or end, or look again when it will be time: measured from the last line, or now if one waits."""
        connection, now = self._connection, trio.current_time()
        patience = connection.server.limits.idle
        assert patience is not None
        since = now if connection.inbox.has_lines else connection.inbox.last_line_at
        warn_at = since + patience - min(WARNING, patience / 2)
        if now < warn_at:
            self._look_at(warn_at)
        elif self._warned_of != since:
            self._warned_of = since
            connection.tell(connection.server.texts.idle_warning)
            self._look_at(since + patience)
        else:
            connection.quit(connection.server.texts.idle, cause=Cause.IDLE)

    def _probe_in(self, seconds: float) -> None:
        connection = self._connection
        self._probe = connection.server.timers.at(trio.current_time() + seconds, self._send_probe, connection.inbox)

    def _send_probe(self) -> None:
        """Send what asks for nothing and shows nothing; not to a peer that perhaps knows no telnet and would show it.

        Where GMCP is agreed that is `Core.KeepAlive`, for MegaMUD chokes on NOP. What still waits to go out will do.
        """
        connection, engine = self._connection, self._connection.engine
        if connection.outbox.is_empty:
            if engine.is_ours(GMCP):
                connection.outbox.queue(_KEEP_ALIVE)
            elif not engine.negotiation.is_unanswered(END_OF_RECORD, ours=True):
                connection.outbox.queue(_NOP)
        assert connection.server.limits.keepalive is not None
        self._probe_in(connection.server.limits.keepalive)
