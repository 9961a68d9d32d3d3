"""New accounts: which names are free, and what is on disk before it is announced."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from trio_mud import Connection, Texts
from trio_mud.accounts import Account
from trio_mud.commands import Mistake
from trio_mud.errors import NotSaved
from trio_mud.testing import OpenMud

from ..storage.faulty import FULL, Faulty
from .inn import PASSWORD, Inn, Patron, answers, open_inn

TEXTS = Texts()


async def test_a_name_that_looks_like_an_accounts_is_taken(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Capa")
        sara = await inn.player("new", "\u0421\u0430\u0440\u0430")  # in Cyrillic letters
        assert TEXTS.name_taken in sara.screen


async def test_names_that_are_taken_are_not_told_without_end(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Ann")
        prober = await inn.player("new", "Ann", "Ann", "Ann", "new", "Ann", address="203.0.113.9")
        await prober.sees_the_end()
        assert "Please wait 15 seconds" in prober.screen
        assert prober.screen.count(TEXTS.name_taken) == 3


async def test_an_account_is_not_announced_before_it_is_saved(mud: OpenMud, caplog: pytest.LogCaptureFixture) -> None:
    backend = Faulty()
    async with open_inn(mud, backend=backend) as inn:
        backend.error = FULL
        ann = await inn.player("new", "Ann")
        await answers(ann, PASSWORD, PASSWORD)
        await ann.sees_the_end()
        assert ann.screen.endswith(f"{TEXTS.login_not_saved}\n")
        assert "You are" not in ann.screen
        assert "No space left on device" in caplog.text
        assert await inn.accounts.find("Ann") is None
        backend.error = None
        await inn.mud.pass_time(6)
        assert not backend.stored.rows
        await inn.newcomer("Ann")
        await inn.store.saved()
    assert sorted(backend.stored.rows) == [("account", "ann"), ("character", "ann"), ("name", "ann")]


async def test_a_new_character_that_is_played_from_another_link_is_kept_if_its_creation_fails(mud: OpenMud) -> None:
    backend = Faulty()
    async with open_inn(mud, backend=backend) as inn:
        backend.error = FULL
        first = await inn.player("new", "Ann", PASSWORD)
        await first.type(PASSWORD)
        second = await inn.login("Ann")
        assert "You are Ann" in second.screen
        await inn.mud.pass_time(6)
        await first.catches_up()
        assert TEXTS.login_not_saved in first.screen
        account, _ = await account_of(inn)
        assert inn.accounts.account_of(inn.mud.server.sessions.get("ann")) is account
        assert inn.store.get(Patron, "ann") is not None
        backend.error = None
        await second.type("quit")
        await inn.mud.pass_time(6)
    assert sorted(backend.stored.rows) == [("account", "ann"), ("character", "ann"), ("name", "ann")]


async def test_a_second_character_that_is_played_already_stays_with_its_account(mud: OpenMud) -> None:
    backend = Faulty()
    async with open_inn(mud, backend=backend) as inn:
        await inn.newcomer("Ann")
        account, connection = await account_of(inn)
        backend.error = FULL
        async with trio.open_nursery() as nursery:

            async def add() -> None:
                with pytest.raises(NotSaved):
                    await inn.accounts.add_character(connection, account, "Bea")

            nursery.start_soon(add)
            await trio.sleep(1)
            other = await inn.player("Ann", PASSWORD, "Bea")
            assert "You are Bea" in other.screen
        assert account.characters == ("ann", "bea")
        backend.error = None
        await inn.store.saved()
    assert ("character", "bea") in backend.stored.rows


async def test_of_two_who_make_one_account_at_once_the_loser_reads_that_it_is_taken(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        rivals = [await inn.player("new", "Ann") for _ in range(2)]
        for rival in rivals:
            await rival.type(PASSWORD)
            await rival.catches_up()
        async with trio.open_nursery() as nursery:
            for rival in rivals:
                nursery.start_soon(rival.type, PASSWORD)
        screens = [rival.screen + await rival.catches_up() for rival in rivals]
        assert sum("You are Ann" in screen for screen in screens) == 1
        assert sum(TEXTS.name_taken in screen for screen in screens) == 1
        assert inn.events == ["Ann comes"]


async def account_of(inn: Inn) -> tuple[Account, Connection]:
    account = await inn.accounts.find("Ann")
    assert account is not None
    return account, next(iter(inn.mud.server.connections))


async def test_an_account_has_no_more_characters_than_allowed(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Ann")
        account, connection = await account_of(inn)
        for name in ("Bea", "Cid", "Dan", "Eve"):
            await inn.accounts.add_character(connection, account, name)
        with pytest.raises(Mistake, match="as many characters"):
            await inn.accounts.add_character(connection, account, "Fay")
        assert account.characters == ("ann", "bea", "cid", "dan", "eve")


async def test_a_second_character_of_the_same_name_is_refused_and_listed_once(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Ann")
        account, connection = await account_of(inn)
        await inn.accounts.add_character(connection, account, "Bea")
        for name in ("Ann", "Bea", "Béa"):
            with pytest.raises(Mistake, match="taken"):
                await inn.accounts.add_character(connection, account, name)
        assert account.characters == ("ann", "bea")


async def test_a_character_that_is_taken_or_not_saved_is_not_added(mud: OpenMud) -> None:
    backend = Faulty()
    async with open_inn(mud, backend=backend) as inn:
        await inn.newcomer("Ann")
        await (await inn.newcomer("Bob")).type("quit")
        await inn.player("guest", "Cid")
        account, connection = await account_of(inn)
        for name in ("Bob", "Cid"):
            with pytest.raises(Mistake, match="taken"):
                await inn.accounts.add_character(connection, account, name)
        backend.error = FULL
        with pytest.raises(NotSaved):
            await inn.accounts.add_character(connection, account, "Dan")
        backend.error = None
        assert account.characters == ("ann",)
        await inn.mud.pass_time(6)
        assert ("character", "dan") not in backend.stored.rows


async def test_a_name_is_not_given_away_while_its_password_is_typed(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann, guest = await inn.player("new", "Ann", PASSWORD), await inn.player("guest", "Ann")
        assert "You are Ann" in guest.screen
        await answers(ann, PASSWORD)
        assert TEXTS.name_taken in ann.screen
        assert await inn.accounts.find("Ann") is None


async def test_an_account_does_not_get_a_name_that_looks_like_that_of_a_guest_who_came_meanwhile(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        capa = await inn.player("new", "Capa", PASSWORD)
        guest = await inn.player("guest", "\u0421\u0430\u0440\u0430")  # Sara in Cyrillic
        assert "You are" in guest.screen
        await answers(capa, PASSWORD)
        assert TEXTS.name_taken in capa.screen
        assert await inn.accounts.find("Capa") is None


async def test_of_two_guests_who_want_one_name_at_once_one_has_it(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        rivals = [await inn.player("guest") for _ in range(2)]
        await inn.mud.race(*(partial(rival.type, "Bob") for rival in rivals))
        screens = [rival.screen for rival in rivals]
        assert sum("You are Bob" in screen for screen in screens) == 1
        assert sum(TEXTS.name_taken in screen for screen in screens) == 1
