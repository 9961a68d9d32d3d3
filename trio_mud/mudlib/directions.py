"""The ways people can go."""

import enum


class Direction(enum.Enum):
    """A way out of a room; the short names are aliases, as players type them."""

    NORTH = N = "north"
    NORTHEAST = NE = "northeast"
    EAST = E = "east"
    SOUTHEAST = SE = "southeast"
    SOUTH = S = "south"
    SOUTHWEST = SW = "southwest"
    WEST = W = "west"
    NORTHWEST = NW = "northwest"
    UP = U = "up"
    DOWN = D = "down"

    @property
    def verbs(self) -> tuple[str, ...]:
        """All that players may type for it, the long name first."""
        return tuple(name.lower() for name, member in Direction.__members__.items() if member is self)

    @property
    def short(self) -> str:
        """The short name, by which programs know it."""
        return self.verbs[1]

    @property
    def opposite(self) -> "Direction":
        """The way back, if the path is straight."""
        return OPPOSITES[self]

    @property
    def origin(self) -> str:
        """Where somebody comes from who comes from there: `from the north`, `from above`."""
        return {Direction.UP: "from above", Direction.DOWN: "from below"}.get(self, f"from the {self.value}")


PAIRS = (
    (Direction.NORTH, Direction.SOUTH),
    (Direction.NORTHEAST, Direction.SOUTHWEST),
    (Direction.EAST, Direction.WEST),
    (Direction.SOUTHEAST, Direction.NORTHWEST),
    (Direction.UP, Direction.DOWN),
)
OPPOSITES = {one: other for pair in PAIRS for one, other in (pair, pair[::-1])}
