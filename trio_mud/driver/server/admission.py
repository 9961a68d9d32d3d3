"""Admission limits: connections in total and for each origin, their rate, and concurrent handshakes."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from ...limits import Limits
from ...origins import AcceptBuckets, origin_of
from ...texts import Texts
from ..connection.connection import Connection
from ..core.events import Cause

logger = logging.getLogger("trio_mud")


class Admission:
    """Counts the connections and the rate of new ones, by origin.

    A peer that `accept` rejects is closed without an event.

    Args:
        limits: The limits to enforce.
        texts: The texts for refused connections.
        count: Called with the name of a counter for each handshake that was dropped.
    """

    def __init__(self, limits: Limits, texts: Texts, count: Callable[[str], None]) -> None:
        self._limits = limits
        self._texts = texts
        self._count_event = count
        self._handshakes: dict[Connection, None] = {}  # running handshakes, the oldest first
        self._warned_at: dict[str, float] = {}  # when each kind of warning was logged last
        self._total = 0
        self._by_origin: Counter[str] = Counter()
        self._origins: dict[int, str] = {}  # the origin that each connection counts for, by its number
        self._buckets = AcceptBuckets(limits.accept_rate_per_address)

    def accept(self, address: str) -> bool:
        """Take a token of the address's origin for a new connection; "" is unknown and not limited.

        Returns:
            False if the origin exceeds `limits.accept_rate_per_address`: the connection must be closed.
        """
        if self._buckets.spend(origin_of(address), trio.current_time()):
            return True
        self._warn(
            "connections from %s exceed limits.accept_rate_per_address and are closed; raise it if many "
            "players share this address",
            address,
        )
        return False

    def arrive(self, connection: Connection) -> None:
        """Count a new connection, and refuse it past a limit. Connect functions still run and see the refusal."""
        self._total += 1
        if self._limits.max_connections is not None and self._total > self._limits.max_connections:
            connection._reject(self._texts.server_full, Cause.FULL)
        self._count(connection, origin_of(connection.address))

    @contextmanager
    def handshake(self, connection: Connection) -> Iterator[None]:
        """Count a handshake while it runs; past the limit the oldest one is dropped."""
        most = self._limits.max_handshakes
        # The oldest, not the newest: under an attack by stalled handshakes, an honest one, which takes a second,
        # is still completed.
        if most is not None and len(self._handshakes) >= most:
            oldest = next(iter(self._handshakes))
            del self._handshakes[oldest]
            oldest._lifecycle.abort()
            self._count_event("handshakes dropped")
            self._warn(
                "%d handshakes run at once and the oldest is dropped; raise limits.max_handshakes if these are players",
                most,
            )
        self._handshakes[connection] = None
        try:
            yield
        finally:
            self._handshakes.pop(connection, None)

    def locate(self, connection: Connection, *, is_named: bool) -> bool:
        """Count a connection for its true origin, which behind a proxy is known after the PROXY header.

        Args:
            is_named: False if the address is the proxy's own; its health checks are not limited.

        Returns:
            False if the origin has changed and the new one exceeds its rate: the connection must be closed.
        """
        origin, before = origin_of(connection.address), self._origins.get(connection.number)
        if before is None or origin == before:  # released, or counted correctly already
            return True
        if is_named and not self.accept(connection.address):
            return False
        self._discount(connection)
        self._count(connection, origin)
        return True

    def release(self, connection: Connection) -> None:
        """Stop counting a connection for its origin, at its end of file or its ending. Later calls have no effect.

        Until it is closed it still counts against `limits.max_connections`, since it uses a file descriptor.
        """
        self._discount(connection)

    def leave(self, connection: Connection) -> None:
        """Stop counting a connection that is closed."""
        self._total -= 1
        self._discount(connection)

    def _warn(self, text: str, *values: object) -> None:
        """Log a warning, each kind at most once per `limits.log_interval`."""
        now = trio.current_time()
        if now - self._warned_at.get(text, -math.inf) >= (self._limits.log_interval or 0):
            self._warned_at[text] = now
            logger.warning(text, *values)

    def _count(self, connection: Connection, origin: str) -> None:
        self._origins[connection.number] = origin
        self._by_origin[origin] += 1
        if (
            self._limits.max_per_address is not None
            and origin
            and self._by_origin[origin] > self._limits.max_per_address
        ):
            connection._reject(self._texts.too_many_from_address, Cause.TOO_MANY)

    def _discount(self, connection: Connection) -> None:
        origin = self._origins.pop(connection.number, None)
        if origin is None:
            return
        self._by_origin[origin] -= 1
        if not self._by_origin[origin]:
            del self._by_origin[origin]
