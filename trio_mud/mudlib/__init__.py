"""A small true world, the Valley of the Slow Water, on nothing but the driver's public names.

It is what `trio-mud` opens when it is given no game, and an example to take apart. With `--data` it keeps its players.
The table of what its players can type is `trio_mud.commands`, which serves every game.
"""

from trio_mud.errors import MapError

from .game import lasting_world, world

__all__ = ["MapError", "lasting_world", "world"]
