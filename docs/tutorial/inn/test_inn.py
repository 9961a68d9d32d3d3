"""What the lesson adds to the tests of the game."""

from inn import game

from trio_mud.testing import Mud, OpenMud, Player


async def come_in(place: Mud, name: str, *, is_new: bool = True) -> Player:
    """As it was."""
    raise NotImplementedError


# test
async def test_the_cat_purrs_at_a_toast(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await come_in(place, "Ann")
        await ann.type("down", "toast the harvest")
        await ann.sees("You drink to the harvest.")
        await ann.sees("ginger cat purrs.", within=3)
        await ann.sees("ginger cat strolls away.", within=30)


async def test_toasts_are_counted_over_a_restart(mud: OpenMud) -> None:
    async with mud(game) as place:
        ann = await come_in(place, "Ann")
        await ann.type("toast the king", "quit")
        await ann.sees_the_end()
    async with mud(game, storage=place.storage) as place:
        ann = await come_in(place, "Ann", is_new=False)
        await ann.type("toast the queen")
        await ann.sees("That was toast number 2.")
