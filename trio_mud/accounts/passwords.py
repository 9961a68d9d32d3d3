"""Passwords: argon2id hashes, made in threads behind a bounded queue.

It knows no accounts and no penalties. One hash takes about 25 ms and 19 MiB; libargon2 releases the interpreter's
lock meanwhile, so the event loop keeps its turn.
"""

from __future__ import annotations

import base64
import logging
import secrets
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import trio

from trio_mud import Overloaded, Secret
from trio_mud.storage import Executor

from .options import AccountOptions

if TYPE_CHECKING:
    from argon2 import PasswordHasher

__all__ = ["LONGEST_PASSWORD", "Passwords", "normalize"]

LONGEST_PASSWORD = 1024  # bytes in UTF-8; argon2 itself would take 4 GiB
HASH_SIZE = 32  # bytes
SALT_SIZE = 16  # bytes

logger = logging.getLogger("trio_mud")

T = TypeVar("T")
Args = TypeVarTuple("Args")


def normalize(password: str) -> Secret:
    """Return the password as it is hashed: composed, so that every keyboard produces the same.

    Raises:
        ValueError: It is empty, longer than `LONGEST_PASSWORD` bytes, or contains NUL.
    """
    # A composed text is at most three times as long as its parts; this bounds the cost of the composition.
    if len(password) > 3 * LONGEST_PASSWORD:
        raise ValueError(f"a password has at most {LONGEST_PASSWORD} bytes")
    text = unicodedata.normalize("NFC", password)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError("a password is text that UTF-8 can encode") from None
    if not 0 < size <= LONGEST_PASSWORD or "\0" in text:
        raise ValueError(f"a password has 1 to {LONGEST_PASSWORD} bytes, and no NUL")
    return Secret(text)


class Passwords:
    """Hashes and checks passwords, at most `hash_threads` at a time.

    Args:
        options: The cost of a hash, and the bounds of threads and queue.
        execute: Runs the hashing: in threads by default, `storage.inline` in virtual time.

    Attributes:
        hashed: How many hashes were computed since the start.
    """

    def __init__(self, options: AccountOptions | None = None, *, execute: Executor | None = None) -> None:
        options = options or AccountOptions()
        self.hashed = 0
        self._hasher = _hasher(options)
        self._execute = execute
        self._limiter = trio.CapacityLimiter(options.hash_threads)
        self._most = options.hash_threads + options.max_hash_queue
        self._waiting = 0
        # Checked in place of the hash of an account that does not exist, so that both take the same time.
        self._no_hash = _hash_of_nothing(options)

    async def hash(self, password: str) -> str:
        """Return the hash of a new password, with its salt and its parameters in it.

        Raises:
            ValueError: The password cannot be used; see `normalize`.
            Overloaded: Too many wait already.
        """
        return await self._run(self._hasher.hash, normalize(password))

    async def check(self, stored: str | None, password: str) -> bool:
        """Return True if this is the password of the stored hash; takes as long for None, which has no password.

        A password that could never be set is wrong, and costs no hash.

        Raises:
            Overloaded: Too many wait already.
        """
        try:
            normal = normalize(password)
        except ValueError:
            await trio.lowlevel.checkpoint()
            return False
        is_right = await self._run(self._verify, stored or self._no_hash, normal)
        return is_right and bool(stored)

    def is_outdated(self, stored: str) -> bool:
        """Return True if a stored hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    async def _run(self, function: Callable[[*Args], T], *args: *Args) -> T:
        if self._waiting >= self._most:
            raise Overloaded(f"{self._waiting} passwords wait to be hashed: try again in a minute")
        self._waiting += 1
        self.hashed += 1
        try:
            if self._execute is not None:
                return await self._execute(function, *args)
            return await trio.to_thread.run_sync(function, *args, limiter=self._limiter)
        finally:
            self._waiting -= 1

    def _verify(self, stored: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

        try:
            return self._hasher.verify(stored, password)
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError) as error:  # out of memory, or a damaged hash
            logger.warning("a password could not be checked, and was refused: %s", str(error) or type(error).__name__)
            return False


def _hash_of_nothing(options: AccountOptions) -> str:
    """Return a hash with today's parameters that no password has, without the cost of computing one."""
    salt, value = (base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (SALT_SIZE, HASH_SIZE))
    return f"$argon2id$v=19$m={options.hash_memory},t={options.hash_passes},p=1${salt}${value}"


def _hasher(options: AccountOptions) -> PasswordHasher:
    from argon2 import PasswordHasher, Type

    return PasswordHasher(
        time_cost=options.hash_passes,
        memory_cost=options.hash_memory,
        parallelism=1,  # the threads are shared by all who log in
        hash_len=HASH_SIZE,
        salt_len=SALT_SIZE,
        type=Type.ID,
    )
