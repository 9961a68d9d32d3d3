"""The valley that keeps its players is run by some of them."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest
import trio

from trio_mud import ConsoleOperator, Limits
from trio_mud.mudlib import lasting_world, world
from trio_mud.mudlib.spot import Spot
from trio_mud.testing import Mud, OpenMud, Player
from trio_mud.world import Room, World

from .conftest import ComeIn, reads
from .residents import newcomer, returning, visitor

REFUSED = "You may not speak to others just now. shouting\n"
SWIFT = Limits(command_rate=None)


async def console(valley: Mud, line: str) -> str:
    """Type a line at the console, and return the answer."""
    operator, commands = ConsoleOperator(), valley.server.operator_commands
    assert commands is not None
    answer = commands(operator, line)
    assert isinstance(answer, Awaitable)
    await answer
    assert not operator.has_failed, operator.answer
    return operator.answer


async def answered(player: Player, line: str) -> str:
    """Return what a player reads after a line."""
    await player.catches_up()
    await player.type(line)
    await trio.sleep(1)
    return await reads(player)


async def test_an_owner_who_was_made_at_the_console_acts_in_the_valley(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann, bob = await newcomer(valley, "Ann"), await newcomer(valley, "Bob")
        assert await answered(ann, "kick bob") == 'There is no command "kick".\n'
        await console(valley, "role ann owner")
        assert "#2 Bob from " in await answered(ann, "connections")
        assert (
            await answered(ann, "kick bob too loud")
            == "bob is out.\nBob takes the valley road, grows small on it, and is gone.\n"
        )
        assert "shown out by an operator. too loud" in await bob.sees_the_end()


async def test_help_shows_the_verbs_of_operators_to_them_alone(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann, bob = await newcomer(valley, "Ann"), await newcomer(valley, "Bob")
        await console(valley, "role ann admin")
        assert "Usage: mute PLAYER [WORDS]" in await answered(ann, "help mute")
        assert await answered(bob, "help mute") == 'There is no help about "mute".\n'
        assert "Usage: report [WORDS]" in await answered(bob, "help report")


@pytest.mark.parametrize(
    "line",
    [
        *["say hi", "'hi", "tell bob hi", "reply hi", "shout hi", ":waves", "chat hi", "afk hi", "letter bob", "note"],
        *["smile", "report they mute me", "who"],
    ],
)
async def test_a_muted_player_reaches_others_by_gestures_and_reports_alone(mud: OpenMud, line: str) -> None:
    async with mud(lasting_world, limits=SWIFT) as valley:
        ann, bob = await newcomer(valley, "Ann"), await newcomer(valley, "Bob")
        for player in (ann, bob):
            await player.type("north", "north")
            await player.catches_up()
        await bob.type("tell ann go on")
        await ann.sees("go on")
        await console(valley, "mute ann 10m shouting")
        await ann.sees(REFUSED)
        await bob.catches_up()
        answer = await answered(ann, line)
        if line in ("smile", "report they mute me", "who"):
            assert REFUSED not in answer
        else:
            assert answer == REFUSED
            assert await reads(bob) == ""
        await console(valley, "unmute ann")
        assert REFUSED not in await answered(ann, line)


@pytest.mark.parametrize("line", ["note", "letter bob"])
async def test_a_player_who_is_muted_while_writing_keeps_the_text(mud: OpenMud, line: str) -> None:
    async with mud(lasting_world, limits=SWIFT) as valley:
        ann, _ = await newcomer(valley, "Ann"), await newcomer(valley, "Bob")
        await ann.type("north", "north", line, "Dear all,")
        await ann.catches_up()
        await console(valley, "mute ann 10m shouting")
        await ann.sees(REFUSED)
        assert await answered(ann, ".") == REFUSED
        assert await answered(ann, "read") == "There is nothing on the board but pins.\n"
        await console(valley, "unmute ann")
        assert "that you had begun" in await answered(ann, line)
        assert "Dear all," in await answered(ann, ".l")


async def test_a_mute_holds_for_a_player_who_comes_back_after_a_restart(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        await newcomer(valley, "Ann")
        await console(valley, "mute ann 10m shouting")
    async with mud(lasting_world, storage=valley.storage) as valley:
        assert await answered(await returning(valley, "Ann"), "say hi") == REFUSED


async def test_a_guest_speaks_and_reports_and_has_no_other_verb_of_operators(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        eve = await visitor(valley, "Eve")
        assert await answered(eve, "say hi") == 'You say, "hi"\n'
        assert "Your report is noted" in await answered(eve, "report it rains")
        assert await answered(eve, "reports") == 'There is no command "reports". Did you mean report?\n'
        assert "guest eve: it rains" in await console(valley, "reports")


async def test_a_builder_digs_a_room_of_the_valley_that_lasts(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        await console(valley, "role ann builder")
        await ann.type("dig south The Ford", "south", "set here is_indoors on", "describe here Stones, a step apart.")
        await ann.sees("The Ford has a new description.")
    async with mud(lasting_world, storage=valley.storage) as valley:
        ann = await returning(valley, "Ann")
        assert "The Ford\nStones, a step apart.\nYou can go north." in ann.screen
        ford = next(room for room in World.of(valley.server).store.all(Room) if room.name == "The Ford")
        assert isinstance(ford, Spot)
        assert ford.is_indoors


async def test_the_valley_starts_without_the_room_of_its_clock(mud: OpenMud) -> None:
    async with mud(lasting_world, limits=SWIFT) as valley:
        ann = await newcomer(valley, "Ann")
        await console(valley, "role ann builder")
        await ann.type("north", "north", "north", "unmake here")
        await ann.sees("The Foot of the Clock is gone now.")
    async with mud(lasting_world, storage=valley.storage) as valley:
        await returning(valley, "Ann")
        assert valley.server.mssp["NAME"] == "The Valley of the Slow Water"


@pytest.mark.parametrize("name", ["Kick", "Dig", "Mail", "Smile", "Who"])
async def test_no_verb_of_the_valley_is_a_name(mud: OpenMud, name: str) -> None:
    async with mud(lasting_world) as valley:
        player = await valley.player()
        await trio.sleep(1)
        await player.type("new", name)
        await player.sees("Nobody can be called that here.")


async def test_a_valley_without_accounts_has_no_operators(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        assert valley.server.operator_commands is None
        for verb in ("report", "mute", "dig"):
            assert f'There is no command "{verb}".' in await answered(ann, f"{verb} ann")
