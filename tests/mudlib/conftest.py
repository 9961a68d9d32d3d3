"""What the tests of the bundled world share."""

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
