"""TTYPE: the peer sends its program, its terminal and, by the MTTS convention, its capabilities.

Source: RFC 1091; MTTS (Mud Terminal Type Standard) for the order of the names
"""

from __future__ import annotations

from typing import Final

from ..codes import TTYPE
from ..events import Anomaly, AnomalyKind, TerminalType
from .base import Engine, Option, Policy

IS: Final = 0
SEND: Final = 1

MAX_REPLIES: Final = 5  # TinyFugue 5 sends four names and then repeats; some clients never stop
MAX_NAME: Final = 64  # bytes of printable ASCII


class Ttype(Option):
    """Asks for one name after another and reports each new one as a `TerminalType`.

    It stops at a repeated name, which ends the list by RFC 1091, at "MTTS n", which MUD clients send last, and after
    five replies. A name that was not asked for is ignored. An empty name, sent by clients whose terminal is not set,
    is not reported, nor is an invalid one; the next name is still asked for.
    """

    __slots__ = ("_is_waiting", "_names", "_sends_left")

    code = TTYPE
    theirs = Policy.OFFER

    def __init__(self) -> None:
        self._is_waiting = False
        self._names: tuple[str, ...] = ()
        self._sends_left = MAX_REPLIES

    def on_theirs(self, engine: Engine, enabled: bool) -> None:
        self._is_waiting = False
        if enabled:
            self._ask(engine)

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        if not self._is_waiting or payload[:1] != bytes((IS,)):
            return
        self._is_waiting = False
        name = payload[1 : MAX_NAME + 2].decode("ascii", "replace")  # one byte over the limit, to detect a longer name
        if name in self._names:
            self._names = ()
            return
        if not (name.isascii() and name.isprintable() and len(name) <= MAX_NAME):
            engine.emit(Anomaly(AnomalyKind.MALFORMED_PAYLOAD, f"TTYPE name of {len(payload) - 1} bytes"))
        elif name:
            engine.emit(TerminalType(name))
        if name.upper().startswith("MTTS ") or not self._sends_left:
            self._names = ()
            return
        self._names = (*self._names, name)
        self._ask(engine)

    def is_settled(self, engine: Engine) -> bool:
        return not self._is_waiting

    def _ask(self, engine: Engine) -> None:
        if self._sends_left:
            self._sends_left -= 1
            self._is_waiting = True
            engine.send_subnegotiation(TTYPE, bytes((SEND,)))
