"""New accounts and new characters: which names are free, and that nothing is announced before it is on disk.

The base class of `Accounts`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from trio_mud import Connection, Texts
from trio_mud.commands import Mistake
from trio_mud.errors import DuplicateKey
from trio_mud.storage import Executor, Record, Store

from .account import Account, Name
from .attempts import Attempts
from .names import appearance, same_name
from .options import AccountOptions
from .passwords import LONGEST_PASSWORD, Passwords, normalize
from .removal import AUDIT
from .stays import Stays

__all__ = ["Registration"]


class Registration:
    """Makes accounts and characters in one store."""

    def __init__(
        self,
        store: Store,
        kind: type[Record],
        options: AccountOptions,
        execute: Executor | None,
        wall_clock: Callable[[], float],
    ) -> None:
        self.store, self.options = store, options
        self.passwords = Passwords(options, execute=execute)
        self._kind: type[Any] = kind
        self._wall_clock = wall_clock
        self._attempts = Attempts(options, self.passwords)
        self._stays = Stays(store, kind, options.max_played)

    def _continue(self, former: Registration) -> None:
        """Share the sessions, the attempts and the queue for hashing of the accounts before a reload."""
        self.passwords, self._attempts, self._stays = former.passwords, former._attempts, former._stays

    async def check_free(self, connection: Connection, name: str) -> None:
        """Return if no account, character or guest has this name, or one that looks like it.

        Raises:
            Mistake: It is taken. That this can be asked is unavoidable, so these answers are counted.
            TooManyTries: The address has got too many of them.
        """
        self._attempts.check_names(connection.address)
        key, look = same_name(name), appearance(name)
        is_taken = await self.store.load(Name, key) is not None or bool(await self.store.find(Name, look=look))
        if is_taken or self._is_played(connection, key) or look in self._stays.guest_looks():
            self._attempts.count_name(connection.address)
            raise Mistake(connection.server.texts.name_taken)

    def check_password(self, name: str, password: str, texts: Texts) -> None:
        """Raise Mistake, with the reason, if this cannot be the new password of an account of this name."""
        if len(password) < self.options.shortest_password or password.casefold() == name.casefold():
            raise Mistake(texts.password_short.replace("{count}", str(self.options.shortest_password)))
        try:
            normalize(password)
        except ValueError:
            raise Mistake(texts.password_long.replace("{count}", str(LONGEST_PASSWORD))) from None

    async def create(self, connection: Connection, name: str, password: str) -> Account:
        """Make an account and a character of the same name; return when both are on disk.

        Args:
            connection: The link of its owner.
            name: A name from `read_name`.
            password: A password that passed `check_password`.

        Raises:
            Mistake: The name was taken meanwhile.
            TooManyTries: The address has made too many accounts.
            Overloaded: Too many passwords wait to be hashed.
            NotSaved: The store is in trouble; nothing was made.
        """
        self._attempts.count_new_account(connection.address)
        hashed = await self.passwords.hash(password)
        key, now = same_name(name), self._wall_clock()
        account = Account(
            name=name, password=hashed, characters=(key,), created=now, seen=now, salt=secrets.token_hex(8)
        )
        account.remember(connection.address)
        await self._add(connection, account, key, name, [account])
        return account

    async def add_character(self, connection: Connection, account: Account, name: str) -> Record:
        """Make another character of an account; return when it is on disk.

        Raises:
            Mistake: The name is taken, or the account has `max_characters`.
            NotSaved: The store is in trouble; nothing was made.
        """
        if len(account.characters) >= self.options.max_characters:
            raise Mistake(connection.server.texts.too_many_characters)
        key = same_name(name)
        if key in account.characters:
            raise Mistake(connection.server.texts.name_taken)
        account.characters = (*account.characters, key)
        try:
            return await self._add(connection, account, key, name, [])
        except BaseException:
            found = self.store.get(self._kind, key)
            if found is None or found.account != account.key:
                account.characters = tuple(other for other in account.characters if other != key)
            raise

    async def _add(
        self, connection: Connection, account: Account, key: str, name: str, records: list[Record]
    ) -> Record:
        """Add the records, a name and a character; take all back unless they are saved, or the character is played."""
        look, account_key = appearance(name), account.key or key
        if self._is_played(connection, key) or look in self._stays.guest_looks():  # a guest came meanwhile
            raise Mistake(connection.server.texts.name_taken)
        character: Record = self._kind(name=name, account=account_key)
        added: list[Record] = []
        try:
            for record in (Name(look=look, account=account_key), *records, character):
                self.store.add(record, key)
                added.append(record)
            self.store.log(AUDIT, event="character created", account=account_key, character=key)
            await self.store.saved()
        except DuplicateKey:
            self._take_back(added)
            raise Mistake(connection.server.texts.name_taken) from None
        except BaseException:  # also a cancel: the player never read that the account exists
            self._take_back(added)
            raise
        return character

    def _take_back(self, added: list[Record]) -> None:
        if any(self._stays.is_played(record) for record in added):
            return  # the owner has entered from another link meanwhile, and plays on
        for record in added:
            self.store.remove(record)

    def _is_played(self, connection: Connection, key: str) -> bool:
        return connection.server.sessions.get(key) is not None
