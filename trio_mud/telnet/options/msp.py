"""MSP: triggers in the text that make a client play sounds.

The option only agrees on it; `trio_mud.text` makes the triggers and neutralises those typed by players. It is not a
default option: Client.Media of GMCP does the same outside the text, where players cannot forge it.

Source: Mud Sound Protocol 0.3
"""

from __future__ import annotations

from ..codes import MSP
from ..events import FeatureAgreed
from .base import Engine, Option, Policy


class Msp(Option):
    """Offers sounds, and reports `FeatureAgreed("sounds", ...)`."""

    __slots__ = ()

    code = MSP
    ours = Policy.OFFER

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        engine.emit(FeatureAgreed("sounds", enabled))
