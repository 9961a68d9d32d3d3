"""The form of a log line: time, level and text, in which no player can forge a line.

It is the form that the command line shows without colours; `run` uses it if the program has not configured logging.
"""

from __future__ import annotations

import datetime as dt
import logging

__all__ = ["LineFormatter", "printable"]


class LineFormatter(logging.Formatter):
    """Formats a record as one line, such as `2026-11-27T07:37:46.680834Z [info] guest-1 (#1) came in from 192.0.2.1`.

    Control characters are escaped. The lines of a traceback follow indented, so that none of them looks like a record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the lines of a traceback."""
        time = dt.datetime.fromtimestamp(record.created, dt.UTC).replace(tzinfo=None)
        text = (
            f"{time.isoformat(timespec='microseconds')}Z [{record.levelname.lower()}] {printable(record.getMessage())}"
        )
        if record.exc_info:
            lines = self.formatException(record.exc_info).splitlines()
            text += "".join(f"\n    {printable(line)}" for line in lines)
        return text


def printable(text: str) -> str:
    r"""Return `text` with each control character escaped, such as `\n` and `\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
