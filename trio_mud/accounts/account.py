"""The records of accounts: the account itself, the names that are taken, and the characters.

An account is the person; its characters are played. All names, of accounts and of characters, share one space.
"""

from __future__ import annotations

import dataclasses
import hashlib

from trio_mud.commands import Role
from trio_mud.origins import origin_of
from trio_mud.storage import Record

__all__ = ["Account", "Character", "Name", "ResumeToken", "address_mark", "digest"]

KNOWN_ADDRESSES = 8  # remembered for each account


@dataclasses.dataclass(frozen=True, slots=True)
class ResumeToken:
    """A token as it is stored: hashed, so that a copy of the database grants no access."""

    digest: str
    character: str  # its key
    issued: float  # seconds since 1970


class Account(Record, family="account"):
    """One person's account. Its key is `same_name(name)`.

    Assign the fields that a game may change: `role`, `email` and `settings`. The others belong to `Accounts`.
    """

    name: str
    role: int = int(Role.PLAYER)
    characters: tuple[str, ...] = ()  # their keys
    email: str = ""
    settings: dict[str, str | int | float | bool] = {}  # noqa: RUF012  a Record copies it
    created: float = 0.0  # seconds since 1970
    seen: float = 0.0  # the last login
    password: str = ""  # its hash; empty for an account that was destroyed, and after a recovery code was used
    needs_password: bool = False  # True after a recovery code was used
    recovery: str = ""  # the digest of a recovery code
    recovery_issued: float = 0.0
    notices: tuple[str, ...] = ()  # shown at the next login
    tokens: tuple[ResumeToken, ...] = ()
    known: tuple[str, ...] = ()  # marks of the addresses the owner came from, the latest last
    salt: str = ""  # of these marks
    is_deleted: bool = False

    def knows(self, address: str) -> bool:
        """Return True if the owner has logged in from there."""
        return bool(self.salt) and address_mark(self.salt, address) in self.known

    def remember(self, address: str) -> None:
        """Note that the owner has logged in from there."""
        mark = address_mark(self.salt, address)
        if not self.known or self.known[-1] != mark:
            self.known = (*(other for other in self.known if other != mark), mark)[-KNOWN_ADDRESSES:]


class Name(Record, family="name", unique=("look",)):
    """A name that is taken, for good: it stays when its owner is destroyed. Its key is `same_name(name)`."""

    look: str  # `appearance(name)`
    account: str  # the key of the account it belongs to


class Character(Record, family="character"):
    """A character of an account; a game derives its own class from it. Its key is `same_name(name)`.

    It is in memory while it is played, with all records that are stored with it.
    """

    name: str
    account: str = ""  # the key of its account; empty for a guest

    def stored_with(self) -> str:
        return self.key


def address_mark(salt: str, address: str) -> str:
    """Return the form in which an account remembers an address: salted and hashed.

    The few addresses of IPv4 can be tried one by one; the mark protects against a glance, not against that.
    """
    return hashlib.blake2b(origin_of(address).encode(), key=salt.encode(), digest_size=8).hexdigest()


def digest(secret: str) -> str:
    """Return the stored form of a token or code; these are random, so a fast hash is enough."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
