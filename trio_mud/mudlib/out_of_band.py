"""The messages to players' programs beside the text, by GMCP, MSDP and MSSP: for maps, chat windows, lists of players.

Each message goes only to programs that said they take it.
What a player should know stands in the text, too: most programs take nothing else.

Source: the packages Char, Room and Comm.Channel as the games of Iron Realms use them, and Mudlet's mapper after them;
the common variables of MSDP
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trio_mud import Text
from trio_mud.world import Room, World

from .channels import ChannelPlan
from .directions import short_of
from .phrases import PHRASES
from .spot import is_indoors, room_number
from .villager import Villager, villagers, villagers_in

__all__ = [
    "report",
    "sign_of",
    "tell_arrival",
    "tell_channels",
    "tell_departure",
    "tell_listeners",
    "tell_name",
    "tell_room",
    "tell_speech",
]

MOST_LISTENERS = 500  # players in one message


def sign_of(world: World) -> dict[str, str]:
    """Return what MUD listings show of the valley, in the words of MSSP."""
    return {
        "NAME": f"The {PHRASES.valley}",
        "FAMILY": "Custom",
        "GENRE": "Fantasy",
        "GAMEPLAY": "Social",
        "LANGUAGE": "English",
        "AREAS": "1",
        "ROOMS": str(sum(1 for _ in world.store.all(Room))),
    }


def tell_name(who: Villager) -> None:
    """Send the program of a player who comes in, or comes back, who they are."""
    who.gmcp("Char.Name", person(who))
    who.tell_health()


def tell_room(who: Villager) -> None:
    """Send a player's program where they are, and who else is there."""
    room = who.here
    about = {
        "num": room_number(room),
        "name": room.name,
        "area": f"the {PHRASES.valley}",
        "environment": "indoors" if is_indoors(room) else "outdoors",
        "exits": exits(room),
    }
    who.gmcp("Room.Info", about)
    who.gmcp("Room.Players", [person(other) for other in villagers_in(room) if other is not who])
    report(who)


def tell_arrival(who: Villager) -> None:
    """Send the programs of those who are there already that a player has come."""
    for other in villagers_in(who.here):
        if other is not who:
            other.gmcp("Room.AddPlayer", person(who))


def tell_departure(who: Villager, room: Room) -> None:
    """Send the programs of those who are still there that a player has gone."""
    for other in villagers_in(room):
        if other is not who:
            other.gmcp("Room.RemovePlayer", who.name)


def tell_speech(listeners: Iterable[Villager], channel: str, talker: Villager, text: Text) -> None:
    """Send their programs what they read anyway, for a window of its own."""
    heard = {"channel": channel, "talker": talker.name, "text": str(text)}
    for listener in listeners:
        listener.gmcp("Comm.Channel.Text", heard)


def tell_channels(who: Villager, channels: Mapping[str, ChannelPlan]) -> None:
    """Send a player's program the channels that the player listens to."""
    heard = [
        {"name": name, "caption": plan.caption, "command": name}
        for name, plan in channels.items()
        if who.listens_to(name)
    ]
    who.gmcp("Comm.Channel.List", heard)


def tell_listeners(who: Villager, channels: Iterable[str]) -> None:
    """Send a player's program who is in the valley, and which channels each of them listens to."""
    assert who.session is not None, f"{who!r} asks without a session"
    present = villagers(who.session.server)[:MOST_LISTENERS]
    listeners = [
        {"name": other.name, "channels": [name for name in channels if other.listens_to(name)]} for other in present
    ]
    who.gmcp("Comm.Channel.Players", listeners)


def report(who: Villager) -> None:
    """Give the variables of MSDP their values; those that the program asked for and that changed are sent."""
    if who.connection is not None:
        who.connection.msdp("CHARACTER_NAME", who.name)
        who.connection.msdp("ROOM_NAME", who.here.name)
        who.connection.msdp("ROOM_EXITS", exits(who.here))


def person(who: Villager) -> dict[str, str]:
    """Return a player as these packages describe people."""
    return {"name": who.name, "fullname": who.name}


def exits(room: Room) -> dict[str, int]:
    """Return the ways out by their short names, and the numbers of the rooms they lead to."""
    return {short_of(way): room_number(goal) for way, goal in room.exits.items()}
