"""What holds for accounts however one logs in: penalties, hashes, roles, and no secret in sight."""

from __future__ import annotations

import logging

import pytest
import trio

from trio_mud import Texts
from trio_mud.accounts import Account, AccountOptions
from trio_mud.storage import Memory
from trio_mud.testing import OpenMud

from .inn import PASSWORD, open_inn

TEXTS = Texts()
HOME = "192.0.2.7"


async def test_penalties_survive_a_restart(mud: OpenMud) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        await inn.newcomer("Ann")
        for _ in range(3):
            await (await inn.login("Ann", address=HOME, password="wrong")).hang_up()
        await trio.sleep(10)
    async with open_inn(mud, stored) as inn:
        again = await inn.player("Ann", PASSWORD, address=HOME)
        await again.sees_the_end()
        assert "Please wait" in again.screen


async def test_no_password_code_token_or_hash_is_logged_or_shown(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "canary-of-a-password"
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        ann = await inn.newcomer("Ann", password=canary)
        session = inn.mud.server.sessions.get("ann")
        assert session is not None
        token, code = inn.accounts.resume_token(session), await inn.accounts.recovery_code("Ann")
        account = await inn.accounts.find("ann")
        assert account is not None
        await inn.login("Ann", password=canary + "?")
        await inn.store.saved()
        seen = ann.screen + caplog.text + repr((token, code, account, inn.hero("ann"), session))
        written = "".join(f"{row.data!r}" for row in stored.rows.values()) + f"{stored.entries}{stored.values}"
        for secret in (canary, str.__str__(token), str.__str__(code)):
            assert secret not in seen
            assert secret not in written
        assert account.password not in seen
        assert account.password.startswith("$argon2id$")
        assert "$argon2id$" not in repr(await inn.accounts.export("Ann"))


async def test_a_stronger_hash_is_made_at_the_next_login_and_saved_by_itself(mud: OpenMud) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        await (await inn.newcomer("Ann")).type("quit")
    stronger = AccountOptions(hash_memory=16, hash_passes=1, plain="allow")
    async with open_inn(mud, stored, rules=stronger) as inn:
        await inn.login("Ann", password="wrong")
        await inn.store.saved()
        assert b"m=8," in stored.rows["account", "ann"].data
        assert "You are Ann" in (await inn.login("Ann")).screen
        await inn.mud.pass_time(2)
        assert b"m=16," in stored.rows["account", "ann"].data
    async with open_inn(mud, stored) as inn:
        assert "You are Ann" in (await inn.login("Ann")).screen


async def test_the_role_of_an_account_is_read_for_each_command(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        account = inn.store.get(Account, "ann")
        assert account is not None
        for role in (10, 40, 5):
            account.role = role
            await ann.type("role")
            await ann.sees(f"Your role is {role}")
