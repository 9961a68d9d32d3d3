"""Reading a map, and the errors for an inconsistent one."""

from importlib.resources import files

import pytest

from trio_mud.mudlib import MapError
from trio_mud.mudlib.directions import Direction
from trio_mud.mudlib.maps import Map, read_map, room_number

SAME_NUMBER = ("r169090", "r5001974")  # keys whose numbers are the same
SKY = """
name = "the Hole"
start = "hole"
[sky]
length = 60
[[sky.hours]]
name = "noon"
dark = false
outdoors = "It is noon."
indoors = "It must be noon."
[[sky.seasons]]
name = "Mud"
days = 3
"""
HOLE = """
[rooms.hole]
name = "A Hole"
text = "Round."
exits = { up = "hill" }
"""
HILL = """
[rooms.hill]
name = "A Hill"
text = "Windy."
exits = { down = "hole" }
"""


@pytest.fixture(scope="module")
def valley() -> Map:
    """The map that comes with the package."""
    return read_map((files("trio_mud.mudlib") / "valley.toml").read_text("utf-8"), "valley.toml")


def test_a_map_that_holds_together_is_read() -> None:
    plan = read_map(SKY + HOLE + HILL, "hole.toml")
    assert plan.rooms["hole"].exits == {Direction.UP: "hill"}
    assert plan.sky.hours[0].name == "noon"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "^hole.toml: Invalid value"),
        (HOLE, "^hole.toml: .*missing required field `name`"),
        (SKY, "^hole.toml: start: there is no room 'hole'$"),
        (SKY.replace("60", "0") + HOLE + HILL, r"^hole.toml: Expected `float` > 0.0 - at `\$.sky.length`$"),
        (SKY.replace("start", "begin") + HOLE + HILL, "^hole.toml: .*unknown field `begin`$"),
        ("rooms = 3" + SKY, "^hole.toml: rooms: Expected `object`, got `int`$"),
        ("rooms.hole = 3" + SKY, "^hole.toml: rooms: Expected `object`, got `int`"),
        (SKY + HOLE.replace('text = "Round."', "") + HILL, "^hole.toml: rooms.hole: .*missing required field `text`$"),
        (
            SKY + HOLE.replace('"Round."', "3") + HILL,
            r"^hole.toml: rooms.hole: Expected `str`, got `int` - at `\$.text`$",
        ),
        (SKY + HOLE + HILL.replace("text", "txet"), "^hole.toml: rooms.hill: .*`txet`$"),
        (SKY + HOLE + HILL.replace("down", "dwon"), "^hole.toml: rooms.hill: Invalid enum value 'dwon'"),
        (SKY + HOLE, "^hole.toml: rooms.hole: exits.up: there is no room 'hill'$"),
        (
            SKY + HOLE + HILL.replace('{ down = "hole" }', "{}"),
            r"^hole.toml: rooms.hole: exits.up: nothing leads back from 'hill'; .* one_way = \[\"up\"\]$",
        ),
        (SKY + HOLE + HILL + 'one_way = ["up"]', "^hole.toml: rooms.hill: one_way: there is no exit up$"),
    ],
)
def test_a_map_that_does_not_is_refused_with_the_room_and_the_key(text: str, message: str) -> None:
    with pytest.raises(MapError, match=message):
        read_map(text, "hole.toml")


def test_an_exit_declared_one_way_needs_no_way_back() -> None:
    one_way = HOLE + 'one_way = ["up"]'
    assert read_map(SKY + one_way + HILL.replace('{ down = "hole" }', "{}"), "hole.toml").rooms["hill"].exits == {}


def test_a_room_has_a_number_that_hangs_on_its_key_alone() -> None:
    assert room_number("green") == room_number("green") != room_number("bridge")
    assert all(0 < room_number(f"room {number}") < 2**31 for number in range(1000))


def test_two_rooms_that_programs_could_not_tell_apart_are_refused() -> None:
    namesake = HILL.replace("rooms.hill", f"rooms.{SAME_NUMBER[0]}") + HILL.replace(
        "rooms.hill", f"rooms.{SAME_NUMBER[1]}"
    )
    hole = HOLE.replace('up = "hill"', f'up = "{SAME_NUMBER[0]}", down = "{SAME_NUMBER[1]}"')
    with pytest.raises(MapError, match=f"^hole.toml: rooms.{SAME_NUMBER[1]}: .*{SAME_NUMBER[0]}"):
        read_map(SKY + hole + namesake, "hole.toml")


CREATURE = """
[creature]
start = "hole"
pace = 5
here = "A mole is here."
goes = "The mole goes {where}."
comes = "The mole comes {whence}."
hears = "worm"
answers = "The mole looks up."
"""


def test_a_creature_begins_in_a_room_that_there_is() -> None:
    plan = read_map(SKY + CREATURE + HOLE + HILL, "hole.toml")
    assert plan.creature is not None
    with pytest.raises(MapError, match=r"^hole\.toml: creature\.start: there is no room 'den'$"):
        read_map(SKY + CREATURE.replace('"hole"', '"den"') + HOLE + HILL, "hole.toml")


def test_the_valley_has_a_dozen_rooms_and_more(valley: Map) -> None:
    assert len(valley.rooms) >= 12


def test_every_room_of_the_valley_can_be_reached_and_left_again(valley: Map) -> None:
    for start in valley.rooms:
        seen, ahead = set[str](), [start]
        while ahead:
            key = ahead.pop()
            if key not in seen:
                seen.add(key)
                ahead.extend(valley.rooms[key].exits.values())
        assert seen == valley.rooms.keys()


def test_every_way_in_the_valley_leads_straight_back_unless_it_is_declared_one_way(valley: Map) -> None:
    for key, room in valley.rooms.items():
        for direction in room.exits.keys() - room.one_way:
            assert valley.rooms[room.exits[direction]].exits[direction.opposite] == key


def test_no_two_rooms_of_the_valley_share_a_name(valley: Map) -> None:
    assert len({room.name for room in valley.rooms.values()}) == len(valley.rooms)


def test_only_rooms_under_the_sky_change_at_night(valley: Map) -> None:
    assert [room.name for room in valley.rooms.values() if room.indoors == bool(room.night)] == []


@pytest.mark.parametrize("direction", Direction)
def test_the_way_back_of_the_way_back_is_the_way(direction: Direction) -> None:
    assert direction.opposite is not direction
    assert direction.opposite.opposite is direction
