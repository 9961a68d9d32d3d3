"""Playing: the hooks that most games of travellers begin with, from the first question to the typed line.

    hooks = play_by_name(Hero, commands)
    game = Game(hooks, maps=("map.toml",))

A game with accounts has the same from `Login(accounts).play(commands)`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from trio_mud import FIRST, LAST, Admitted, Dialog, Hooks, Input, SessionEnded, SessionRestored
from trio_mud.commands import Commands
from trio_mud.errors import DuplicateKey

from .being import Traveller
from .world import World

__all__ = ["play_by_name", "play_through"]

TravellerT = TypeVar("TravellerT", bound=Traveller)

SHORTEST: Final = 2  # letters of a name
LONGEST: Final = 16
TRIES: Final = 5
DEADLINE: Final = 120.0  # seconds until a visitor without a name is shown out


def play_by_name(kind: type[TravellerT], commands: Commands[TravellerT]) -> Hooks:
    """Return the hooks of a game whose players enter by name alone, and type these commands; the game adds its own.

    Each name is a stored traveller of the class `kind`, which is made at its first visit. There is no password: anyone
    who knows a name plays it, in place of an earlier connection. Use it for examples, for tests, and among friends.

    Args:
        kind: The class of the bodies, called with `name=`.
        commands: The table that runs what a player types.
    """

    async def come_in(dialog: Dialog) -> None:
        name = await _ask_name(dialog)
        if name is not None:
            await _enter(dialog, kind, name)

    hooks = play_through(come_in, commands, deadline=DEADLINE)

    @hooks.on(SessionRestored, order=FIRST)
    async def go_on(event: SessionRestored) -> None:
        session = event.session
        try:
            session.body = await _hold(World.of(session.server), kind, event.name or str(session.key))
        finally:
            if session.body is None:  # the database was too slow, or cannot be read
                session.leave(session.server.texts.login_over)

    @hooks.on(SessionEnded, order=LAST)  # the game's own functions still have the body
    def release(event: SessionEnded) -> None:
        body = event.session.body
        if isinstance(body, kind):
            World.of(event.session.server).store.release(body)

    return hooks


def play_through(
    door: Callable[[Dialog], Awaitable[object]], commands: Commands[Any], *, deadline: float | None = None
) -> Hooks:
    """Return hooks that begin this dialog with each connection, and run what is typed for the body of its session."""
    hooks = Hooks()

    @hooks.on(Admitted)
    def open_the_door(event: Admitted) -> None:
        event.connection.start_dialog(door, deadline=deadline)

    @hooks.on(Input)
    def obey(event: Input) -> Awaitable[object] | None:
        session = event.connection.session
        return None if session is None else commands.run(session.body, event.line)

    return hooks


async def _ask_name(dialog: Dialog) -> str | None:
    """Ask until a name is one; close the connection after some tries."""
    connection, texts = dialog.connection, dialog.connection.server.texts
    for _ in range(TRIES):
        name = (await dialog.ask(texts.by_name_question)).strip()
        if not (name.isascii() and name.isalpha()):
            connection.write(texts.name_letters)
        elif SHORTEST <= len(name) <= LONGEST:
            return name.capitalize()
        else:
            connection.write(texts.name_length.format(shortest=SHORTEST, longest=LONGEST))
    connection.quit(texts.login_over)
    return None


async def _hold(world: World, kind: type[TravellerT], name: str) -> TravellerT:
    """Hold the traveller of this name, who is made at the first visit."""
    key = name.casefold()
    body = await world.store.hold(kind, key)
    if body is None:
        with suppress(DuplicateKey):  # another connection may have made it meanwhile
            world.add(kind(name=name), key)
        body = await world.store.hold(kind, key)
    assert body is not None
    return body


async def _enter(dialog: Dialog, kind: type[Traveller], name: str) -> None:
    """Begin the session of a traveller, or take it over."""
    connection, key = dialog.connection, name.casefold()
    world = World.of(connection.server)
    body = await _hold(world, kind, name)
    known, session = connection.server.sessions.get(key), None
    try:
        session = connection.server.sessions.enter(key, connection, body=body)
        connection.name = name
    finally:
        if session is None or session is known:  # that session holds its body already
            world.store.release(body)
