"""NAWS: the peer sends the size of its window, at once and after every change.

Source: RFC 1073
"""

from __future__ import annotations

from typing import Final

from ..codes import NAWS
from ..events import Anomaly, AnomalyKind, WindowResized
from .base import Engine, Option, Policy

COLUMNS: Final = (10, 1000)  # characters; sizes outside the range are clamped
ROWS: Final = (5, 1000)  # characters


class Naws(Option):
    """Reports each size as a `Resized`, clamped to sizes for which a game can lay out text.

    The payload is 2 x 2 bytes, big-endian: columns, rows. Zero means unknown; curl sends 0 x 0.
    """

    __slots__ = ()

    code = NAWS
    theirs = Policy.OFFER

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        if len(payload) != 4:
            engine.emit(Anomaly(AnomalyKind.MALFORMED_PAYLOAD, f"NAWS of {len(payload)} bytes"))
            return
        columns = int.from_bytes(payload[:2], "big")
        rows = int.from_bytes(payload[2:], "big")
        engine.emit(WindowResized(_clamp(columns, COLUMNS), _clamp(rows, ROWS)))


def _clamp(size: int, bounds: tuple[int, int]) -> int | None:
    if size == 0:
        return None
    least, most = bounds
    return max(least, min(size, most))
