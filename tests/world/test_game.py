"""Game: what it takes, and what a server gets of it."""

from __future__ import annotations

import pytest

from trio_mud import Hooks, Limits, MasterServer, Texts
from trio_mud.storage import Memory, Record, inline
from trio_mud.world import Game, World

from .tavern import Regular, game


async def test_a_game_is_opened_with_its_store_and_its_world() -> None:
    memory = Memory()
    async with game.open(memory, executor=inline) as (hooks, world):
        server = MasterServer(hooks, world=world)
        assert World.of(server) is world
        world.store.add(Regular(gold=3), "ann")
    async with game.open(memory, executor=inline) as (_, world):
        ann = await world.store.load(Regular, "ann")
        assert ann is not None
        assert ann.gold == 3


async def test_a_function_of_the_world_returns_the_hooks_at_each_opening() -> None:
    worlds = []

    def build(world: World) -> Hooks:
        worlds.append(world)
        return Hooks()

    made = Game(build, records=(Regular,))
    for _ in range(2):
        async with made.open(Memory(), executor=inline) as (hooks, world):
            assert hooks.is_empty
            assert worlds[-1] is world
    assert worlds[0] is not worlds[1]


async def test_a_function_that_forgets_its_return_is_named() -> None:
    def build(world: World) -> Hooks:
        return None  # type: ignore[return-value]

    with pytest.raises(TypeError, match=r"build .*returned None, not a Hooks: end the function by `return hooks`"):
        async with Game(build).open(Memory(), executor=inline):
            pass


@pytest.mark.parametrize("wrong", [5, Hooks, None])
def test_a_game_without_hooks_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match="takes a Hooks, or a function of the world that returns one"):
        Game(wrong)  # type: ignore[arg-type]


def test_one_class_of_records_is_given_in_a_tuple() -> None:
    class Lamp(Record, family="lamp"):
        oil: int = 0

    with pytest.raises(TypeError, match=r"takes several classes: write records=\(Lamp,\)"):
        Game(Hooks(), records=Lamp)  # type: ignore[arg-type]


def test_a_server_of_a_game_that_is_not_open_says_how_to_start_it() -> None:
    with pytest.raises(TypeError, match=r"not a Game; start it by `trio-mud run MODULE:NAME`"):
        MasterServer(game)  # type: ignore[arg-type]


def test_records_are_classes() -> None:
    with pytest.raises(TypeError, match="takes classes derived from Record"):
        Game(Hooks(), records=(int,))  # type: ignore[arg-type]


def test_a_wrong_declaration_is_found_before_anything_is_opened() -> None:
    class Lamp(Record, family="lamp", version=2):
        oil: int = 0

    with pytest.raises(TypeError, match="no migration of version 1"):
        Game(Hooks(), records=(Lamp,)).check()


def test_a_server_of_hooks_alone_has_no_world() -> None:
    with pytest.raises(TypeError, match=r"server.world is None, not a World: serve a Game"):
        World.of(MasterServer(Hooks()))
    with pytest.raises(TypeError, match=r"server.world is a dict, not a World: .* do not assign server.world"):
        World.of(MasterServer(Hooks(), world={}))


async def test_a_world_has_the_options_it_was_opened_with_or_their_defaults() -> None:
    async with game.open(Memory(), options=(Limits(max_connections=7),), executor=inline) as (_, world):
        assert world.options(Limits).max_connections == 7
        assert world.options(Texts) == Texts()
        assert world.executor is inline
