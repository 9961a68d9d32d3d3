"""Who is here: the admitted connections. Only the dispatcher changes it, inside the two hooks, so it needs no lock."""

from __future__ import annotations

from collections.abc import Iterator

from .connection import Connection


class Connections:
    """The admitted connections. Iteration goes over a snapshot, so a loop may end some."""

    def __init__(self) -> None:
        self._by_number: dict[int, Connection] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._by_number.values()))

    def __contains__(self, connection: object) -> bool:
        return isinstance(connection, Connection) and self._by_number.get(connection.number) is connection

    def add(self, connection: Connection) -> None:
        """It was admitted."""
        self._by_number[connection.number] = connection

    def discard(self, connection: Connection) -> None:
        """It has ended, admitted or not."""
        self._by_number.pop(connection.number, None)

    def clear(self) -> None:
        """Nobody is here."""
        self._by_number.clear()
