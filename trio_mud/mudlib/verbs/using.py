"""Using: a lamp, a loaf, and fists."""

from trio_mud.commands import Commands, Mistake

from ..creatures import Creature, SluiceRat
from ..phrases import PHRASES
from ..spot import open_ways
from ..things import Loaf, OilLamp
from ..villager import Villager
from .handling import commands as handling
from .moving import go

__all__ = ["commands"]

commands = Commands[Villager](help_verbs=())
commands.include(handling)  # for its converters


@commands.verb("light")
def light(who: Villager, lamp: OilLamp) -> None:
    """Light a lamp, which burns until its oil is used up."""
    if lamp.is_lit:
        raise Mistake(PHRASES.is_lit.format(lamp=lamp))
    if lamp.oil <= 0:
        raise Mistake(PHRASES.no_oil.format(lamp=lamp))
    lamp.light()
    who.act("You light the {lamp}.", "{actor} lights the {lamp}.", lamp=lamp)


@commands.verb("douse", "extinguish")
def douse(who: Villager, lamp: OilLamp) -> None:
    """Put out a lamp, and save its oil."""
    if not lamp.is_lit:
        raise Mistake(PHRASES.is_not_lit.format(lamp=lamp))
    lamp.put_out()
    who.act("You put out the {lamp}.", "{actor} puts out the {lamp}.", lamp=lamp)


@commands.verb("eat")
def eat(who: Villager, loaf: Loaf) -> None:
    """Eat something, which does you good."""
    who.act("You eat the {loaf}.", "{actor} eats the {loaf}.", loaf=loaf)
    loaf.destroy()
    who.heal(loaf.heals)


@commands.verb("kill", "attack", abbreviated=False)
def kill(who: Villager, foe: Creature) -> None:
    """Begin a fight with a creature.

    It goes on by itself, blow by blow, until one of you falls or you flee.
    When you fall, you wake up on Toll Green, and what you carried lies where you fell.
    """
    if not isinstance(foe, SluiceRat):
        raise Mistake(PHRASES.no_fight.format(foe=foe))
    if who.foe is foe:
        raise Mistake(PHRASES.fights_already.format(foe=foe))
    who.attack(foe)
    who.act("You go for {target}!", "{actor} goes for {target}!", target=foe)


@commands.verb("flee")
def flee(who: Villager) -> None:
    """Run from a fight, through the first way that is open."""
    if who.foe is None:
        raise Mistake(PHRASES.no_foe)
    ways = open_ways(who.here)
    if not ways:
        raise Mistake(PHRASES.no_escape)
    who.foe = None
    who.act("You run!", "{actor} runs!")
    go(who, ways[0])


@commands.verb("health")
def health(who: Villager) -> None:
    """See how well you are."""
    who.write(PHRASES.health.format(health=who.health, most=who.max_health))
