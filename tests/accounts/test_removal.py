"""The deletion of an account, its remains, and its export."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest
import trio

from trio_mud import Texts
from trio_mud.accounts import Account, accounts
from trio_mud.storage import Memory
from trio_mud.testing import OpenMud
from trio_mud.testing.mud import MILLENNIUM

from ..storage.faulty import delayed
from .inn import CHEAP, PASSWORD, Coin, Mint, Patron, Pet, answers, open_inn

TEXTS = Texts()
DAY = 24 * 3600.0


async def test_after_thirty_days_all_but_the_names_is_gone_and_they_stay_taken(mud: OpenMud) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        ann = await inn.newcomer("Ann")
        inn.store.add(Pet(name="Rex", hero="ann"), "rex")
        inn.store.add(Pet(name="Tom", hero="bob"), "tom")
        inn.store.add(Coin(), "coin")
        inn.store.add(Coin(), "ann")
        await inn.store.saved()
        await answers(ann, "delete", PASSWORD)
        for _ in range(29):
            await inn.accounts.purge()
        await inn.store.saved()
        assert {("account", "ann"), ("coin", "ann")} <= stored.rows.keys()
        await inn.accounts.purge()
        await inn.store.saved()
        assert sorted(stored.rows) == [("character", "tom"), ("coin", "coin"), ("name", "ann")]
        assert TEXTS.name_taken in (await inn.player("new", "Ann")).screen
        assert TEXTS.login_wrong in (await inn.login("Ann")).screen
        audit = [entry["event"] for _, entry in await inn.store.entries("audit")]
        assert audit == ["character created", "account deleted", "account destroyed"]


async def test_a_day_is_counted_at_night_and_a_clock_that_jumps_ahead_by_a_year_is_one_day(
    mud: OpenMud, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = 0.0
    noon = dt.datetime.fromtimestamp(MILLENNIUM + 60, tz=dt.UTC).astimezone()  # the zone of this machine
    monkeypatch.setattr(accounts, "PURGE", noon.time())
    async with open_inn(mud, wall_clock=lambda: MILLENNIUM + moved + trio.current_time()) as inn:
        await answers(await inn.newcomer("Ann"), "delete", PASSWORD)
        assert "in 30 days" in (await inn.login("Ann")).screen
        await trio.sleep(120)
        assert "in 29 days" in (await inn.login("Ann")).screen
        moved = 365 * DAY
        await trio.sleep(3700)
        assert "in 28 days" in (await inn.login("Ann")).screen


async def test_an_export_holds_what_is_stored_and_no_secret(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        account = inn.store.get(Account, "ann")
        assert account is not None
        account.settings = {"colour": "off"}
        inn.store.add(Pet(name="Rex", hero="ann"), "rex")
        inn.store.add(Coin(worth=7, mint=Mint("Bree")), "ann")
        inn.store.add(Coin(worth=8), "bob")
        await answers(ann, "dig")
        exported = await inn.accounts.export("Ann")
        assert json.loads(json.dumps(exported)) == exported
        assert exported["account"]["settings"] == {"colour": "off"}
        assert {record.get("name") for record in exported["characters"]["ann"]} == {"Ann", "Rex", None}
        assert {"key": "ann", "worth": 7, "mint": {"town": "Bree"}} in exported["characters"]["ann"]
        assert {"key": "ann", "name": "Ann", "account": "ann", "gold": 1} in exported["characters"]["ann"]
        assert exported["names"] == ["ann", "ann"]
        assert exported["audit"][0]["event"] == "character created"
        assert not {"password", "tokens", "recovery", "known", "salt"} & exported["account"].keys()


async def test_an_account_that_is_played_is_not_destroyed_until_it_has_left(mud: OpenMud) -> None:
    """The deletion waits for a slow disk, and the night comes meanwhile."""
    stored = Memory().stored
    rules, slow = replace(CHEAP, deletion_days=1), 3.0
    async with open_inn(mud, stored, rules=rules, executor=delayed(lambda: slow), pause=10) as inn:
        ann = await inn.newcomer("Ann")
        account, hero = inn.store.get(Account, "ann"), inn.hero("ann")
        assert account is not None
        await answers(ann, "delete")
        await ann.type(PASSWORD)
        await inn.mud.pass_time(0.1)
        assert account.is_deleted
        await inn.accounts.purge()
        assert inn.store.get(Patron, "ann") is hero
        await ann.sees_the_end()
        slow = 0.0
        await inn.accounts.purge()
        await inn.store.saved()
        assert sorted(stored.rows) == [("name", "ann")]


async def test_an_owner_who_takes_the_deletion_back_while_it_is_carried_out_keeps_everything(mud: OpenMud) -> None:
    stored = Memory().stored
    rules = replace(CHEAP, deletion_days=1)
    async with open_inn(mud, stored, rules=rules) as inn:
        await answers(await inn.newcomer("Ann"), "delete", PASSWORD)
    async with open_inn(mud, stored, rules=rules, executor=delayed(lambda: 1.0)) as inn:
        account = await inn.accounts.find("Ann")
        assert account is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(inn.accounts.purge)
            await trio.sleep(0.5)
            await inn.accounts.undelete(account)
        await inn.store.saved()
        assert {("account", "ann"), ("character", "ann")} <= stored.rows.keys()
        assert inn.store.value("trio_mud.deletions") == {}


async def test_a_deleted_account_with_a_damaged_row_does_not_keep_the_others(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    stored = Memory().stored
    rules = replace(CHEAP, deletion_days=1)
    async with open_inn(mud, stored, rules=rules) as inn:
        for name in ("Ann", "Bob"):
            await answers(await inn.newcomer(name), "delete", PASSWORD)
    stored.rows["account", "ann"] = stored.rows["account", "ann"]._replace(data=b'{"name":7}')
    async with open_inn(mud, stored, rules=rules, allow_errors=True) as inn:
        await inn.accounts.purge()
        await inn.store.saved()
        assert sorted(stored.rows) == [("account", "ann"), ("character", "ann"), ("name", "ann"), ("name", "bob")]
    assert "the deleted account 'ann' is not destroyed today" in caplog.text


async def test_a_disk_that_fails_at_night_costs_the_purge_and_not_the_game(
    mud: OpenMud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    noon = dt.datetime.fromtimestamp(MILLENNIUM + 60, tz=dt.UTC).astimezone()
    monkeypatch.setattr(accounts, "PURGE", noon.time())

    async def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(accounts, "destroy_due", fail)
    async with open_inn(mud, allow_errors=True) as inn:
        ann = await inn.newcomer("Ann")
        await trio.sleep(120)
        await ann.type("gold")
        await ann.sees("You have 0")
        assert inn.mud.server.counters["hooks failed"] == 1
    assert "timer Accounts._purge" in caplog.text
    assert "Input/output error" in caplog.text


async def test_an_account_that_was_destroyed_meanwhile_takes_no_password_and_no_deletion_back(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await (await inn.newcomer("Ann")).type("quit")
        account = await inn.accounts.find("Ann")
        assert account is not None
        inn.store.remove(account)
        with pytest.raises(LookupError, match="was destroyed"):
            await inn.accounts.set_password(account, "battery staple")
        with pytest.raises(LookupError, match="was destroyed"):
            await inn.accounts.undelete(account)


async def test_a_body_that_the_game_removes_while_it_is_played_leaves_nothing_held(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        inn.store.remove(inn.hero("ann"))
        await ann.type("quit")
        await ann.sees_the_end()
        assert not inn.store._contents.holds
        again = await inn.login("Ann")
        await again.sees_the_end()
        assert again.screen.endswith(f"{TEXTS.login_gone}\n")
