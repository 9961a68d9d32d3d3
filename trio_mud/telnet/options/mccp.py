"""MCCP: what we send is compressed (version 2), or what the peer sends (version 3).

Each is an option of its own: a game that wants neither leaves it out of the engine's options.  Over TLS both are
better left out, for the length of what is compressed tells about secrets beside it (the CRIME attack).

MCCP1 (85) began with a subnegotiation that no telnet parser understands, and MCCPX (88), a draft of 2025 that lets
both sides choose a method, is deployed nowhere: the engine refuses both, as any option that it does not know.

Source: the MCCP specification of 2004 for version 2, TinTin++ and its description of version 3; RFC 1950
"""

from __future__ import annotations

from ..codes import MCCP2, MCCP3
from ..compression import InflationLimits
from ..events import Anomaly, AnomalyKind
from .base import Engine, Option, Policy


class Mccp2(Option):
    """Compresses what we send, from the marker IAC SB MCCP2 IAC SE on, until either side says no.

    The option may be agreed again afterwards, and then begins a new stream.
    """

    __slots__ = ()

    code = MCCP2
    ours = Policy.OFFER

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        if enabled:
            engine.start_compression()
        else:
            engine.stop_compression()


class Mccp3(Option):
    """Inflates what the peer sends, from the byte behind its IAC SB MCCP3 IAC SE on, until it ends the stream.

    TinTin++ answers our offer with DO, the beginning and the first compressed bytes in one write.  telnetlib3 5.0
    sends plain text behind the beginning: that cannot be told from a broken stream, and ends as one.

    When either side takes the option back the stream goes on, for it is the sender who knows where it ends.

    Args:
        limits: What the peer may make of its bytes.
    """

    __slots__ = ("_limits",)

    code = MCCP3
    ours = Policy.OFFER

    def __init__(self, limits: InflationLimits | None = None) -> None:
        self._limits = limits or InflationLimits()

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        if payload:
            engine.emit(Anomaly(AnomalyKind.MALFORMED_PAYLOAD, f"MCCP3 of {len(payload)} bytes"))
        else:
            engine.start_inflation(self._limits)
