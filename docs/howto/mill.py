"""A small game: accounts, three rooms, a sack, a rat that fights, and a channel."""

from pathlib import Path

from trio_mud import Hooks, SessionEnded, SessionResumed, SessionStarted
from trio_mud.accounts import Accounts, Login
from trio_mud.commands import Commands, listing
from trio_mud.world import Being, Game, StandardVerbs, Traveller, World, every


# bodies
class Miller(Traveller, Being):
    strength: int = 3


class Rat(Being):
    strength: int = 2

    @every(10)
    def bite(self) -> None:
        """Attack a player that it finds."""
        if self.foe is None and (
            prey := next((thing for thing in self.room.contents if isinstance(thing, Miller)), None)
        ):
            self.attack(prey)
            self.act("", "{actor} leaps at {target}!", target=prey, to_target="{actor} leaps at you!")


# verbs
commands = Commands[Miller]()
verbs = StandardVerbs()
commands.include(verbs)


# fight
@commands.verb("kill", "attack")
def kill(who: Miller, foe: Being) -> None:
    """Begin a fight."""
    who.attack(foe)
    who.act("You attack {target}!", "{actor} attacks {target}!", target=foe, to_target="{actor} attacks you!")


# talk
@commands.verb("say", "'")
def say(who: Miller, words: str) -> None:
    """Say something to the room."""
    who.act("You say: {words}", "{actor} says: {words}", words=words)


@commands.verb("chat")
def chat(who: Miller, words: str) -> None:
    """Say something to all players."""
    for session in who.session.server.sessions:
        session.write(f"[chat] {who}: {words}")


@commands.verb("who")
def list_players(who: Miller) -> None:
    """List the players."""
    who.write("Here are " + listing([str(session.body) for session in who.session.server.sessions], "and") + ".")


@commands.verb("quit", abbreviated=False)
def leave(who: Miller) -> None:
    """Leave the game."""
    who.session.leave("The wheel turns on without you.")


# game
def mill(world: World) -> Hooks:
    hooks = Login(Accounts.of(world, Miller)).play(commands)

    @hooks.on(SessionStarted)
    @hooks.on(SessionResumed)
    def come_in(event: SessionStarted | SessionResumed) -> None:
        event.session.body.act("", "{actor} comes in.")
        verbs.look(event.session.body)

    @hooks.on(SessionEnded)
    def go_home(event: SessionEnded) -> None:
        event.session.body.act("", "{actor} goes home.")

    return hooks


commands.check()
game = Game(mill, records=Accounts.records, maps=[Path(__file__).with_name("mill.toml")])
