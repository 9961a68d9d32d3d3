"""MSP: triggers in the text, by which a client plays sounds.

The option only agrees on it; `trio_mud.text` makes the triggers and breaks those that players type.  It is not among
the default options: Client.Media of GMCP does the same beside the text, where no player can come near it.

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
