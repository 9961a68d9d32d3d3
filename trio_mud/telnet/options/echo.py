"""ECHO: we claim to echo what is typed and do not, so that a password does not show.

Source: RFC 857
"""

from __future__ import annotations

from ..codes import ECHO
from ..events import EchoRefused
from .base import Engine, Option


class Echo(Option):
    """Hides input on the engine's wish (`hide_input`), never on the peer's.

    PuTTY says DO ECHO unasked as it connects.  To agree would switch its local echo off for good, so both sides'
    policies are REFUSE.  SGA is left alone: agreed together with ECHO it makes telnet(1), PuTTY and busybox send
    key by key.
    """

    __slots__ = ()

    code = ECHO

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        if not enabled and engine.input_hidden:  # the peer took it back while it should hide
            engine.emit(EchoRefused())

    def on_refused(self, engine: Engine) -> None:
        engine.emit(EchoRefused())


def hide_input(engine: Engine, hidden: bool, ends_line: bool) -> None:
    """Ask the peer to hide what is typed, or to show it again, see `TelnetEngine.hide_input`."""
    if hidden:
        engine.enable_ours(ECHO)
        return
    was_agreed = engine.is_ours(ECHO)
    engine.disable_ours(ECHO)
    if was_agreed and ends_line:
        engine.send_text("\n")
