"""Looking: at the room, at what is in it, at who is there, at the time."""

from typing import Annotated

from wcwidth import wcswidth

from trio_mud import Markup, join, link, markup
from trio_mud.commands import Commands, Mistake, Preposition, the_one
from trio_mud.world import Room, Thing

from ..board import Board
from ..creatures import Creature
from ..phrases import PHRASES
from ..sky import date_of, hour_of
from ..social_phrases import SOCIAL_PHRASES
from ..spot import detail_of, is_indoors, open_ways, text_of
from ..things import is_dark
from ..villager import Villager, villagers_in
from .handling import commands as handling
from .talking import everyone
from .writing import show_notes

__all__ = ["commands", "show_room"]

MOST_NAMED = 30  # players of a room
STILL = 60.0  # seconds without a line, before it is seen

commands = Commands[Villager](help_verbs=())


def sight(who: Villager, words: str) -> Thing | str:
    """Return the thing or player in reach that the words mean, or the text of a detail; `me` is the actor."""
    if words.casefold() in ("me", who.name.casefold()):
        return who
    try:
        return the_one(who, words, Thing)
    except Mistake:
        if text := detail_of(who.here, words):
            return text
        raise


@commands.verb("look", "l", "examine")
def look(who: Villager, what: Annotated[Thing | str, sight, Preposition("at", "in")] | None = None) -> None:
    """Look around you, at a player, or at a thing.

    look          shows where you are, the ways out, and who is there
    look ann      shows Ann, if she is where you are
    look drawer   shows whether it is open, and what is in it
    look board    shows the notes on it, as read does
    """
    if what is None:
        show_room(who)
    elif isinstance(what, str):
        who.write(what)
    elif isinstance(what, Board):
        show_notes(who, what)
    elif what is who:
        who.write("You are much as you remember yourself, only wetter.")
    elif isinstance(what, Villager):
        who.write(look_of(what))
    else:
        who.write(handling.describe(who, what))


def look_of(other: Villager) -> str:
    """Return what is seen of a player."""
    if other.is_absent:
        return f"{other} stands like a clock that nobody wound: absent in mind, and only a body."
    return f"{other} {stillness(other) or 'is wide awake, and a little damp about the edges'}."


@commands.verb("who")
def who_is_there(who: Villager) -> None:
    """List everybody in the valley, and where they are."""
    players = sorted(everyone(who), key=lambda other: other.name)
    width = 0 if who.listens else max(wcswidth(other.name) for other in players)
    for other in players:
        name = markup("<b>{name}</b>", name=link(other.name, prompt=f"tell {other.name} "))
        still = ", only a body" if other.is_absent else f", {stillness(other)}" if stillness(other) else ""
        gap = " " * (max(width - wcswidth(other.name), 0) + 2)
        who.write(markup("{name}{gap}{room}{still}", name=name, gap=gap, room=other.here.name, still=still))


@commands.verb("time")
def tell_time(who: Villager) -> None:
    """Find out what part of the day it is, and of the year."""
    how = "listen for the clock" if is_indoors(who.here) else "look at the sky"
    who.write(f"You {how}: it is {hour_of(who.world).name}, on {date_of(who.world)}.")


def show_room(who: Villager) -> None:
    """Show a player the room they are in."""
    room = who.here
    who.write(markup("<bright-yellow>{name}</bright-yellow>", name=room.name))
    if is_dark(room):
        who.write(PHRASES.darkness)
        return
    who.write(text_of(room))
    who.write(markup("<cyan>{ways}</cyan>", ways=ways_out(who)))
    others = [other for other in villagers_in(room) if other is not who]
    for absent, where in ((False, "here"), (True, "here, absent in mind")):
        found = [link(other.name, send=f"look {other}") for other in others if other.is_absent is absent]
        shown = found if len(found) <= MOST_NAMED else [*found[:MOST_NAMED], markup(f"{len(found) - MOST_NAMED} more")]
        if found:
            who.write(linked(shown, "and") + (f" is {where}." if len(found) == 1 else f" are {where}."))
    things = [thing for thing in room.contents if is_worth_a_word(thing, room)]
    if things:
        who.write(PHRASES.things_here.format(things=handling.names(things)))
    for here in dict.fromkeys(thing.here for thing in room.contents if isinstance(thing, Creature)):
        who.write(here)


def is_worth_a_word(thing: Thing, room: Room) -> bool:
    """Return True for things in a room, but not for those that its text has."""
    if isinstance(thing, Villager | Creature):
        return False
    return not (thing.is_fixed and thing.name.split()[-1] in room.text)


def ways_out(who: Villager) -> Markup:
    """Return where a player can go, each way a link to it."""
    is_open = open_ways(who.here)
    ways = [link(way) if way in is_open else join(" ", [link(way), "(closed)"]) for way in who.here.exits]
    return markup("You can go {ways}.", ways=linked(ways, "or")) if ways else markup("There is no way out.")


def linked(links: list[Markup], last: str) -> Markup:
    """Return links as a sentence has them: as `listing` does with names."""
    *others, final = links
    return join(f" {last} ", [join(", ", others), final]) if others else final


def stillness(other: Villager) -> str:
    """Return how long a player has not moved, or that the player is away, if it is worth a word."""
    if other.away:
        return SOCIAL_PHRASES.afk_seen.format(message=other.away)
    minutes = 0 if other.connection is None else int(other.connection.idle_seconds // STILL)
    return f"has not stirred for {minutes} minute{'s' * (minutes > 1)}" if minutes else ""
