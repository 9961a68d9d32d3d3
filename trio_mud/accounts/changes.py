"""Dialogs of a player who is in the game already: a new password, and the end of the account.

A game gives them verbs: `connection.start_dialog(partial(change_password, accounts=accounts))`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from typing import Protocol

from trio_mud import Dialog, Overloaded, Secret, Text
from trio_mud.commands import Mistake
from trio_mud.errors import NotSaved, TooManyTries

from .account import Account
from .accounts import Accounts

__all__ = ["ask_new_password", "change_password", "delete_account"]

TRIES = 3


class Ask(Protocol):
    """Asks one question of a dialog."""

    def __call__(self, dialog: Dialog, question: Text, *, is_hidden: bool = False) -> Awaitable[str]: ...


async def ask_new_password(dialog: Dialog, accounts: Accounts, name: str, ask: Ask | None = None) -> Secret | None:
    """Ask twice for a new password, until it is one and both are the same; return None after some tries."""
    ask = ask or _ask
    connection, texts = dialog.connection, dialog.connection.server.texts
    for _ in range(TRIES):
        password = await ask(dialog, texts.password_new, is_hidden=True)
        try:
            accounts.check_password(name, password, texts)
        except Mistake as mistake:
            connection.write(str(mistake))
            continue
        if await ask(dialog, texts.password_again, is_hidden=True) == password:
            return Secret(password)
        connection.write(texts.password_different)
    return None


async def change_password(dialog: Dialog, accounts: Accounts) -> None:
    """Ask the player for the old password, and twice for a new one; change it. All resume tokens become void."""
    connection, texts = dialog.connection, dialog.connection.server.texts
    account = await _prove_again(dialog, accounts, texts.password_question)
    if account is not None and (password := await ask_new_password(dialog, accounts, account.name)) is not None:
        try:
            await accounts.set_password(account, password)
        except NotSaved:
            connection.write(texts.login_not_saved)
        except Overloaded:
            connection.write(texts.login_busy)
        else:
            connection.write(texts.password_changed)


async def delete_account(dialog: Dialog, accounts: Accounts) -> None:
    """Ask the player for the password; hide the account, and end its sessions."""
    account = await _prove_again(dialog, accounts, dialog.connection.server.texts.delete_question)
    if account is not None:
        try:
            await accounts.delete(account)
        except NotSaved:
            dialog.connection.write(dialog.connection.server.texts.login_not_saved)


async def _prove_again(dialog: Dialog, accounts: Accounts, question: str) -> Account | None:
    """Ask for the password of the account that plays; return the account if it is right."""
    connection, texts = dialog.connection, dialog.connection.server.texts
    account = accounts.account_of(connection.session)
    if account is None:
        return None
    password = await dialog.ask_hidden(question)
    try:
        proved = await accounts.authenticate(connection, account.name, password)
    except TooManyTries as error:
        connection.write(texts.login_wait.replace("{seconds}", str(math.ceil(error.seconds))))
        return None
    except Overloaded:
        connection.write(texts.login_busy)
        return None
    if proved is None:
        connection.write(texts.login_wrong)
    return proved


async def _ask(dialog: Dialog, question: Text, *, is_hidden: bool = False) -> str:
    return await dialog.ask_hidden(question) if is_hidden else await dialog.ask(question)
