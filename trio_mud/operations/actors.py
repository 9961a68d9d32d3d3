"""Actors: who gives a command, a player in the game or an operator at the console."""

from __future__ import annotations

from typing import Protocol

from trio_mud import ConsoleOperator, Session

__all__ = ["ConsoleActor", "Staff"]


class Staff(Protocol):
    """An actor of the verbs: a connection, a traveller, or any object with its session."""

    @property
    def session(self) -> Session | None:
        """The session that it plays, or None."""
        ...

    def write(self, text: str, /) -> object:
        """Show `text` as a line of its own."""
        ...


class ConsoleActor:
    """An operator at the console, who stands above every role. Only `Operations` makes one."""

    session: Session | None = None

    def __init__(self, operator: ConsoleOperator) -> None:
        self._operator = operator

    def write(self, text: str, /) -> object:
        """Add to the answer."""
        return self._operator.write(text)
