"""The line assembler: data bytes in, finished lines out.

Telnet commands were removed before. It does not clean text: everything except line ends and editing keys stays in the
line. Each engine owns one.
"""

import codecs
import re
from functools import lru_cache
from typing import Final

from wcwidth import grapheme_boundary_before

from .events import Line, TelnetEvent
from .scanner import COMMAND_COST

# Clients in keystroke mode leave editing to the server: DEL 7f and ^U 15 from telnet(1) and PuTTY, BS 08 from others.
_EDITING_KEYS: Final = re.compile(rb"\x15|[\x08\x7f]+")

# A function key or an arrow: CSI, CSI [ of the Linux console, CSI 3 $ of rxvt, SS2 and SS3, or ESC and one character.
_KEY: Final = re.compile(rb"\x1b(?:\[(?:\[[!-~]?|[0-9]\$|[0-?]*[ -/]*[@-~]?)|[NO][0-9;]*[!-~]?|[ -/]*[0-~]?)")
_LONGEST_KEY: Final = 16  # bytes

FREE_LENGTH: Final = 128  # bytes of a line that cost nothing
LONG_LINE_COST: Final = 8  # for each byte beyond them, which must be cleaned, handled and shown to others

# Bytes at the end of a line in which its last character is searched: wcwidth looks back over 16 code points.
_TAIL: Final = 64

# Numbers, because `int in bytes` takes 14 ns for a short line and `bytes in bytes` 100 ns.
_NUL: Final = 0x00
_BS: Final = 0x08
_LF: Final = 0x0A
_CR: Final = 0x0D
_NAK: Final = 0x15
_DEL: Final = 0x7F


class LineAssembler:
    """Splits data into lines, for any line ending and any segmentation by the network.

    A line ends at CR or LF at once. After CR, one LF or NUL is skipped if it is the next data byte, even in a later
    chunk or after a telnet command. That covers CR LF, CR NUL, LF and CR, all of which real clients send (RFC 854, RFC
    1123 3.3.1).

    Bytes are collected and decoded when the line is finished, so a code point may be split by the network, and a stray
    lead byte cannot consume the line ending.

    An erasing key removes one character as seen by the player: a letter with its accents, or an emoji sequence. In
    UTF-8 the last character is found from the end. In GBK, Big5, Shift-JIS and similar charsets that is impossible,
    because the last byte of one character may be a whole other character. There a line is stored as UTF-8 from its
    first erasing key on, and the limit counts those bytes.

    Attributes:
        charset: The codec of lines finished from now on.
        cost: The work done except for short finished lines, in the scanner's unit: an editing key costs as much as the
            command EC, a discarded byte 1, and a byte that makes a line long `LONG_LINE_COST`.
        hidden: True if lines finished now were typed while input should be hidden.
    """

    __slots__ = ("_after_cr", "_decoder", "_free", "_is_cut", "_limit", "_partial", "charset", "cost", "hidden")

    def __init__(self, limit: int) -> None:
        self.charset = "utf-8"
        self.hidden = False
        self._limit = limit
        self._free = min(limit, FREE_LENGTH)
        self._partial = bytearray()
        self._decoder: codecs.IncrementalDecoder | None = None  # set if the partial line is stored as UTF-8 instead
        self._is_cut = False
        self._after_cr = False
        self.cost = 0

    def receive_line(self, data: bytes) -> str | None:
        """Return the text of data that is one short line of printable ASCII; otherwise return None and consume nothing.

        Printable text contains no other line ending and no editing key.
        """
        if self._partial or self._after_cr or self._is_cut or not data.isascii():
            return None
        text = data.decode()
        if text[-2:] == "\r\n":  # slices: `endswith` and `removesuffix` take a sixth more of this method
            text = text[:-2]
        elif text[-1:] == "\n":
            text = text[:-1]
        else:
            return None
        return text if text.isprintable() and len(text) <= self._free else None

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
            # Checked once for all data instead of line by line.
            is_edited = _DEL in data or _BS in data or _NAK in data
            for line in finished:
                if is_edited or len(line) > self._free:
                    self._append(line)
                    events.append(self._finish())
                else:
                    events.append(Line(line.decode(self.charset, "replace"), False, self.hidden))
        if rest:
            self._append(rest)

    def edit(self, key: bytes) -> None:
        """Apply one editing key received as a telnet command, whose cost the scanner has counted."""
        self._after_cr = False
        if not self._is_cut:
            self._erase(key)

    @property
    def is_unfinished(self) -> bool:
        """True if a line was begun and not ended."""
        return bool(self._partial) or self._is_cut

    def _append(self, data: bytes) -> None:
        """Add data without line endings to the unfinished line, applying its editing keys in order."""
        at = 0
        for key in _EDITING_KEYS.finditer(data):
            self._keep(data[at : key.start()])
            at = key.end()
            if self._is_cut:
                self.cost += at - key.start()
            else:
                self.cost += COMMAND_COST * (at - key.start())
                self._erase(key[0])
        self._keep(data[at:] if at else data)

    def _keep(self, data: bytes) -> None:
        if self._is_cut:
            self.cost += len(data)
            return
        room = max(self._limit - len(self._partial), 0)
        if self._decoder is not None:
            data = self._decode(self._decoder, data, room)
        if len(data) > room:
            self._is_cut = True
            self.cost += len(data) - room
            data = data[:room]
        self._partial += data

    def _decode(self, decoder: codecs.IncrementalDecoder, data: bytes, room: int) -> bytes:
        """Return data as UTF-8, up to and including the first character that does not fit.

        Each byte after it costs 1, the same as if it came in a later chunk.
        """
        state = decoder.getstate()
        decoded = decoder.decode(data).encode()
        if len(decoded) <= room:
            return decoded
        decoder.setstate(state)
        decoded, at = b"", 0
        while len(decoded) <= room:
            decoded += decoder.decode(data[at : at + 1]).encode()
            at += 1
        self.cost += len(data) - at
        return decoded

    def _erase(self, keys: bytes) -> None:
        if keys[0] == _NAK:
            self._partial.clear()
            self._decoder = None
            return
        charset = "utf-8" if self._decoder is not None else self.charset
        is_single_byte = charset != "utf-8" and _is_single_byte(charset)
        if charset != "utf-8" and not is_single_byte:
            self._decoder = codecs.getincrementaldecoder(charset)("replace")
            self._partial[:] = self._decoder.decode(self._partial).encode()
        for _ in keys:
            if self._decoder is not None and self._decoder.getstate()[0]:
                self._decoder.reset()  # an incomplete character
                continue
            self._forget_keys()
            if not self._partial:
                break
            if is_single_byte:
                self._partial.pop()
            else:
                self._erase_character()
        if not self._partial:
            self._decoder = None  # an empty line begins again in its own charset

    def _forget_keys(self) -> None:
        """Remove function keys from the end: they show nothing, and half of one would consume the input after it."""
        partial = self._partial
        while (start := partial.rfind(b"\x1b", max(len(partial) - _LONGEST_KEY, 0))) >= 0:
            if _KEY.fullmatch(partial, start) is None:
                return
            del partial[start:]

    def _erase_character(self) -> None:
        """Remove the last character of a UTF-8 line, with all its code points."""
        partial = self._partial
        if partial[-1] < 0x80:
            partial.pop()
            return
        tail = partial[-_TAIL:].decode("utf-8", "replace")
        for _ in range(len(tail) - grapheme_boundary_before(tail, len(tail))):
            self._erase_code_point()

    def _erase_code_point(self) -> None:
        """Remove the last code point with all its bytes; a stray byte counts as one."""
        partial = self._partial
        last = partial.pop()
        if not 0x80 <= last < 0xC0:
            return
        for length in range(1, min(3, len(partial)) + 1):  # a code point has at most three bytes before its last
            byte = partial[-length]
            if byte >= 0xC0:
                if length < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4):
                    del partial[-length:]
                return
            if byte < 0x80:
                return  # a stray continuation byte: the bytes before it do not belong to it

    def _finish(self) -> Line:
        charset = self.charset
        if self._decoder is not None:
            if not self._is_cut:
                self._partial += self._decoder.decode(b"", True).encode()
            self._decoder, charset = None, "utf-8"
        if self._is_cut:
            # The line may have been cut inside a character. An incremental decoder drops such an incomplete end.
            decoder = codecs.getincrementaldecoder(charset)("replace")
            line = Line(decoder.decode(self._partial), cut=True, hidden=self.hidden)
        else:
            line = Line(self._partial.decode(charset, "replace"), hidden=self.hidden)
        if len(self._partial) > FREE_LENGTH:
            self.cost += LONG_LINE_COST * (len(self._partial) - FREE_LENGTH)
        self._partial.clear()
        self._is_cut = False
        return line


@lru_cache(maxsize=64)
def _is_single_byte(charset: str) -> bool:
    return len(bytes(range(256)).decode(charset, "replace")) == 256
