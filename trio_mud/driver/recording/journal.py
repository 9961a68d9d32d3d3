"""The journal of a recording: the bytes of one connection in order, without secrets.

The bytes of a password look like any other line. They may arrive long before the question that they answer,
or in pieces, some before and some after hidden input began.
So the journal holds each line until it is taken, because the taker decides whether it is secret. All later entries
wait behind it::

    typed ──► waits ──► taken by a hook or a visible question ──► written as received
                ├─────► taken by a hidden question ──────────┐
                ├─────► a byte arrived while input was hidden ───► written as "hidden", without its length
                ├─────► not taken before `HELD` is exceeded ─┘
                └─────► never taken ────────────────────────────► "left-out"

Telnet commands are not secret, except for subnegotiations that contain logins or passwords.
Unreadable bytes, such as compressed or malformed telnet, may contain a password, and are left out.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from ...telnet import AnomalyKind
from ...telnet.codes import IAC, MCCP3, SB, SE, option_name
from ...telnet.scanner import Scanner

HELD: Final = 32 * 1024  # bytes held until a line is taken; past it the waiting lines are hidden, and all else goes on
PAYLOAD: Final = 8 * 1024  # bytes of a subnegotiation; a longer one is left out
ENTRY: Final = 200  # bytes of memory of an entry without its data; many entries hold one byte or none

_SECRET: Final = re.compile(rb"^\W*char\.login|passw|token", re.IGNORECASE)  # in a subnegotiation of any option
_ISSUED: Final = re.compile(rb"\xff\xfa\xc9session\.token .*?\xff\xf0", re.IGNORECASE | re.DOTALL)  # sent
_PIECES: Final = re.compile(rb"[^\r\n]*(?:\r[\n\0]?|\n)|[^\r\n]+")  # a line ends as it does in telnet/lines.py
_IAC: Final = bytes((IAC,))

Write = Callable[[float, str, bytes], None]
"""Called with the time, the kind ("in", "out", "hidden", "left-out" and others), and the bytes."""


class _Line:
    """A typed line, complete or partial."""

    __slots__ = ("is_lost", "is_secret", "is_settled")

    def __init__(self) -> None:
        self.is_secret = False
        self.is_settled = False  # whether it was taken or dropped
        self.is_lost = False  # whether it was dropped


class _Entry(NamedTuple):
    when: float
    kind: str
    data: bytes
    line: _Line | None = None  # the line that this is a piece of
    ends_line: bool = False


class Journal:
    """The input and output of one connection, in order; each entry is written once it is certain to be no secret.

    Args:
        write: Called with each entry that is certain, in order.
        is_answering: Returns True while a dialog has taken a line and may give it back.

    Attributes:
        has_text: True if a line, or part of one, was typed; telnet commands do not count.
    """

    def __init__(self, write: Write, is_answering: Callable[[], bool]) -> None:
        self._write = write
        self._is_answering = is_answering
        self._scanner = Scanner()
        self._entries: deque[_Entry] = deque()
        self._held = 0  # bytes of memory in `_entries`
        self._waiting: deque[_Line] = deque()  # complete lines that were not taken yet
        self._partial: _Line | None = None  # the line whose end has not arrived
        self._last = _Line()  # the last complete line
        self._is_after_cr = False
        self._borrowed: _Line | None = None  # taken by a dialog, which may give it back
        self._is_untracked = False  # lines can no longer be distinguished
        self._now = 0.0
        self._is_hidden = False
        self.has_text = False

    # Input and output

    def hear(self, now: float, data: bytes, *, is_hidden: bool) -> None:
        """Enter received bytes; `is_hidden` is True if input was hidden when they arrived."""
        self._now, self._is_hidden = now, is_hidden
        if self._is_untracked:
            return
        self._scanner.receive(data, self)
        self.release()

    def say(self, now: float, data: bytes) -> None:
        """Enter sent bytes."""
        if _ISSUED.search(data):
            data = _ISSUED.sub(b"", data)
        self._hold(_Entry(now, "out", data))
        self.release()

    def note(self, now: float, kind: str) -> None:
        """Enter the end of the link: "eof", "lost", "closed" or "shutdown"."""
        if self._partial is not None:  # its end will never arrive
            self._partial.is_lost = self._partial.is_settled = True
            self._partial = None
        self._hold(_Entry(now, kind, b""))
        self.release()

    # The fate of lines, reported by the inbox

    def line_taken(self, *, is_secret: bool, is_borrowed: bool) -> None:
        """Report that the oldest line was taken; a dialog may give it back until it asks again."""
        self.has_text = True
        if self._is_untracked:
            return
        if not self._waiting:
            self.stop_tracking()
            return
        line = self._waiting.popleft()
        line.is_secret = line.is_secret or is_secret
        line.is_settled = True
        self._borrowed = line if is_borrowed else None
        if not is_borrowed:  # `is_answering` becomes True only when the dialog runs; a release now would be too early
            self.release()

    def line_given_back(self) -> None:
        """Report that a dialog gave its last line back: that line is the oldest again."""
        line, self._borrowed = self._borrowed or _Line(), None
        line.is_settled = False
        self._waiting.appendleft(line)

    def drop_lines(self) -> None:
        """Report that the complete lines that wait were dropped."""
        for line in self._waiting:
            line.is_lost = line.is_settled = True
        self._waiting.clear()
        self.release()

    def lines_discarded(self, *, loses_bytes: bool) -> None:
        """Report that all typed input was dropped. `loses_bytes` is True if some of it was never parsed.

        After that, lines can no longer be distinguished, and the recording leaves out all later input.
        """
        if loses_bytes:
            self.stop_tracking()
        else:
            self.drop_lines()

    def stop_tracking(self) -> None:
        """Leave out all input that waits, and all later input: lines can no longer be distinguished."""
        self._is_untracked = True
        self._borrowed = None
        if self._partial is not None:
            self._waiting.append(self._partial)
            self._partial = None
        self.drop_lines()

    def release(self) -> None:
        """Write all entries up to the first uncertain one."""
        if self._held > HELD:
            self._keep_waiting_lines_secret()
        heard, heard_at = b"", 0.0  # pending input of one moment, written as one entry
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
        return line is not None and (not line.is_settled or (line is self._borrowed and self._is_answering()))

    def _continues(self, line: _Line) -> bool:
        return any(entry.line is line for entry in self._entries)

    def _keep_waiting_lines_secret(self) -> None:
        if self._borrowed is not None:
            self._borrowed.is_secret, self._borrowed = True, None
        for entry in self._entries:
            if entry.line is not None and not entry.line.is_settled:
                entry.line.is_secret = entry.line.is_settled = True
        secret = _Line()  # one object for all of them: there may be thousands
        secret.is_secret = secret.is_settled = True
        self._waiting = deque([secret] * len(self._waiting))

    def _hold(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self._held += ENTRY + len(entry.data)
        if self._held > HELD:  # checked for each entry: one read may hold thousands of lines
            self.release()

    # Called by the scanner (telnet.scanner.Receiver)

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
            self.stop_tracking()  # the bytes that follow are compressed

    def heard_anomaly(self, kind: AnomalyKind, detail: str) -> None:
        self._hold(_Entry(self._now, "left-out", b"a subnegotiation"))

    def payload_limit(self, code: int) -> int:
        return PAYLOAD
