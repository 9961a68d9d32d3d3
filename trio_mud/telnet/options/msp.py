"""MSP: triggers in the text, by which a client plays sounds.

The option only agrees on it; `trio_mud.text` makes the triggers and breaks those that players type.  It is not among
the default options: Client.Media of GMCP does the same beside the text, where no player can come near it.

Source: Mud Sound Protocol 0.3
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..codes import MSP
from ..events import FeatureAgreed
from .base import Option, Policy

if TYPE_CHECKING:
    from ..engine import TelnetEngine


class Msp(Option):
    """Offers sounds, and reports `FeatureAgreed("sounds", ...)`."""

    __slots__ = ()

    code = MSP
    ours = Policy.OFFER

    def on_ours(self, engine: TelnetEngine, enabled: bool) -> None:
        engine.emit(FeatureAgreed("sounds", enabled))
