"""How a scripted player hears: text and the marks of prompts, with telnet answered as a simple client would."""

from __future__ import annotations

from typing import Protocol

from ..telnet import Option, Policy, TelnetEngine
from ..telnet.codes import ECHO, END_OF_RECORD, EOR, GA, IAC
from ..telnet.interpreter import Interpreter
from ..telnet.scanner import in_text


class Listener(Protocol):
    """Who wants to know."""

    def hear_text(self, data: bytes) -> None:
        """Text, without telnet."""

    def hear_mark(self) -> None:
        """A prompt is whole."""


class _MarksPrompts(Option):
    """Agrees that the server marks its prompts with EOR."""

    code = END_OF_RECORD
    theirs = Policy.ACCEPT


class _LetsHide(Option):
    """Agrees when the server wants to hide a password."""

    code = ECHO
    theirs = Policy.ACCEPT


_OPTIONS = (_MarksPrompts(), _LetsHide())


class Ear(Interpreter):
    """One player's: it refuses every option but the two that a load has a use for."""

    __slots__ = ("_listener", "engine")

    def __init__(self, listener: Listener) -> None:
        self.engine = TelnetEngine(_OPTIONS, settle_within=None)
        super().__init__(self.engine)
        self._listener = listener

    def take(self, data: bytes) -> None:
        """Hear what the server sent; what is to be answered lies in the engine."""
        scanner = self.engine.scanner
        if scanner.state is in_text and IAC not in data:
            self._listener.hear_text(data)
        else:
            scanner.receive(data, self)
            self.engine.events.clear()  # whatever else was said concerns no script

    def heard_text(self, data: bytes) -> None:
        """It is the script's."""
        self._listener.hear_text(data)

    def heard_command(self, code: int) -> None:
        """GA and EOR end a prompt; the rest is the engine's."""
        if code in (GA, EOR):
            self._listener.hear_mark()
        else:
            super().heard_command(code)
