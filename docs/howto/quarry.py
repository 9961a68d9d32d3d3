"""A quarry: a game in which builders dig rooms while others play."""

from pathlib import Path

from trio_mud import Admitted, Dialog, Hooks, Input, SessionEnded
from trio_mud.commands import Commands, Role
from trio_mud.world import Game, StandardVerbs, Traveller, World
from trio_mud.world.building import add_building

# building
BUILDERS = {"ann"}


def role_of(who: Traveller) -> int:
    return Role.BUILDER if who.key in BUILDERS else Role.PLAYER


commands = Commands[Traveller](role_of=role_of)
commands.include(StandardVerbs())
add_building(commands, exports="data/built")


# game
hooks = Hooks()
game = Game(hooks, maps=[Path(__file__).with_name("quarry.toml")])
commands.check()


@hooks.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.start_dialog(come_in)


async def come_in(dialog: Dialog) -> None:
    connection = dialog.connection
    world = World.of(connection.server)
    name = await dialog.ask("By what name? ")
    key = name.casefold()
    body = await world.store.hold(Traveller, key)
    if body is None:
        world.add(Traveller(name=name), key)
        body = await world.store.hold(Traveller, key)
    known = connection.server.sessions.get(key)
    if connection.server.sessions.enter(key, connection, body=body) is known:  # that session holds its body already
        world.store.release(body)


@hooks.on(SessionEnded)
def end(event: SessionEnded) -> None:
    World.of(event.session.server).store.release(event.session.body)


@hooks.on(Input)
def obey(event: Input) -> object:
    session = event.connection.session
    return commands.run(session.body, event.line) if session is not None else None
