"""A manor: a lamp that burns out, a door with a lock, a guard that walks and fights."""

from pathlib import Path

from trio_mud import SessionStarted
from trio_mud.commands import Commands, Mistake
from trio_mud.world import Being, Game, Room, StandardVerbs, Thing, Traveller, every, play_by_name


# rules
class Sword(Thing):
    edge: int = 2


class Fighter(Being):
    def strike(self, foe: Being) -> None:
        """Hit harder with a sword."""
        edge = max((thing.edge for thing in self.contents if isinstance(thing, Sword)), default=0)
        foe.health -= self.strength + edge
        self.act(
            "You {how} {target}.",
            "{actor} {how}s {target}.",
            target=foe,
            to_target="{actor} {how}s you.",
            how="cut" if edge else "hit",
        )

    @every(10)
    def heal(self) -> None:
        if self.foe is None and self.health < self.max_health:
            self.health += 1


# player
class Hero(Traveller, Fighter):
    strength: int = 5


commands = Commands[Hero]()
verbs = StandardVerbs()
commands.include(verbs)


# lamp
class Lamp(Thing):
    oil: float = 60.0  # seconds
    is_lit: bool = False

    def burn_out(self) -> None:
        self.oil, self.is_lit = 0.0, False
        self.room.tell(f"The {self} flickers and dies.")


@commands.verb("light")
def light(who: Hero, lamp: Lamp) -> None:
    """Light a lamp."""
    if lamp.is_lit or lamp.oil <= 0:
        raise Mistake("It burns already." if lamp.is_lit else "It is dry.")
    lamp.is_lit = True
    lamp.after(lamp.oil, lamp.burn_out)
    who.act("You light the {lamp}.", "{actor} lights the {lamp}.", lamp=lamp)


# guard
class Guard(Fighter):
    beat: list[Room] = []
    step: int = 0

    @every(30)
    def walk(self) -> None:
        if self.foe is None:
            self.step += 1
            self.act("", "{actor} trudges off.")
            self.place = self.beat[self.step % len(self.beat)]
            self.act("", "{actor} trudges in.")


# fight
@commands.verb("attack", "kill")
def attack(who: Hero, foe: Being) -> None:
    """Begin a fight."""
    who.attack(foe)
    who.act("You attack {target}!", "{actor} attacks {target}!", target=foe, to_target="{actor} attacks you!")


@commands.verb("flee")
def flee(who: Hero) -> None:
    """Run away from a fight, through the first exit that is open."""
    ways = (way for way in who.room.exits if way not in who.room.doors or who.room.doors[way].is_open)
    way = next(ways, None)
    if who.foe is None or way is None:
        raise Mistake("You have no reason to." if who.foe is None else "There is no way out!")
    who.act("You run!", "{actor} runs!")
    verbs.go(who, way)


# leaving
@commands.verb("quit", abbreviated=False)
def quit_game(who: Hero) -> None:
    """Leave the game."""
    who.session.leave("Farewell.")


# game
hooks = play_by_name(Hero, commands)
game = Game(hooks, maps=[Path(__file__).with_name("manor.toml")])
commands.check()


@hooks.on(SessionStarted)
def begin(event: SessionStarted) -> None:
    verbs.look(event.session.body)
