"""A game with builders: everyone types a name, and has a role that a test may change."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from trio_mud import Admitted, Dialog, Hooks, Input, SessionEnded
from trio_mud.commands import Commands, Mistake, Role, the_one
from trio_mud.storage import live
from trio_mud.testing import Mud, Player
from trio_mud.world import Being, Container, Door, Game, Room, Thing, Traveller, World
from trio_mud.world.building import BuildingOptions, add_building

MAP = Path(__file__).with_name("site.toml")


class Hue(enum.Enum):
    """A colour."""

    RED = "r"
    SEA_GREEN = "g"


class Lamppost(Thing):
    """Has a field of each type."""

    oil: float = 60.0
    wicks: Annotated[int, msgspec.Meta(ge=0, le=9)] = 1
    is_lit: bool = False
    hue: Hue = Hue.RED
    size: Literal["small", "large"] = "small"
    home: Room | None = None
    twin: Thing | None = None
    rooms: list[Room] = []  # noqa: RUF012  a Record copies it
    gate: Door | None = None
    label: str | None = None
    counts: dict[str, int] = {}  # noqa: RUF012
    owner_of: Traveller | None = None
    admin_password: str = ""
    _private: int = 0
    glow: int = live(default=0)


class Mason(Traveller, Being):
    """The body of a player."""

    rank: int = Role.BUILDER


def role_of(who: Mason) -> int:
    return who.rank


commands = Commands[Mason](role_of=role_of)
commands.converter(Thing)(the_one)
add_building(commands, exports="built", options=BuildingOptions(max_rooms=12, max_things=40))


@commands.verb("look")
def look(who: Mason) -> None:
    """Look around."""
    assert who.room is not None
    others = ", ".join(str(thing) for thing in who.room.contents if thing is not who)
    ways = ", ".join(sorted(who.room.exits))
    who.write(f"{who.room}: {who.room.text or 'A room.'} Exits: {ways or 'none'}. Here: {others or 'nothing'}.")


@commands.verb("go")
def go(who: Mason, way: str) -> None:
    """Go through an exit."""
    assert who.room is not None
    if way not in who.room.exits:
        raise Mistake("There is no way there.")
    who.place = who.room.exits[way]
    look(who)


@commands.verb("take")
def take(who: Mason, thing: Thing) -> None:
    """Take something."""
    if thing.is_fixed:
        raise Mistake("It stays where it is.")
    thing.place = who
    who.write(f"You take {thing}.")


@commands.verb("drop")
def drop(who: Mason, thing: Thing) -> None:
    """Drop something."""
    thing.place = who.place
    who.write(f"You drop {thing}.")


hooks = Hooks()
game = Game(hooks, maps=(MAP,))
commands.check()


@hooks.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.start_dialog(come_in)


async def come_in(dialog: Dialog) -> None:
    connection = dialog.connection
    store, name = World.of(connection.server).store, await dialog.ask("Name: ")
    if await store.hold(Mason, name) is None:
        World.of(connection.server).add(Mason(name=name), name)
        await store.hold(Mason, name)
    connection.server.sessions.enter(name, connection, body=store.get(Mason, name), grace=0)


@hooks.on(SessionEnded)
def go_away(event: SessionEnded) -> None:
    assert isinstance(event.session.body, Mason)
    World.of(event.session.server).store.release(event.session.body)


@hooks.on(Input)
def obey(event: Input) -> object:
    body = event.connection.session.body if event.connection.session is not None else None
    return commands.run(body, event.line) if isinstance(body, Mason) else None


async def builder(mud: Mud, name: str = "Ann") -> Player:
    """Return a player in the game."""
    player = await mud.player()
    await player.type(name)
    await mud.pass_time(0)
    return player


async def says(player: Player, line: str, answer: str) -> None:
    """Type a line, and wait for its answer."""
    await player.type(line)
    await player.sees(answer)


def mason(mud: Mud, name: str = "Ann") -> Mason:
    """Return the body of a player."""
    found = mud.store.get(Mason, name)
    assert found is not None
    return found


def room(mud: Mud, key: str) -> Room:
    """Return a room by its key."""
    return World.of(mud.server).get(Room, key)


def named(mud: Mud, name: str) -> Thing:
    """Return the only thing of this name."""
    (thing,) = [thing for thing in mud.store.all(Thing) if thing.name == name]
    return thing


__all__ = ["Container", "builder", "game", "mason", "named", "room", "says"]
