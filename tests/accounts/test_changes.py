"""A new password, and the end of an account, from within the game."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

from trio_mud import Texts
from trio_mud.accounts import AccountOptions
from trio_mud.testing import OpenMud

from ..storage.faulty import FULL, Faulty
from .inn import PASSWORD, answers, open_inn

TEXTS = Texts()

T = TypeVar("T")
Args = TypeVarTuple("Args")


async def test_a_new_password_needs_the_old_one(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        await answers(ann, "password", "wrong")
        assert TEXTS.login_wrong in ann.screen
        await answers(ann, "password", PASSWORD, "another horse", "another horse")
        assert ann.screen.endswith(f"{TEXTS.password_changed}\n")
        assert not ann.input_hidden
        assert TEXTS.login_wrong in (await inn.login("Ann")).screen
        assert "You are back" in (await inn.login("Ann", password="another horse")).screen


async def test_guesses_from_within_the_game_are_penalised_as_well(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        for _ in range(3):
            await answers(ann, "password", "wrong")
        await answers(ann, "password", PASSWORD)
        assert "Please wait 15 seconds" in ann.screen
        await ann.type("gold")
        await ann.sees("You have 0")


async def test_a_password_that_cannot_be_saved_is_not_changed(mud: OpenMud) -> None:
    backend = Faulty()
    async with open_inn(mud, backend=backend) as inn:
        ann = await inn.newcomer("Ann")
        backend.error = FULL
        await answers(ann, "password", PASSWORD, "another horse", "another horse", pause=6.0)
        assert ann.screen.endswith(f"{TEXTS.login_not_saved}\n")
        backend.error = None
        assert "You are back" in (await inn.login("Ann")).screen


async def test_a_deleted_account_leaves_at_once_and_comes_back_within_the_grace(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        await answers(ann, "delete", "wrong")
        assert len(inn.mud.server.sessions) == 1
        await answers(ann, "delete", PASSWORD)
        assert ann.screen.endswith("Log in within 30 days if you change your mind.\n")
        assert len(inn.mud.server.sessions) == 0
        await inn.accounts.purge()
        again = await inn.login("Ann")
        assert "will be destroyed in 29 days. Keep it instead? (yes/no) " in again.screen
        await answers(again, "no")
        assert len(inn.mud.server.sessions) == 0
        again = await inn.login("Ann")
        await answers(again, "yes")
        assert "You are Ann" in again.screen
        for _ in range(40):
            await inn.accounts.purge()
        assert await inn.accounts.find("Ann") is not None


async def test_a_deletion_that_cannot_be_saved_is_not_done(mud: OpenMud) -> None:
    backend = Faulty()
    async with open_inn(mud, backend=backend) as inn:
        ann = await inn.newcomer("Ann")
        backend.error = FULL
        await answers(ann, "delete", PASSWORD, pause=6.0)
        assert ann.screen.endswith(f"{TEXTS.login_not_saved}\n")
        backend.error = None
        await answers(ann, "gold")
        assert ann.screen.endswith("You have 0\n")
        await inn.mud.pass_time(6)
        assert b"is_deleted" not in backend.stored.rows["account", "ann"].data


async def test_a_guest_has_no_password_to_change_and_no_account_to_delete(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        bob = await inn.player("guest", "Bob")
        await bob.catches_up()
        await answers(bob, "password", "delete", "gold")
        assert bob.screen.endswith("You are Bob\nYou have 0\n")


async def test_who_does_not_find_a_new_password_keeps_the_old_one(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        await answers(ann, "password", PASSWORD, "a", "b", "c", "gold")
        assert ann.screen.endswith("You have 0\n")
        assert "You are back" in (await inn.login("Ann")).screen


async def test_past_the_queue_a_password_is_neither_checked_nor_changed(mud: OpenMud) -> None:
    gate = trio.Event()
    gate.set()

    async def wait(function: Callable[[*Args], T], *args: *Args) -> T:
        await gate.wait()
        return function(*args)

    rules = AccountOptions(hash_memory=8, hash_passes=1, plain="allow", hash_threads=1, max_hash_queue=1)
    async with open_inn(mud, rules=rules, execute=wait) as inn:
        ann, bob = await inn.newcomer("Ann"), await inn.newcomer("Bob")
        await answers(bob, "password", PASSWORD, "another horse")
        gate = trio.Event()
        await inn.player("Cid", "guess")
        await inn.player("Dan", "guess")
        await answers(ann, "password", PASSWORD)
        await answers(bob, "another horse")
        assert ann.screen.endswith(f"{TEXTS.login_busy}\n")
        assert bob.screen.endswith(f"{TEXTS.login_busy}\n")
        gate.set()
