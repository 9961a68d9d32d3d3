"""Which side of a split server enforces which limit.

The gateway has the sockets: it paces accepting, bounds handshakes and parsing, probes, and detects stalls.
The world has the players: it counts connections over all gateways, and times hooks, logins, idleness and sessions.
Both bound output, lines and the time of last words.
"""

from __future__ import annotations

from dataclasses import replace

from ..limits import Limits
from ..texts import Texts
from .wire import MAX_LINE


def limits_of_gateway(limits: Limits) -> Limits:
    """Return the limits that a gateway enforces of those of the whole server."""
    return replace(
        limits,
        max_connections=None,
        max_per_address=None,
        max_per_prefix=None,
        max_without_session=None,
        command_rate=None,
        first_input_timeout=None,
        idle_timeout=None,
        hook_timeout=None,  # its only hook that waits is the one for the world's verdict
        max_line=min(limits.max_line, MAX_LINE),
    )


def texts_of_gateway(texts: Texts) -> Texts:
    """Return the texts of a gateway: at its end the world goes on."""
    return replace(texts, shutdown=texts.gateway_closes)


def limits_of_world(limits: Limits) -> Limits:
    """Return the limits that a world enforces of those of the whole server."""
    return replace(limits, accept_rate=None, accept_rate_per_address=None)
