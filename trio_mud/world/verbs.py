"""The verbs that most games have, on the things, rooms, doors and containers of a world.

They are a table of commands to include, and have no rules that games disagree about: no weight, no light, no shops.
A verb that the game registers itself is used in place of the one here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from trio_mud.commands import Commands, Mistake, Preposition, listing, matches, the_many, the_one

from .being import Being, Traveller
from .phrases import VerbPhrases
from .room import Container, Door, Room
from .thing import Thing

__all__ = ["DIRECTIONS", "StandardVerbs"]

MOST: Final = 50  # things that one command lists or moves

DIRECTIONS: Final[Mapping[str, Sequence[str]]] = {  # the exits that are verbs, with their short forms
    "north": ("n",),
    "northeast": ("ne",),
    "east": ("e",),
    "southeast": ("se",),
    "south": ("s",),
    "southwest": ("sw",),
    "west": ("w",),
    "northwest": ("nw",),
    "up": ("u",),
    "down": ("d",),
    "in": (),
    "out": (),
}


@dataclass(frozen=True, slots=True)
class _Near:
    """Restricts a search to some things."""

    things: Sequence[Thing]
    contents: Sequence[Thing] = ()

    def in_reach(self) -> Sequence[Thing]:
        return self.things


class StandardVerbs(Commands[Traveller]):
    """The verbs look, go, take, drop, put, give, inventory, open, close, lock and unlock, and the directions.

    Include them in the table of a game: `commands.include(StandardVerbs())`. They bring the converters for `Thing` and
    `list[Thing]`. Override `describe_room` and `describe` for other views, and `check_load` for
    rules of what can be carried.

    Args:
        phrases: Their sentences. Pass the same to the table that includes them, which answers unknown words.
        directions: The exits that are verbs, with their short forms.
    """

    def __init__(
        self, phrases: VerbPhrases | None = None, *, directions: Mapping[str, Sequence[str]] = DIRECTIONS
    ) -> None:
        self._say = phrases or VerbPhrases()
        super().__init__(help_verbs=(), phrases=self._say)
        self.converter(Thing)(the_one)
        self.converter(list[Thing])(the_many)
        self.verb("look", "l")(self.look)
        self.verb("go")(self.go)
        self.verb("take", "get")(self.take)
        self.verb("drop")(self.drop)
        self.verb("put")(self.put)
        self.verb("give")(self.give)
        self.verb("inventory", "i")(self.inventory)
        self.verb("open")(self.open)
        self.verb("close", "shut")(self.close)
        self.verb("lock")(self.lock)
        self.verb("unlock")(self.unlock)
        for way, short in directions.items():
            self.verb(way, *short)(self._walker(way))

    # Looking

    def look(self, who: Traveller, thing: Annotated[Thing, Preposition("at", "in")] | None = None) -> None:
        """Look around, or at something."""
        who.write(self.describe_room(who, self._room_of(who)) if thing is None else self.describe(who, thing))

    def inventory(self, who: Traveller) -> None:
        """List what you carry."""
        carried = self.names(who.contents)
        who.write(self._say.carried.format(things=carried) if carried else self._say.carry_nothing)

    def describe_room(self, who: Traveller, room: Room) -> str:
        """Return the view of a room: its name, its text, its exits, and what is in it."""
        ways = [
            self._say.closed_exit.format(way=way) if way in room.doors and not room.doors[way].is_open else way
            for way in room.exits
        ]
        others = self.names(thing for thing in room.contents if thing is not who)
        lines = [
            room.name,
            room.text,
            self._say.exits.format(exits=", ".join(ways)) if ways else self._say.no_exits,
            self._say.here.format(things=others) if others else "",
        ]
        return "\n".join(filter(None, lines))

    def describe(self, who: Traveller, thing: Thing) -> str:
        """Return the view of a thing: its text, whether it is open, and what is in it."""
        lines = [thing.text]
        if isinstance(thing, Door | Container) and not thing.is_open:
            lines.append(self._say.is_closed.format(thing=thing))
        elif isinstance(thing, Door):
            lines.append(self._say.is_open.format(thing=thing))
        elif isinstance(thing, Container):
            inside = self.names(thing.contents)
            lines.append(self._say.inside.format(things=inside) if inside else self._say.empty)
        return "\n".join(filter(None, lines)) or self._say.plain.format(thing=thing)

    # Going

    def go(self, who: Traveller, way: str) -> None:
        """Go through an exit."""
        room = self._room_of(who)
        found = matches(way, room.exits)
        if not found:
            raise Mistake(self._say.no_way.format(way=way))
        if len(found) > 1:
            raise Mistake(self._say.ambiguous.format(choices=listing(found, self._say.either)))
        way = found[0]
        door = room.doors.get(way)
        if door is not None and not door.is_open:
            raise Mistake(self._say.is_closed.format(thing=door))
        who.act("", self._say.leave, way=way)
        who.place = room.exits[way]
        who.act("", self._say.arrive)
        self.look(who)

    # Moving things

    def take(self, who: Traveller, things: str, box: Annotated[Container, Preposition("from")] | None = None) -> None:
        """Take something, or several things, or out of a box.

        take sword, take 2.sword, take all.coin, take all, take coin from box
        """
        if box is None:
            near = [thing for thing in who.in_reach() if thing.place is not who]
        else:
            near = list(self._contents_of(box))
        near.sort(key=lambda thing: thing.is_fixed)  # what can be taken is found first
        chosen = the_many(_Near(near), things, Thing, phrases=self._say)
        if len(chosen) > 1:  # all of one place, without what stays there
            place = who.place if box is None else box
            chosen = [thing for thing in chosen if thing.place is place and _can_go(thing)]
            if not chosen:
                raise Mistake(self._say.nothing_to_take)
        for thing in chosen[:MOST]:
            if not _can_go(thing):
                raise Mistake(self._say.cannot_take.format(thing=thing))
            self.check_load(who, thing)
            before, thing.place = thing.place, who
            if isinstance(before, Container):
                who.act(self._say.take_from, self._say.others_take_from, thing=thing, box=before)
            else:
                who.act(self._say.take, self._say.others_take, thing=thing)

    def check_load(self, who: Thing, thing: Thing) -> None:
        """Called before `who` takes a thing or is given it; override it, and raise `Mistake` to refuse."""

    def drop(self, who: Traveller, things: str) -> None:
        """Drop something, or all."""
        for thing in self._carried(who, things):
            thing.place = who.place
            who.act(self._say.drop, self._say.others_drop, thing=thing)

    def put(self, who: Traveller, things: str, box: Annotated[Container, Preposition("in", "into")]) -> None:
        """Put something into a box."""
        self._contents_of(box)
        for thing in self._carried(who, things, but=box):
            if thing is box or box in thing.all_inside:
                raise Mistake(self._say.no_room.format(thing=thing, box=box))
            thing.place = box
            who.act(self._say.put, self._say.others_put, thing=thing, box=box)

    def give(self, who: Traveller, things: str, whom: Annotated[Thing, Preposition("to")]) -> None:
        """Give something to a player or a creature."""
        if not isinstance(whom, Being | Traveller):
            raise Mistake(self._say.not_fit.format(name=whom))
        for thing in self._carried(who, things):
            self.check_load(whom, thing)
            thing.place = whom
            who.act(self._say.give, self._say.others_give, target=whom, to_target=self._say.target_give, thing=thing)

    # Doors and boxes

    def open(self, who: Traveller, thing: Thing) -> None:
        """Open a door or a box."""
        door = self._openable(thing)
        if door.is_open:
            raise Mistake(self._say.is_open.format(thing=door))
        if isinstance(door, Door) and door.is_locked:
            raise Mistake(self._say.is_locked.format(thing=door))
        door.is_open = True
        who.act(self._say.open, self._say.others_open, thing=door)
        self._show_beyond(who, door, self._say.beyond_open)

    def close(self, who: Traveller, thing: Thing) -> None:
        """Close a door or a box."""
        door = self._openable(thing)
        if not door.is_open:
            raise Mistake(self._say.is_closed.format(thing=door))
        door.is_open = False
        who.act(self._say.close, self._say.others_close, thing=door)
        self._show_beyond(who, door, self._say.beyond_close)

    def lock(self, who: Traveller, door: Door) -> None:
        """Lock a closed door whose key you carry."""
        if door.is_open:
            raise Mistake(self._say.is_open.format(thing=door))
        if door.is_locked:
            raise Mistake(self._say.is_locked.format(thing=door))
        self._check_key(who, door)
        door.is_locked = True
        who.act(self._say.lock, self._say.others_lock, thing=door)

    def unlock(self, who: Traveller, door: Door) -> None:
        """Unlock a door whose key you carry."""
        if not door.is_locked:
            raise Mistake(self._say.is_unlocked.format(thing=door))
        self._check_key(who, door)
        door.is_locked = False
        who.act(self._say.unlock, self._say.others_unlock, thing=door)

    # Inside

    def _walker(self, way: str) -> Callable[[Traveller], None]:
        def walk(who: Traveller) -> None:  # no docstring: help lists `go` alone
            self.go(who, way)

        return walk

    def _room_of(self, who: Traveller) -> Room:
        room = who.room
        if room is None:
            raise Mistake(self._say.nowhere)
        return room

    def names(self, things: Iterable[Thing]) -> str:
        """Return the names of things in one sentence, each once with its number, and at most `MOST` of them."""
        counts = Counter(str(thing) for thing in things)
        names = [
            name if count == 1 else self._say.counted.format(name=name, count=count) for name, count in counts.items()
        ]
        if len(names) > MOST:
            names = [*names[:MOST], self._say.others.format(count=len(names) - MOST)]
        return listing(names, self._say.both)

    def _carried(self, who: Traveller, words: str, *, but: Thing | None = None) -> list[Thing]:
        """Return the carried things that the words mean; without `but`, if there are several."""
        mine = words if words.casefold().startswith("my ") else f"my {words}"
        found = the_many(who, mine, Thing, phrases=self._say)
        return [thing for thing in found if thing is not but or len(found) == 1][:MOST]

    def _contents_of(self, box: Container) -> tuple[Thing, ...]:
        if not box.is_open:
            raise Mistake(self._say.is_closed.format(thing=box))
        return box.contents

    def _openable(self, thing: Thing) -> Door | Container:
        if not isinstance(thing, Door | Container):
            raise Mistake(self._say.not_fit.format(name=thing))
        return thing

    def _check_key(self, who: Traveller, door: Door) -> None:
        if not door.opened_by or all(thing.template != door.opened_by for thing in who.contents):
            raise Mistake(self._say.no_key.format(thing=door))

    def _show_beyond(self, who: Traveller, door: Thing, phrase: str) -> None:
        """Show to the rooms behind a door what happened to it."""
        room = self._room_of(who)
        for way in [way for way, other in room.doors.items() if other is door]:
            if way in room.exits:
                room.exits[way].tell(phrase.format(thing=door))


def _can_go(thing: Thing) -> bool:
    """Return True if a player can take the thing."""
    return not thing.is_fixed and thing._is_portable()
