"""Gesturing: the socials of the file, each a verb of its own."""

from collections.abc import Callable
from typing import Annotated

from trio_mud import markup
from trio_mud.commands import Commands, the_one
from trio_mud.world import Thing

from ..lore import SOCIALS, TOPICS
from ..socials import Aimed, Alone, Social
from ..villager import Villager, villagers_in
from .talking import notice, others, utter

__all__ = ["commands", "gestures"]


def target_here(who: Villager, words: str) -> Thing:
    """Return the player or creature in the same room that the words mean; `me` is the actor."""
    return who if words.casefold() == "me" else the_one(who, words, Thing)


Target = Annotated[Thing, target_here]


def gestures(socials: dict[str, Social]) -> Commands[Villager]:
    """Return a table of these socials.

    None of them can be shortened, so that they never make the short form of another verb unclear. A table that
    includes this one after all others keeps its other verbs.
    """
    table = Commands[Villager](help_verbs=())
    for word, social in socials.items():
        table.verb(word, abbreviated=False)(gesture(social))
    return table


def gesture(social: Social) -> Callable[..., None]:
    """Return the command of one social. It has no docstring, so that `help` lists all of them on one page."""
    alone, aimed = social.alone, social.aimed

    def make(who: Villager) -> None:
        show(who, alone)

    def make_at(who: Villager, whom: Target | None = None) -> None:
        if aimed is None or whom is None or whom is who:
            show(who, alone)
        else:
            show(who, aimed, whom)

    return make if aimed is None else make_at


def show(who: Villager, texts: Alone | Aimed, target: Thing | None = None) -> None:
    """Show a gesture to its actor, its target and the others in the room."""
    words = {"actor": who.name, "target": shown_name(target)}
    around = others(who, villagers_in(who.here))
    utter("emote", who, markup(texts.actor, **words), [who])
    if isinstance(texts, Aimed) and isinstance(target, Villager):
        utter("emote", who, markup(texts.target, **words), [target])
        around = others(target, around)
    seen = markup(texts.others, **words)
    utter("emote", who, seen, around)
    notice(who, str(seen))


def shown_name(target: Thing | None) -> str:
    """Return the name of a target as a sentence has it."""
    if target is None or isinstance(target, Villager):
        return str(target or "")
    return f"the {target.name}"


commands = gestures(dict(SOCIALS))


@commands.verb("socials")
def list_socials(who: Villager) -> None:
    """List the gestures that you can make."""
    who.read(TOPICS["socials"].text)
