"""A quarry: a game in which builders dig rooms while others play."""

from pathlib import Path

from trio_mud.commands import Commands, Role
from trio_mud.world import Game, StandardVerbs, Traveller, play_by_name
from trio_mud.world.building import add_building

# building
BUILDERS = {"ann"}


def role_of(who: Traveller) -> int:
    return Role.BUILDER if who.key in BUILDERS else Role.PLAYER


commands = Commands[Traveller](role_of=role_of)
commands.include(StandardVerbs())
add_building(commands, exports="data/built")


# game
hooks = play_by_name(Traveller, commands)
game = Game(hooks, maps=[Path(__file__).with_name("quarry.toml")])
commands.check()
