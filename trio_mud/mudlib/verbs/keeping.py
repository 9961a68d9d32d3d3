"""Keeping: the password of an account, and the end of it."""

from collections.abc import Awaitable, Callable

from trio_mud import Dialog
from trio_mud.accounts import Accounts, change_password, delete_account
from trio_mud.commands import Commands, Mistake

from ..guest import Guest
from ..phrases import PHRASES

__all__ = ["commands"]

commands = Commands[Guest](help_verbs=())


@commands.verb("password", abbreviated=False)
def password(who: Guest) -> None:
    """Change the password of your account."""
    start(who, change_password)


@commands.verb("delete", abbreviated=False)
def delete(who: Guest) -> None:
    """Delete your account.

    You are asked for your password, and leave at once.
    For some weeks your name and password bring everything back.
    """
    start(who, delete_account)


def start(who: Guest, dialog: Callable[[Dialog, Accounts], Awaitable[None]]) -> None:
    """Begin a dialog about the account of a player who has one."""
    accounts = who.valley.accounts
    if accounts is None or who.resident is None:
        raise Mistake(PHRASES.no_account)

    async def ask(asked: Dialog) -> None:
        await dialog(asked, accounts)
        who.prompt()

    if who.connection is not None:
        who.connection.start_dialog(ask)
