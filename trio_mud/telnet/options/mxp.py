"""MXP: tags in the text, by which a client makes links of words.

The option agrees on it and locks the mode; tags and the escaping of all other text are `trio_mud.text`'s.  It is not
among the default options: a client that has MXP on reads every line as markup, so a game should want it.

Source: MXP 1.0 (Zugg Software); Mudlet 4.20 for what clients do
"""

from __future__ import annotations

from typing import Final

from ..codes import MXP
from ..events import FeatureAgreed
from .base import Engine, Option, Policy

# Open mode, and locked: &lt; is read as <, and a tag that a player got through could do no more than bold.  Mode 7,
# locked, would be stricter with tags and show every &lt; as it is.
LOCK_OPEN: Final = b"\x1b[5z"


class Mxp(Option):
    """Offers tags, locks the mode as soon as it is agreed, and reports `FeatureAgreed("mxp", ...)`.

    In the tradition of zMUD the peer's side means the same as ours: a client may say WILL instead of DO, or both.
    It is never asked for its VERSION or what it can SUPPORT: the answers come as typed lines, and could be typed.
    What a client puts into a payload has no meaning.
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
