"""The line assembler: data bytes in, finished lines out.

It sees the data of the stream only; telnet commands were taken out before.  It does not clean: whatever is not a
line end or an editing key stays in the text.  The engine owns one.
"""

import codecs
import re
from typing import Final

from .events import Line, TelnetEvent

# Clients in keystroke mode leave the editing to us: DEL 7f and ^U 15 from telnet(1) and PuTTY, BS 08 from others.
_EDITING_KEYS: Final = re.compile(rb"\x15|[\x08\x7f]+")

# Numbers, because `int in bytes` takes 14 ns for a short line and `bytes in bytes` 100 ns.
_NUL: Final = 0x00
_BS: Final = 0x08
_LF: Final = 0x0A
_CR: Final = 0x0D
_NAK: Final = 0x15
_DEL: Final = 0x7F


class LineAssembler:
    """Cuts data into lines, whatever the client's Enter key sends and wherever the network cut it.

    A line ends at CR or LF at once.  After CR one LF or NUL is swallowed if it is the next data byte, be it in a
    later chunk or behind a telnet command.  That covers CR LF, CR NUL, LF and CR, all of which are sent by real
    clients (RFC 854, RFC 1123 3.3.1).

    Bytes are collected and decoded when the line is finished, so a code point may be cut by the network, and a
    stray lead byte cannot swallow the line's end.
    """

    __slots__ = ("_after_cr", "_is_cut", "_limit", "_partial", "charset", "hidden")

    def __init__(self, limit: int) -> None:
        self.charset = "utf-8"
        self.hidden = False  # whether lines finished now were meant not to show
        self._limit = limit
        self._partial = bytearray()
        self._is_cut = False
        self._after_cr = False

    def receive_line(self, data: bytes) -> str | None:
        """Take data that is one whole line of printable ASCII, as clients send what was typed; otherwise take nothing.

        Where all is printable there is no other line end and no editing key.
        """
        if not data.endswith(b"\n") or not data.isascii() or self._partial or self._after_cr or self._is_cut:
            return None
        text = data[:-1].removesuffix(b"\r").decode()
        return text if text.isprintable() and len(text) <= self._limit else None

    def receive(self, data: bytes, events: list[TelnetEvent]) -> None:
        """Take data and append a `Line` for each line it finishes."""
        if self._after_cr and data:
            self._after_cr = False
            if data[0] in (_LF, _NUL):
                data = data[1:]
        if _CR in data:
            self._after_cr = data[-1] == _CR
            data = data.replace(b"\r\n", b"\n")
            if _CR in data:
                data = data.replace(b"\r\0", b"\n").replace(b"\r", b"\n")
        finished = data.split(b"\n")
        rest = finished.pop()
        if finished:
            if self._partial or self._is_cut:
                self._append(finished[0])
                events.append(self._finish())
                del finished[0]
            # In the data as a whole or in none of its lines: asked once, not line by line.
            is_edited = _DEL in data or _BS in data or _NAK in data
            for line in finished:
                if is_edited or len(line) > self._limit:
                    self._append(line)
                    events.append(self._finish())
                else:
                    events.append(Line(line.decode(self.charset, "replace"), False, self.hidden))
        if rest:
            self._append(rest)

    @property
    def is_unfinished(self) -> bool:
        """Whether a line was begun and not ended."""
        return bool(self._partial) or self._is_cut

    def _append(self, data: bytes) -> None:
        """Add data without line ends to the unfinished line, obeying its editing keys in the order typed."""
        if self._is_cut:
            return
        at = 0
        for key in _EDITING_KEYS.finditer(data):
            self._keep(data[at : key.start()])
            at = key.end()
            if not self._is_cut:
                self._erase(key[0])
        self._keep(data[at:] if at else data)

    def _keep(self, data: bytes) -> None:
        if not self._is_cut:
            room = self._limit - len(self._partial)
            self._is_cut = len(data) > room
            self._partial += data[:room] if self._is_cut else data

    def _erase(self, keys: bytes) -> None:
        if keys[0] == _NAK:
            self._partial.clear()
            return
        for _ in keys:
            if not self._partial:
                return
            self._erase_character()

    def _erase_character(self) -> None:
        """Remove the last character: in UTF-8 all its bytes, in any other charset one byte."""
        partial = self._partial
        last = partial.pop()
        if self.charset != "utf-8" or not 0x80 <= last < 0xC0:
            return
        for length in range(1, min(3, len(partial)) + 1):  # A character has at most three bytes before its last.
            byte = partial[-length]
            if byte >= 0xC0:
                del partial[-length:]
                return
            if byte < 0x80:
                return  # A stray continuation byte: there is nothing before it that belongs to it.

    def _finish(self) -> Line:
        if self._is_cut:
            # The cut may lie inside a character: a decoder that hopes for more leaves such a tail out.
            decoder = codecs.getincrementaldecoder(self.charset)("replace")
            line = Line(decoder.decode(self._partial), cut=True, hidden=self.hidden)
        else:
            line = Line(self._partial.decode(self.charset, "replace"), hidden=self.hidden)
        self._partial.clear()
        self._is_cut = False
        return line
