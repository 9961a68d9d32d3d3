"""A fair: a pedlar that listens, a music box to wind up, and wounds that heal, as users of an LPC mudlib know them."""

from pathlib import Path

from entry import hooks_for

from trio_mud import Text
from trio_mud.commands import Commands, Mistake
from trio_mud.world import Being, Game, StandardVerbs, Thing, Traveller, every

TUNE = ("Tink, tank.", "Tink-a-tonk.", "Tonk.")


# heart beat
class Visitor(Traveller, Being):
    @every(10)
    def heal(self) -> None:
        if self.foe is None and self.health < self.max_health:
            self.health += 1


# pedlar
class Pedlar(Being):
    def hear(self, text: Text) -> None:
        if "comes in." in str(text):
            self.after(1, self.greet)
        elif "says:" in str(text) and "price" in str(text):
            self.after(2, self.haggle)

    def greet(self) -> None:
        self.act("", "{actor} says: Come closer, come closer!")

    def haggle(self) -> None:
        self.act("", "{actor} says: For you, nearly nothing.")


# music box
class MusicBox(Thing):
    bars: int = 0

    def play(self) -> None:
        self.room.tell(TUNE[self.bars % len(TUNE)])
        self.bars -= 1
        if self.bars > 0:
            self.after(5, self.play)


commands = Commands[Visitor]()
commands.include(StandardVerbs())


@commands.verb("wind")
def wind(who: Visitor, box: MusicBox) -> None:
    """Wind up a music box."""
    if box.bars:
        raise Mistake("It is wound up already.")
    box.bars = 6
    box.after(5, box.play)
    who.act("You wind up the {box}.", "{actor} winds up the {box}.", box=box)


# talk
@commands.verb("say", "'")
def say(who: Visitor, words: str) -> None:
    """Say something to the room."""
    who.act("You say: {words}", "{actor} says: {words}", words=words)


# game
game = Game(hooks_for(Visitor, commands), maps=[Path(__file__).with_name("fair.toml")])
commands.check()
