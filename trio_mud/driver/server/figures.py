"""The figures of a running server, for its operators: plain values, read without changing anything.

The only thing that costs the game anything is `durations`: two readings of the clock for each event, while the server
is watched. All other figures are kept in any case.

Used by the watch, `trio_mud.web.watch`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from ..connection.connection import Connection
from ..core.durations import Durations
from ..core.guard import describe_value
from ..link.telnet import TelnetLink
from ..link.traffic import Traffic
from .hook_host import door_of_connection
from .log_lines import printable
from .server import MasterServer

STATES: Final = ("handshake", "door", "playing", "ending")
"""The states of a connection: in its handshake, waiting for the verdict of the connect hook, admitted, ended."""

MOST_SHOWN: Final = 80  # characters of a text that a game or a peer has chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRow:
    """One connection, as an operator reads it."""

    number: int
    name: str
    address: str
    door: str
    state: str
    program: str
    """The program of the peer and its version, as it names them."""

    idle: float
    """Seconds since its last line."""

    typed_ahead: int
    """Lines and messages that wait to be handled."""

    unsent: int
    """Bytes of output that the peer has not taken."""

    anomalies: int
    """Its faults of framing, and floods."""

    scopes: str
    """What its open scopes are for, the outermost first."""

    session: str
    """The key of its session; "" without one."""


class Figures:
    """The figures of one server.

    Attributes:
        durations: How long the functions of an event took, waits included, by the name of its type.
    """

    def __init__(self, server: MasterServer) -> None:
        self._server = server
        self.durations: Mapping[str, Durations] = server._context.dispatcher.measure()

    @property
    def counters(self) -> Counter[str]:
        """The counters of the server."""
        return self._server.counters

    @property
    def is_open(self) -> bool:
        """True if the server accepts connections: all functions on `Started` have run, and it is not closing."""
        return self._server._tree.has_started and not self._server.is_closing

    @property
    def is_closing(self) -> bool:
        """True if a shutdown or the hard path has begun."""
        return self._server.is_closing

    @property
    def name(self) -> str:
        """The name of the game."""
        return str(self._server.mssp.get("NAME", ""))

    def states(self) -> dict[str, int]:
        """Return the number of connections in each state.

        Each accepted connection is in one of them until its link is closed and its `Disconnect` is handled.
        """
        found = dict.fromkeys(STATES, 0)
        for connection in self._connections():
            found[self._state_of(connection)] += 1
        return found

    def sessions(self) -> dict[str, int]:
        """Return the number of sessions with a live link, and of those without."""
        dead = sum(session.connection is None for session in self._server.sessions)
        return {"linked": len(self._server.sessions) - dead, "linkdead": dead}

    def events(self) -> dict[str, int]:
        """Return the number of handled events by the name of their type."""
        found = Counter(self._server._host.events)
        found["Input"] += self._server._context.dispatcher.handled - found.total()
        return dict(found)

    @property
    def ready(self) -> int:
        """The number of sources that wait for a turn."""
        return self._server._context.dispatcher.ready

    @property
    def posts(self) -> int:
        """The number of posted events that wait."""
        return len(self._server._posts.waiting)

    @property
    def timers(self) -> int:
        """The number of deadlines and timers that are to come."""
        return len(self._server._context.timers)

    @property
    def traffic(self) -> Mapping[str, Traffic]:
        """The bytes that passed each door."""
        return self._server._link_host.traffic

    @property
    def output_waiting(self) -> int:
        """Bytes of output that the peers have not taken."""
        return sum(_unsent(connection) for connection in self._server._tree.accepted.values())

    def rows(self, most: int) -> list[ConnectionRow]:
        """Return the oldest connections, at most so many."""
        return [self._row(connection) for connection in islice(self._connections(), most)]

    def _connections(self) -> Iterator[Connection]:
        """Yield each connection once, the oldest first: the open ones, and those whose last event is to come."""
        tree, host = self._server._tree, self._server._host
        yield from tree.accepted.values()
        # A link may be closed while a hook of the connection still runs: `Disconnect`, or the verdict, follows later.
        yield from (one for one in host.connections if one.number not in tree.accepted)
        yield from (one for number, one in host.undecided.items() if number not in tree.accepted)

    def _state_of(self, connection: Connection) -> str:
        if connection.number in self._server._host.undecided:
            return "handshake" if connection._inbox.is_in_handshake else "door"
        return "playing" if connection.ending is None else "ending"

    def _row(self, connection: Connection) -> ConnectionRow:
        client, link, session = connection.client, connection._link, connection.session
        key = "" if session is None else session.key
        return ConnectionRow(
            number=connection.number,
            name=printable(connection.name[:MOST_SHOWN]),
            address=connection.address,
            door=door_of_connection(connection),
            state=self._state_of(connection),
            program=f"{client.program} {client.version}".strip()[:MOST_SHOWN],
            idle=round(connection.idle_seconds, 1),
            typed_ahead=len(connection._inbox.lines),
            unsent=_unsent(connection),
            anomalies=link.anomalies if isinstance(link, TelnetLink) else 0,
            scopes=", ".join(connection._lifecycle.open_scopes()),
            session=printable((key if type(key) is str else describe_value(key))[:MOST_SHOWN]),
        )


def _unsent(connection: Connection) -> int:
    link = connection._link
    return link.waiting if isinstance(link, TelnetLink) else 0
