"""Handling: the verbs of every world, for things and doors, as the valley has them."""

from typing import Annotated

from trio_mud.commands import Mistake, Preposition
from trio_mud.world import StandardVerbs, Thing, Traveller

from ..phrases import HANDLING, PHRASES
from ..things import OilLamp
from ..villager import Villager

__all__ = ["commands"]

MOST_CARRIED = 30  # things; pockets that hold more would empty the valley


class Handling(StandardVerbs):
    """Take, drop, put, give, inventory, open, close, lock and unlock; `look` and `go` are the valley's own."""

    def check_load(self, who: Thing, thing: Thing) -> None:
        """Refuse what is too much for two hands."""
        if len(who.contents) >= MOST_CARRIED:
            raise Mistake(PHRASES.too_much.format(who=who, thing=thing))

    def give(self, who: Traveller, things: str, whom: Annotated[Thing, Preposition("to")]) -> None:
        """Give something to a player.

        give lamp to ann
        """
        if not isinstance(whom, Villager):
            raise Mistake(PHRASES.give_creature.format(whom=whom))
        if whom.is_absent:
            raise Mistake(PHRASES.give_absent.format(whom=whom))
        super().give(who, things, whom)

    def describe(self, who: Traveller, thing: Thing) -> str:
        """Return what is seen of a thing."""
        text = super().describe(who, thing)
        if isinstance(thing, OilLamp):
            return f"{text} {PHRASES.lamp_lit if thing.is_lit else PHRASES.lamp_dark}"
        return text


commands = Handling(HANDLING)
