"""The login: a dialog that lets a player in with an account, a new account, or as a guest.

    hooks = Login(accounts).play(commands)

A game derives its own class to change the greeting, the questions or the guests, or writes another dialog with the
calls of `Accounts`. All sentences are in `Texts`.
"""

from __future__ import annotations

import ipaddress
import logging
import math
from typing import Any

from trio_mud import Cause, Connection, Dialog, Hooks, NoAnswer, Overloaded, Text, Texts
from trio_mud.commands import Commands, Mistake
from trio_mud.errors import EntryRefused, NotSaved, StorageError, TooManyTries, UnreadableRecord
from trio_mud.world.playing import play_through

from .account import Account
from .accounts import Accounts
from .changes import ask_new_password
from .login_gmcp import Credentials
from .names import read_name

__all__ = ["Login"]

SILENCE = 0.25  # seconds until a program that answers nothing is greeted as it is
TRIES = 3  # for a name, or a new password

logger = logging.getLogger("trio_mud")


class Login:
    """The dialog of a login: `play` begins it, or `connection.start_dialog(login.run)`. It serves all connections.

    `greet`, `ask` and `admit_guest` are made to be overridden.
    """

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts

    async def run(self, dialog: Dialog) -> None:
        """Ask until the player is in the game; give up after `max_tries`."""
        connection = dialog.connection
        texts = connection.server.texts
        await dialog.client_ready(silence=SILENCE)
        try:
            self.greet(connection)
            if self._may_log_in(connection):
                await self._log_in(dialog)
        except TooManyTries as error:
            connection.quit(texts.login_wait.replace("{seconds}", str(math.ceil(error.seconds))))
        except EntryRefused as error:
            connection.quit(str(error), cause=Cause.BANNED)
        except Overloaded:
            connection.quit(texts.login_busy)
        except NotSaved as error:
            logger.warning("no login of %s: %s", connection.name, error)
            connection.quit(texts.login_not_saved)
        except UnreadableRecord as error:
            logger.warning("no login of %s: %s", connection.name, error)
            connection.quit(texts.login_unreadable)
        except StorageError as error:  # the database cannot be read
            logger.warning("no login of %s: %s", connection.name, error)
            connection.quit(texts.login_over)
        except LookupError:  # the account, or the character, was destroyed while its owner typed
            connection.quit(texts.login_gone)
        except NoAnswer:
            connection.quit(texts.login_over)

    def play(self, commands: Commands[Any]) -> Hooks:
        """Return the hooks of a game whose players log in, and type these commands; the game adds its own.

        They include those of the accounts. The actor of a command is the body of its session.
        """
        hooks = play_through(self.run, commands, deadline=self.accounts.options.login_timeout)
        hooks.include(self.accounts.hooks)
        return hooks

    def greet(self, connection: Connection) -> None:
        """Write the first screen."""
        texts = connection.server.texts
        connection.write(texts.login_hint)
        if self.accounts.options.guests:
            connection.write(texts.login_guest_hint)

    async def ask(self, dialog: Dialog, question: Text, *, is_hidden: bool = False) -> str:
        """Ask one question of the login."""
        return await dialog.ask_hidden(question) if is_hidden else await dialog.ask(question)

    async def admit_guest(self, dialog: Dialog) -> bool:
        """Let a guest in under a name of their choice; return False if there was none."""
        name = await self.ask_free_name(dialog)
        if name is None:
            return False
        try:
            self.accounts.enter_as_guest(dialog.connection, name)
        except Mistake as mistake:
            dialog.connection.write(str(mistake))
            return False
        dialog.connection.name = name
        return True

    async def enter(self, dialog: Dialog, account: Account, character: str) -> None:
        """Enter the game with a character."""
        session = await self.accounts.enter(dialog.connection, account, character)
        dialog.connection.name = str(getattr(session.body, "name", account.name))

    async def ask_free_name(self, dialog: Dialog) -> str | None:
        """Ask for a name until it is free; return None after some tries."""
        connection, texts = dialog.connection, dialog.connection.server.texts
        for _ in range(TRIES):
            typed = await self.ask(dialog, texts.name_question)
            try:
                name = read_name(typed, self._reserved(texts), texts=texts)
                await self.accounts.check_free(connection, name)
            except Mistake as mistake:
                connection.write(str(mistake))
            else:
                return name
        return None

    # Steps

    async def _log_in(self, dialog: Dialog) -> None:
        connection, texts = dialog.connection, dialog.connection.server.texts
        gmcp = self.accounts.gmcp
        credentials = await gmcp.ask(connection)
        if credentials is not None and await self._check_credentials(dialog, credentials):
            return
        for _ in range(self.accounts.options.max_tries):
            typed = (await self.ask(dialog, texts.login_question)).strip()
            word = typed.casefold()
            if word in texts.login_new.casefold().split():
                is_in = await self._create(dialog)
            elif word in texts.login_guest.casefold().split() and self.accounts.options.guests:
                is_in = await self.admit_guest(dialog)
            else:
                is_in = await self._prove(dialog, typed)
            if is_in:
                return
        connection.quit(texts.login_over)

    async def _prove(self, dialog: Dialog, typed: str) -> bool:
        connection, texts = dialog.connection, dialog.connection.server.texts
        try:
            name = read_name(typed, texts=texts)
        except Mistake as mistake:
            connection.write(str(mistake))
            return False
        password = await self.ask(dialog, texts.password_question, is_hidden=True)
        account = await self.accounts.authenticate(connection, name, password)
        if account is None:
            connection.write(texts.login_wrong)
            return False
        return await self._welcome(dialog, account)

    async def _check_credentials(self, dialog: Dialog, credentials: Credentials) -> bool:
        """Log in by what a program sent: with the same checks and penalties as by questions."""
        connection, gmcp = dialog.connection, self.accounts.gmcp
        texts = connection.server.texts
        try:
            name = read_name(credentials.name, texts=texts)
        except Mistake as mistake:
            gmcp.answer(connection, str(mistake), success=False)
            return False
        account = await self.accounts.authenticate(connection, name, credentials.password)
        if account is None:
            gmcp.answer(connection, texts.login_wrong, success=False)
            return False
        gmcp.answer(connection, success=True)
        return await self._welcome(dialog, account)

    async def _create(self, dialog: Dialog) -> bool:
        connection, accounts = dialog.connection, self.accounts
        name = await self.ask_free_name(dialog)
        if name is None:
            return False
        password = await ask_new_password(dialog, accounts, name, self.ask)
        if password is None:
            return False
        try:
            account = await accounts.create(connection, name, password)
        except Mistake as mistake:
            connection.write(str(mistake))
            return False
        await self.enter(dialog, account, account.characters[0])
        return True

    async def _welcome(self, dialog: Dialog, account: Account) -> bool:
        """Settle what is open with the owner of an account, let them choose a character, and enter."""
        connection, texts, accounts = dialog.connection, dialog.connection.server.texts, self.accounts
        accounts.check_entry(account)
        if account.needs_password:
            connection.write(texts.recovery_used)
            password = await ask_new_password(dialog, accounts, account.name, self.ask)
            if password is None:
                return False
            await accounts.set_password(account, password)
        if account.is_deleted:
            question = texts.delete_undo.replace("{days}", str(accounts.days_left(account)))
            if not await dialog.confirm(question):
                connection.quit(texts.login_over)
                return True
            await accounts.undelete(account)
        for notice in account.notices:
            connection.write(texts.recovery_notice if notice == "recovery" else notice)
        account.notices = ()
        if not account.characters:
            name = await self.ask_free_name(dialog)
            if name is None:
                return False
            try:
                await accounts.add_character(connection, account, name)
            except Mistake as mistake:  # it was taken meanwhile
                connection.write(str(mistake))
                return False
        proved = account.password
        character = await self._choose(dialog, account)
        if account.password != proved:  # changed from another link meanwhile, perhaps because this one is a thief's
            connection.write(texts.login_wrong)
            return False
        await self.enter(dialog, account, character)
        return True

    async def _choose(self, dialog: Dialog, account: Account) -> str:
        if len(account.characters) == 1:
            return account.characters[0]
        names = {(await self.accounts.name_of(key)): key for key in account.characters}
        return await dialog.choose(dialog.connection.server.texts.choose_character, names)

    def _may_log_in(self, connection: Connection) -> bool:
        """Warn of a link that is neither encrypted nor local; return False if it is refused."""
        options, texts = self.accounts.options, connection.server.texts
        if options.plain == "allow" or connection.client.is_secure or _is_local(connection.address):
            return True
        if options.plain == "refuse":
            connection.quit(texts.plain_refused.replace("{port}", str(options.tls_port)))
            return False
        connection.write(texts.plain_warning)
        return True

    def _reserved(self, texts: Texts) -> set[str]:
        """Return the words that are no names: those of the game, and those that the first question understands."""
        return {*self.accounts.reserved, *f"{texts.login_new} {texts.login_guest}".casefold().split()}


def _is_local(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return not address  # a transport without addresses, such as a socket of this machine
