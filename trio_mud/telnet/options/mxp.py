"""MXP: tags in the text, which a client shows as links.

The option agrees on it and locks the mode; `trio_mud.text` makes tags and escapes all other text. It is not a default
option: a client with MXP on parses every line as markup, so a game should choose it.

Source: MXP 1.0 (Zugg Software); Mudlet 4.20 for the behaviour of clients
"""

from __future__ import annotations

from typing import Final

from ..codes import MXP
from ..events import FeatureAgreed
from .base import Engine, Option, Policy

# Open mode, and locked: &lt; is read as <, and a tag that a player smuggled in could only set bold and similar. Mode
# 7, locked, would reject all tags and show every &lt; as it is.
LOCK_OPEN: Final = b"\x1b[5z"


class Mxp(Option):
    """Offers tags, locks the mode when it is agreed, and reports `FeatureAgreed("mxp", ...)`.

    Since zMUD both sides of this option mean the same: a client may send WILL instead of DO, or both. It is never
    asked for its VERSION or SUPPORT: the answers arrive as typed lines, and could be typed. Payloads have no meaning.
    """

    __slots__ = ("_is_on",)

    code = MXP
    ours = Policy.OFFER
    theirs = Policy.ACCEPT

    def __init__(self) -> None:
        self._is_on = False

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        self._turn(engine, enabled or engine.is_theirs(MXP))

    def on_theirs(self, engine: Engine, enabled: bool) -> None:
        self._turn(engine, enabled or engine.is_ours(MXP))

    def _turn(self, engine: Engine, on: bool) -> None:
        if on == self._is_on:
            return
        self._is_on = on
        if on:
            engine.send_encoded(LOCK_OPEN)
        engine.emit(FeatureAgreed("mxp", on))
