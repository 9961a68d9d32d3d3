"""Sanctions: bans of networks and accounts, and mutes of accounts, as records with an end, a reason and an author.

An address is looked up once for each length of a banned prefix, so the cost does not grow with the number of bans. An
IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4) is looked up as that address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

from trio_mud.origins import HOUSEHOLD, inner_address
from trio_mud.storage import Record, Store

__all__ = ["Network", "Sanction", "Sanctions", "network_of", "seconds_of"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DURATION = re.compile(r"(\d{1,6})(s|m|h|d|w)")
_ZONE = re.compile(r"%[^/]*")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Sanction(Record, family="sanction", resident=True):
    """One ban or mute. Its key is `kind:subject`."""

    kind: str  # "network", "account" or "mute"
    subject: str  # a network, or the key of an account
    until: float = 0.0  # seconds since 1970; 0 for ever
    why: str = ""
    by: str = ""  # the name of who decided it
    since: float = 0.0


class Sanctions:
    """All sanctions of one store.

    Args:
        store: A store that was opened with `Sanction`.
        wall_clock: Returns seconds since 1970; a moved clock changes only when a sanction ends.

    Attributes:
        added: Called with each sanction that is added.
        removed: Called with each one that is removed, or has ended.
    """

    def __init__(self, store: Store, wall_clock: Callable[[], float]) -> None:
        self._store = store
        self._wall_clock = wall_clock
        self.added: Callable[[Sanction], object] = lambda sanction: None
        self.removed: Callable[[Sanction], object] = lambda sanction: None
        self._lengths: dict[tuple[int, int], int] = {}  # how many networks have this version and length of prefix
        self._count_all()

    def __iter__(self) -> Iterator[Sanction]:
        """Yield those that have not ended; the others are removed."""
        found = sorted(self._store.all(Sanction), key=lambda sanction: sanction.key)
        return iter([sanction for sanction in found if self._is_in_force(sanction)])

    def share_count(self, former: Sanctions) -> None:
        """Count together with those of the former code, because its verbs that are under way finish after a reload."""
        self._lengths = former._lengths
        self._lengths.clear()
        self._count_all()

    def add(self, kind: str, subject: str, until: float, why: str, by: str) -> Sanction:
        """Add a sanction, or replace the one of the same subject."""
        self.remove(kind, subject)
        made = Sanction(kind=kind, subject=subject, until=until, why=why, by=by, since=self._wall_clock())
        self._count(made, 1)
        self._store.add(made, f"{kind}:{subject}")
        self.added(made)
        return made

    def remove(self, kind: str, subject: str) -> bool:
        """Remove a sanction; return False if there is none."""
        sanction = self._store.get(Sanction, f"{kind}:{subject}")
        if sanction is None:
            return False
        self._count(sanction, -1)
        self._store.remove(sanction)
        self.removed(sanction)
        return True

    def get(self, kind: str, subject: str) -> Sanction | None:
        """Return the sanction of this subject that has not ended."""
        sanction = self._store.get(Sanction, f"{kind}:{subject}")
        return sanction if sanction is not None and self._is_in_force(sanction) else None

    def of_address(self, address: str) -> Sanction | None:
        """Return the ban of the narrowest network that has this address; None also for what is no IP address."""
        host = inner_address(address)
        if host is None:
            return None
        for version, length in sorted(self._lengths, reverse=True):
            if version == host.version:
                network = ipaddress.ip_network((host, length), strict=False)
                if (found := self.get("network", str(network))) is not None:
                    return found
        return None

    def _is_in_force(self, sanction: Sanction) -> bool:
        if sanction.until and sanction.until <= self._wall_clock():
            self.remove(sanction.kind, sanction.subject)
            return False
        return True

    def _count_all(self) -> None:
        for sanction in self._store.all(Sanction):
            self._count(sanction, 1)

    def _count(self, sanction: Sanction, change: int) -> None:
        if sanction.kind == "network":
            network = ipaddress.ip_network(sanction.subject)
            key = (network.version, network.prefixlen)
            self._lengths[key] = self._lengths.get(key, 0) + change
            if not self._lengths[key]:
                del self._lengths[key]


def network_of(text: str) -> Network | None:
    """Return the network that a text names, in the form in which addresses are looked up; None if it names none.

    An IPv6 address without a length stands for its /64, as for the limits of connections, because its owner chooses the
    other 64 bits freely.
    """
    try:
        # Without the zone, as addresses are looked up.
        network = ipaddress.ip_network(_ZONE.sub("", text), strict=False)
    except ValueError:
        return None
    inner = inner_address(str(network.network_address))
    if isinstance(network, ipaddress.IPv6Network) and isinstance(inner, ipaddress.IPv4Address):
        shift = 16 if network.network_address.sixtofour is not None else 96
        length = network.prefixlen - shift
        return ipaddress.ip_network((inner, min(32, length)), strict=False) if length >= 8 else None
    return network if network.version == 4 or "/" in text else network.supernet(new_prefix=HOUSEHOLD)


def seconds_of(word: str) -> float | None:
    """Return the seconds of a duration such as `30m` or `7d`; None if it is none."""
    found = _DURATION.fullmatch(word.casefold())
    return None if found is None else float(int(found[1]) * _UNITS[found[2]])
