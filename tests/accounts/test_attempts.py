"""Guessing from one address, from a thousand, and who is not locked out by it."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from trio_mud.accounts import Account, AccountOptions, Passwords
from trio_mud.accounts.attempts import Attempts
from trio_mud.errors import TooManyTries
from trio_mud.storage import inline

OPTIONS = AccountOptions(hash_memory=8, hash_passes=1)
HOME, CAFE, ENEMY = "192.0.2.7", "198.51.100.8", "203.0.113.9"
HOUR = 3600.0


async def made() -> tuple[Attempts, Passwords, Account]:
    passwords = Passwords(OPTIONS, execute=inline)
    account = Account(name="Ann", password=await passwords.hash("right"), salt="salt")
    account.remember(HOME)
    return Attempts(OPTIONS, passwords), passwords, account


async def refused(
    attempts: Attempts, account: Account | None, key: str, address: str, password: str = "guess"
) -> float:
    """Try once; return the seconds to wait if the attempt was refused."""
    try:
        await attempts.check(account, key, address, password)
    except TooManyTries as error:
        return error.seconds
    return 0.0


async def test_an_hour_of_guessing_costs_few_hashes_and_the_owner_logs_in_meanwhile(
    autojump_clock: MockClock,
) -> None:
    attempts, passwords, account = await made()
    before, logins, end = passwords.hashed, 0, trio.current_time() + HOUR
    while trio.current_time() < end:
        await refused(attempts, account, "ann", ENEMY)
        if int(trio.current_time()) % 60 == 0:
            logins += await attempts.check(account, "ann", HOME, "right")
        await trio.sleep(1)
    assert logins == 60
    assert passwords.hashed - before - logins < 40


async def test_ten_thousand_guesses_at_once_from_one_address_cost_three_hashes() -> None:
    attempts, passwords, account = await made()
    before = passwords.hashed
    async with trio.open_nursery() as nursery:
        for number in range(10_000):
            known = account if number % 2 else None
            nursery.start_soon(refused, attempts, known, "ann" if known else f"name{number}", ENEMY)
    assert passwords.hashed - before == 3
    assert await attempts.check(account, "ann", HOME, "right")


async def test_ten_thousand_guesses_at_one_account_from_a_thousand_addresses_cost_three_hashes() -> None:
    attempts, passwords, account = await made()
    before = passwords.hashed
    for number in range(10_000):
        await refused(attempts, account, "ann", f"203.0.{number % 1000 // 250}.{number % 250}")
    assert passwords.hashed - before == 3
    assert await attempts.check(account, "ann", HOME, "right")
    assert await refused(attempts, account, "ann", CAFE, "right") > 0  # the owner, from an address that is new


async def test_addresses_of_one_household_count_as_one() -> None:
    attempts, passwords, _ = await made()
    before = passwords.hashed
    for number in range(100):
        await refused(attempts, None, f"name{number}", f"2001:db8:1:2:{number:x}::1")
    assert passwords.hashed - before == 3
    assert await refused(attempts, None, "other", "2001:db8:1:3::1") == 0


async def test_a_guesser_next_door_does_not_lock_the_owner_out_by_guessing_at_others() -> None:
    attempts, _, account = await made()
    for number in range(20):
        await refused(attempts, None, f"name{number}", HOME)
    assert await refused(attempts, None, "bob", HOME) > 0
    assert await attempts.check(account, "ann", HOME, "right")


async def test_guesses_from_a_known_address_have_bounds_as_well() -> None:
    attempts, passwords, account = await made()
    before = passwords.hashed
    for _ in range(100):
        await refused(attempts, account, "ann", HOME)
    assert passwords.hashed - before == 3


async def test_a_login_with_an_account_of_ones_own_frees_no_guesser(autojump_clock: MockClock) -> None:
    attempts, passwords, _ = await made()
    own = Account(name="Eve", password=await passwords.hash("own"), salt="s")
    before, logins, end = passwords.hashed, 0, trio.current_time() + HOUR
    turn = 0
    while trio.current_time() < end:
        turn += 1
        await refused(attempts, None, f"name{turn}", ENEMY)
        try:
            logins += await attempts.check(own, "eve", ENEMY, "own")
        except TooManyTries:
            await trio.sleep(1)
    assert passwords.hashed - before - logins < 40


async def test_an_address_makes_no_more_accounts_in_an_hour_than_allowed(autojump_clock: MockClock) -> None:
    attempts, _, _ = await made()
    for _ in range(OPTIONS.max_new_accounts):
        attempts.count_new_account(ENEMY)
    wait = HOUR / OPTIONS.max_new_accounts
    for _ in range(3):
        with pytest.raises(TooManyTries) as caught:
            attempts.count_new_account(ENEMY)
        assert caught.value.seconds == pytest.approx(wait)
    attempts.count_new_account(HOME)
    await trio.sleep(wait + 0.001)
    attempts.count_new_account(ENEMY)
