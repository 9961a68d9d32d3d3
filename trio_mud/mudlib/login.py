"""The door of a valley that keeps its players: names with passwords, and guests who look around."""

from trio_mud import Connection, Dialog, Text, wrap
from trio_mud.accounts import Account, Login

from .entry import ask, greeting, slip_back
from .villager import page_width

__all__ = ["ValleyLogin"]


class ValleyLogin(Login):
    """The login of accounts in the words of the valley; `quit` leaves at every question."""

    def greet(self, connection: Connection) -> None:
        connection.write(wrap(greeting(), page_width(connection)))
        super().greet(connection)

    async def ask(self, dialog: Dialog, question: Text, *, is_hidden: bool = False) -> str:
        return await dialog.ask_hidden(question) if is_hidden else await ask(dialog, question)

    async def enter(self, dialog: Dialog, account: Account, character: str) -> None:
        known = dialog.connection.server.sessions.get(character)
        if known is not None and known.connection is None:
            slip_back(dialog.connection, str(known.body))
        await super().enter(dialog, account, character)
