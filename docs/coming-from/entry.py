"""Lets players in by name. A real game asks for a password: see docs/howto/mill.py."""

from trio_mud import Hooks, SessionEnded, SessionStarted
from trio_mud.commands import Commands
from trio_mud.world import Traveller, play_by_name


def hooks_for(kind: type[Traveller], commands: Commands) -> Hooks:
    """Return the hooks of a game whose players have bodies of this class and type these commands."""
    hooks = play_by_name(kind, commands)

    @hooks.on(SessionStarted)
    def begin(event: SessionStarted) -> None:
        event.session.body.act("", "{actor} comes in.")
        commands.run(event.session.body, "look")

    @hooks.on(SessionEnded)
    def end(event: SessionEnded) -> None:
        event.session.body.act("", "{actor} goes home.")

    return hooks
