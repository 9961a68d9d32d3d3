"""Fixtures shared by the tests of the bundled world."""

import re
from collections.abc import Awaitable, Callable

import pytest

from trio_mud.testing import Mud, Player

ComeIn = Callable[[Mud, str], Awaitable[Player]]


@pytest.fixture
def come_in() -> ComeIn:
    """`ann = await come_in(valley, "Ann")` is a player who has given her name and read everything so far."""

    async def tell_name(valley: Mud, name: str) -> Player:
        player = await valley.player()
        await player.sees("By what name are you known? ")
        await player.type(name)
        await player.sees("You can go")
        await player.catches_up()
        return player

    return tell_name


async def reads(player: Player) -> str:
    """Return the text since the last expectation, without prompts and the line endings after them."""
    return re.sub("^> \n?", "", await player.catches_up(), flags=re.MULTILINE).removeprefix("\n")


async def reads_no_more(player: Player) -> None:
    """Nothing but the rest of the line seen last, and a prompt."""
    rest = (await player.catches_up()).partition("\n")[2]
    assert rest in ("", "> ")
