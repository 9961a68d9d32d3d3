"""The valley: its rooms, its sky, and everybody and everything in it.

The state of one world and the few things that change it; what players see of that is said by `entry.py` and `verbs/`.
Nothing here waits, so every call is one step of the world.
"""

from __future__ import annotations

from trio_mud.accounts import Accounts, same_name
from trio_mud.commands import Mistake, listing, matches
from trio_mud.storage import Store

from .almanac import Date, date_after
from .board import Board
from .creature import Creature
from .guest import Guest
from .maps import Hour, Map, room_number
from .room import Location

__all__ = ["Valley"]

HOURS = "valley.hours"  # the value that keeps the date over a restart


class Valley:
    """A fresh world after a map; any number of them live side by side.

    Attributes:
        name: What it is called, as in "welcome to ...".
        start: The room where people come in.
        rooms: All rooms, by their keys in the map.
        creature: Whoever wanders here; None if nobody does.
        accounts: Those of its players; None where nothing is kept.
    """

    def __init__(self, plan: Map, store: Store | None = None) -> None:
        self.name = plan.name
        self.accounts: Accounts | None = None
        self._store = store
        self.rooms = {
            key: Location(room, room_number(key), self._board(key) if room.board else None)
            for key, room in plan.rooms.items()
        }
        self.start = self.rooms[plan.start]
        for key, room in self.rooms.items():
            room.exits.update({way: self.rooms[goal] for way, goal in plan.rooms[key].exits.items()})
        self.creature = Creature(plan.creature, self.rooms[plan.creature.start]) if plan.creature else None
        self._sky = plan.sky
        self._hours: int = store.value(HOURS, 0) if store is not None else 0  # that have passed
        self._guests: dict[str, Guest] = {}  # by what `same_name` makes of their names

    # People

    @property
    def guests(self) -> list[Guest]:
        """Everybody, in the order they came."""
        return list(self._guests.values())

    def enter(self, guest: Guest) -> None:
        """Give a guest's body its place at the start. That nobody else has the name is seen to by the sessions."""
        self._guests[same_name(guest.name)] = guest
        guest.room.guests.append(guest)

    def leave(self, guest: Guest) -> None:
        """Somebody is here no more."""
        del self._guests[same_name(guest.name)]
        guest.room.guests.remove(guest)

    def guest_called(self, words: str) -> Guest:
        """Whoever is meant by these words, a name in full or the beginning of one.

        Raises:
            Mistake: Nobody is, or it is not clear who.
        """
        return guest_among(self.guests, words, otherwise=f'Nobody in the valley is called "{words}".')

    def notice(self, room: Location, words: str) -> None:
        """Something was said or done in a room; the creature may care, if it is there."""
        if self.creature is not None and self.creature.room is room:
            self.creature.notice(words)

    def _board(self, key: str) -> Board:
        """The board of a room, with the notes that were kept."""
        if self._store is None:
            return Board()
        return self._store.get(Board, key) or self._store.add(Board(), key)

    # The sky

    @property
    def hour(self) -> Hour:
        """The part of the day it is."""
        return self._sky.hours[self._hours % len(self._sky.hours)]

    @property
    def date(self) -> Date:
        """The day of the season, and the year."""
        return date_after(self._hours, len(self._sky.hours), self._sky.seasons)

    @property
    def hour_length(self) -> float:
        """Seconds from one to the next."""
        return self._sky.length

    def pass_hour(self) -> None:
        """Let the next part of the day begin, and everybody notice, each where they are."""
        self._hours += 1
        if self._store is not None:
            self._store.set_value(HOURS, self._hours)
        for guest in self.guests:
            guest.write(self.hour.indoors if guest.room.indoors else self.hour.outdoors)


def guest_among(guests: list[Guest], words: str, *, otherwise: str) -> Guest:
    """The one of these guests that the words mean, in full or shortened.

    Raises:
        Mistake: Several are meant; or nobody is, and its text is `otherwise`.
    """
    by_name = {same_name(guest.name): guest for guest in guests}
    found = [by_name[name] for name in matches(same_name(words), by_name)]
    if not found:
        raise Mistake(otherwise)
    if len(found) > 1:
        raise Mistake(f"Do you mean {listing([guest.name for guest in found], 'or')}?")
    return found[0]
