"""Holds of a character in every order of logins, takeovers and quits."""

from __future__ import annotations

import random
from contextlib import suppress
from functools import partial

import pytest
import trio

from trio_mud import Texts
from trio_mud.storage import Memory
from trio_mud.testing import OpenMud

from ..storage.faulty import Faulty, delayed
from .inn import PASSWORD, Inn, Patron, answers, open_inn

TEXTS = Texts()
HOME = "192.0.2.7"


def holds(inn: Inn) -> dict[str, int]:
    """How often each record is held."""
    return {f"{type(record).__name__} {record.key}": count for record, count in inn.store._contents.holds.items()}


async def test_a_session_holds_its_hero_and_its_account_once(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        assert holds(inn) == {"Account ann": 1, "Patron ann": 1}
        again = await inn.login("Ann")
        assert holds(inn) == {"Account ann": 1, "Patron ann": 1}
        await again.type("quit")
        await again.sees_the_end()
        assert holds(inn) == {}
        assert TEXTS.taken_over_from.partition("{")[0] in ann.screen


async def test_the_old_link_reads_once_from_where_it_was_taken_over(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        await ann.catches_up()
        await inn.login("Ann", address=HOME)
        assert await ann.sees_the_end() == f"Your character was taken over from {HOME}.\n{TEXTS.taken_over}\n"


async def test_a_wrong_password_takes_nothing_over(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        await ann.catches_up()
        await inn.login("Ann", password="wrong")
        assert await ann.catches_up() == ""


async def test_two_logins_of_one_account_in_one_batch_are_one_stay(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await (await inn.newcomer("Ann")).type("quit")
        first, second = await inn.player("Ann"), await inn.player("Ann")
        await inn.mud.race(partial(first.type, PASSWORD), partial(second.type, PASSWORD))
        assert holds(inn) == {"Account ann": 1, "Patron ann": 1}
        assert len(inn.mud.server.sessions) == 1
        assert inn.events == ["Ann comes", "Ann goes", "Ann comes"]
        closed = [player for player in (first, second) if TEXTS.taken_over in player.screen]
        assert len(closed) == 1


@pytest.mark.parametrize("seed", range(40))
async def test_who_comes_back_while_the_old_link_still_ends_is_saved(mud: OpenMud, seed: int) -> None:
    """The old link quits, vanishes or is taken over before, while and after the new one is in the middle of a login."""
    chance = random.Random(seed)
    backend = Faulty()
    executor = delayed(lambda: chance.choice((0.0, 0.0, 0.1, 0.5)))
    async with open_inn(mud, backend=backend, executor=executor, pause=3.0) as inn:
        old = await inn.newcomer("Ann")
        await old.type("dig")
        new = await inn.player("Ann")
        if chance.random() < 0.5:
            old.stop_reading()  # its last words are still flushed when the new link comes in

        async def end() -> None:
            await trio.sleep(chance.choice((0.0, 0.05, 0.2, 0.6)))
            if chance.random() < 0.3:
                await old.vanish()
                return
            with suppress(trio.BrokenResourceError):  # it was taken over before
                await old.type("quit")

        async def come() -> None:
            await trio.sleep(chance.choice((0.0, 0.0, 0.1, 0.3)))
            await new.type(PASSWORD)

        await inn.mud.race(end, come)
        await inn.mud.pass_time(5)
        session = inn.mud.server.sessions.get("ann")
        assert session is not None
        assert session.connection is not None
        assert holds(inn) == {"Account ann": 1, "Patron ann": 1}
        hero = inn.store.get(Patron, "ann")
        assert hero is session.body
        await new.type("dig")
        await inn.mud.pass_time(5)
        assert b'"gold":2' in backend.stored.rows["character", "ann"].data
        await new.type("quit")
        await inn.mud.pass_time(5)
        assert holds(inn) == {}


@pytest.mark.parametrize("seed", range(20))
async def test_of_several_who_race_one_has_the_hero_and_nothing_is_held_in_the_end(mud: OpenMud, seed: int) -> None:
    chance = random.Random(seed)
    executor = delayed(lambda: chance.choice((0.0, 0.1)))
    async with open_inn(mud, Memory().stored, executor=executor, pause=3.0) as inn:
        await (await inn.newcomer("Ann")).type("quit")
        players = [await inn.player("Ann") for _ in range(chance.randint(2, 3))]
        ends = (lambda player: player.vanish(), lambda player: player.type("quit"), lambda player: player.hang_up())

        async def play(player) -> None:  # type: ignore[no-untyped-def]
            await trio.sleep(chance.choice((0.0, 0.1, 0.2)))
            await player.type(PASSWORD)
            await trio.sleep(chance.choice((0.0, 0.1, 0.2)))
            if chance.random() < 0.5:
                with suppress(trio.BrokenResourceError):  # it was taken over
                    await chance.choice(ends)(player)

        await inn.mud.race(*(partial(play, player) for player in players))
        await inn.mud.pass_time(3)
        sessions = list(inn.mud.server.sessions)
        assert len(sessions) <= 1
        assert holds(inn) == ({"Account ann": 1, "Patron ann": 1} if sessions else {})
        bound = [connection for connection in inn.mud.server.connections if connection.session is not None]
        assert len(bound) <= 1
        await inn.mud.pass_time(400)  # the grace of a body without a link
        if not bound:
            assert holds(inn) == {}


async def test_a_link_that_is_lost_while_the_hero_is_loaded_holds_nothing(mud: OpenMud) -> None:
    async with open_inn(mud, Memory().stored, executor=delayed(lambda: 0.2), pause=3.0) as inn:
        await (await inn.newcomer("Ann")).type("quit")
        await inn.mud.pass_time(3)
        for wait in (0.05, 0.25, 0.45, 0.65):
            ann = await inn.player("Ann")
            await ann.type(PASSWORD)
            await trio.sleep(wait)
            await ann.vanish()
            await inn.mud.pass_time(400)
            assert holds(inn) == {}


async def test_a_character_of_another_account_cannot_be_entered(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Ann")
        await (await inn.newcomer("Bob")).type("quit")
        stranger = await inn.player()
        await answers(stranger)
        ann = await inn.accounts.find("Ann")
        assert ann is not None
        connection = list(inn.mud.server.connections)[-1]
        with pytest.raises(LookupError, match="no character 'bob'"):
            await inn.accounts.enter(connection, ann, "bob")
        assert holds(inn) == {"Account ann": 1, "Patron ann": 1}
