"""The operator of a server: a person at the console, whose commands a game may answer.

The console makes a `ConsoleOperator` for each command and gives it to `MasterServer.operator_commands`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .log_lines import printable

MAX_ANSWER = 1024 * 1024  # characters of one answer; the rest is dropped


class ConsoleOperator:
    """The operator behind one command on the console; every process of the server's user may be one.

    Attributes:
        has_failed: True if the command was not done, which the exit status of `trio-mud admin` shows.
    """

    def __init__(self) -> None:
        self.has_failed = False
        self._lines: list[str] = []
        self._size = 0

    def write(self, text: str) -> bool:
        """Add lines to the answer; control characters are escaped.

        Returns:
            False if the answer has reached its greatest length.
        """
        for line in str(text).splitlines() or [""]:
            if self._size >= MAX_ANSWER:
                return False
            self._lines.append(printable(line)[: MAX_ANSWER - self._size])
            self._size += len(self._lines[-1]) + 1
        return True

    def fail(self, text: str) -> None:
        """Answer that the command was not done, and why."""
        self.has_failed = True
        self.write(text)

    @property
    def answer(self) -> str:
        """The answer so far."""
        return "".join(f"{line}\n" for line in self._lines)


OperatorCommands = Callable[[ConsoleOperator, str], Awaitable[object] | None]
