"""The valley: its rooms, its sky, and everybody in it.

The state of one world and the few things that change it; what players see of that is said by `entry.py` and `verbs/`.
Nothing here waits, so every call is one step of the world.
"""

from __future__ import annotations

from trio_mud import Connection

from .errors import Mistake
from .guest import Guest
from .maps import Hour, Map, room_number
from .matching import listing, matches
from .names import same_name
from .room import Room

__all__ = ["Valley"]


class Valley:
    """A fresh world after a map; any number of them live side by side.

    Attributes:
        name: What it is called, as in "welcome to ...".
        start: The room where people come in.
        rooms: All rooms, by their keys in the map.
    """

    def __init__(self, plan: Map) -> None:
        self.name = plan.name
        self.rooms = {key: Room(room, room_number(key)) for key, room in plan.rooms.items()}
        self.start = self.rooms[plan.start]
        for key, room in self.rooms.items():
            room.exits.update({way: self.rooms[goal] for way, goal in plan.rooms[key].exits.items()})
        self._sky = plan.sky
        self._hour = 0
        self._guests: dict[str, Guest] = {}  # by what `same_name` makes of their names

    # People

    @property
    def guests(self) -> list[Guest]:
        """Everybody, in the order they came."""
        return list(self._guests.values())

    def enter(self, name: str, connection: Connection) -> Guest:
        """Let somebody in at the start, under a name that is theirs until they `leave`.

        Raises:
            Mistake: Somebody here has that name. Of two who ask at the same time, the second is told.
        """
        if same_name(name) in self._guests:
            raise Mistake(f"{self._guests[same_name(name)].name} is in the valley already. What else are you called?")
        guest = self._guests[same_name(name)] = Guest(name, connection, self, self.start)
        self.start.guests.append(guest)
        connection.body, connection.name = guest, name
        return guest

    def leave(self, guest: Guest) -> None:
        """Somebody is here no more, and the name is free."""
        del self._guests[same_name(guest.name)]
        guest.room.guests.remove(guest)

    def guest_called(self, words: str) -> Guest:
        """Whoever is meant by these words, a name in full or the beginning of one.

        Raises:
            Mistake: Nobody is, or it is not clear who.
        """
        return guest_among(self.guests, words, otherwise=f'Nobody in the valley is called "{words}".')

    # The sky

    @property
    def hour(self) -> Hour:
        """The part of the day it is."""
        return self._sky.hours[self._hour]

    @property
    def hour_length(self) -> float:
        """Seconds from one to the next."""
        return self._sky.length

    def pass_hour(self) -> None:
        """Let the next part of the day begin, and everybody notice, each where they are."""
        self._hour = (self._hour + 1) % len(self._sky.hours)
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
