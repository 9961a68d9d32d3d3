"""ECHO: we claim to echo what is typed and do not, so that a password does not show.

Source: RFC 857
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..codes import ECHO
from ..events import EchoRefused
from .base import Option

if TYPE_CHECKING:
    from ..engine import TelnetEngine


class Echo(Option):
    """Hides input on the engine's wish (`hide_input`), never on the peer's.

    PuTTY says DO ECHO unasked as it connects.  To agree would switch its local echo off for good, so both sides'
    policies are REFUSE.  SGA is left alone: agreed together with ECHO it makes telnet(1), PuTTY and busybox send
    key by key.
    """

    __slots__ = ()

    code = ECHO

    def on_ours(self, engine: TelnetEngine, enabled: bool) -> None:
        if not enabled and engine.lines.hidden:  # the peer took it back while it should hide
            engine.emit(EchoRefused())

    def on_refused(self, engine: TelnetEngine) -> None:
        engine.emit(EchoRefused())


def hide_input(engine: TelnetEngine, hidden: bool, ends_line: bool) -> None:
    """Begin to hide what is typed, or end it."""
    engine.lines.hidden = hidden
    if not hidden:
        was_agreed = engine.is_ours(ECHO)
        engine.disable_ours(ECHO)
        if was_agreed and ends_line:
            engine.outgoing.put(b"\r\n")
    elif engine.repertoire.get(ECHO) is None:
        engine.emit(EchoRefused())
    else:
        engine.enable_ours(ECHO)
