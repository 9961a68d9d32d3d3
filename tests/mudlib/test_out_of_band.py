"""Messages to guests' programs beside the text, as bytes over the whole path."""

import pytest
import trio

from trio_mud.mudlib import world
from trio_mud.mudlib.entry import GRACE
from trio_mud.mudlib.spot import Spot, room_number
from trio_mud.telnet import Json
from trio_mud.testing import Mud, OpenMud, Player

from .conftest import ComeIn
from .programs import ReportsMsdp

PACKAGES = ("Char", "Room", "Comm.Channel 1")
CHANNELS: Json = [
    {"name": name, "caption": caption, "command": name}
    for name, caption in (("chat", "Chat"), ("ask", "Questions"), ("market", "Market"))
]
VALLEY = "the Valley of the Slow Water"


async def come_in_with_gmcp(valley: Mud, name: str, packages: tuple[str, ...] = PACKAGES) -> Player:
    player = await valley.player(gmcp=packages)
    await player.type(name)
    await player.sees("You can go")
    await player.catches_up()
    return player


def number_of(key: str) -> int:
    return room_number(Spot(template=key))


def told(player: Player) -> list[tuple[str, Json]]:
    """Return the messages since the last call."""
    messages = player.gmcp.copy()
    player.gmcp.clear()
    return messages


async def test_a_newcomers_program_is_told_who_and_where_they_are(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await come_in_with_gmcp(valley, "Ann")
        assert told(ann) == [
            ("Char.Name", {"name": "Ann", "fullname": "Ann"}),
            ("Char.Vitals", {"hp": 20, "maxhp": 20}),
            (
                "Room.Info",
                {
                    "num": number_of("green"),
                    "name": "Toll Green",
                    "area": VALLEY,
                    "environment": "outdoors",
                    "exits": {
                        "n": number_of("bridge"),
                        "e": number_of("orchard"),
                        "w": number_of("landing"),
                    },
                },
            ),
            ("Room.Players", []),
            ("Comm.Channel.List", CHANNELS),
        ]


async def test_each_room_entered_is_told_and_not_each_look(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in_with_gmcp(valley, "Ann", ("Room",))
        told(ann)
        await ann.type("look", "north", "north", "west")
        await ann.sees("The Bakehouse")
        await ann.catches_up()
        rooms = [data for package, data in told(ann) if package == "Room.Info"]
        assert [room["name"] for room in rooms if isinstance(room, dict)] == [
            "Drip Bridge",
            "Gnomon Square",
            "The Bakehouse",
        ]
        assert isinstance(rooms[-1], dict)
        assert rooms[-1]["environment"] == "indoors"


async def test_programs_are_told_who_comes_and_who_goes(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await come_in_with_gmcp(valley, "Ann")
        told(ann)
        bob, ida = await come_in_with_gmcp(valley, "Bob"), await come_in_with_gmcp(valley, "Ida")
        assert told(ann) == [
            ("Room.AddPlayer", {"name": "Bob", "fullname": "Bob"}),
            ("Room.AddPlayer", {"name": "Ida", "fullname": "Ida"}),
        ]
        assert told(ida)[-2] == (
            "Room.Players",
            [{"name": "Ann", "fullname": "Ann"}, {"name": "Bob", "fullname": "Bob"}],
        )
        await bob.type("north")
        await bob.catches_up()
        assert told(ann) == [("Room.RemovePlayer", "Bob")]
        await ann.type("north")
        await ann.catches_up()
        assert told(bob)[-1] == ("Room.AddPlayer", {"name": "Ann", "fullname": "Ann"})
        told(ann)
        await bob.vanish()
        await ann.catches_up()
        assert told(ann) == []  # a body is still there
        await trio.sleep(GRACE)
        await ann.catches_up()
        assert told(ann)[-1] == ("Room.RemovePlayer", "Bob")
        assert ("Room.RemovePlayer", "Bob") not in told(ida)[2:]


@pytest.mark.parametrize(
    ("line", "channel", "own", "heard"),
    [
        ("say hello <b>&</b>", "say", 'You say, "hello <b>&</b>"', 'Ann says, "hello <b>&</b>"'),
        ("shout ho", "shout", 'You shout, "ho"', 'Ann shouts, "ho"'),
        ("tell bob psst", "tell", 'You tell Bob, "psst"', 'Ann tells you, "psst"'),
        (":smiles", "emote", "Ann smiles", "Ann smiles"),
    ],
)
async def test_talk_is_told_to_the_programs_of_all_who_hear_it(
    mud: OpenMud, line: str, channel: str, own: str, heard: str
) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in_with_gmcp(valley, "Ann"), await come_in_with_gmcp(valley, "Bob")
        told(ann), told(bob)
        await ann.type(line)
        await ann.catches_up()
        assert told(ann) == [("Comm.Channel.Text", {"channel": channel, "talker": "Ann", "text": own})]
        assert told(bob) == [("Comm.Channel.Text", {"channel": channel, "talker": "Ann", "text": heard})]


async def test_a_program_is_told_only_what_it_takes(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in_with_gmcp(valley, "Ann", ("Comm.Channel",))
        bob = await come_in(valley, "Bob")
        await bob.type("say hello", "north")
        await ann.sees("goes north.")
        assert [package for package, _ in told(ann)] == ["Comm.Channel.List", "Comm.Channel.Text"]
        assert bob.gmcp == []


async def test_variables_of_msdp_are_reported_to_programs_that_want_them(mud: OpenMud) -> None:
    program = ReportsMsdp("CHARACTER_NAME", "ROOM_NAME", "ROOM_EXITS", "WEATHER")
    async with mud(world) as valley:
        ann = await valley.player(options=[program])
        await ann.type("Ann")
        await ann.sees("You can go")
        await ann.catches_up()
        exits = {"n": "bridge", "e": "orchard", "w": "landing"}
        assert program.told == [
            ("CHARACTER_NAME", "Ann"),
            ("ROOM_NAME", "Toll Green"),
            ("ROOM_EXITS", {way: str(number_of(key)) for way, key in exits.items()}),
        ]
        await ann.type("west", "look")
        await ann.catches_up()
        assert program.told[3] == ("ROOM_NAME", "Reed Landing")
        assert len(program.told) == 5


async def test_a_variable_that_is_asked_for_late_is_told_at_once(mud: OpenMud) -> None:
    program = ReportsMsdp("CHARACTER_NAME")
    async with mud(world) as valley:
        ann = await valley.player(options=[program])
        await ann.type("Ann")
        await ann.sees("You can go")
        await ann.send(b"\xff\xfa\x45\x01REPORT\x02ROOM_NAME\xff\xf0")
        await ann.catches_up()
        assert program.told == [("CHARACTER_NAME", "Ann"), ("ROOM_NAME", "Toll Green")]


async def test_who_is_nobody_yet_is_told_nothing(mud: OpenMud) -> None:
    program = ReportsMsdp("CHARACTER_NAME")
    async with mud(world) as valley:
        ann = await valley.player(options=[program], gmcp=PACKAGES)
        await ann.catches_up()
        assert program.told == []
        assert told(ann) == []
