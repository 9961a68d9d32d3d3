"""A recording's journal: what passed, in order, each typed line held back until it is certain that it is no secret.

A password's bytes do not show what they are.
They may come long before the question they answer, or in pieces, some before and some after the hiding began.
So a line waits until somebody has taken it, for only then it is known who that was; and what came behind it waits too::

    typed ──► waits ──► taken by a hook or a visible question ──► written down as it came
                ├─────► taken by a hidden question ──────────┐
                ├─────► any byte of it came while hidden ────┼──► written down as "hidden", without its length
                ├─────► nobody takes it for too long ────────┘
                └─────► nobody ever takes it ───────────────────► "left-out"

Telnet commands are no secret, except for subnegotiations that speak of logins or passwords.
What cannot be read, such as compressed or malformed telnet, might be one, and is left out.
Who uses it: `recording`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from ...telnet import AnomalyKind
from ...telnet.codes import IAC, MCCP3, SB, SE, option_name
from ...telnet.scanner import Scanner

HELD: Final = 32 * 1024  # bytes that wait for a line to be taken; then the lines are left out, and all else goes on
PAYLOAD: Final = 8 * 1024  # bytes of a subnegotiation; what is longer is left out
ENTRY: Final = 200  # bytes of memory that an entry takes beside its data; many hold one byte or none

_SECRET: Final = re.compile(rb"^\W*char\.login|passw|token", re.IGNORECASE)  # in a subnegotiation of any option
_PIECES: Final = re.compile(rb"[^\r\n]*(?:\r[\n\0]?|\n)|[^\r\n]+")  # a line ends as it does in telnet/lines.py
_IAC: Final = bytes((IAC,))

Write = Callable[[float, str, bytes], None]
"""Takes the moment, what it is ("in", "out", "hidden", "left-out" and others), and its bytes."""


class _Line:
    """A line that was or is being typed."""

    __slots__ = ("is_lost", "is_secret", "is_settled")

    def __init__(self) -> None:
        self.is_secret = False
        self.is_settled = False  # whether it is known what becomes of it
        self.is_lost = False  # whether that is: nothing


class _Entry(NamedTuple):
    when: float
    kind: str
    data: bytes
    line: _Line | None = None  # of which this is a piece
    ends_line: bool = False


class Journal:
    """What one connection heard and said.

    Args:
        write: Is given what is certain, in order.
        is_answering: Whether a dialog has taken a line and may yet give it back.

    Attributes:
        has_text: Whether anything was typed so far; telnet alone is not.
    """

    def __init__(self, write: Write, is_answering: Callable[[], bool]) -> None:
        self._write = write
        self._is_answering = is_answering
        self._scanner = Scanner()
        self._entries: deque[_Entry] = deque()
        self._held = 0  # bytes of memory in them
        self._waiting: deque[_Line] = deque()  # whole lines that nobody has taken
        self._partial: _Line | None = None  # without its end
        self._last = _Line()  # the last whole one
        self._is_after_cr = False
        self._lent: _Line | None = None  # taken by a dialog, which may yet give it back
        self._is_untracked = False  # no line can be told from another any more
        self._now = 0.0
        self._is_hidden = False
        self.has_text = False

    # What passes

    def hear(self, now: float, data: bytes, *, is_hidden: bool) -> None:
        """Bytes came, while what is typed was hidden or not."""
        self._now, self._is_hidden = now, is_hidden
        if self._is_untracked:
            return
        self._scanner.receive(data, self)
        self.release()

    def say(self, now: float, data: bytes) -> None:
        """Bytes went."""
        self._hold(_Entry(now, "out", data))
        self.release()

    def note(self, now: float, kind: str) -> None:
        """The link ended in some way."""
        if self._partial is not None:  # the link ends, and with it this line
            self._partial.is_lost = self._partial.is_settled = True
            self._partial = None
        self._hold(_Entry(now, kind, b""))
        self.release()

    # What becomes of lines

    def line_taken(self, *, is_secret: bool, is_borrowed: bool) -> None:
        """Somebody has taken the oldest line; a dialog may give it back until it asks again."""
        self.has_text = True
        if self._is_untracked:
            return
        if not self._waiting:
            self.stop_tracking()
            return
        line = self._waiting.popleft()
        line.is_secret = line.is_secret or is_secret
        line.is_settled = True
        self._lent = line if is_borrowed else None
        if not is_borrowed:  # the dialog has not got it yet, and so seems to be asking still
            self.release()

    def line_given_back(self) -> None:
        """The line that a dialog took last is the oldest again."""
        line, self._lent = self._lent or _Line(), None
        line.is_settled = False
        self._waiting.appendleft(line)

    def drop_lines(self) -> None:
        """Nobody will take the whole lines that wait."""
        for line in self._waiting:
            line.is_lost = line.is_settled = True
        self._waiting.clear()
        self.release()

    def lines_discarded(self, *, loses_bytes: bool) -> None:
        """Nobody will take what was typed so far. If some of it was never parsed, lines can no longer be told apart."""
        if loses_bytes:
            self.stop_tracking()
        else:
            self.drop_lines()

    def stop_tracking(self) -> None:
        """Nobody will take what has been typed and what is typed from now on; or nobody could say which line it was."""
        self._is_untracked = True
        self._lent = None
        if self._partial is not None:
            self._waiting.append(self._partial)
            self._partial = None
        self.drop_lines()

    def release(self) -> None:
        """Write down what is certain, as far as nothing uncertain stands before it."""
        if self._held > HELD:
            self._keep_waiting_lines_secret()
        heard, heard_at = b"", 0.0  # in one piece, as far as it is certain by now
        while self._entries and not self._is_uncertain(self._entries[0].line):
            entry = self._entries.popleft()
            line = entry.line
            self._held -= ENTRY + len(entry.data)
            is_left_out = line is not None and (line.is_secret or line.is_lost)
            if heard and (entry.when != heard_at or entry.kind != "in" or is_left_out):
                self._write(heard_at, "in", heard)
                heard = b""
            if line is not None and is_left_out:
                if entry.ends_line or (line.is_lost and not self._continues(line)):
                    self._write(entry.when, "left-out" if line.is_lost else "hidden", b"")
            elif entry.kind == "in":
                heard, heard_at = heard + entry.data, entry.when
            else:
                self._write(entry.when, entry.kind, entry.data)
        if heard:
            self._write(heard_at, "in", heard)

    def _is_uncertain(self, line: _Line | None) -> bool:
        return line is not None and (not line.is_settled or (line is self._lent and self._is_answering()))

    def _continues(self, line: _Line) -> bool:
        return any(entry.line is line for entry in self._entries)

    def _keep_waiting_lines_secret(self) -> None:
        if self._lent is not None:
            self._lent.is_secret, self._lent = True, None
        for entry in self._entries:
            if entry.line is not None and not entry.line.is_settled:
                entry.line.is_secret = entry.line.is_settled = True
        secret = _Line()  # one object for all of them: there may be thousands
        secret.is_secret = secret.is_settled = True
        self._waiting = deque([secret] * len(self._waiting))

    def _hold(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self._held += ENTRY + len(entry.data)
        if self._held > HELD:  # also in the middle of a read, which may hold thousands of lines
            self.release()

    # What the scanner calls (telnet.scanner.Receiver)

    def heard_text(self, data: bytes) -> None:
        if self._is_untracked:
            return
        self.has_text = True
        if self._is_after_cr:
            self._is_after_cr = False
            if data[0] in b"\n\0":
                self._hold(_Entry(self._now, "in", data[:1], self._last))
                data = data[1:]
        for piece in _PIECES.findall(data):
            self._hear_piece(piece)
        self._is_after_cr = data.endswith(b"\r")

    def _hear_piece(self, piece: bytes) -> None:
        line = self._partial or _Line()
        line.is_secret = line.is_secret or self._is_hidden
        ends_line = b"\r" in piece or b"\n" in piece
        self._hold(_Entry(self._now, "in", piece.replace(_IAC, _IAC * 2), line, ends_line))
        self._partial = None if ends_line else line
        if ends_line:
            self._last = line
            self._waiting.append(line)

    def heard_command(self, code: int) -> None:
        self._hold(_Entry(self._now, "in", bytes((IAC, code))))

    def heard_negotiation(self, verb: int, code: int) -> None:
        self._hold(_Entry(self._now, "in", bytes((IAC, verb, code))))

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        if _SECRET.search(payload):
            self._hold(_Entry(self._now, "left-out", option_name(code).encode()))
            return
        framed = bytes((IAC, SB, code)) + payload.replace(_IAC, _IAC * 2) + bytes((IAC, SE))
        self._hold(_Entry(self._now, "in", framed))
        if code == MCCP3:
            self.stop_tracking()  # what follows is compressed, or junk

    def heard_anomaly(self, kind: AnomalyKind, detail: str) -> None:
        self._hold(_Entry(self._now, "left-out", b"a subnegotiation"))

    def payload_limit(self, code: int) -> int:
        return PAYLOAD
