"""What a player asked for and cannot have."""


class Mistake(Exception):
    """What a player asked for cannot be done, and the text says why.

    Raise it in a converter or anywhere inside a command: `Commands.run` writes the text to whoever typed the line.
    It is an answer, not a failure; nothing is logged.
    """
