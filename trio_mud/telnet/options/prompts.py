"""EOR and SGA: the mark after a prompt, by which a client recognises it.

Source: RFC 885 (EOR), RFC 858 (SGA)
"""

from __future__ import annotations

from typing import Final

from ..codes import END_OF_RECORD, EOR, GA, IAC, SGA
from ..negotiation import Negotiation
from .base import Option, Policy

_GO_AHEAD: Final = bytes((IAC, GA))
_END_OF_RECORD: Final = bytes((IAC, EOR))


class Eor(Option):
    """Offers to mark prompts with IAC EOR.

    TinTin++, TinyFugue, Mudlet and telnetlib3 agree; telnet(1), PuTTY and busybox refuse.
    """

    __slots__ = ()

    code = END_OF_RECORD
    ours = Policy.OFFER


class Sga(Option):
    """Lets the peer omit its go-aheads, which are ignored anyway.

    Our side is neither offered nor agreed when telnet(1) or PuTTY ask for it: to them it means keystroke mode. A game
    that wants that mode requests it with `enable_ours(SGA)`.
    """

    __slots__ = ()

    code = SGA
    theirs = Policy.ACCEPT


def prompt_mark(negotiation: Negotiation) -> bytes:
    """Return the current prompt mark, see `TelnetEngine.prompt_mark`."""
    if negotiation.is_on(END_OF_RECORD, ours=True):
        return _END_OF_RECORD
    if negotiation.is_unanswered(END_OF_RECORD, ours=True) or negotiation.is_on(SGA, ours=True):
        return b""
    return _GO_AHEAD
