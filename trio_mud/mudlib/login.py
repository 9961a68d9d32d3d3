"""The door of a valley that keeps its guests: names with passwords, and guests for a look around."""

from trio_mud import Connection, Dialog, Text, wrap
from trio_mud.accounts import Account, Accounts, Login
from trio_mud.commands import Mistake

from .entry import ask, greeting, slip_back
from .guest import Guest, page_width
from .valley import Valley

__all__ = ["ValleyLogin"]


class ValleyLogin(Login):
    """The login of accounts in the words of the valley; `quit` leaves at every question."""

    def __init__(self, accounts: Accounts, valley: Valley) -> None:
        super().__init__(accounts)
        self._valley = valley

    def greet(self, connection: Connection) -> None:
        connection.write(wrap(greeting(self._valley), page_width(connection)))
        super().greet(connection)

    async def ask(self, dialog: Dialog, question: Text, *, is_hidden: bool = False) -> str:
        return await dialog.ask_hidden(question) if is_hidden else await ask(dialog, question)

    async def admit_guest(self, dialog: Dialog) -> bool:
        name = await self.ask_free_name(dialog)
        if name is None:
            return False
        guest, connection = Guest(name, self._valley), dialog.connection
        try:
            guest.session = self.accounts.enter_as_guest(connection, name, guest)
        except Mistake as mistake:
            connection.write(str(mistake))
            return False
        connection.name = name
        return True

    async def enter(self, dialog: Dialog, account: Account, character: str) -> None:
        known = dialog.connection.server.sessions.get(character)
        if known is not None and known.connection is None:
            slip_back(dialog.connection, str(known.body))
        await super().enter(dialog, account, character)
