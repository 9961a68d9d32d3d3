"""The exception for a request that is rejected."""


class Mistake(Exception):
    """A player's request cannot be done; the text gives the reason.

    Raise it in a converter or anywhere inside a command: `Commands.run` writes the text to the actor. It is an answer,
    not a failure; nothing is logged.
    """
