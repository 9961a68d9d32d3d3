"""Being away from the keyboard: whoever tells something reads it once, until the next command."""

from trio_mud.commands import Commands

from ..quoting import close_up
from ..social_phrases import SOCIAL_PHRASES
from ..villager import Villager

__all__ = ["commands", "end_absence", "mention_absence"]

LONGEST = 80  # characters of a message
MOST_TOLD = 200  # players who read it

commands = Commands[Villager](help_verbs=())


@commands.verb("afk")
def go_afk(who: Villager, message: str = "") -> None:
    """Let others know that you are away, until your next command.

    afk lunch    is read by those who tell you something
    """
    if message:
        who.check_speech()
    who.away = close_up(message)[:LONGEST].rstrip() or SOCIAL_PHRASES.afk_plain
    who.away_read_by = frozenset()
    who.write(SOCIAL_PHRASES.afk_now.format(message=who.away))


def end_absence(who: Villager) -> None:
    """Be back, because a command was typed."""
    who.away = ""
    who.write(SOCIAL_PHRASES.afk_over)


def mention_absence(whom: Villager, teller: Villager) -> None:
    """Show somebody who told a player something that the player is away; once to each."""
    if whom.away and teller.person not in whom.away_read_by and len(whom.away_read_by) < MOST_TOLD:
        whom.away_read_by |= {teller.person}
        teller.write(SOCIAL_PHRASES.afk_told.format(name=whom.name, message=whom.away))
