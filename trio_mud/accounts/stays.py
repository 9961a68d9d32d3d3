"""Stays: which session plays which character, and the holds that keep both records in memory.

Theory of operation
-------------------
`enter` holds the character once for each call, and a session keeps exactly one hold for as long as it lasts. If the
session existed before the call, it has its hold already, and the one of the call is released.

Without that count a player who came back while the old link was still flushing would be lost: the old session's
`SessionEnded` would release the body that the new session plays, and its changes would no longer be saved.
The comparison must be with the session that exists right before `sessions.enter`, with no await between the two:
the session that was known before `hold` may have ended meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trio_mud import Connection, Session, Texts
from trio_mud.commands import Mistake
from trio_mud.storage import Record, Store

from .account import Account
from .names import appearance

__all__ = ["Stay", "Stays"]


@dataclass(frozen=True, slots=True, eq=False)
class Stay:
    """One session of a character; `account` is None for a guest, whose body is not stored."""

    session: Session
    account: Account | None
    body: object
    look: str = ""  # the appearance of a guest's name


class Stays:
    """All sessions of characters and guests on one store."""

    def __init__(self, store: Store, kind: type[Record], max_played: int) -> None:
        self._store, self._kind, self._max_played = store, kind, max_played
        self._by_session: dict[Session, Stay] = {}

    def of(self, session: Session | None) -> Stay | None:
        """Return the stay of a session; None if it entered otherwise."""
        return self._by_session.get(session) if session is not None else None

    def of_account(self, account: Account) -> list[Stay]:
        """Return the stays of an account, the oldest first."""
        return [stay for stay in self._by_session.values() if stay.account is account]

    def is_played(self, body: object) -> bool:
        """Return True if a session plays this body."""
        return any(stay.body is body for stay in self._by_session.values())

    def guest_looks(self) -> set[str]:
        """Return the appearances of the names of all guests."""
        return {stay.look for stay in self._by_session.values() if stay.account is None}

    async def enter(self, connection: Connection, account: Account, character: str) -> Session:
        """Hold a character of the account, and enter its session: a new one, a link-dead one, or by a takeover.

        Raises:
            UnreadableRecord: The character, or the account, is quarantined.
            LookupError: The account has no such character, or is deleted.
            ConnectionEnded, LocalProtocolError: As for `sessions.enter`.
        """
        held: list[Record] = []
        try:
            for kind, key in ((Account, account.key), (self._kind, character)):
                record = await self._store.hold(kind, key)
                if record is None:
                    raise LookupError(f"{kind.__name__} {key!r} is not stored")
                held.append(record)
            if account.is_deleted or character not in account.characters:
                raise LookupError(f"{account!r} is deleted, or has no character {character!r}")
            # From here to the end of the block nothing waits.
            return self._bind(connection, account, held)
        finally:
            for record in held:
                self._store.release(record)

    def _bind(self, connection: Connection, account: Account, held: list[Record]) -> Session:
        """Enter the session; if it is new, take the holds out of `held`."""
        body = held[-1]
        sessions, texts = connection.server.sessions, connection.server.texts
        known = sessions.get(body.key)
        session = sessions.enter(body.key, connection, body=body, last_words=_last_words(connection, texts))
        if session is not known:
            self._make_room(account, texts)
            self._by_session[session] = Stay(session, account, body)
            held.clear()
        return session

    def enter_as_guest(self, connection: Connection, key: str, body: object, look: str) -> Session:
        """Enter a session with a body that is not stored. It has no grace: a guest has no password to return with.

        Raises:
            Mistake: The name was taken meanwhile.
        """
        sessions = connection.server.sessions
        if sessions.get(key) is not None or look in self.guest_looks():
            raise Mistake(connection.server.texts.name_taken)
        session = sessions.enter(key, connection, body=body, grace=0.0)
        self._by_session[session] = Stay(session, None, body, look)
        return session

    async def restore(self, session: Session, name: str, make_guest: Callable[[], Record]) -> None:
        """Let a session that goes on from an earlier server play its character, or else a guest of this name.

        Raises:
            UnreadableRecord: The character, or the account, is quarantined.
            LookupError: The account was deleted or destroyed.
        """
        held: list[Record] = []
        try:
            body = await self._store.hold(self._kind, str(session.key))
            if body is not None:
                held.append(body)
                account = await self._store.hold(Account, getattr(body, "account", ""))
                if account is not None:
                    held.append(account)
                if account is None or account.is_deleted or body.key not in account.characters:
                    raise LookupError(f"the account of {body!r} is deleted")
                self._by_session[session] = Stay(session, account, body)
                session.body = body
                held.clear()
            else:
                guest = make_guest()
                self._by_session[session] = Stay(session, None, guest, appearance(name))
                session.body = guest
        finally:
            for record in held:
                self._store.release(record)

    def end(self, session: Session) -> None:
        """Release what a session has held, because it is over."""
        stay = self._by_session.pop(session, None)
        if stay is not None and stay.account is not None:
            assert isinstance(stay.body, Record)
            self._store.release(stay.body)
            self._store.release(stay.account)

    def _make_room(self, account: Account, texts: Texts) -> None:
        """End the oldest stays of the account, so that one more is within `max_played`."""
        stays = [stay for stay in self.of_account(account) if stay.session.ending is None]
        for stay in stays[: max(0, len(stays) + 1 - self._max_played)]:
            stay.session.leave(texts.another_character)


def _last_words(connection: Connection, texts: Texts) -> str:
    """Return what the old link of a character reads when this connection takes it over."""
    where = texts.taken_over_from.replace("{address}", connection.address or "another link")
    return "\n".join(text for text in (where, texts.taken_over) if text)
