"""The bundled world as a whole."""

import pytest
import trio

from trio_mud import Admitted
from trio_mud.mudlib import world
from trio_mud.mudlib.verbs import commands
from trio_mud.testing import OpenMud

from .conftest import ComeIn, reads, reads_no_more
from .programs import Crawls

HOUR = 900  # seconds, as valley.toml has it


async def test_day_and_night_are_seen_outdoors(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await trio.sleep(4 * HOUR)
        await ann.sees("bucket tips")
        await ann.sees("hangs out a lamp")
        await ann.sees("Night comes down the valley")
        await ann.sees("The sun clears the eastern ridge")
        await reads_no_more(ann)


async def test_day_and_night_are_only_heard_indoors(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("n", "n", "w")
        await ann.sees("The Bakehouse")
        await ann.catches_up()
        await trio.sleep(4 * HOUR)
        for notes in ("Two notes", "Three notes", "a single drop", "One long note"):
            await ann.sees(notes)
        assert "eastern" not in ann.screen


async def test_a_room_under_the_sky_looks_different_at_night(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        assert "lamp" not in ann.screen
        await trio.sleep(3 * HOUR)
        await ann.catches_up()
        await ann.type("look")
        await ann.sees("A lamp floats in the bowl")


async def test_who_is_still_at_the_door_does_not_see_the_sky(mud: OpenMud) -> None:
    async with mud(world) as valley:
        await trio.sleep(HOUR - 1)
        ann = await valley.player()
        await ann.catches_up()
        await trio.sleep(2)
        await ann.sees_nothing()


async def test_two_worlds_in_one_process_are_strangers(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as here, mud(world) as there:
        ann, namesake = await come_in(here, "Ann"), await come_in(there, "Ann")
        await ann.type("shout anybody?", "who")
        assert await reads(ann) == 'You shout, "anybody?"\nAnn  Toll Green\n'
        await namesake.sees_nothing()


async def test_help_lists_the_commands(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await valley.player(columns=80, rows=200)
        await ann.type("Ann")
        await ann.catches_up()
        await ann.type("help")
        listed = [line.split()[0] for line in (await ann.catches_up()).splitlines() if line]
        assert {"look", "go", "say", "tell", "shout", "emote", "who", "help", "quit", "time"} <= set(listed)
        assert "north" not in listed


async def test_a_line_of_help_fits_a_narrow_window() -> None:
    assert max(len(line) for line in commands.explain().splitlines()) < 72


@pytest.mark.parametrize("verb", [command.verbs[0] for command in commands])
async def test_every_verb_has_help(mud: OpenMud, come_in: ComeIn, verb: str) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type(f"help {verb}")
        await ann.sees(f"Usage: {verb}")


@pytest.mark.parametrize(
    ("short", "answer"),
    [
        ("l", "Toll Green"),
        ("s", "There is no way south"),
        ("sa hello", "You say"),
        ("em waves", "Ann waves"),
        ("t", "Do you mean take, tell or time?"),
        ("nor", "Do you mean north, northeast or northwest?"),
        ("xyzzy", 'There is no command "xyzzy".'),
    ],
)
async def test_verbs_may_be_shortened_while_it_is_clear_what_is_meant(
    mud: OpenMud, come_in: ComeIn, short: str, answer: str
) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type(short)
        await ann.sees(answer)


async def test_who_types_without_having_a_name_is_sent_away(mud: OpenMud) -> None:
    async with mud(world) as valley:
        for asks_for_a_name in valley.server.hooks.functions_for(Admitted):
            valley.server.hooks.remove(asks_for_a_name)
        ann = await valley.player()
        await ann.type("look")
        assert "You seem to be nobody." in await ann.sees_the_end()


async def test_listings_are_told_of_the_valley(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        await come_in(valley, "Ann")
        crawler = Crawls()
        await (await valley.player(options=[crawler])).catches_up()
        assert crawler.table["NAME"] == "The Valley of the Slow Water"
        assert crawler.table["CODEBASE"] == "trio_mud"
        assert crawler.table["PLAYERS"] == "1"  # the crawler is none, nor is who stands at the door
        assert int(crawler.table["ROOMS"]) >= 12
