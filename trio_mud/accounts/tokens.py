"""Tokens and codes that are used once: resume tokens of players, and recovery codes from operators.

They are stored hashed, in the account's own record, so a copy of the database grants no access. The text of a
resume token names its account: `ann.kPz…`.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from functools import partial

from trio_mud import Secret
from trio_mud.storage import Record

from .account import Account, ResumeToken, digest

__all__ = ["account_key_of", "issue_code", "issue_token", "new_secret", "take_code", "take_token", "void_tokens"]

MOST_TOKENS = 8  # of one account; a new one replaces the oldest
CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # read out by phone: no l and 1, no o and 0, no i
CODE_LENGTH = 26  # 31 ** 26 is over 2 ** 128

new_secret: Callable[[], str] = partial(secrets.token_urlsafe, 16)  # 128 bits


def issue_token(account: Account, character: Record, now: float, secret: str) -> Secret:
    """Return a new resume token for this character."""
    token = Secret(f"{account.key}.{secret}")
    stored = ResumeToken(digest(token), character.key, now)
    account.tokens = (*account.tokens, stored)[-MOST_TOKENS:]
    return token


def account_key_of(token: str) -> str:
    """Return the key of the account that a token names; nothing is checked."""
    return token.rpartition(".")[0]


def take_token(account: Account, token: str, now: float, lifetime: float) -> str | None:
    """Use a token up, and return the key of its character; None if it is void."""
    mark = digest(token)
    found = [stored for stored in account.tokens if hmac.compare_digest(stored.digest, mark)]
    if not found:
        return None
    account.tokens = tuple(stored for stored in account.tokens if stored not in found)
    return found[0].character if _is_fresh(found[0].issued, now, lifetime) else None


def void_tokens(account: Account, character: str | None = None) -> None:
    """Make the tokens of the account void, or only those of one character."""
    left = tuple(stored for stored in account.tokens if character is not None and stored.character != character)
    if left != account.tokens:
        account.tokens = left


def issue_code(account: Account, now: float) -> Secret:
    """Return a recovery code, to be typed in place of the password; an earlier one is void."""
    code = Secret("".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH)))
    account.recovery, account.recovery_issued = digest(code), now
    return code


def take_code(account: Account, typed: str, now: float, lifetime: float) -> bool:
    """Use the recovery code up if this is it; True if it is good."""
    mark = digest(typed.strip().lower())
    if not account.recovery or not hmac.compare_digest(account.recovery, mark):
        return False
    account.recovery = ""
    return _is_fresh(account.recovery_issued, now, lifetime)


def _is_fresh(issued: float, now: float, lifetime: float) -> bool:
    """Return True unless the time is over, or the clock was set back to before the issue."""
    return issued <= now < issued + lifetime
