"""Keeping: the password of an account, and the end of it."""

from collections.abc import Awaitable, Callable

from trio_mud import Dialog
from trio_mud.accounts import Accounts, change_password, delete_account
from trio_mud.commands import Commands, Mistake

from ..phrases import PHRASES
from ..villager import Villager

__all__ = ["account_commands"]


def account_commands(accounts: Accounts) -> Commands[Villager]:
    """Return the commands of players with accounts."""
    commands = Commands[Villager](help_verbs=())

    @commands.verb("password", abbreviated=False)
    def password(who: Villager) -> None:
        """Change the password of your account."""
        start(who, change_password)

    @commands.verb("delete", abbreviated=False)
    def delete(who: Villager) -> None:
        """Delete your account.

        You are asked for your password, and leave at once.
        For some weeks your name and password bring everything back.
        """
        start(who, delete_account)

    def start(who: Villager, dialog: Callable[[Dialog, Accounts], Awaitable[None]]) -> None:
        """Begin a dialog about the account of a player who has one."""
        if not who.account:
            raise Mistake(PHRASES.no_account)

        async def ask(asked: Dialog) -> None:
            await dialog(asked, accounts)
            who.prompt()

        if who.connection is not None:
            who.connection.start_dialog(ask)

    return commands
