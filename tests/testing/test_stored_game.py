"""A stored game in the test kit: restarts, crashes, and mistakes that would lose a change."""

from __future__ import annotations

import pytest

from tests.driver.conftest import Crash
from tests.world.tavern import Regular, game, hooks
from trio_mud import Disconnect, Hooks
from trio_mud.errors import ChangedInPlace, UnreadableRecord
from trio_mud.testing import OpenMud
from trio_mud.world import Game

ANN = "192.0.2.7"


async def test_a_restart_finds_what_was_changed(mud: OpenMud) -> None:
    async with mud(game) as tavern:
        ann = await tavern.player(address=ANN)
        await ann.sees("You have 0 gold")
        await ann.type("earn")
    async with mud(game, storage=tavern.storage) as tavern:
        ann = await tavern.player(address=ANN)
        await ann.sees("You have 1 gold")


async def test_a_kill_loses_only_what_was_not_saved(mud: OpenMud) -> None:
    async with mud(game) as tavern:
        ann = await tavern.player(address=ANN)
        await ann.type("earn")
        await ann.type("save")
        await ann.sees("Saved.")
        await ann.type("earn")
        await ann.catches_up()
        guest = tavern.store.get(Regular, ANN)
        assert guest is not None
        assert guest.gold == 2
        await tavern.kill()
        await ann.sees_the_end()
    async with mud(game, storage=tavern.storage) as tavern:
        ann = await tavern.player(address=ANN)
        await ann.sees("You have 1 gold")


async def test_after_a_second_a_kill_loses_nothing(mud: OpenMud) -> None:
    async with mud(game) as tavern:
        ann = await tavern.player(address=ANN)
        await ann.type("earn")
        await tavern.pass_time(1.1)
        await tavern.kill()
    async with mud(game, storage=tavern.storage) as tavern:
        ann = await tavern.player(address=ANN)
        await ann.sees("You have 1 gold")


async def test_a_dead_dispatcher_loses_no_change_of_a_record(mud: OpenMud) -> None:
    """A19: the last save is made although the server ends with an error."""
    with pytest.raises(LookupError, match="crash"):  # noqa: PT012 - the block is the server
        async with mud(game) as tavern:
            tavern.store.add(Regular(gold=3), ANN)
            dispatcher = tavern.server._context.dispatcher
            dispatcher.put(Crash(dispatcher))
            await tavern.pass_time(100)
    async with mud(game, storage=tavern.storage) as tavern:
        ann = await tavern.player(address=ANN)
        await ann.sees("You have 3 gold")


async def test_no_function_of_a_killed_game_runs(mud: OpenMud) -> None:
    ended: list[Disconnect] = []
    hooks = Hooks()
    hooks.on(Disconnect)(ended.append)
    async with mud(Game(hooks)) as tavern:
        await tavern.player()
        await tavern.kill()
        assert len(tavern.server.connections) == 0
        await tavern.pass_time(100)
    assert ended == []


@pytest.mark.parametrize("seconds", [0, 100], ids=["at the end", "before a sweep of the store itself"])
async def test_a_list_changed_in_place_fails_the_test_with_the_correction(mud: OpenMud, seconds: float) -> None:
    with pytest.raises(ChangedInPlace) as caught:  # noqa: PT012
        async with mud(game) as tavern:
            ann = await tavern.player(address=ANN)
            await tavern.pass_time(2)
            await ann.type("listen")
            await tavern.pass_time(2)
            await ann.type("listen carelessly")
            await tavern.pass_time(seconds)
    assert str(caught.value) == (
        f"Regular.tales of '{ANN}' was changed in place: assign it, regular.tales = …, or call store.changed(regular)"
    )


async def test_a_value_of_another_type_fails_the_test_that_stored_it(mud: OpenMud) -> None:
    with pytest.raises(
        UnreadableRecord, match=r"Regular '7' is saved, and could not be loaded again: Expected `array`"
    ):
        async with mud(game) as tavern:
            tavern.store.add(Regular(), "7").tales = 5  # type: ignore[assignment]


async def test_an_assigned_list_passes(mud: OpenMud) -> None:
    async with mud(game) as tavern:
        ann = await tavern.player(address=ANN)
        await tavern.pass_time(2)
        await ann.type("listen")
        await tavern.pass_time(100)


async def test_a_failed_test_is_reported_as_itself(mud: OpenMud) -> None:
    with pytest.raises(ZeroDivisionError):
        async with mud(game):
            1 / 0  # noqa: B018


async def test_a_failure_of_the_game_still_fails_the_test_and_is_saved_around(mud: OpenMud) -> None:
    with pytest.raises(RuntimeError, match="as asked"):  # noqa: PT012
        async with mud(game) as tavern:
            ann = await tavern.player(address=ANN)
            await ann.type("earn")
            await ann.type("fail")
    async with mud(game, storage=tavern.storage) as tavern:
        await (await tavern.player(address=ANN)).sees("You have 1 gold")


async def test_entries_of_logs_have_the_time_of_the_test(mud: OpenMud) -> None:
    async with mud(game) as tavern:
        await tavern.pass_time(60)
        tavern.store.log("audit", text="hello")
        (entry,) = await tavern.store.entries("audit")
        assert entry == (tavern.server.wall_clock(), {"text": "hello"})


async def test_a_world_of_ones_own_and_a_store_of_hooks_are_refused(mud: OpenMud) -> None:
    with pytest.raises(TypeError, match="a Game has a world of its own"):
        async with mud(game, world=object()):
            pass
    async with mud(hooks) as tavern:
        with pytest.raises(TypeError, match="serve a Game"):
            _ = tavern.store
    async with mud(game) as tavern:
        tavern.store.set_value("weather", "rain")
    with pytest.raises(TypeError, match="needs a Game"):
        async with mud(hooks, storage=tavern.storage):
            pass
