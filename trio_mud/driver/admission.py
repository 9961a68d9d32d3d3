"""Who may come in as far as numbers go: how many in all, how many from one address, how many that shake hands."""

from __future__ import annotations

import ipaddress
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from ..limits import Limits
from ..texts import Texts
from .connection import Connection
from .events import Cause

logger = logging.getLogger("trio_mud")

HOUSEHOLD = 64  # bits of an IPv6 address that its network owns; the rest one household chooses freely


class Admission:
    """Counts the connections there are, by where they come from.

    Args:
        limits: How many there may be.
        texts: What those past them read.
        count: Called with a word for each handshake that was dropped.
    """

    def __init__(self, limits: Limits, texts: Texts, count: Callable[[str], None]) -> None:
        self._limits = limits
        self._texts = texts
        self._count_event = count
        self._handshakes: dict[Connection, None] = {}  # that run, the oldest first
        self._last_warning = -math.inf
        self._total = 0
        self._by_origin: Counter[str] = Counter()
        self._origins: dict[int, str] = {}  # which one each connection counts for, by its number

    def arrive(self, connection: Connection) -> None:
        """Count a new connection, and refuse it if it is one too many. The connect hook still runs and sees that."""
        self._total += 1
        if self._limits.connections is not None and self._total > self._limits.connections:
            connection.turn_away(self._texts.server_full, Cause.FULL)
        self._count(connection, _origin_of(connection.address))

    @contextmanager
    def handshake(self, connection: Connection) -> Iterator[None]:
        """Count a handshake while it runs; past the bound the oldest is dropped in its favour."""
        most = self._limits.max_handshakes
        if most is not None and len(self._handshakes) >= most:
            oldest = next(iter(self._handshakes))
            del self._handshakes[oldest]
            oldest.life.abort()
            self._count_event("handshakes dropped")
            self._warn_of_handshakes(most)
        self._handshakes[connection] = None
        try:
            yield
        finally:
            self._handshakes.pop(connection, None)

    def locate(self, connection: Connection) -> None:
        """Its handshake is over: behind a proxy only this has told where it comes from. Count it there."""
        origin = _origin_of(connection.address)
        if origin != self._origins[connection.number]:
            self._discount(connection)
            self._count(connection, origin)

    def leave(self, connection: Connection) -> None:
        """It is gone, refused or not."""
        self._total -= 1
        self._discount(connection)

    def _warn_of_handshakes(self, most: int) -> None:
        now = trio.current_time()
        if now - self._last_warning >= (self._limits.log_interval or 0):
            self._last_warning = now
            logger.warning(
                "%d handshakes run at once: the oldest is dropped; raise limits.max_handshakes if these are players",
                most,
            )

    def _count(self, connection: Connection, origin: str) -> None:
        self._origins[connection.number] = origin
        self._by_origin[origin] += 1
        if self._limits.per_address is not None and origin and self._by_origin[origin] > self._limits.per_address:
            connection.turn_away(self._texts.too_many_from_address, Cause.TOO_MANY)

    def _discount(self, connection: Connection) -> None:
        origin = self._origins.pop(connection.number)
        self._by_origin[origin] -= 1
        if not self._by_origin[origin]:
            del self._by_origin[origin]


def _origin_of(address: str) -> str:
    """What is counted as one place: an IPv4 address, an IPv6 /64, or the transport's own word."""
    if ":" not in address:
        return address
    try:
        host = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if host.ipv4_mapped is not None:
        return str(host.ipv4_mapped)
    return str(ipaddress.IPv6Network((host, HOUSEHOLD), strict=False).network_address)
