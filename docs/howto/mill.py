"""A small game: accounts, three rooms, a sack, a rat that fights, and a channel."""

from collections.abc import Awaitable
from pathlib import Path

from trio_mud import Admitted, Hooks, Input, SessionEnded, SessionResumed, SessionStarted
from trio_mud.accounts import Accounts, Login
from trio_mud.commands import Commands, Mistake, listing, the_many, the_one
from trio_mud.world import Being, Game, Thing, Traveller, World, every


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
commands.converter(Thing)(the_one)
commands.converter(list[Thing])(the_many)


@commands.verb("look")
def look(who: Miller, thing: Thing | None = None) -> None:
    """Look around, or at something."""
    if thing is not None:
        who.write(thing.text or f"You see nothing special about the {thing}.")
        return
    who.write(f"{who.room}\n{who.room.text}\nExits: {', '.join(who.room.exits)}.")
    for other in who.room.contents:
        if other is not who:
            who.write(f"  {other}")


@commands.verb("go")
def go(who: Miller, way: str) -> None:
    """Go through an exit."""
    if way not in who.room.exits:
        raise Mistake("There is no way there.")
    who.act("", "{actor} leaves {way}.", way=way)
    who.place = who.room.exits[way]
    who.act("", "{actor} comes in.")
    look(who)


@commands.verb("take")
def take(who: Miller, things: list[Thing]) -> None:
    """Take something."""
    for thing in things:
        if thing.place is not who.room or isinstance(thing, Being):
            raise Mistake(f"You cannot take the {thing}.")
        thing.place = who
        who.act("You take the {thing}.", "{actor} takes the {thing}.", thing=thing)


@commands.verb("drop")
def drop(who: Miller, things: list[Thing]) -> None:
    """Drop something."""
    for thing in things:
        if thing.place is not who:
            raise Mistake(f"You do not carry the {thing}.")
        thing.place = who.room
        who.act("You drop the {thing}.", "{actor} drops the {thing}.", thing=thing)


@commands.verb("inventory")
def inventory(who: Miller) -> None:
    """List what you carry."""
    who.write(f"You carry {listing([str(thing) for thing in who.contents], 'and') or 'nothing'}.")


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
    hooks = Hooks()
    accounts = Accounts.of(world, Miller)
    login = Login(accounts)
    hooks.include(accounts.hooks)

    @hooks.on(Admitted)
    def greet(event: Admitted) -> None:
        event.connection.start_dialog(login.run, deadline=accounts.options.login_timeout)

    @hooks.on(SessionStarted)
    @hooks.on(SessionResumed)
    def come_in(event: SessionStarted | SessionResumed) -> None:
        event.session.body.act("", "{actor} comes in.")
        look(event.session.body)

    @hooks.on(SessionEnded)
    def go_home(event: SessionEnded) -> None:
        event.session.body.act("", "{actor} goes home.")

    @hooks.on(Input)
    def obey(event: Input) -> Awaitable[object] | None:
        return commands.run(event.connection.session.body, event.line)

    return hooks


commands.check()
game = Game(mill, records=Accounts.records, maps=[Path(__file__).with_name("mill.toml")])
