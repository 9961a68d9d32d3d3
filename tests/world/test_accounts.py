"""Travellers as the characters of accounts."""

from __future__ import annotations

from trio_mud import Admitted, Hooks
from trio_mud.accounts import AccountOptions, Accounts, Login
from trio_mud.storage import inline
from trio_mud.testing import OpenMud
from trio_mud.world import Game, World

from .village import MAP, Cottager, lantern_of, room

CHEAP = AccountOptions(hash_memory=8, hash_passes=1)


def build(world: World) -> Hooks:
    hooks = Hooks()
    accounts = Accounts(world.store, Cottager, options=CHEAP, execute=inline)
    hooks.include(accounts.hooks)

    @hooks.on(Admitted)
    def open_the_door(event: Admitted) -> None:
        event.connection.start_dialog(Login(accounts).run)

    return hooks


async def test_a_character_is_in_the_world_while_it_is_played(mud: OpenMud) -> None:
    game = Game(build, records=Accounts.records, maps=(MAP,))
    async with mud(game) as place:
        ann = await place.player()
        for question, line in (("Name: ", "new"), ("be? ", "Ann"), ("New", "open sesame"), ("again", "open sesame")):
            await ann.sees(question)
            await ann.type(line)
        await place.pass_time(1)
        (body,) = place.store.all(Cottager)
        assert body in room(place, "green").contents
        lantern_of(place).place = body
    async with mud(game, storage=place.storage) as place:
        assert not any(isinstance(thing, Cottager) for thing in room(place, "green").contents)
        ann = await place.player()
        for question, line in (("Name: ", "ann"), ("Password: ", "open sesame")):
            await ann.sees(question)
            await ann.type(line)
        await place.pass_time(1)
        (body,) = place.store.all(Cottager)
        assert body.session is not None
        assert lantern_of(place).owner is body
