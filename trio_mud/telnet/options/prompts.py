"""EOR and SGA: what stands behind a prompt, so that a client knows it for one.

The mark itself is the engine's (`TelnetEngine.prompt_mark`); these two only decide which it is.

Source: RFC 885 (EOR), RFC 858 (SGA)
"""

from __future__ import annotations

from ..codes import END_OF_RECORD, SGA
from .base import Option, Policy


class Eor(Option):
    """Offers to mark prompts with IAC EOR.

    TinTin++, TinyFugue, Mudlet and telnetlib3 agree; telnet(1), PuTTY and busybox refuse.
    """

    __slots__ = ()

    code = END_OF_RECORD
    ours = Policy.OFFER


class Sga(Option):
    """Lets the peer leave out its go-aheads, which we ignore anyway.

    Ours is not offered, nor agreed to when telnet(1) or PuTTY ask: to them it means keystroke mode.  A game that
    wants just that asks for it itself, by `enable_ours(SGA)`.
    """

    __slots__ = ()

    code = SGA
    theirs = Policy.ACCEPT
