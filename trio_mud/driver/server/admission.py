"""Admission limits: connections in total, for each origin and network, without a session, and in handshakes; rates.

Connections without a session are dropped at random before they reach their limit (random early drop, as sshd's
MaxStartups): a flood then takes no place for good, and each honest visitor in it has a chance.
"""

from __future__ import annotations

import logging
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import trio

from ...limits import Limits
from ...origins import AcceptBuckets, origin_of, prefix_of
from ...texts import Texts
from ..connection.connection import Connection
from ..core.events import Cause
from ..link.bans import Bans

logger = logging.getLogger("trio_mud")


class Admission:
    """Counts the connections and the rate of new ones, by origin.

    A peer that `accept` rejects is closed without an event.

    Args:
        limits: The limits to enforce.
        texts: The texts for refused connections.
        count: Called with the name of a counter for each handshake that was dropped, and each refusal.
        count_bound: Returns the number of connections that are bound to a session; None if the game has none.
        bans: The banned networks.

    Attributes:
        random: Returns a number from 0 to 1. Replaced where runs must be reproducible.
    """

    def __init__(
        self,
        limits: Limits,
        texts: Texts,
        count: Callable[[str], None],
        count_bound: Callable[[], int | None],
        bans: Bans,
    ) -> None:
        self._bans = bans
        self.random: Callable[[], float] = random.random
        self._count_bound = count_bound
        self._limits = limits
        self._texts = texts
        self._count_event = count
        self._handshakes: dict[Connection, None] = {}  # running handshakes, the oldest first
        self._warned_at: dict[str, float] = {}  # when each kind of warning was logged last
        self._total = 0
        self._by_origin: Counter[str] = Counter()
        self._by_prefix: Counter[str] = Counter()
        self._origins: dict[int, tuple[str, str]] = {}  # the origin and prefix of each connection, by its number
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
        """Count a new connection, and refuse it past a limit. Connect functions still run and see the refusal.

        One that continues a session of an earlier server was within the limits there, and is refused only by a ban.
        """
        self._total += 1
        if connection._continues:
            self._count(connection, connection.address, is_limited=False)
            return
        if self._limits.max_connections is not None and self._total > self._limits.max_connections:
            connection._reject(self._texts.server_full, Cause.FULL)
        self._count(connection, connection.address)
        if not connection.is_refused and self._is_dropped_early():
            self._count_event("refused without a session")
            connection._reject(self._texts.too_many_without_session, Cause.TOO_MANY)

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
        before = self._origins.get(connection.number)
        if before is None or _counted_as(connection.address) == before:  # released, or counted correctly already
            return True
        if is_named and not self.accept(connection.address):
            return False
        self._discount(connection)
        self._count(connection, connection.address)
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

    def _is_dropped_early(self) -> bool:
        """Decide whether the newest connection is refused, because too many have no session."""
        most, free = self._limits.max_without_session, self._limits.free_without_session
        living = len(self._origins)
        if most is None or living <= free:
            return False
        bound = self._count_bound()
        if bound is None:
            return False
        over = living - bound - free
        return over > 0 and (free + over > most or self.random() * (most - free) < over)

    def _count(self, connection: Connection, address: str, *, is_limited: bool = True) -> None:
        origin, prefix = self._origins[connection.number] = _counted_as(address)
        self._by_origin[origin] += 1
        self._by_prefix[prefix] += 1
        if (ban := self._bans.of_address(address)) is not None and not connection.is_refused:
            self._count_event("vetoed: banned")
            connection._reject(ban or self._texts.refused, Cause.VETOED)
            return
        if not is_limited:
            return
        per_address, per_prefix = self._limits.max_per_address, self._limits.max_per_prefix
        if per_address is not None and origin and self._by_origin[origin] > per_address:
            self._count_event("refused by address")
            connection._reject(self._texts.too_many_from_address, Cause.TOO_MANY)
        elif per_prefix is not None and prefix and self._by_prefix[prefix] > per_prefix:
            self._count_event("refused by network")
            connection._reject(self._texts.too_many_from_address, Cause.TOO_MANY)

    def _discount(self, connection: Connection) -> None:
        counted = self._origins.pop(connection.number, None)
        if counted is None:
            return
        for table, key in zip((self._by_origin, self._by_prefix), counted, strict=True):
            table[key] -= 1
            if not table[key]:
                del table[key]


@lru_cache(maxsize=1024)
def _counted_as(address: str) -> tuple[str, str]:
    """Return the origin and the prefix that an address counts for."""
    # Cached, because parsing an address takes 10 us, and a flood of connections comes from few addresses.
    return origin_of(address), prefix_of(address)
