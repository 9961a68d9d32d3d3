"""A small true world, the Valley of the Slow Water, on nothing but the driver's public names.

It is what `trio-mud` opens when it is given no game, and an example to take apart.
`Commands`, the table of what players can type, is for every game; so is `Mistake`, which turns a request down.
"""

from .command import Command
from .commands import Actor, Commands
from .errors import MapError, Mistake
from .game import world
from .phrases import Phrases

__all__ = ["Actor", "Command", "Commands", "MapError", "Mistake", "Phrases", "world"]
