"""The last events of the log, kept in memory for the admin page.

Used by `watch`.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Final, Self, TypedDict

from trio_mud.driver.server.log_lines import printable

MOST: Final = 50  # events
MOST_SHOWN: Final = 500  # characters of one event


class LogEvent(TypedDict):
    """One event of the log."""

    time: float
    level: str
    logger: str
    text: str


class RecentLog(logging.Handler):
    """Keeps the last events at INFO and above, during a `with` block.

    An event below the level that the program has configured does not reach it. If the program has no handlers, Python's
    handler of last resort, which this one would displace, still gets its events.

    Attributes:
        events: The events, the oldest first.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.events: deque[LogEvent] = deque(maxlen=MOST)
        self._last_resort: logging.Handler | None = None

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._last_resort = None if logging.getLogger("trio_mud").hasHandlers() else logging.lastResort
        root.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an event. Never raises."""
        try:
            text = record.getMessage()
            if record.exc_info is not None and record.exc_info[0] is not None:
                text += f" ({record.exc_info[0].__name__})"
        except Exception:  # noqa: BLE001 - an object of the game that cannot be formatted
            text = f"a log record of {record.pathname}:{record.lineno} cannot be formatted"
        self.events.append(
            {
                "time": record.created,
                "level": record.levelname,
                "logger": record.name,
                "text": printable(text[:MOST_SHOWN]),
            }
        )
        if self._last_resort is not None and record.levelno >= self._last_resort.level:
            self._last_resort.handle(record)
