"""The records of accounts."""

from trio_mud.accounts import Account
from trio_mud.accounts.account import KNOWN_ADDRESSES


def test_an_account_knows_the_last_eight_addresses_and_stores_none_of_them() -> None:
    account = Account(name="Ann", salt="salt")
    addresses = [f"192.0.2.{number}" for number in range(KNOWN_ADDRESSES + 1)]
    for address in addresses:
        account.remember(address)
    assert [account.knows(address) for address in addresses] == [False, *[True] * KNOWN_ADDRESSES]
    account.remember(addresses[1])
    account.remember("198.51.100.1")
    assert account.knows(addresses[1])
    assert not account.knows(addresses[2])
    assert "192.0.2" not in "".join(account.known)


def test_two_accounts_have_different_marks_for_one_address() -> None:
    ann, bob = Account(name="Ann", salt="a"), Account(name="Bob", salt="b")
    for account in (ann, bob):
        account.remember("192.0.2.1")
    assert ann.known != bob.known
    assert not Account(name="Eve").knows("192.0.2.1")


def test_an_account_shows_none_of_its_secrets() -> None:
    account = Account(name="Ann", password="$argon2id$canary", recovery="canary", email="canary@example.org")
    assert "canary" not in f"{account!r}{account}"
