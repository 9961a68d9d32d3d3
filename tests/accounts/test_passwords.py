"""Passwords: the hashed text, its bound, and the cost of a check."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from trio_mud import Overloaded, Secret
from trio_mud.accounts import AccountOptions, Passwords
from trio_mud.accounts.passwords import LONGEST_PASSWORD, normalize
from trio_mud.storage import inline

CHEAP = AccountOptions(hash_memory=8, hash_passes=1)

T = TypeVar("T")
Args = TypeVarTuple("Args")


async def test_only_the_password_itself_is_right() -> None:
    passwords = Passwords(CHEAP, execute=inline)
    stored = await passwords.hash("correct horse")
    assert await passwords.check(stored, "correct horse")
    for wrong in ("", "correct hors", "correct horse ", "Correct horse"):
        assert not await passwords.check(stored, wrong)


async def test_two_hashes_of_one_password_differ_and_name_the_parameters() -> None:
    passwords = Passwords(CHEAP, execute=inline)
    first, second = await passwords.hash("sesame"), await passwords.hash("sesame")
    assert first != second
    assert first.startswith("$argon2id$v=19$m=8,t=1,p=1$")


async def test_a_name_without_an_account_costs_one_hash_as_well() -> None:
    passwords = Passwords(CHEAP, execute=inline)
    stored = await passwords.hash("sesame")
    before = passwords.hashed
    assert not await passwords.check(stored, "guess")
    known = passwords.hashed - before
    assert not await passwords.check(None, "guess")
    assert passwords.hashed - before - known == known == 1


async def test_no_password_fits_a_name_without_an_account() -> None:
    passwords = Passwords(CHEAP, execute=inline)
    assert not await passwords.check(None, "no account")
    assert not await passwords.check("", "no account")


async def test_a_name_without_an_account_costs_a_whole_hash_of_todays_parameters(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A hash that argon2 cannot read would be refused at once, with a warning, and so show that there is no account."""
    for options in (CHEAP, AccountOptions()):
        passwords = Passwords(options, execute=inline)
        assert not passwords.is_outdated(passwords._no_hash)
        assert len(passwords._no_hash) == len(await passwords.hash("sesame"))
        assert not await passwords.check(None, "guess")
    assert caplog.records == []


@pytest.mark.parametrize("password", ["", "x" * 1025, "x" * 100_000, "é" * 600, "nul\0", "\ud800"])
async def test_what_can_be_no_password_is_refused_before_it_is_hashed(password: str) -> None:
    passwords = Passwords(CHEAP, execute=inline)
    with pytest.raises(ValueError, match="a password"):
        await passwords.hash(password)
    assert not await passwords.check(await passwords.hash("sesame"), password)
    assert passwords.hashed == 1


@given(st.text(max_size=4 * LONGEST_PASSWORD))
def test_a_normalized_password_is_bounded_and_normal(text: str) -> None:
    try:
        password = normalize(text)
    except ValueError:
        return
    assert 1 <= len(password.encode()) <= LONGEST_PASSWORD
    assert "\0" not in password
    assert password == unicodedata.normalize("NFC", text) == normalize(password)


async def test_one_password_is_the_same_on_every_keyboard() -> None:
    passwords = Passwords(CHEAP, execute=inline)
    stored = await passwords.hash("cafe\u0301 cafe\u0301")
    assert await passwords.check(stored, "caf\u00e9 caf\u00e9")


async def test_a_damaged_hash_lets_no_password_in_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    passwords = Passwords(CHEAP, execute=inline)
    stored = await passwords.hash("sesame")
    for damaged in (stored[:-10], stored.replace("argon2id", "argon3"), "sesame"):
        caplog.clear()
        assert not await passwords.check(damaged, "sesame")
        assert "a password could not be checked, and was refused" in caplog.text
        assert "sesame" not in caplog.text
    caplog.clear()
    assert not await passwords.check(stored, "guess")
    assert caplog.text == ""


async def test_hashes_of_other_parameters_are_outdated_and_still_right() -> None:
    old = await Passwords(CHEAP, execute=inline).hash("sesame")
    today = Passwords(AccountOptions(hash_memory=16, hash_passes=1), execute=inline)
    assert today.is_outdated(old)
    assert await today.check(old, "sesame")
    assert not today.is_outdated(await today.hash("sesame"))


async def test_past_the_queue_a_password_is_refused_and_costs_nothing() -> None:
    gate = trio.Event()

    async def wait(function: Callable[[*Args], T], *args: *Args) -> T:
        await gate.wait()
        return function(*args)

    passwords = Passwords(CHEAP, execute=wait)
    results: list[object] = []

    async def check() -> None:
        try:
            results.append(await passwords.check(None, "guess"))
        except Overloaded as error:
            results.append(str(error))

    async with trio.open_nursery() as nursery:
        for _ in range(250):
            nursery.start_soon(check)
        await trio.testing.wait_all_tasks_blocked()
        assert results == ["202 passwords wait to be hashed: try again in a minute"] * 48
        gate.set()
    assert results[48:] == [False] * 202
    assert passwords.hashed == 202
    assert not await passwords.check(None, "again")


async def test_no_more_than_two_threads_hash_at_a_time() -> None:
    passwords = Passwords(CHEAP)
    running = most = 0

    def verify(stored: str, password: str) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        trio.from_thread.run_sync(lambda: None)  # the event loop has its turn meanwhile
        running -= 1
        return False

    passwords._verify = verify  # type: ignore[method-assign]
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(passwords.check, None, "guess")
    assert 1 <= most <= 2


async def test_an_error_or_a_cancel_frees_the_place_in_the_queue() -> None:
    passwords = Passwords(
        AccountOptions(hash_memory=8, hash_passes=1, hash_threads=1, max_hash_queue=1), execute=inline
    )
    for _ in range(5):
        with trio.CancelScope() as scope:
            scope.cancel()
            await passwords.check(None, "guess")
        assert scope.cancelled_caught
    assert not await passwords.check(None, "guess")


def test_a_secret_shows_only_in_use() -> None:
    secret = Secret("sesame")
    assert secret == "sesame"
    assert "sesame" not in repr(secret) + repr([secret]) + f"{secret!r}" + repr({"password": secret})
    assert isinstance(normalize("sesame"), Secret)
