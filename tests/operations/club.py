"""A small game with accounts and operations, whose players can speak."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio

from trio_mud import Admitted, Connection, ConsoleOperator, Hooks, Input, Limits, broadcast
from trio_mud.accounts import Account, AccountOptions, Accounts, Character, Login
from trio_mud.commands import Commands, Role
from trio_mud.operations import Operations
from trio_mud.storage import Store, Stored
from trio_mud.testing import Mud, OpenMud, Player
from trio_mud.world import Game, World

PASSWORD = "correct horse"
RULES = AccountOptions(hash_memory=8, hash_passes=1, plain="allow", max_new_accounts=1000)


class ClubMember(Character):
    """A character."""


@dataclass
class Club:
    """The running game."""

    mud: Mud
    operations: Operations

    @property
    def store(self) -> Store:
        return self.mud.store

    async def member(self, name: str, role: int = Role.PLAYER, *, address: str = "") -> Player:
        """A new player with an account of this role, who is in."""
        player = await self.mud.player(address=address)
        for line in ("new", name, PASSWORD, PASSWORD):
            await player.catches_up()
            await player.type(line)
        await player.catches_up()
        (await self.operations.find_account(name)).role = int(role)
        return player

    async def login(self, name: str, *, address: str = "") -> Player:
        """A player who has typed name and password."""
        player = await self.mud.player(address=address)
        for line in (name, PASSWORD):
            await player.catches_up()
            await player.type(line)
        await player.catches_up()
        return player

    async def console(self, line: str) -> ConsoleOperator:
        """The answer to a command on the console."""
        operator = ConsoleOperator()
        commands = self.mud.server.operator_commands
        assert commands is not None
        answer = commands(operator, line)
        assert isinstance(answer, Awaitable)
        await answer
        return operator

    async def account(self, name: str) -> Account:
        return await self.operations.find_account(name)

    async def audit(self) -> list[dict[str, Any]]:
        """The entries of the audit, without those of accounts."""
        entries = [entry for _, entry in await self.store.entries("audit", 100)]
        return [entry for entry in entries if "by" in entry]


@asynccontextmanager
async def open_club(
    mud: OpenMud, storage: Stored | None = None, *, limits: Limits | None = None, **settings: Any
) -> AsyncGenerator[Club]:
    """Serve the game on what was stored before."""
    made: list[Operations] = []

    def build(world: World) -> Hooks:
        hooks = Hooks()
        accounts = Accounts.of(world, ClubMember, options=RULES)
        operations = Operations(accounts, **settings)
        made.append(operations)
        hooks.include(accounts.hooks)
        hooks.include(operations.hooks)
        login = Login(accounts)
        commands = Commands[Connection](role_of=operations.role_of)
        commands.include(operations.commands)

        @commands.verb("say")
        def say(who: Connection, words: str) -> None:
            operations.check_speech(who)
            broadcast(f"{who.name}: {words}", to=who.server.connections)

        @hooks.on(Admitted)
        def open_the_door(event: Admitted) -> None:
            event.connection.start_dialog(login.run)

        @hooks.on(Input)
        def obey(event: Input) -> Awaitable[object] | None:
            return commands.run(event.connection, event.line)

        return hooks

    game = Game(build, records=(*Accounts.records, *Operations.records, Character))
    options = {} if limits is None else {"limits": limits}
    async with mud(game, storage=storage, **options) as place:  # type: ignore[arg-type]
        yield Club(place, made[-1])


async def type_and_see(player: Player, line: str) -> str:
    """Type a line, and return everything that came on the screen after it."""
    await player.catches_up()
    before = len(player.screen)
    await player.type(line)
    await trio.sleep(2)
    await player.catches_up()
    return str(player.screen[before:])
