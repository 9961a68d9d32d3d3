"""The doors by which peers come, and the bytes that passed each of them.

A peer comes by plain telnet, by TLS, or by WebSocket, with TLS or without; a link of the game's own is another door.
All links of one door share one `Traffic`, so that counting costs a connection one pointer.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from ...transports.tcp import TcpTransport
from ..core.guard import attribute_of

TELNET: Final = "telnet"
TLS: Final = "tls"
WEB: Final = "web"
OTHER: Final = "other"  # a link of the game's own, whose bytes are not counted
DOORS: Final = (TELNET, TLS, WEB, OTHER)


class Traffic:
    """The bytes of all links of one door, since the start.

    Attributes:
        door: The door.
        received: Bytes received after the handshake, without those of TLS and of frames.
        sent: Bytes accepted by the transports, counted in the same way.
    """

    __slots__ = ("door", "received", "sent")

    def __init__(self, door: str) -> None:
        self.door = door
        self.received = 0
        self.sent = 0


def all_traffic() -> dict[str, Traffic]:
    """Return the counts of a server, by door."""
    return {door: Traffic(door) for door in DOORS}


def door_of(transport: object) -> str:
    """Return the door of an accepted transport, which may be of the game. Never raises."""
    if type(transport) is TcpTransport:  # of nearly all peers, and this is called several times for each
        return TELNET
    if attribute_of(transport, "make_link") is not None:
        return OTHER
    if attribute_of(transport, "channel") is not None:
        return WEB
    return TLS if attribute_of(transport, "is_secure") is True else TELNET


def count_at(counters: Counter[str], what: str, door: str) -> None:
    """Count an occurrence, in total and for its door."""
    counters[what] += 1
    counters[f"{what}: {door}"] += 1
