"""MCCP: compresses our output (version 2), and inflates the peer's (version 3).

Each version is an option: a game that does not want it omits it from the engine's options. Omit both over TLS, because
the length of compressed data reveals secrets in it (the CRIME attack).

Unknown options are refused, including MCCP1 (85), which begins with a subnegotiation that no telnet parser
understands, and MCCPX (88), a draft of 2025 with a choice of methods, which is deployed nowhere.

Source: the MCCP specification of 2004 for version 2, TinTin++ and its description of version 3; RFC 1950
"""

from __future__ import annotations

from ..codes import MCCP2, MCCP3
from ..compression import InflationLimits
from ..events import Anomaly, AnomalyKind
from .base import Engine, Option, Policy


class Mccp2(Option):
    """Compresses our output, from the marker IAC SB MCCP2 IAC SE until either side switches it off.

    The option may be agreed again afterwards, which begins a new stream.
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
    """Inflates the peer's output, from the byte after its IAC SB MCCP3 IAC SE until the peer ends the stream.

    TinTin++ answers our offer with DO, the start marker and the first compressed bytes in one write. telnetlib3 5.0
    sends plain text after the marker, which cannot be distinguished from a broken stream and is handled as one.

    If either side switches the option off, the stream continues, because only the sender knows where it ends.

    Args:
        limits: Limits on the expansion of the peer's bytes.
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
