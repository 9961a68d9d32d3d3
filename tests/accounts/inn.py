"""A small game with accounts: who is in can say something, and be asked how much gold there is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Unpack

import trio

from trio_mud import Admitted, Hooks, Input, SessionEnded, SessionResumed, SessionStarted
from trio_mud.accounts import AccountOptions, Accounts, Character, Login, change_password, delete_account
from trio_mud.driver.server.server import ServerSettings
from trio_mud.storage import Backend, Executor, Memory, Record, Store, Stored, inline, open_store
from trio_mud.testing import Mud, OpenMud, Player
from trio_mud.testing.mud import MILLENNIUM

PASSWORD = "correct horse"
CHEAP = AccountOptions(hash_memory=8, hash_passes=1, plain="allow")


class Patron(Character):
    """A character."""

    gold: int = 0


@dataclass(frozen=True, slots=True)
class Mint:
    """The origin of a coin."""

    town: str


class Coin(Record, family="coin"):
    """Something beside the heroes: the one under a hero's key belongs to that hero."""

    worth: int = 1
    mint: Mint | None = None


class Pet(Character):
    """Something that is stored with its hero."""

    hero: str = ""

    def stored_with(self) -> str:
        return self.hero


async def answers(player: Player, *lines: str, pause: float = 0.0) -> None:
    """Type each line when the question before it has come; pause after it, for a slow store."""
    await player.catches_up()
    for line in lines:
        await player.type(line)
        await trio.sleep(pause)
        await player.catches_up()


@dataclass
class Inn:
    """The running game."""

    mud: Mud
    store: Store
    accounts: Accounts
    events: list[str]
    hooks: Hooks
    pause: float  # after each line of a login

    async def player(self, *lines: str, address: str = "") -> Player:
        """A player who has typed these lines."""
        player = await self.mud.player(address=address)
        await answers(player, *lines, pause=self.pause)
        return player

    async def newcomer(self, name: str, *, address: str = "", password: str = PASSWORD) -> Player:
        """A player who has made an account and is in."""
        player = await self.player(address=address)
        for question, line in (("Name: ", "new"), ("be? ", name), ("New", password), ("again", password)):
            assert question in player.screen
            await answers(player, line, pause=self.pause)
        assert f"You are {name}" in player.screen, player.screen
        return player

    async def login(self, name: str, *, address: str = "", password: str = PASSWORD) -> Player:
        """A player who has typed name and password."""
        return await self.player(name, password, address=address)

    def hero(self, key: str) -> Patron:
        """The hero of this key, who is in memory."""
        hero = self.store.get(Patron, key)
        assert hero is not None
        return hero

    def wall(self) -> float:
        """The wall clock."""
        return MILLENNIUM + trio.current_time()


@asynccontextmanager
async def open_inn(
    mud: OpenMud,
    stored: Stored | None = None,
    *,
    backend: Backend | None = None,
    rules: AccountOptions = CHEAP,
    executor: Executor = inline,
    execute: Executor | None = inline,
    clock_moved: float = 0.0,
    pause: float = 0.0,
    allow_errors: bool = False,
    **settings: Unpack[ServerSettings],
) -> AsyncGenerator[Inn, None]:
    """Serve the game on what was stored before."""

    def wall() -> float:
        return MILLENNIUM + clock_moved + trio.current_time()

    hooks, events = Hooks(), list[str]()
    async with open_store(
        backend or Memory(stored), *Accounts.records, Character, Coin, executor=executor, wall_clock=wall, strict=True
    ) as store:
        accounts = Accounts(
            store, Patron, options=rules, reserved={"look"}, execute=execute, wall_clock=wall, beside=(Coin,)
        )
        login = Login(accounts)
        hooks.include(accounts.hooks)

        @hooks.on(Admitted)
        def open_the_door(event: Admitted) -> None:
            event.connection.start_dialog(login.run, deadline=accounts.options.login_timeout)

        @hooks.on(SessionStarted)
        def greet(event: SessionStarted) -> None:
            body = event.session.body
            assert isinstance(body, Patron)
            events.append(f"{body.name} comes")
            event.session.write(f"You are {body.name}")

        @hooks.on(SessionResumed)
        def greet_again(event: SessionResumed) -> None:
            event.session.write("You are back")

        @hooks.on(SessionEnded)
        def part(event: SessionEnded) -> None:
            body = event.session.body
            assert isinstance(body, Patron)
            events.append(f"{body.name} goes")

        @hooks.on(Input)
        def obey(event: Input) -> None:
            connection = event.connection
            if connection.session is None:
                return
            body = connection.session.body
            assert isinstance(body, Patron)
            match event.line.split():
                case ["quit"]:
                    connection.session.leave("Farewell")
                case ["dig"]:
                    body.gold += 1
                case ["gold"]:
                    connection.write(f"You have {body.gold}")
                case ["role"]:
                    connection.write(f"Your role is {accounts.role_of(connection):d}")
                case ["password"]:
                    connection.start_dialog(partial(change_password, accounts=accounts))
                case ["delete"]:
                    connection.start_dialog(partial(delete_account, accounts=accounts))
                case _:
                    events.append(f"{body.name}: {event.line}")

        settings.setdefault("wall_clock", wall)
        async with mud(hooks, allow_errors=allow_errors, **settings) as running:
            yield Inn(running, store, accounts, events, hooks, pause)
