"""The door of a valley that keeps its players, and what is kept over a restart."""

from __future__ import annotations

import pytest
import trio

from trio_mud import Texts
from trio_mud.mudlib import lasting_world
from trio_mud.testing import Mud, OpenMud, Player

TEXTS = Texts()
PASSWORD = "the river's time"
HOUR = 3600.0


async def answers(player: Player, *lines: str) -> None:
    """Type each line when the question before it has come."""
    await trio.sleep(1)
    for line in lines:
        await player.catches_up()
        await player.type(line)
    await player.catches_up()


async def newcomer(valley: Mud, name: str) -> Player:
    player = await valley.player()
    await answers(player, "new", name, PASSWORD, PASSWORD)
    assert f"Welcome to the Valley of the Slow Water, {name}." in player.screen
    return player


async def test_a_first_visit_takes_four_answers_and_less_than_a_minute(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        start = trio.current_time()
        ann = await valley.player()
        await ann.sees("The Valley of the Slow Water")
        for question, line in (
            ("Name: ", "new"),
            (TEXTS.name_question, "ann"),
            (TEXTS.password_new, PASSWORD),
            (TEXTS.password_again, PASSWORD),
        ):
            await ann.sees(question)
            await trio.sleep(10)  # a slow typist
            await ann.type(line)
        await ann.sees("Welcome to the Valley of the Slow Water, Ann.")
        await ann.sees("Toll Green")
        assert trio.current_time() - start < 60


async def test_a_guest_looks_around_after_two_answers_and_is_forgotten(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann, bob = await newcomer(valley, "Ann"), await valley.player()
        await answers(bob, "guest", "Bob", "north", "password")
        assert "Drip Bridge" in bob.screen
        assert "You are a guest here, and have no account." in bob.screen
        await bob.vanish()
        await ann.sees("Bob comes down the valley road.")
        await trio.sleep(1)
        await ann.type("who")
        await ann.sees("Ann  Toll Green\n")
        assert "Bob" not in ann.unread
        stored = valley.storage
    assert not [row for row in stored.rows.values() if b"Bob" in row.data]


async def test_preferences_the_board_and_the_date_are_kept_over_a_restart(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        await trio.sleep(3 * HOUR)
        await answers(ann, "colour 16", "reader off", "charset latin-1", "north", "north", "note", "Bring rope.", ".")
        assert "You pin your note to the board." in ann.screen
        await answers(ann, "time", "quit")
        date = ann.screen.partition("it is ")[2].partition("on ")[2].partition("\n")[0]
        stored = valley.storage
    async with mud(lasting_world, storage=stored) as valley:
        ann = await valley.player()
        await answers(ann, "ANN", PASSWORD, "colour", "reader", "charset", "time", "read")
        assert "Gnomon Square" in ann.screen
        assert "Welcome to the Valley of the Slow Water, Ann." in ann.screen
        assert "Colours: 16 (as you wish)" in ann.screen
        assert "Screen reader: no (as you wish)" in ann.screen
        assert "(as you wish)\n> You" in ann.screen.replace("\n\n", "\n")
        assert date
        assert date in ann.screen
        assert "  | Bring rope." in ann.screen


async def test_a_body_without_a_mind_is_its_owners_alone(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        await ann.type("north")
        await ann.sees("Drip Bridge")
        await ann.vanish()
        thief, owner = await valley.player(), await valley.player()
        await answers(thief, "Ann", "a guess")
        assert TEXTS.login_wrong in thief.screen
        await answers(owner, "Ann", PASSWORD)
        assert "Ann's body still stands where it was left." in owner.screen
        assert "You are yourself again." in owner.screen
        assert "Drip Bridge" in owner.screen


@pytest.mark.parametrize("lines", [["quit"], ["new", "quit"], ["guest", " QUIT "]])
async def test_quit_leaves_at_every_question(mud: OpenMud, lines: list[str]) -> None:
    async with mud(lasting_world) as valley:
        ann = await valley.player()
        await answers(ann, *lines)
        assert ann.screen.endswith("The road takes you back over the rise.\n")


@pytest.mark.parametrize("name", ["board", "north", "nobody", "guest", "mssp"])
async def test_no_word_of_the_valley_is_a_name(mud: OpenMud, name: str) -> None:
    async with mud(lasting_world) as valley:
        ann = await valley.player()
        await answers(ann, "new", name)
        assert TEXTS.name_reserved in ann.screen


async def test_a_password_is_changed_and_an_account_deleted_by_a_verb(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        await answers(ann, "password", PASSWORD, "the clock counts", "the clock counts")
        assert ann.screen.endswith(f"{TEXTS.password_changed}\n> ")
        await answers(ann, "delete", "the clock counts")
        assert "Your account is deleted." in ann.screen
        assert len(valley.server.sessions) == 0


async def test_what_was_saved_is_there_after_a_crash(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        await answers(ann, "colour off")
        await trio.sleep(2)
        await answers(ann, "colour 256")
        await valley.kill()
        stored = valley.storage
    async with mud(lasting_world, storage=stored) as valley:
        ann = await valley.player()
        await answers(ann, "Ann", PASSWORD, "colour")
        assert "Colours: none (as you wish)" in ann.screen
