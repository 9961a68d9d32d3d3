"""A manor: a lamp that burns out, a door with a lock, a guard that walks and fights."""

from pathlib import Path

from trio_mud import Admitted, Dialog, Hooks, Input, SessionEnded, SessionStarted
from trio_mud.commands import Commands, Mistake, the_many, the_one
from trio_mud.world import Being, Door, Game, Room, Thing, Traveller, World, every


class Hero(Traveller, Being):
    strength: int = 5


commands = Commands[Hero]()
commands.converter(Thing)(the_one)
commands.converter(list[Thing])(the_many)


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


# door
@commands.verb("open")
def open_door(who: Hero, door: Door) -> None:
    """Open a door, with its key if it is locked."""
    if door.is_locked and not any(thing.template == door.opened_by for thing in who.contents):
        raise Mistake("It is locked, and you have no key for it.")
    door.is_locked, door.is_open = False, True
    who.act("You open the {door}.", "{actor} opens the {door}.", door=door)


# guard
class Guard(Being):
    beat: list[Room] = []
    step: int = 0

    @every(30)
    def walk(self) -> None:
        if self.foe is None:
            self.step += 1
            self.act("", "{actor} trudges off.")
            self.place = self.beat[self.step % len(self.beat)]
            self.act("", "{actor} trudges in.")


@commands.verb("attack", "kill")
def attack(who: Hero, foe: Being) -> None:
    """Begin a fight."""
    who.attack(foe)
    who.act("You attack {target}!", "{actor} attacks {target}!", target=foe, to_target="{actor} attacks you!")


# verbs
@commands.verb("look")
def look(who: Hero) -> None:
    """Look around."""
    others = ", ".join(str(thing) for thing in who.room.contents if thing is not who)
    who.write(f"{who.room}. Exits: {', '.join(who.room.exits)}. Here: {others or 'nothing'}.")


@commands.verb("take")
def take(who: Hero, things: list[Thing]) -> None:
    """Take something, or all."""
    for thing in things:
        if thing.place is who.room and not thing.is_fixed:
            thing.place = who
            who.act("You take the {thing}.", "{actor} takes the {thing}.", thing=thing)
        elif thing.is_fixed and len(things) == 1:
            raise Mistake(f"The {thing} stays where it is.")


@commands.verb("drop")
def drop(who: Hero, things: list[Thing]) -> None:
    """Drop something, or all."""
    for thing in things:
        if thing.place is who:
            thing.place = who.room
            who.act("You drop the {thing}.", "{actor} drops the {thing}.", thing=thing)


@commands.verb("go")
def go(who: Hero, way: str) -> None:
    """Go through an exit."""
    room, door = who.room.exits.get(way), who.room.doors.get(way)
    if room is None:
        raise Mistake("There is no way there.")
    if door is not None and not door.is_open:
        raise Mistake(f"The {door} is closed.")
    who.act("", "{actor} leaves {way}.", way=way)
    who.place = room
    who.act("", "{actor} comes in.")
    look(who)


@commands.verb("quit")
def quit_game(who: Hero) -> None:
    """Leave the game."""
    who.session.leave("Farewell.")


# game
hooks = Hooks()
game = Game(hooks, maps=[Path(__file__).with_name("manor.toml")])
commands.check()


@hooks.on(Admitted)
def greet(event: Admitted) -> None:
    event.connection.start_dialog(come_in)


async def come_in(dialog: Dialog) -> None:
    connection = dialog.connection
    world = World.of(connection.server)
    name = await dialog.ask("By what name? ")
    key = name.casefold()
    hero = await world.store.hold(Hero, key)
    if hero is None:
        world.add(Hero(name=name), key)
        hero = await world.store.hold(Hero, key)
    known = connection.server.sessions.get(key)
    if connection.server.sessions.enter(key, connection, body=hero) is known:  # that session holds its body already
        world.store.release(hero)


@hooks.on(SessionStarted)
def begin(event: SessionStarted) -> None:
    look(event.session.body)


@hooks.on(SessionEnded)
def end(event: SessionEnded) -> None:
    World.of(event.session.server).store.release(event.session.body)


@hooks.on(Input)
def obey(event: Input) -> object:
    session = event.connection.session
    return commands.run(session.body, event.line) if session is not None else None
