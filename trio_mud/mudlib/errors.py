"""What can go wrong in a world, and whose fault it is.

- `Mistake`: the player's; its text is told to them, and nothing else happens.
- `MapError`: the builder's; a file of rooms does not hold together.
"""


class Mistake(Exception):
    """What a player asked for cannot be done, and the text says why.

    Raise it in a converter or anywhere inside a command: `Commands.run` writes the text to whoever typed the line.
    It is an answer, not a failure; nothing is logged.
    """


class MapError(ValueError):
    """A file of rooms is wrong; the message names the room and the key."""
