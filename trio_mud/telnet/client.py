"""The client side of telnet: a server's bytes become text and marks of prompts, and are answered.

Used by the players of the test kit, of the simulator and of `trio-mud bench`. No server uses it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable

from .codes import ECHO, END_OF_RECORD, EOR, GA, IAC, MCCP2
from .deadlines import BUDGET
from .engine import TelnetEngine
from .interpreter import Interpreter
from .options.base import Option, Policy
from .scanner import in_text


class TelnetClient(Interpreter):
    """One connection to a server.

    It refuses every option except the given ones. `theirs` is the server's side of an option.

    Args:
        options: The options it agrees to. With `TakesMccp2` it inflates compressed output.
        on_text: Called with text, without telnet commands.
        on_mark: Called for the mark behind a prompt, GA or EOR.

    Attributes:
        engine: Holds the state of the options and the queued answers.
    """

    __slots__ = ("_inflater", "_on_mark", "_on_text", "engine")

    def __init__(
        self,
        options: Iterable[Option],
        on_text: Callable[[bytes], object],
        on_mark: Callable[[], object] = lambda: None,
    ) -> None:
        self.engine = TelnetEngine(options, settle_within=None)
        super().__init__(self.engine)
        self._on_text = on_text
        self._on_mark = on_mark
        self._inflater: zlib._Decompress | None = None

    @property
    def is_compressed(self) -> bool:
        """True if the server currently compresses its output."""
        return self._inflater is not None

    def receive(self, data: bytes) -> bytes:
        """Process bytes from the server, and return them uncompressed, including telnet commands.

        Raises:
            zlib.error: The server sent an invalid stream.
        """
        # A client answers its server without limit. Two sides that each kept a budget would stop with different states.
        self.engine.negotiation.expire(BUDGET)
        scanner = self.engine.scanner
        if self._inflater is None and scanner.state is in_text and IAC not in data:
            if data:
                self._on_text(data)
            return data
        plain = b""
        while data:
            if self._inflater is None:
                piece, data = data, b""
            else:
                piece = self._inflater.decompress(data)
                data = self._inflater.unused_data
                if self._inflater.eof:
                    self._inflater = None
            read = scanner.receive(piece, self)
            plain += piece[:read]
            data = piece[read:] + data  # prepends the rest if a stream begins here
        self.engine.events.clear()  # only a server uses them
        return plain

    def data_to_send(self) -> bytes:
        """Return and remove the queued answers; b"" if there are none."""
        return self.engine.data_to_send()

    # Called by the scanner: text and marks go to the caller, everything else to the engine.

    def heard_text(self, data: bytes) -> None:
        self._on_text(data)

    def heard_command(self, code: int) -> None:
        if code in (GA, EOR):
            self._on_mark()
        else:
            super().heard_command(code)

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        super().heard_subnegotiation(code, payload)
        if code == MCCP2 and MCCP2 in self.engine.option_set:  # even if it was disabled since, which takes effect later
            self._inflater = zlib.decompressobj()
            self.engine.scanner.stop()


class LetsHide(Option):
    """Agrees to hide input."""

    __slots__ = ()
    code = ECHO
    theirs = Policy.ACCEPT


class TakesMarks(Option):
    """Agrees to prompts marked with EOR."""

    __slots__ = ()
    code = END_OF_RECORD
    theirs = Policy.ACCEPT


class TakesMccp2(Option):
    """Lets the server compress its output."""

    __slots__ = ()
    code = MCCP2
    theirs = Policy.ACCEPT
