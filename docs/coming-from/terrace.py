"""A chair to sit on, and a terrace with weather: two lessons that users of Evennia know."""

from pathlib import Path
from typing import Annotated

from entry import hooks_for

from trio_mud.commands import Commands, Mistake, Preposition
from trio_mud.world import Game, Room, StandardVerbs, Thing, Traveller, every


# chair
class Chair(Thing):
    is_fixed: bool = True

    @property
    def sitter(self) -> "Guest | None":
        guests = (thing for thing in self.room.contents if isinstance(thing, Guest))
        return next((guest for guest in guests if guest.seat is self), None)


class Guest(Traveller):
    seat: Chair | None = None

    def on_hold(self) -> None:
        """Come back to the seat, or stand if it was taken meanwhile."""
        super().on_hold()
        if self.seat is not None and self.seat.sitter is not self:
            self.seat = None


# verbs
class Verbs(StandardVerbs):
    def go(self, who: Guest, way: str) -> None:
        """Go through an exit."""
        if who.seat is not None:
            raise Mistake("You have to stand up first.")
        super().go(who, way)


commands = Commands[Guest]()
commands.include(Verbs())


@commands.verb("sit")
def sit(who: Guest, chair: Annotated[Chair, Preposition("on")]) -> None:
    """Sit down on a chair."""
    if who.seat is not None:
        raise Mistake("You are sitting already.")
    if chair.sitter is not None:
        raise Mistake(f"{chair.sitter} sits there.")
    who.seat = chair
    who.act("You sit down on the {chair}.", "{actor} sits down on the {chair}.", chair=chair)


@commands.verb("stand")
def stand(who: Guest) -> None:
    """Stand up."""
    if who.seat is None:
        raise Mistake("You are standing already.")
    who.seat = None
    who.act("You stand up.", "{actor} stands up.")


# weather
class Terrace(Room):
    weather: list[str] = []
    hour: int = 0

    @every(300)
    def blow(self) -> None:
        self.hour += 1
        self.tell(self.weather[self.hour % len(self.weather)])


# game
game = Game(hooks_for(Guest, commands), maps=[Path(__file__).with_name("terrace.toml")])
commands.check()
