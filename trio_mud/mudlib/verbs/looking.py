"""Looking: at the room, at each other, at who is there, at the time."""

from typing import Annotated

from wcwidth import wcswidth

from trio_mud import Markup, join, link, markup
from trio_mud.commands import Commands

from ..board import Board
from ..guest import Guest
from ..valley import guest_among
from .writing import show_notes

__all__ = ["commands", "show_room"]

STILL = 60.0  # seconds without a line, before it is seen

commands = Commands[Guest](help_verbs=())


def sight(who: Guest, words: str) -> Guest | Board:
    """Somebody in the same room, or its board; `me` is whoever says it."""
    if words.casefold() == "me":
        return who
    if who.room.board is not None and words.casefold() in ("board", "the board"):
        return who.room.board
    return guest_among(who.room.guests, words, otherwise=f'You see nobody called "{words}" here.')


@commands.verb("look", "l")
def look(who: Guest, whom: Annotated[Guest | Board, sight] | None = None) -> None:
    """Look around you, at somebody, or at a board.

    look          shows where you are, the ways out, and who is there
    look ann      shows Ann, if she is where you are
    look board    shows the notes on it, as read does
    """
    if whom is None:
        show_room(who)
    elif isinstance(whom, Board):
        show_notes(who, whom)
    elif whom is who:
        who.write("You are much as you remember yourself, only wetter.")
    elif whom.is_absent:
        who.write(f"{whom.name} stands like a clock that nobody wound: absent in mind, and only a body.")
    else:
        who.write(f"{whom.name} {stillness(whom) or 'is wide awake, and a little damp about the edges'}.")


@commands.verb("who")
def who_is_there(who: Guest) -> None:
    """List everybody in the valley, and where they are."""
    guests = sorted(who.valley.guests, key=lambda guest: guest.name)
    width = 0 if who.listens else max(wcswidth(guest.name) for guest in guests)
    for guest in guests:
        name = markup("<b>{name}</b>", name=link(guest.name, prompt=f"tell {guest.name} "))
        still = ", only a body" if guest.is_absent else f", {stillness(guest)}" if stillness(guest) else ""
        gap = " " * (max(width - wcswidth(guest.name), 0) + 2)
        who.write(markup("{name}{gap}{room}{still}", name=name, gap=gap, room=guest.room.name, still=still))


@commands.verb("time")
def tell_time(who: Guest) -> None:
    """Find out what part of the day it is, and of the year."""
    how = "listen for the clock" if who.room.indoors else "look at the sky"
    who.write(f"You {how}: it is {who.valley.hour.name}, on {who.valley.date}.")


def show_room(who: Guest) -> None:
    """Show a guest the room they are in."""
    room = who.room
    who.write(markup("<bright-yellow>{name}</bright-yellow>", name=room.name))
    who.write(room.text(dark=who.valley.hour.dark))
    who.write(markup("<cyan>{ways}</cyan>", ways=ways_out(who)))
    others = [guest for guest in room.guests if guest is not who]
    for absent, where in ((False, "here"), (True, "here, absent in mind")):
        found = [link(guest.name, send=f"look {guest.name}") for guest in others if guest.is_absent is absent]
        if found:
            who.write(linked(found, "and") + (f" is {where}." if len(found) == 1 else f" are {where}."))
    creature = who.valley.creature
    if creature is not None and creature.room is room:
        who.write(creature.here)


def ways_out(who: Guest) -> Markup:
    """Where a guest can go, each way a link to it."""
    ways = [link(way.value) for way in who.room.exits]
    return markup("You can go {ways}.", ways=linked(ways, "or")) if ways else markup("There is no way out.")


def linked(links: list[Markup], last: str) -> Markup:
    """Links as a sentence has them: as `listing` does with names."""
    *others, final = links
    return join(f" {last} ", [join(", ", others), final]) if others else final


def stillness(guest: Guest) -> str:
    """How long somebody has not moved, if it is worth a word."""
    minutes = 0 if guest.connection is None else int(guest.connection.idle_seconds // STILL)
    return f"has not stirred for {minutes} minute{'s' * (minutes > 1)}" if minutes else ""
