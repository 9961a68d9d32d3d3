"""A line editor: a line is added at the end, unless it begins with a dot, which marks a command.

It does no I/O: it takes lines and returns the text to show.
Used by `Dialog.edit`, which asks for the lines.
"""

from __future__ import annotations

import re

from ...texts import Texts

_AT_LINE = re.compile(r"\.([dir]) +(\d{1,9})(?: (.*))?")  # a command, the line's number, and a text


class Editor:
    """One text being edited.

    Attributes:
        is_over: True if the player has ended it.
        result: The text, once it is over; None if the player gave up.
    """

    def __init__(self, text: str, texts: Texts, *, most_lines: int, most_bytes: int) -> None:
        self._lines = text.splitlines()
        self._texts = texts
        self._most_lines = most_lines
        self._most_bytes = most_bytes  # in UTF-8, with a newline for each line
        self.is_over = False
        self.result: str | None = None

    @property
    def text(self) -> str:
        """The text written so far."""
        return "\n".join(self._lines)

    def take(self, line: str) -> str:
        """Take a typed line; return the text to show, "" for none."""
        if not line.startswith("."):
            return self._put(len(self._lines), 0, line)
        if line.startswith(".."):  # an escaped dot, as in SMTP (RFC 5321, 4.5.2)
            return self._put(len(self._lines), 0, line[1:])
        match line.rstrip():
            case ".":
                self.is_over, self.result = True, self.text
                return ""
            case ".q":
                self.is_over = True
                return ""
            case ".h":
                return self._texts.edit_help
            case ".l":
                return "\n".join(f"{number:3} {line}" for number, line in enumerate(self._lines, 1))
        return self._take_at_line(line)

    def _take_at_line(self, line: str) -> str:
        found = _AT_LINE.fullmatch(line)
        if found is None or not 1 <= int(found[2]) <= len(self._lines):
            return self._texts.edit_unknown
        at, text = int(found[2]) - 1, found[3] or ""
        if found[1] == "d":
            del self._lines[at]
            return ""
        return self._put(at, 1 if found[1] == "r" else 0, text)

    def _put(self, at: int, replaced: int, line: str) -> str:
        lines = [*self._lines[:at], line, *self._lines[at + replaced :]]
        if len(lines) > self._most_lines or sum(len(line.encode()) + 1 for line in lines) > self._most_bytes:
            return self._texts.edit_full
        self._lines = lines
        return ""
