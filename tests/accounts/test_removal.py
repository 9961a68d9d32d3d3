"""The deletion of an account, its remains, and its export."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import trio

from trio_mud import Texts
from trio_mud.accounts import Account, accounts
from trio_mud.storage import Memory
from trio_mud.testing import OpenMud
from trio_mud.testing.mud import MILLENNIUM

from .inn import PASSWORD, Coin, Mint, Pet, answers, open_inn

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
