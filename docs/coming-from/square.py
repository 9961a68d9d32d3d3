"""A market square after dark: corpses, a stray dog, a sweeper and a watchman, as users of a Diku know them."""

from collections.abc import Iterator
from pathlib import Path

from entry import hooks_for

from trio_mud.commands import Commands
from trio_mud.world import Being, Container, Game, StandardVerbs, Thing, Traveller, every


# corpses
class Corpse(Container):
    def rot(self) -> None:
        self.room.tell(f"The {self} crumbles to dust.")
        self.destroy()


class Mortal(Being):
    def die(self) -> None:
        corpse = self.world.add(Corpse(name=f"corpse of {self}", place=self.room))
        for thing in self.contents:
            thing.place = corpse
        corpse.after(300, corpse.rot)
        super().die()

    def around(self, kind: type[Thing]) -> Iterator[Thing]:
        return (thing for thing in self.room.contents if isinstance(thing, kind) and thing is not self)


class Citizen(Traveller, Mortal):
    strength: int = 4


# special procedures
class Dog(Mortal):
    @every(10)
    def eat(self) -> None:
        corpse = next(self.around(Corpse), None)
        if corpse is not None and self.foe is None:
            self.act("", "{actor} devours the {corpse}.", corpse=corpse)
            corpse.destroy()


class Sweeper(Mortal):
    @every(10)
    def sweep(self) -> None:
        rubbish = next((thing for thing in self.around(Thing) if not thing.is_fixed), None)
        if rubbish is not None and not isinstance(rubbish, Corpse) and self.foe is None:
            rubbish.place = self
            self.act("", "{actor} picks up the {rubbish}.", rubbish=rubbish)


class Watchman(Mortal):
    @every(2)
    def watch(self) -> None:
        brawler = next((citizen for citizen in self.around(Citizen) if citizen.foe is not None), None)
        if brawler is not None and self.foe is None:
            self.attack(brawler)
            self.act("", "{actor} shouts: In the name of the council!")


# commands
commands = Commands[Citizen]()
commands.include(StandardVerbs())


@commands.verb("kill", "hit")
def kill(who: Citizen, foe: Being) -> None:
    """Begin a fight."""
    who.attack(foe)
    who.act("You attack {target}!", "{actor} attacks {target}!", target=foe, to_target="{actor} attacks you!")


# game
game = Game(hooks_for(Citizen, commands), maps=[Path(__file__).with_name("square.toml")])
commands.check()
