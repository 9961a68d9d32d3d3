"""ECHO: claims to echo input and does not, so that a password does not show.

Source: RFC 857
"""

from __future__ import annotations

from ..codes import ECHO
from ..events import EchoRejected
from .base import Engine, Option


class Echo(Option):
    """Hides input at the engine's request (`hide_input`), never at the peer's.

    PuTTY sends DO ECHO unasked as it connects. Agreeing would switch its local echo off for good, so the policy of
    both sides is REFUSE. SGA is not used: together with ECHO it makes telnet(1), PuTTY and busybox send key by key.
    """

    __slots__ = ()

    code = ECHO

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        if not enabled and engine.input_hidden:  # the peer switched it back on while input should be hidden
            engine.emit(EchoRejected())

    def on_refused(self, engine: Engine) -> None:
        engine.emit(EchoRejected())


def hide_input(engine: Engine, hidden: bool, ends_line: bool) -> None:
    """Ask the peer to hide input or to show it again, see `TelnetEngine.hide_input`."""
    if hidden:
        engine.enable_ours(ECHO)
        return
    was_agreed = engine.is_ours(ECHO)
    engine.disable_ours(ECHO)
    if was_agreed and ends_line:
        engine.send_text("\n")
