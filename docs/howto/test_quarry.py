import tempfile
import tomllib
from pathlib import Path

import trio
from quarry import game, hooks

from trio_mud.world import Game, World
from trio_mud.world.building import export


async def come_in(place, name):
    player = await place.player()
    await player.sees("By what name?")
    await player.type(name)
    await player.type("look")
    await player.sees("Quarry")
    return player


async def test_a_room_is_dug_and_is_there_after_a_crash(mud):
    async with mud(game) as quarry:
        ann, bob = await come_in(quarry, "Ann"), await come_in(quarry, "Bob")
        await ann.type("dig down The Quarry Floor", "down", "describe here Dust, and cut stone.", "make pick")
        await ann.sees("You make pick in The Quarry Floor.")
        await bob.sees("Ann opens a way down.")
        await bob.type("down", "take pick")
        await bob.sees("Dust, and cut stone.")
        await bob.sees("You take the pick.")
        await ann.type("undo")
        await ann.sees("make pick cannot be undone: pick was changed since.")
        await quarry.store.saved()
        await quarry.kill()
    async with mud(game, storage=quarry.storage) as quarry:
        await (await come_in(quarry, "Bob")).sees("Dust, and cut stone.")


async def test_for_players_no_verb_of_building_exists(mud):
    async with mud(game) as quarry:
        bob = await come_in(quarry, "Bob")
        await bob.type("dig down The Quarry Floor")
        await bob.sees('There is no command "dig".')


async def test_what_was_built_becomes_a_map(mud):
    async with mud(game) as quarry:
        ann = await come_in(quarry, "Ann")
        await ann.type("dig down The Quarry Floor")
        await ann.sees("You dig down")
        text = export(World.of(quarry.server))
    assert tomllib.loads(text)["rooms"] == {
        "edge": {"exits": {"down": "the-quarry-floor"}},
        "the-quarry-floor": {"name": "The Quarry Floor", "exits": {"up": "edge"}},
    }
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder, "built.toml")
        await trio.Path(built).write_text(text)
        async with mud(Game(hooks, maps=[*game.maps, built])) as other:
            bob = await come_in(other, "Bob")
            await bob.type("down")
            await bob.sees("The Quarry Floor")
