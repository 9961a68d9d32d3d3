"""Origins: the addresses that count as one, and the rate of new connections from each.

An origin is an IPv4 address, an IPv6 /64, or a name given by the transport; "" means unknown and is never limited.
Used by the admission, which counts the connections of each origin, by the sessions, which count the link-dead ones,
and by accounts, which count wrong passwords.
"""

from __future__ import annotations

import ipaddress
import math
from typing import Final

from .limits import Rate

HOUSEHOLD: Final = 64  # bits of an IPv6 prefix; a subscriber chooses the other 64 bits freely
MOST_ORIGINS: Final = 4096  # buckets in the table, about 1 MiB
_ROUNDING: Final = 1e-6  # seconds; a sum of floats such as 1/3 is not exact


def origin_of(address: str) -> str:
    """Return the origin that an address counts for."""
    if ":" not in address:
        return address
    try:
        host = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if host.ipv4_mapped is not None:
        return str(host.ipv4_mapped)
    return str(ipaddress.IPv6Network((host, HOUSEHOLD), strict=False).network_address)


class AcceptBuckets:
    """A token bucket for each origin, in a table of bounded size.

    A bucket that is full again is the same as none, and is dropped.
    Past `MOST_ORIGINS` the least recent origin is dropped.

    Args:
        rate: The rate of each bucket; None for no limit.
    """

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._full_at: dict[str, float] = {}  # when each bucket is full again; least recent first

    def __len__(self) -> int:
        return len(self._full_at)

    def spend(self, origin: str, now: float) -> bool:
        """Take a token for one connection.

        An origin past its rate spends nothing by trying, so honest players behind it get in as tokens return.

        Returns:
            False if the origin's bucket is empty: the connection must be refused.
        """
        if self._rate is None or not origin:
            return True
        full_at, wait = self._rate.spend(self._full_at.pop(origin, -math.inf), now, 0)
        has_token = wait < _ROUNDING
        self._full_at[origin] = self._rate.spend(full_at, now)[0] if has_token else full_at
        self._forget_some(now)
        return has_token

    def _forget_some(self, now: float) -> None:
        """Drop up to two of the least recent origins, so that the cost of a call does not grow with the table."""
        for _ in range(2):
            oldest = next(iter(self._full_at))
            if self._full_at[oldest] > now and len(self._full_at) <= MOST_ORIGINS:
                return
            del self._full_at[oldest]
            if not self._full_at:
                return
