"""What the tests of the bundled world share."""

import re
from collections.abc import Awaitable, Callable

import pytest

from trio_mud.testing import Mud, Player

ComeIn = Callable[[Mud, str], Awaitable[Player]]


@pytest.fixture
def come_in() -> ComeIn:
    """`ann = await come_in(valley, "Ann")` is a player who has told her name and read all there is."""

    async def tell_name(valley: Mud, name: str) -> Player:
        player = await valley.player()
        await player.sees("By what name are you known? ")
        await player.type(name)
        await player.sees("You can go")
        await player.catches_up()
        return player

    return tell_name


async def reads(player: Player) -> str:
    """What has come since the last expectation, without the prompts and the line ends that lead down from them."""
    return re.sub("^> \n?", "", await player.catches_up(), flags=re.MULTILINE).removeprefix("\n")


async def reads_no_more(player: Player) -> None:
    """Nothing but the rest of the line seen last, and a prompt."""
    rest = (await player.catches_up()).partition("\n")[2]
    assert rest in ("", "> ")
