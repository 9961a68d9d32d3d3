"""The accounts of a game: created, proved, entered, recovered and deleted.

    def inn(world: World) -> Hooks:
        accounts = Accounts.of(world, Hero)
        hooks.include(accounts.hooks)
        ...

    game = Game(inn, records=(*Accounts.records, Hero))

It asks no questions: `entry.py` is the dialog, and a game may write another one with these calls.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, ClassVar, Final, Self, TypedDict, Unpack

from trio_mud import (
    FIRST,
    LAST,
    Cause,
    Connection,
    ConnectionEnded,
    GmcpMessage,
    Hooks,
    InvalidToken,
    LocalProtocolError,
    MasterServer,
    Overloaded,
    Reason,
    ResumeRequested,
    Secret,
    Session,
    SessionEnded,
    SessionRestored,
    SessionResumed,
    SessionStarted,
)
from trio_mud.commands import Role
from trio_mud.errors import ConfigurationError, EntryRefused, StorageError, UnreadableRecord
from trio_mud.storage import Executor, Record, Store
from trio_mud.world import World

from .account import Account, Character, Name
from .login_gmcp import GmcpLogin
from .names import appearance, same_name
from .options import AccountOptions
from .registration import Registration
from .removal import AUDIT, days_left, destroy_due, export_account, mark_deleted, unmark_deleted
from .tokens import account_key_of, issue_code, issue_token, new_secret, take_code, take_token, void_tokens

__all__ = ["Accounts"]

PENALTIES: Final = "trio_mud.penalties"  # the value that keeps them over a restart
STORE_PENALTIES: Final = 10.0  # seconds between two writes of it
PURGE: Final = dt.time(4, 30)

logger = logging.getLogger("trio_mud")


class AccountSettings(TypedDict, total=False):
    """The keyword arguments of `Accounts`, where they are documented."""

    options: AccountOptions | None
    reserved: Collection[str]
    execute: Executor | None
    wall_clock: Callable[[], float]
    new_secret: Callable[[], str]
    beside: Collection[type[Record]]


class Accounts(Registration):
    """All accounts in one store.

    Include `hooks` in the hooks of the game.

    Args:
        store: An open store, opened with `Accounts.records` and with `kind`.
        kind: The class of the characters, called with `name=` and `account=`; derived from `Character`, or a record
            class with these two fields whose `stored_with` returns its own key.
        options: The rules.
        reserved: Words that are no names, as `same_name` spells them.
        execute: Runs the hashing of passwords: in threads by default, `storage.inline` in virtual time.
        wall_clock: Seconds since 1970.
        new_secret: Returns a text that cannot be guessed, of 128 bits.
        beside: Further classes that may have a record for each character, under its key, such as a mailbox; it is
            exported and destroyed with the character.

    Raises:
        ConfigurationError: `plain` is "refuse", and there is no port for TLS.

    Attributes:
        options: The rules.
        reserved: The words that are no names.
        store: The store.
        hooks: The functions that release characters, store penalties and destroy deleted accounts.
        passwords: Hashes and checks the passwords.
        gmcp: Asks programs for name and password.
        check_entry: Called with each account that is about to enter; raises `EntryRefused` to keep it out. A game may
            set it.
    """

    records: ClassVar[tuple[type[Record], ...]] = (Account, Name)

    def __init__(
        self,
        store: Store,
        kind: type[Record] = Character,
        *,
        options: AccountOptions | None = None,
        reserved: Collection[str] = (),
        execute: Executor | None = None,
        wall_clock: Callable[[], float] = time.time,
        new_secret: Callable[[], str] = new_secret,
        beside: Collection[type[Record]] = (),
    ) -> None:
        options = options or AccountOptions()
        if options.plain == "refuse" and options.tls_port is None:
            raise ConfigurationError('accounts.plain = "refuse" needs a port for TLS: set tls_port')
        super().__init__(store, kind, options, execute, wall_clock)
        self.reserved = reserved
        self.hooks = Hooks()
        self.gmcp = GmcpLogin(options)
        self._new_secret = new_secret
        self.check_entry: Callable[[Account], None] = lambda account: None
        self._kinds = (kind, *beside)
        self._attempts.penalties.load(store.value(PENALTIES, []))
        self.hooks.every(STORE_PENALTIES)(self._store_penalties)
        self.hooks.daily(PURGE)(self._purge)
        self.hooks.on(GmcpMessage)(self.gmcp.receive)
        self.hooks.on(ResumeRequested)(self._resume)
        self.hooks.on(SessionRestored, order=FIRST)(self._restore)
        self.hooks.on(SessionStarted)(self._offer_token)
        self.hooks.on(SessionRestored)(self._offer_token)
        self.hooks.on(SessionResumed)(self._offer_token)
        self.hooks.on(SessionEnded, order=LAST)(self._session_ended)  # the game's own functions still have the body

    @classmethod
    def of(cls, world: World, kind: type[Record] = Character, **settings: Unpack[AccountSettings]) -> Self:
        """Make the accounts of a `Game`, with the options of the configuration file.

        After a reload they know the sessions, penalties and logins of the former ones in this world.
        In the test kit, passwords are hashed in place and the clock is virtual.
        """
        settings.setdefault("options", world.options(AccountOptions))
        settings.setdefault("execute", world.executor)
        settings.setdefault("wall_clock", world.wall_clock)
        accounts = cls(world.store, kind, **settings)
        name = (cls.__module__, cls.__qualname__, kind.__module__, kind.__qualname__)
        if (former := world._kept.get(name)) is not None:
            accounts._continue(former)
            accounts.gmcp._waiting = former.gmcp._waiting
        world._kept[name] = accounts
        return accounts

    # Finding

    async def find(self, name: str) -> Account | None:
        """Return the account of this name, in any spelling; None if there is none.

        Raises:
            UnreadableRecord: Its row is quarantined.
        """
        return await self.store.load(Account, same_name(name))

    async def name_of(self, character: str) -> str:
        """Return the name of the character with this key; the key itself if its record is damaged."""
        try:
            record = await self.store.load(self._kind, character)
        except UnreadableRecord:
            return character
        return str(record.name) if record is not None else character

    def account_of(self, session: Session | None) -> Account | None:
        """Return the account that plays in this session; None for a guest, and without a session."""
        stay = self._stays.of(session)
        return stay.account if stay is not None else None

    def role_of(self, connection: Connection) -> int:
        """Return the role of the account behind a connection at this moment; `Role.GUEST` without one."""
        account = self.account_of(connection.session)
        return Role.GUEST if account is None else account.role

    # Proof

    async def authenticate(self, connection: Connection, name: str, password: str) -> Account | None:
        """Return the account if the password is right; None if it is wrong, or there is no such account.

        Both take the same time. A recovery code is right once, voids the password, and sets `account.needs_password`.

        Raises:
            TooManyTries: The address or the account has to wait; nothing was checked.
            Overloaded: Too many passwords wait to be checked.
            UnreadableRecord: The account is quarantined.
        """
        key, now = same_name(name), self._wall_clock()
        account = await self.store.load(Account, key)
        address = connection.address
        # Not behind the penalties: a code cannot be guessed, and its owner may be under attack.
        if account is not None and take_code(account, password, now, self.options.recovery_lifetime):
            # Its owner has forgotten the password, and a thief has not: from here on neither gets in by it.
            account.password, account.needs_password = "", True
            self.store.log(AUDIT, event="recovery code used", account=key, address=address)
            return account
        stored = account.password if account is not None else None
        is_right = await self._attempts.check(account, key, address, password)
        # It may have been changed, or the account destroyed, while this password was checked.
        if not is_right or account is None or account.password != stored or self.store.get(Account, key) is None:
            return None
        account.seen = self._wall_clock()
        account.remember(address)
        await self._rehash(account, password)
        return account

    async def _rehash(self, account: Account, password: str) -> None:
        """Replace a hash of outdated parameters; until that is saved, the old one is good."""
        stored = account.password
        if self.passwords.is_outdated(stored):
            with suppress(Overloaded):  # at another login, then
                fresh = await self.passwords.hash(password)
                if account.password == stored:
                    account.password = fresh

    async def set_password(self, account: Account, password: str) -> None:
        """Change the password, and void all tokens; return when this is on disk.

        Raises:
            Overloaded: Too many passwords wait to be hashed.
            LookupError: The account was destroyed.
            NotSaved: The store is in trouble; the old password holds.
        """
        fresh = await self.passwords.hash(password)
        self._check_stored(account)
        before = account.password, account.needs_password
        account.password, account.needs_password, account.recovery = fresh, False, ""
        void_tokens(account)
        self.store.log(AUDIT, event="password changed", account=account.key)
        self._void_sessions(account)
        try:
            await self.store.saved()
        except BaseException:
            if account.password == fresh:
                account.password, account.needs_password = before
            raise

    async def recovery_code(self, name: str) -> Secret:
        """Return a new code that its owner types once in place of the password, within `recovery_lifetime`.

        The owner is notified at the next login, and must choose a new password.

        Raises:
            LookupError: There is no such account.
            NotSaved: The store is in trouble; do not hand out the code.
        """
        account = await self._existing(name)
        code = issue_code(account, self._wall_clock())
        account.notices = (*account.notices, "recovery")[-8:]
        self.store.log(AUDIT, event="recovery code issued", account=account.key)
        await self.store.saved()
        return code

    # Playing

    async def enter(self, connection: Connection, account: Account, character: str) -> Session:
        """Bind a connection to the session of a character of the account. The only way into the game for a character.

        A session that is live is taken over; its old link reads from where. At most `max_played` characters of an
        account are in the game: the first one leaves.

        Args:
            connection: An admitted connection without a session.
            account: The account whose password, code or token was right.
            character: The key of the character.

        Raises:
            EntryRefused: The account may not enter now.
            UnreadableRecord: The character, or the account, is quarantined.
            LookupError: The account has no such character, or is deleted.
            ConnectionEnded, LocalProtocolError: As for `sessions.enter`.
        """
        self.check_entry(account)
        return await self._stays.enter(connection, account, character)

    def enter_as_guest(self, connection: Connection, name: str, body: object | None = None) -> Session:
        """Bind a connection to a new session of a guest, whose body is not stored; it ends with its link.

        Args:
            connection: An admitted connection without a session.
            name: A name from `read_name` that passed `check_free`.
            body: The body of the session; by default a character without an account.

        Raises:
            Mistake: The name was taken meanwhile.
        """
        key = same_name(name)
        body = self._kind(name=name, account="") if body is None else body
        return self._stays.enter_as_guest(connection, key, body, appearance(name))

    def resume_token(self, session: Session) -> Secret:
        """Return a secret with which its player enters once more without a password, also after a restart.

        It is good once, for `token_lifetime`, and void after a logout, a ban and a change of the password.

        Raises:
            LookupError: The session belongs to no account.
        """
        stay = self._stays.of(session)
        if stay is None or stay.account is None or not isinstance(stay.body, Record):
            raise LookupError(f"{session!r} belongs to no account: only characters of accounts have tokens")
        return issue_token(stay.account, stay.body, self._wall_clock(), self._new_secret())

    async def resume(self, connection: Connection, token: str) -> Session:
        """Enter the character for which this token was issued. The token is void afterwards, and that is on disk.

        Raises:
            InvalidToken: The token is void, or its character was removed.
            NotSaved: The store is in trouble; log in.
            EntryRefused, UnreadableRecord, ConnectionEnded, LocalProtocolError: As for `enter`.
        """
        account = await self.store.load(Account, account_key_of(token))
        if account is None or account.is_deleted or account.needs_password:
            raise InvalidToken("this token is void: log in")
        character = take_token(account, token, self._wall_clock(), self.options.token_lifetime)
        if character is None:
            raise InvalidToken("this token is void: log in")
        await self.store.saved()
        account.remember(connection.address)
        try:
            return await self.enter(connection, account, character)
        except LookupError as error:
            raise InvalidToken("this token is void: log in") from error

    async def void_tokens(self, name: str) -> None:
        """Make all resume tokens of an account void; for a ban.

        Raises:
            LookupError: There is no such account.
        """
        account = await self._existing(name)
        void_tokens(account)
        self._void_sessions(account)

    # The end of an account

    async def delete(self, account: Account) -> None:
        """Hide an account, and destroy it after `deletion_days`; when this is on disk, its characters leave the game.

        Raises:
            NotSaved: The store is in trouble; nothing was done.
        """
        mark_deleted(self.store, account, self.options.deletion_days)
        try:
            await self.store.saved()
        except BaseException:
            unmark_deleted(self.store, account)
            raise
        for stay in self._stays.of_account(account):
            texts = stay.session.server.texts
            stay.session.leave(texts.delete_done.replace("{days}", str(self.options.deletion_days)))

    async def undelete(self, account: Account) -> None:
        """Take a deletion back.

        Raises:
            LookupError: The account was destroyed.
            NotSaved: The store is in trouble; it keeps retrying.
        """
        self._check_stored(account)
        unmark_deleted(self.store, account)
        await self.store.saved()

    def days_left(self, account: Account) -> int:
        """Return the days after which a deleted account will be destroyed."""
        return days_left(self.store, account)

    async def purge(self) -> None:
        """Count a day of all deleted accounts, and destroy those whose time is over. Called daily.

        An account that is played is destroyed another day.
        """
        await destroy_due(self.store, self._kinds, lambda account: bool(self._stays.of_account(account)))

    async def export(self, name: str) -> dict[str, Any]:
        """Return all that is stored of an account, as JSON has it: account, characters, belongings, audit.

        Raises:
            LookupError: There is no such account.
        """
        return await export_account(self.store, self._kinds, await self._existing(name))

    # Hooks

    async def _purge(self, server: MasterServer) -> None:
        await self.purge()

    def _store_penalties(self, server: MasterServer) -> None:
        penalties = self._attempts.penalties
        if penalties.has_changed:
            penalties.has_changed = False
            self.store.set_value(PENALTIES, penalties.dump())

    async def _resume(self, event: ResumeRequested) -> None:
        if event.connection.session is None and event.connection.ending is None:  # else the token would be lost
            with suppress(InvalidToken, StorageError, ConnectionEnded, LocalProtocolError):  # the player logs in
                try:
                    session = await self.resume(event.connection, event.token)
                    event.connection.name = str(getattr(session.body, "name", event.connection.name))
                except EntryRefused as error:
                    event.connection.quit(str(error), cause=Cause.BANNED)

    async def _restore(self, event: SessionRestored) -> None:
        """Let a session of an earlier server play its character again; without it, the player leaves."""
        session = event.session
        try:
            name = event.name or str(session.key)
            await self._stays.restore(session, name, lambda: self._kind(name=name, account=""))
        except (LookupError, StorageError) as error:
            logger.warning("%r cannot go on: %s", session, error)
        finally:
            if session.body is None:  # also if the database was too slow
                session.leave(session.server.texts.login_gone)

    def _offer_token(self, event: SessionStarted | SessionResumed | SessionRestored) -> None:
        """Send a token to a program that supports `Session`, over a link that may carry passwords, too."""
        session = event.session
        connection = session.connection
        if connection is None or self.account_of(session) is None or "session" not in connection.client.packages:
            return
        if session.ending is None and (connection.client.is_secure or self.options.plain_gmcp):
            lifetime = self.options.token_lifetime
            session.offer_token(str(self.resume_token(session)), lifetime)

    def _session_ended(self, event: SessionEnded) -> None:
        stay = self._stays.of(event.session)
        is_logout = event.reason is Reason.QUIT and event.cause is not Cause.SHUTDOWN
        if is_logout and stay is not None and stay.account is not None and isinstance(stay.body, Record):
            void_tokens(stay.account, stay.body.key)
        self._stays.end(event.session)

    def _void_sessions(self, account: Account) -> None:
        """Void the tokens by which programs return to the account's sessions, for those that no link has now, too."""
        for stay in self._stays.of_account(account):
            stay.session.void_tokens()

    def _check_stored(self, account: Account) -> None:
        if self.store.get(Account, account.key) is not account:
            raise LookupError(f"{account!r} was destroyed")

    async def _existing(self, name: str) -> Account:
        account = await self.find(name)
        if account is None:
            raise LookupError(f"there is no account {name!r}")
        return account
