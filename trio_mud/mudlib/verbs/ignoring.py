"""Ignoring: hearing nothing more from somebody, who is not told.

It holds for all characters of an account; a guest is ignored by name.
"""

from trio_mud.commands import Commands, Mistake, listing, matches

from ..people import character_called, key_of
from ..social_phrases import SOCIAL_PHRASES
from ..villager import Villager
from .talking import player_called

__all__ = ["MOST_IGNORED", "commands"]

MOST_IGNORED = 50

commands = Commands[Villager](help_verbs=())


@commands.verb("ignore")
async def ignore(who: Villager, name: str = "") -> None:
    """Hear nothing more from a player, or list those you ignore.

    It holds for what they say, shout, tell, emote and write, and they are not told. See help ignoring.
    """
    if not name:
        ignored = listing(sorted(who.ignored.values()), "and")
        phrases = SOCIAL_PHRASES
        who.write(phrases.ignored_are.format(names=ignored) if ignored else phrases.ignored_nobody)
        return
    person, shown = await person_called(who, name)
    if person == who.person:
        raise Mistake(SOCIAL_PHRASES.ignored_self)
    if person not in who.ignored and len(who.ignored) >= MOST_IGNORED:
        raise Mistake(SOCIAL_PHRASES.ignored_full.format(most=MOST_IGNORED))
    who.ignored = {**who.ignored, person: shown}
    who.write(SOCIAL_PHRASES.ignored_now.format(name=shown))


@commands.verb("unignore")
def unignore(who: Villager, name: str) -> None:
    """Hear a player again."""
    by_name = {key_of(shown): person for person, shown in who.ignored.items()}
    found = matches(key_of(name), by_name)
    if len(found) != 1:
        raise Mistake(SOCIAL_PHRASES.ignored_unknown.format(name=name))
    person = by_name[found[0]]
    who.write(SOCIAL_PHRASES.ignored_not.format(name=who.ignored[person]))
    who.ignored = {other: shown for other, shown in who.ignored.items() if other != person}


async def person_called(who: Villager, name: str) -> tuple[str, str]:
    """Return the key by which a player is ignored, and the name; they may be away if they have an account.

    Raises:
        Mistake: There is no such player.
    """
    other = await character_called(who.world.store, name) or player_called(who, name)
    return other.person, other.name
