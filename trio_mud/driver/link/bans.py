"""Bans of networks: the connections that a server and its gateways refuse, whatever the connect hook says.

An address is looked up once for each length of a banned prefix, so the cost does not grow with the number of bans.
Used by the admission, and by the cluster link, which repeats them at the gateways.
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import trio

from ...origins import inner_address

__all__ = ["Ban", "Bans"]


class Ban(NamedTuple):
    """One ban.

    Attributes:
        network: In CIDR notation.
        text: The text of the refusal.
        seconds: How long it lasts from now; infinite for ever.
    """

    network: str
    text: str
    seconds: float


class Bans:
    """The banned networks.

    Attributes:
        observer: Called with each ban that is added, and with the network of each one that is lifted.
    """

    def __init__(self) -> None:
        self._bans: dict[str, tuple[str, float]] = {}  # texts, and ends on trio's clock
        self._lengths: Counter[tuple[int, int]] = Counter()  # the networks of each version and length of prefix
        self.observer: Callable[[Ban | str], object] = lambda change: None

    def __bool__(self) -> bool:
        """True if there is any."""
        return bool(self._bans)

    def __iter__(self) -> Iterator[Ban]:
        """Yield those that have not ended."""
        now = trio.current_time()
        return iter([Ban(name, text, ends - now) for name, (text, ends) in self._bans.items() if ends > now])

    def add(self, network: str, text: str, seconds: float) -> None:
        """Add a ban, or replace the one of the same network.

        Raises:
            ValueError: It is no network in CIDR notation.
        """
        parsed = ipaddress.ip_network(network)
        name = str(parsed)
        if name not in self._bans:
            self._lengths[parsed.version, parsed.prefixlen] += 1
        self._bans[name] = (text, trio.current_time() + seconds)
        self.observer(Ban(name, text, seconds))

    def remove(self, network: str) -> None:
        """Lift a ban, if there is one.

        Raises:
            ValueError: It is no network in CIDR notation.
        """
        parsed = ipaddress.ip_network(network)
        name = str(parsed)
        if self._bans.pop(name, None) is not None:
            key = parsed.version, parsed.prefixlen
            self._lengths[key] -= 1
            if not self._lengths[key]:
                del self._lengths[key]
            self.observer(name)

    def clear(self) -> None:
        """Lift all bans."""
        for network in list(self._bans):
            self.remove(network)

    def of_address(self, address: str) -> str | None:
        """Return the text of the ban of the narrowest network that has this address; None without one."""
        host = inner_address(address) if self._bans else None
        if host is None:
            return None
        for version, length in sorted(self._lengths, reverse=True):
            if version == host.version:
                network = str(ipaddress.ip_network((host, length), strict=False))
                text, ends = self._bans.get(network, ("", -math.inf))
                if ends > trio.current_time():
                    return text
                if ends > -math.inf:
                    self.remove(network)
        return None
