"""The telnet side of a scripted player: receives text and prompt marks, and answers as a simple client would."""

from __future__ import annotations

from typing import Protocol

from ..telnet import Option, Policy, TelnetEngine
from ..telnet.codes import ECHO, END_OF_RECORD, EOR, GA, IAC
from ..telnet.interpreter import Interpreter
from ..telnet.scanner import in_text


class Listener(Protocol):
    """The receiver of text and prompt marks."""

    def hear_text(self, data: bytes) -> None:
        """Process text, without telnet commands."""

    def hear_mark(self) -> None:
        """Process the end of a prompt."""


class _MarksPrompts(Option):
    """Agrees to have prompts marked with EOR."""

    code = END_OF_RECORD
    theirs = Policy.ACCEPT


class _LetsHide(Option):
    """Agrees to hide a password."""

    code = ECHO
    theirs = Policy.ACCEPT


_OPTIONS = (_MarksPrompts(), _LetsHide())


class Ear(Interpreter):
    """The telnet client of one player. It refuses every option except the two that a load needs."""

    __slots__ = ("_listener", "engine")

    def __init__(self, listener: Listener) -> None:
        self.engine = TelnetEngine(_OPTIONS, settle_within=None)
        super().__init__(self.engine)
        self._listener = listener

    def take(self, data: bytes) -> None:
        """Process bytes from the server; answers are queued in the engine."""
        scanner = self.engine.scanner
        if scanner.state is in_text and IAC not in data:
            self._listener.hear_text(data)
        else:
            scanner.receive(data, self)
            self.engine.events.clear()  # scripts do not use other events

    def heard_text(self, data: bytes) -> None:
        """Pass text to the player."""
        self._listener.hear_text(data)

    def heard_command(self, code: int) -> None:
        """End a prompt at GA or EOR; pass everything else to the engine."""
        if code in (GA, EOR):
            self._listener.hear_mark()
        else:
            super().heard_command(code)
