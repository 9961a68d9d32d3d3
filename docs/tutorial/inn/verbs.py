"""What the lesson adds to the verbs of the game."""

from trio_mud.commands import Commands
from trio_mud.operations import Operations

from .things import Player


def verbs_of(operations: Operations) -> Commands[Player]:
    """Return the new verbs."""
    commands = Commands[Player](role_of=operations.role_of)

    # toast
    @commands.verb("toast")
    def toast(who: Player, words: str) -> None:
        """Drink to something, or to somebody."""
        operations.check_speech(who)
        who.toasts += 1
        who.act("You drink to {words}.", "{actor} drinks to {words}.", words=words)
        who.write(f"That was toast number {who.toasts}.")

    # end
    return commands
