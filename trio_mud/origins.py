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
SITE: Final = {4: 24, 6: 48}  # bits of a prefix that often has one owner, by the version of IP
MOST_ORIGINS: Final = 4096  # buckets in the table, about 1 MiB
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_ROUNDING: Final = 1e-6  # seconds; a sum of floats such as 1/3 is not exact


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def inner_address(address: str) -> Address | None:
    """Return the IP address that an address stands for; None if it is none.

    An IPv6 address that carries an IPv4 address stands for that one: mapped (RFC 4291), NAT64 (RFC 6052), 6to4
    (RFC 3056). Otherwise one IPv4 address would count as 65,536 networks.
    """
    try:
        host = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(host, ipaddress.IPv6Address):
        inner = host.ipv4_mapped or host.sixtofour
        if inner is None and host in _NAT64:
            inner = ipaddress.IPv4Address(int(host) & 0xFFFFFFFF)
        return inner or host
    return host


def origin_of(address: str) -> str:
    """Return the origin that an address counts for."""
    if ":" not in address:
        return address
    host = inner_address(address)
    if host is None:
        return address
    if host.version == 4:
        return str(host)
    return str(ipaddress.IPv6Network((host, HOUSEHOLD), strict=False).network_address)


def prefix_of(address: str) -> str:
    """Return the network that an address counts for beside its origin: an IPv4 /24 or an IPv6 /48; "" for a name."""
    host = inner_address(address)
    return "" if host is None else str(ipaddress.ip_network((host, SITE[host.version]), strict=False))


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
