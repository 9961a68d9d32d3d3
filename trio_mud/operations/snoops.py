"""Snoops: an operator in the game sees what a player sees and types, never what is typed hidden."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from trio_mud import Connection, Sent, Tap, Typed
from trio_mud.accounts import Account
from trio_mud.commands import Role

from .actors import Staff
from .phrases import OperationsPhrases

__all__ = ["Snoops"]


class Ranks(Protocol):
    """The operations, as far as snoops need them."""

    phrases: OperationsPhrases

    def rank_of(self, who: Staff) -> int:
        """Return the number with which roles of others are compared."""
        ...


class _Snoop(NamedTuple):
    target: Connection
    account: Account | None
    tap: Tap


class Snoops:
    """Every snoop of one game; an operator has at most one.

    What an operator sees by a snoop is not passed on to an operator who snoops on the first one.

    Args:
        ranks: The roles of actors.
        tells_snooped: True to notify the player.
    """

    def __init__(self, ranks: Ranks, *, tells_snooped: bool) -> None:
        self._ranks = ranks
        self._tells_snooped = tells_snooped
        self._snoops: dict[Connection, _Snoop] = {}  # by the connection of the operator
        self._is_copying = False

    def begin(self, who: Staff, watcher: Connection, target: Connection, account: Account | None) -> None:
        """Begin a snoop, in place of the operator's earlier one."""
        self.stop(watcher)

        def copy(event: Sent | Typed) -> None:
            if self._is_copying:
                return
            rank = self._ranks.rank_of(who)
            is_permitted = rank >= Role.ADMIN and (account is None or account.role < rank)
            if watcher.ending is not None or not is_permitted:
                self.stop(watcher)
                return
            text = f"> {event.line}" if isinstance(event, Typed) else str(event.text)
            self._is_copying = True
            try:
                for line in text.splitlines():
                    watcher.write(f"{target.name}| {line}")
            finally:
                self._is_copying = False

        self._snoops[watcher] = _Snoop(target, account, target.tap(copy))
        if self._tells_snooped:
            target.write(self._ranks.phrases.you_are_snooped)

    def stop(self, watcher: Connection) -> Connection | None:
        """End the snoop of an operator; return the connection that was watched, or None."""
        snoop = self._snoops.pop(watcher, None)
        if snoop is None:
            return None
        snoop.tap.close()
        if self._tells_snooped and snoop.target.ending is None:
            snoop.target.write(self._ranks.phrases.you_are_snooped_no_more)
        return snoop.target

    def forget(self, connection: Connection) -> None:
        """End every snoop of and on a connection that has ended."""
        self.stop(connection)
        for watcher in [watcher for watcher, snoop in self._snoops.items() if snoop.target is connection]:
            self.stop(watcher)
