"""Guests leave notes for each other."""

import pytest

from trio_mud import Limits
from trio_mud.mudlib import world
from trio_mud.mudlib.board import MOST_NOTES, Board
from trio_mud.mudlib.villager import Villager
from trio_mud.testing import Mud, OpenMud, Player
from trio_mud.world import World

from ..conftest import ComeIn, reads

SWIFT = Limits(command_rate=None)


async def at_the_board(valley: Mud, come_in: ComeIn, name: str) -> Player:
    player = await come_in(valley, name)
    await player.type("north", "north")
    await player.sees("Gnomon Square")
    await player.catches_up()
    return player


async def test_a_note_is_there_for_whoever_comes_later(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, eve = await at_the_board(valley, come_in, "Ann"), await at_the_board(valley, come_in, "Eve")
        await ann.type("note", "Gone to see <b>the clock</b>.", "Back at dusk.", ".")
        await ann.sees("You pin your note to the board.\n> ")
        await eve.sees("Ann pins a note to the board.")
        await ann.type("quit")
        bob = await at_the_board(valley, come_in, "Bob")
        await bob.type("read")
        assert await reads(bob) == (
            "Ann, on the 1st day of Thaw in the year 1:\n  | Gone to see <b>the clock</b>.\n  | Back at dusk.\n"
        )


@pytest.mark.parametrize("lines", [[".q"], ["."], ["changed my mind", ".q"]])
async def test_who_gives_up_or_writes_nothing_leaves_no_note(mud: OpenMud, come_in: ComeIn, lines: list[str]) -> None:
    async with mud(world) as valley:
        ann = await at_the_board(valley, come_in, "Ann")
        await ann.type("note", *lines, "read")
        await ann.sees("You put the pen back.")
        await ann.sees("There is nothing on the board but pins.")


async def test_what_others_do_is_seen_while_one_writes(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await at_the_board(valley, come_in, "Ann"), await at_the_board(valley, come_in, "Bob")
        await ann.type("note", "Dear all,")
        await bob.type("say boo")
        await ann.sees('Bob says, "boo"')
        await ann.vanish()
        await bob.type("read")
        await bob.sees("nothing on the board")


async def test_a_note_begun_survives_a_dead_link(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await at_the_board(valley, come_in, "Ann")
        await ann.type("note", "Dear all,", "the ferry")
        await ann.catches_up()
        await ann.vanish()
        again = await valley.player()
        await again.type("Ann")
        await again.sees("You still hold the note that you had begun: note goes on with it.")
        await again.type("note", ".l", "is late.", ".", "read")
        await again.sees("You go on with the note that you had begun.")
        await again.sees("  1 Dear all,\n  2 the ferry\n")
        await again.sees("You pin your note to the board.")
        await again.sees("  | Dear all,\n  | the ferry\n  | is late.\n")
        await again.type("note", ".q", "note")
        await again.sees("You put the pen back.")
        assert "go on with" not in await again.catches_up()


async def test_a_board_can_be_looked_at_where_it_is(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await at_the_board(valley, come_in, "Ann")
        await ann.type("look board")
        await ann.sees("There is nothing on the board but pins.")
        await ann.type("south", "look board")
        await ann.sees('You see no "board" here.')


@pytest.mark.parametrize("is_destroyed", [True, False])
async def test_a_note_is_kept_by_its_writer_if_the_board_is_gone(
    mud: OpenMud, come_in: ComeIn, *, is_destroyed: bool
) -> None:
    async with mud(world) as valley:
        ann = await at_the_board(valley, come_in, "Ann")
        await ann.type("note", "Dear all,")
        await ann.catches_up()
        (board,) = valley.store.all(Board)
        if is_destroyed:
            board.destroy()
        else:
            board.place = World.of(valley.server).start
        await ann.type(".")
        await ann.sees("The board is not here any more. You keep your note.")
        (body,) = [session.body for session in valley.server.sessions]
        assert isinstance(body, Villager)
        assert body.draft == "Dear all,"


async def test_the_board_keeps_the_newest(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world, limits=SWIFT) as valley:
        ann = await at_the_board(valley, come_in, "Ann")
        for number in range(MOST_NOTES + 1):
            await ann.type("note", f"number {number}.", ".")
            await ann.sees("You pin")
        await ann.type("reader on", "read")
        await ann.sees("Screen reader")
        seen = await ann.catches_up()
        assert "number 0." not in seen
        assert seen.count("number ") == MOST_NOTES


@pytest.mark.parametrize("line", ["note", "read"])
async def test_where_there_is_no_board_nothing_is_written_or_read(mud: OpenMud, come_in: ComeIn, line: str) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type(line)
        assert await reads(ann) == "There is no board here. You remember one on Gnomon Square.\n"


@pytest.mark.parametrize("columns", [50, None])
@pytest.mark.parametrize(
    "lines",
    [
        ["Hello.", "", "Eve, on the 1st day of Thaw in the year 1:", "I resign."],
        ["Hello.", "\tEve, on the 1st day of Thaw in the year 1:", "I resign."],
        [f"Hello. {'x' * 70} Eve, on the 1st day of Thaw in the year 1: I resign."],
        ["\U0001f600" * 30 + " Eve, on the 1st day of Thaw in the year 1: I resign."],
    ],
)
@pytest.mark.parametrize("charset", ["utf-8", "ascii"])
async def test_no_note_contains_another(
    mud: OpenMud, come_in: ComeIn, columns: int | None, lines: list[str], charset: str
) -> None:
    async with mud(world, limits=SWIFT) as valley:
        ann = await at_the_board(valley, come_in, "Ann")
        await ann.type("note", *lines, ".")
        await ann.sees("You pin")
        bob = await valley.player(columns=columns, rows=None if columns is None else 100)
        await bob.type("Bob", "north", "north", f"charset {charset}")
        await bob.sees("Charset: ")
        await bob.catches_up()
        await bob.type("read")
        header, *quoted = (await reads(bob)).splitlines()
        assert header == "Ann, on the 1st day of Thaw in the year 1:"
        assert quoted
        assert all(line.startswith("  ") for line in quoted)


async def test_a_note_is_marked_for_a_listener_too(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world, limits=SWIFT) as valley:
        ann = await at_the_board(valley, come_in, "Ann")
        await ann.type("note", "one " * 40, "two", ".", "reader on", "read")
        await ann.sees(f"year 1:\n  | {'one ' * 40}\n  | two\n")
