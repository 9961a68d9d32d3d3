"""The server under soak as in `server.py`, with accounts and operations on a database that ends with it.

Its players have sessions and accounts, whose passwords are not checked. The player called `warden` is an owner, and
uses the verbs of operations; those who are muted cannot shout.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.soak import server as plain
from trio_mud import Admitted, Cause, Connection, Dialog, Hooks, Input
from trio_mud.accounts import Account, AccountOptions, Accounts, Character, Name, appearance, same_name
from trio_mud.commands import Commands, Mistake, Role
from trio_mud.driver.server.server import MasterServer
from trio_mud.errors import EntryRefused
from trio_mud.operations import Operations
from trio_mud.storage import Sqlite
from trio_mud.world import Game, World

OWNER = "warden"
VERBS = frozenset({"ban", "unban", "bans", "mute", "unmute", "kick", "snoop", "audit"})


class SoakMember(Character):
    """A character."""


def build(world: World) -> Hooks:
    hooks = Hooks()
    accounts = Accounts.of(world, SoakMember, options=AccountOptions(plain="allow"))
    operations = Operations(accounts)
    commands = Commands[Connection](role_of=operations.role_of)
    commands.include(operations.commands)
    hooks.include(accounts.hooks)
    hooks.include(operations.hooks)

    async def find(name: str) -> Account:
        """Return the account of this name, which is made if there is none."""
        key = same_name(name)
        account = await accounts.find(name)
        if account is None:
            role = Role.OWNER if name == OWNER else Role.PLAYER
            world.store.add(Name(look=appearance(name), account=key), key)
            world.store.add(SoakMember(name=name, account=key), key)
            account = world.store.add(Account(name=name, role=int(role), characters=(key,), salt="salt"), key)
        return account

    async def login(dialog: Dialog) -> None:
        connection, name = dialog.connection, await dialog.ask("Name? ")
        await dialog.ask_hidden("Password? ")
        try:
            account = await find(name[:20])
            await accounts.enter(connection, account, account.key)
        except EntryRefused as error:
            connection.quit(str(error), cause=Cause.BANNED)
        else:
            connection.name = account.name
            connection.write(f"Welcome, {account.name}.")

    @hooks.on(Admitted)
    def receive(event: Admitted) -> None:
        event.connection.start_dialog(login)

    @hooks.on(Input)
    def obey(event: Input) -> Awaitable[object] | None:
        verb = event.line.partition(" ")[0]
        if verb in VERBS:
            return commands.run(event.connection, event.line)
        if verb == "shout":
            try:
                operations.check_speech(event.connection)
            except Mistake as mistake:
                event.connection.write(str(mistake))
                return None
        plain.obey(event)
        return None

    return hooks


@asynccontextmanager
async def open_game(server: MasterServer) -> AsyncGenerator[None]:
    game = Game(build, records=(*Accounts.records, *Operations.records, SoakMember))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        async with game.open(Sqlite(Path(folder) / "soak.db")) as (server.hooks, server.world):
            yield


if __name__ == "__main__":
    plain.main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], lifespan=open_game)
