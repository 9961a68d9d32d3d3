"""Snoops: an operator in the game sees what a player sees and types, never what is typed hidden."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, Protocol

from trio_mud import Connection, Sent, Tap, Typed

from .actors import Staff
from .phrases import OperationsPhrases

__all__ = ["Snoops"]


class Ranks(Protocol):
    """The operations, as far as snoops need them."""

    phrases: OperationsPhrases

    def may_watch(self, who: Staff, target: Connection) -> bool:
        """Return whether an actor may see what a connection sees and types, whoever plays it at this moment."""
        ...


class _Snoop(NamedTuple):
    target: Connection
    tap: Tap


class Snoops:
    """Every snoop of one game; an operator has at most one.

    What an operator sees by a snoop is not passed on to an operator who snoops on the first one.

    Args:
        ranks: The roles of actors. It changes at a reload, as the following does.
        tells_snooped: True to notify the player.
    """

    def __init__(self, ranks: Ranks, *, tells_snooped: bool) -> None:
        self.ranks = ranks
        self.tells_snooped = tells_snooped
        self._snoops: dict[Connection, _Snoop] = {}  # by the connection of the operator
        self._is_copying = False

    def begin(self, who: Staff, watcher: Connection, target: Connection) -> None:
        """Begin a snoop, in place of the operator's earlier one."""
        self.stop(watcher)

        def copy(event: Sent | Typed) -> None:
            if self._is_copying:
                return
            if watcher.ending is not None or not self.ranks.may_watch(who, target):
                self._end(watcher)
                return
            text = f"> {event.line}" if isinstance(event, Typed) else str(event.text)
            self._is_copying = True
            try:
                for line in text.splitlines():
                    watcher.write(f"{target.name}| {line}")
            finally:
                self._is_copying = False

        self._snoops[watcher] = _Snoop(target, target.tap(copy))
        if self.tells_snooped:
            target.write(self.ranks.phrases.you_are_snooped)

    def stop(self, watcher: Connection) -> Connection | None:
        """End the snoop of an operator; return the connection that was watched, or None."""
        snoop = self._snoops.pop(watcher, None)
        if snoop is None:
            return None
        snoop.tap.close()
        if self.tells_snooped:  # later, since the text that is being copied may be its last words
            snoop.target.after(0, partial(snoop.target.write, self.ranks.phrases.you_are_snooped_no_more))
        return snoop.target

    def forget(self, connection: Connection) -> None:
        """End every snoop of and on a connection that has ended."""
        self.stop(connection)
        for watcher in [watcher for watcher, snoop in self._snoops.items() if snoop.target is connection]:
            self._end(watcher)

    def _end(self, watcher: Connection) -> None:
        """End a snoop that its operator did not stop, and report it: silence would look like an idle player."""
        target = self.stop(watcher)
        if target is not None:
            watcher.write(self.ranks.phrases.snoop_over.format(name=target.name))
