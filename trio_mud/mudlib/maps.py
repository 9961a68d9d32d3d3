"""Reading a map: the TOML file that says what rooms there are, and how its sky changes.

    name = "the Valley"             as a sentence has it: welcome to ...
    start = "green"                 the room where people come in

    [sky]
    length = 900                    seconds each hour lasts
    [[sky.hours]]                   in their order, round and round
    name = "night"
    dark = true
    outdoors = "Night falls."       what people see when it begins
    indoors = "A clock strikes."    what they notice where they see no sky
    [[sky.seasons]]                 in their order; all of them are a year
    name = "Thaw"
    days = 28

    [rooms.green]                   one table for each room, by the key that exits use
    name = "Toll Green"
    text = "Grass."                 what is seen
    night = "A lamp."               what is seen besides when it is dark; may be left out
    indoors = true                  whether there is a roof; left out, there is none
    exits = { north = "bridge" }
    one_way = ["north"]             the exits that have no way back; left out, every exit must have one
    board = true                    whether notes can be left there

    [creature]                      a beast that wanders; may be left out
    start = "green"                 the room where it begins
    pace = 70                       seconds it stays in each room
    here = "A heron stands here."   what is seen of it by who looks around
    goes = "The heron goes {where}."    with {where} as in "north"
    comes = "The heron comes {whence}." with {whence} as in "from the south"
    hears = "bow"                   said or done in front of it, also as the beginning of a word, it answers
    answers = "The heron bows."     what everybody there sees then

Who uses it: `valley.py`, which makes a world of the plans.
"""

import tomllib
from collections.abc import Iterable
from typing import Annotated, TypeVar
from zlib import crc32

import msgspec

from trio_mud.errors import MapError

from .directions import Direction

__all__ = ["CreaturePlan", "Hour", "Map", "RoomPlan", "Season", "SkyPlan", "read_map", "room_number"]

Text = Annotated[str, msgspec.Meta(min_length=1)]
PlanT = TypeVar("PlanT")


class Hour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the day."""

    name: Text
    dark: bool
    outdoors: Text
    indoors: Text


class Season(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the year."""

    name: Text
    days: Annotated[int, msgspec.Meta(ge=1)]


class SkyPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parts of a day, each of the same length, and those of a year."""

    length: Annotated[float, msgspec.Meta(gt=0)]  # seconds
    hours: Annotated[tuple[Hour, ...], msgspec.Meta(min_length=1)]
    seasons: Annotated[tuple[Season, ...], msgspec.Meta(min_length=1)]


class RoomPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A room as it is written down; its exits are still keys."""

    name: Text
    text: Text
    exits: dict[Direction, str]
    night: str = ""
    indoors: bool = False
    one_way: frozenset[Direction] = frozenset()
    board: bool = False


class CreaturePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A beast that wanders."""

    start: str
    pace: Annotated[float, msgspec.Meta(gt=0)]  # seconds
    here: Text
    goes: Text
    comes: Text
    hears: Text
    answers: Text


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a map says before its rooms."""

    name: Text
    start: str
    sky: SkyPlan
    creature: CreaturePlan | None = None


class Map(msgspec.Struct, frozen=True):
    """A whole file, found to hold together."""

    name: str
    start: str
    sky: SkyPlan
    rooms: dict[str, RoomPlan]
    creature: CreaturePlan | None = None


def read_map(text: str, file: str) -> Map:
    """Read a map.

    Args:
        text: The TOML.
        file: What messages call it.

    Raises:
        MapError: It is no TOML, a key is wrong or missing, an exit leads nowhere or has no way back, or the keys of
            two rooms make the same number.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MapError(f"{file}: {error}") from error
    rooms = read_table(tables.pop("rooms", {}), dict[str, dict[str, object]], f"{file}: rooms")
    header = read_table(tables, Header, file)
    plans = {key: read_table(table, RoomPlan, f"{file}: rooms.{key}") for key, table in rooms.items()}
    if header.start not in plans:
        raise MapError(f"{file}: start: there is no room {header.start!r}")
    if header.creature is not None and header.creature.start not in plans:
        raise MapError(f"{file}: creature.start: there is no room {header.creature.start!r}")
    for key, plan in plans.items():
        check_exits(key, plan, plans, f"{file}: rooms.{key}")
    check_numbers(plans, file)
    return Map(header.name, header.start, header.sky, plans, header.creature)


def read_table(table: object, kind: type[PlanT], where: str) -> PlanT:
    """One table as a `kind`; `where` is what the message calls it."""
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise MapError(f"{where}: {error}") from error


def check_exits(key: str, plan: RoomPlan, plans: dict[str, RoomPlan], where: str) -> None:
    """Raise MapError unless every exit of the room leads somewhere, and back again if it promises to."""
    for direction, goal in plan.exits.items():
        if goal not in plans:
            raise MapError(f"{where}: exits.{direction.value}: there is no room {goal!r}")
        if direction not in plan.one_way and key not in plans[goal].exits.values():
            raise MapError(
                f"{where}: exits.{direction.value}: nothing leads back from {goal!r}; give it an exit to {key!r}, "
                f'or write one_way = ["{direction.value}"]'
            )
    for direction in plan.one_way - plan.exits.keys():
        raise MapError(f"{where}: one_way: there is no exit {direction.value}")


def check_numbers(keys: Iterable[str], file: str) -> None:
    """Raise MapError if two rooms have one number: one pair of keys in 2,000,000,000."""
    numbered: dict[int, str] = {}
    for key in keys:
        other = numbered.setdefault(room_number(key), key)
        if other != key:
            raise MapError(f"{file}: rooms.{key}: programs would take it for {other!r}; call it something else")


def room_number(key: str) -> int:
    """The number by which players' programs know a room, above 0.

    They keep their maps for years, so it hangs on the room's key, and not on where it stands in the file.
    """
    return crc32(key.encode()) % 0x7FFF_FFFF + 1  # Mudlet's rooms have positive numbers of 32 bits
