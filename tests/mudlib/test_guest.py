"""Output for guests: prompts, pages, links, and lines that fit."""

import pytest

from trio_mud.mudlib import world
from trio_mud.mudlib.lore import TOPICS
from trio_mud.mudlib.verbs import commands
from trio_mud.telnet.client import TakesMarks
from trio_mud.testing import Mud, OpenMud, Player

from .conftest import ComeIn, reads
from .programs import TellsVariables

LISTENS = ("MUDLET", "XTERM-256COLOR", "MTTS 77")  # 64 of these is a screen reader
LISTS = "afk        Let others know that you are away, until your next command."
TIME = "You look at the sky: it is morning, on the 1st day of Thaw in the year 1."


async def in_window(valley: Mud, rows: int, terminal: tuple[str, ...] = ()) -> Player:
    ann = await valley.player(columns=80, rows=rows, terminal=terminal)
    await ann.type("Ann")
    await ann.sees("You can go")
    await ann.catches_up()
    return ann


async def test_each_line_is_answered_by_a_prompt(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        assert ann.screen.endswith("You can go north, east or west.\n> ")
        await ann.type("time", "", "xyzzy")
        assert await ann.catches_up() == (f'{TIME}\n> > There is no command "xyzzy".\n> ')


async def test_what_others_do_stands_between_prompts(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        assert await ann.catches_up() == "\nBob comes down the valley road.\n> "
        await bob.type("say hello")
        await bob.catches_up()
        assert await ann.catches_up() == '\nBob says, "hello"\n> '


async def test_a_program_that_knows_prompts_is_shown_each_once(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await valley.player(options=[TakesMarks()])
        await ann.type("Ann", "time")
        await ann.sees("in the year 1.\n> ")
        await come_in(valley, "Bob")
        assert await ann.catches_up() == "Bob comes down the valley road.\n"


async def test_who_listens_hears_no_prompt_and_no_line_is_broken(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await in_window(valley, 24, terminal=LISTENS)
        assert "\n> " not in ann.screen
        assert "and there it lies, with a river" in ann.screen
        assert "and nobody has ever come without.\n" in ann.screen
        assert "\x1b" not in ann.screen
        await ann.type("who")
        assert await ann.catches_up() == "Ann  Toll Green\n"


async def test_names_are_lined_up_only_for_eyes(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await in_window(valley, 24, terminal=LISTENS)
        await come_in(valley, "Barnaby")
        await ann.catches_up()
        await ann.type("who")
        assert await ann.catches_up() == "Ann  Toll Green\nBarnaby  Toll Green\n"


async def test_a_long_text_is_read_a_page_at_a_time(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await in_window(valley, 6)
        await ann.type("help")
        first = await ann.catches_up()
        assert first.startswith(LISTS)
        assert first.endswith("\n[Enter reads on, q stops] ")
        assert first.count("\n") == 5
        pages = -(-(len(commands.explain().splitlines()) + len(TOPICS) + 4) // 5)
        await ann.type(*[""] * (pages - 1))
        await ann.sees(f"talking    {TOPICS['talking'].title}\n> ")
        assert ann.screen.count("[Enter") == pages - 1


async def test_who_has_read_enough_stops(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await in_window(valley, 6)
        await ann.type("help", "q", "time")
        seen = await ann.catches_up()
        assert seen.endswith(f"[Enter reads on, q stops] > {TIME}\n> ")


async def test_a_command_between_two_pages_is_not_lost(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await in_window(valley, 6)
        await ann.type("help", "time")
        assert (await ann.catches_up()).endswith(f"{TIME}\n> ")


async def test_what_fits_is_shown_at_once_and_to_who_listens_always(mud: OpenMud) -> None:
    async with mud(world) as valley:
        tall = await in_window(valley, 200)
        await tall.type("help")
        whole = await reads(tall)
        assert "[Enter" not in whole
        await tall.type("quit")
        listener = await in_window(valley, 6, terminal=LISTENS)
        await listener.type("help")
        assert await listener.catches_up() == whole


async def test_who_leaves_in_the_middle_of_a_page_is_gone(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await in_window(valley, 6), await come_in(valley, "Bob")
        await ann.type("help")
        await ann.sees("[Enter")
        await ann.vanish()
        await bob.sees("Ann stops in the middle of a breath")


async def test_ways_and_people_are_links_for_programs_that_know_them(mud: OpenMud, come_in: ComeIn) -> None:
    def osc8(uri: str, text: str) -> str:
        return f"\x1b]8;;{uri}\x1b\\{text}\x1b]8;;\x1b\\"

    async with mud(world) as valley:
        bob = await come_in(valley, "Bob")
        ann = await valley.player(options=[TellsVariables(OSC_HYPERLINKS="1")])
        await ann.type("Ann", "who")
        await ann.sees(f"type {osc8('send:help', 'help')}.")
        ways = [osc8(f"send:{way}", way) for way in ("north", "east", "west")]
        await ann.sees(f"You can go {ways[0]}, {ways[1]} or {ways[2]}.\n")
        await ann.sees(f"{osc8('send:look%20Bob', 'Bob')} is here.\n")
        await ann.sees(f"{osc8('prompt:tell%20Ann%20', 'Ann')}  Toll Green\n")
        assert "\x1b" not in bob.screen


@pytest.mark.parametrize(("columns", "widest"), [(30, 29), (300, 79)])
async def test_no_line_is_wider_than_the_window_and_no_prose_than_a_page(
    mud: OpenMud, columns: int, widest: int
) -> None:
    async with mud(world) as valley:
        ann = await valley.player(columns=columns, rows=60)
        await ann.sees("known? ")
        seen = [ann.screen.removesuffix("known? ").rpartition("\n")[0]]
        for line in ("Ann", "help colour", "client", "look", "tell " + "blah " * 50):
            await ann.type(line)
            seen.append(await reads(ann))
        widths = [len(line) for text in seen for line in text.splitlines()]
        assert widest - 10 < max(widths) <= widest


@pytest.mark.parametrize("terminal", [(), LISTENS])
async def test_texts_typed_for_at_once_are_read_one_after_the_other(mud: OpenMud, terminal: tuple[str, ...]) -> None:
    async with mud(world) as valley:
        ann = await in_window(valley, 200, terminal)
        await ann.type("help", "help time", "client", "time")
        await ann.sees(LISTS)
        await ann.sees("Usage: time")
        await ann.sees("Program: ")
        await ann.sees("it is morning")
