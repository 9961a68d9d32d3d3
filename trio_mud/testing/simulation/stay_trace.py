"""The record of who plays which character, and of what the store keeps in memory for it (I-27).

A stay is a session whose body is a character: it begins when the session is entered, or has its body again in the next
world, and is over when the functions of `SessionEnded` have run. It is noted from these events, and not from what the
accounts noted about them.

`trace` has it, for a game with accounts.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import trio

from ...accounts import Account
from ...driver.sessions.session import Session
from ...storage import Store
from ...world import Thing, Traveller
from . import inside


class StayTrace:
    """The record of one life.

    Args:
        store: The store of the game.
        kind: The class of the characters.
        entering: Tasks that are entering a character at this moment, by the key of the account; they hold it, too.
            None for a game without accounts.
    """

    def __init__(
        self, store: Store, kind: type[Traveller], entering: Callable[[], Mapping[str, int]] | None = None
    ) -> None:
        self._store, self._kind, self._entering = store, kind, entering
        self._bodies: dict[Session, Traveller] = {}
        self._over: dict[str, float] = {}  # when the last stay of a character was over, by its key
        self._ended: list[Session] = []
        self._guests: dict[Session, Traveller] = {}
        self._restored: set[Session] = set()  # those without a body yet

    def begin(self, session: Session) -> None:
        """Record that a session was entered, by its first connection or another one."""
        if not isinstance(session.body, self._kind):
            return
        if self._entering is not None and not getattr(session.body, "account", ""):
            self._guests[session] = session.body
        else:
            self._bodies[session] = session.body

    def restore(self, session: Session) -> None:
        """Record that a session of an earlier world goes on. It begins as soon as it has its body again."""
        self._restored.add(session)

    def end(self, session: Session) -> None:
        """Record that a session has ended, and all functions of that event have run."""
        self._restored.discard(session)
        self._guests.pop(session, None)
        body = self._bodies.pop(session, None)
        if body is not None:
            self._over[body.key] = trio.current_time()
            self._ended.append(session)

    def after_step(self) -> Iterator[str]:
        """Yield what is wrong now: a body that is not stored, a wrong number of holds, or one that stands in a room."""
        for session in [one for one in self._restored if isinstance(one.body, self._kind)]:
            self._restored.discard(session)
            self.begin(session)
        coming = {str(session.key) for session in self._restored}  # they are held before the session has them
        holds = inside.holds(self._store)
        stays, accounts = Counter(self._bodies.values()), Counter(body.account for body in self._bodies.values())
        for session, body in self._bodies.items():
            if session.ending is None and not inside.is_stored(self._store, body):
                yield f"{session!r} is played, and its body is not in the store"
        for session, guest in self._guests.items():
            if inside.is_stored(self._store, guest):
                yield f"{session!r} is a guest's, and its body is in the store"
        for body in (*stays, *(body for body in self._store.all(self._kind) if body not in stays)):
            least = stays[body]
            if inside.is_stored(self._store, body) and not 0 <= holds.get(body, 0) - least <= (body.key in coming):
                yield f"{body!r} has {least} stays, and is held {holds.get(body, 0)} times"
            if not (least or body.key in coming) and body.place is not None and body in body.place.contents:
                yield f"{body!r} is not played, and is in {body.place!r}"
        if self._entering is None:
            return
        entering = self._entering()
        for account in self._store.all(Account):
            least = accounts[account.key]
            more = entering.get(account.key, 0) + (account.key in coming)
            if not 0 <= holds.get(account, 0) - least <= more:
                yield f"{account!r} has {least} stays, and is held {holds.get(account, 0)} times"

    def at_rest(self, since: float) -> Iterator[str]:
        """Yield each character, or belonging of it, that is in memory although its last stay was over before."""
        played = {body.key for body in self._bodies.values()}
        free = {key for key, over in self._over.items() if over < since and key not in played}
        for session in self._ended:
            session.body = None  # the trace itself would keep it
        if not free.intersection(thing.stored_with() for thing in self._store.all(Thing)):
            return
        gc.collect()  # a record and its group refer to each other
        for thing in self._store.all(Thing):
            # A login that was refused loads a character, too, and what has changed by that is kept until it is saved.
            if thing.stored_with() in free and not inside.is_dirty(self._store, thing):
                yield f"{thing!r} was left long ago, and is not forgotten"
