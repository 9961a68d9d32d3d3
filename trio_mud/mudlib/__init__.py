"""A small true world, the Valley of the Slow Water, on nothing but the package's public names.

It is what `trio-mud` opens when it is given no game, and an example to take apart. With `--data` it keeps its players,
and everything they leave in it. Its rooms and things are those of `trio_mud.world`, its commands those of
`trio_mud.commands`, its login that of `trio_mud.accounts`.
"""

from trio_mud.errors import MapError

from .game import lasting_world, world

__all__ = ["MapError", "lasting_world", "world"]
