"""What the lesson adds to the things of the game."""

# imports
from trio_mud import Text
from trio_mud.world import Being, Room, Thing, Traveller, every


# player
class Player(Traveller, Being):
    """The body of a player."""

    lamps_lit: int = 0
    toasts: int = 0


# cat
class Cat(Being):
    """A cat strolls from room to room, and purrs where it is merry."""

    beat: list[Room] = []
    step: int = 0

    @every(30)
    def stroll(self) -> None:
        """Go to the next room."""
        self.step += 1
        self.act("", "{actor} strolls away.")
        self.place = self.beat[self.step % len(self.beat)]
        self.act("", "{actor} strolls in.")

    def hear(self, text: Text) -> None:
        """Be pleased by a toast, a moment later."""
        if "drinks to" in str(text):
            self.after(2, self.purr)

    def purr(self) -> None:
        """Show that it is pleased."""
        self.act("", "{actor} purrs.")


# end
class Lamp(Thing):
    """As it was."""
