"""What can go wrong in a world, beside the mistakes of its players."""


class MapError(ValueError):
    """A file of rooms is wrong; the message names the room and the key."""
