"""Attempts: a password is checked only if neither the address nor the account has to wait.

The same bounds hold for the other answers that an address could collect: which names are taken, and new accounts.
"""

from __future__ import annotations

import math

import trio

from trio_mud import Overloaded, Rate
from trio_mud.errors import TooManyTries
from trio_mud.origins import origin_of

from .account import Account
from .options import AccountOptions
from .passwords import Passwords
from .penalties import Key, Penalties

__all__ = ["Attempts"]

ROUNDING = 1e-6  # seconds; a sum of floats is not exact


class Attempts:
    """Checks passwords, and penalises wrong ones.

    An address from which the owner has logged in before has a count of its own for that account: neither the failures
    of other addresses nor those for other accounts hold there. So the owner cannot be locked out from a distance.
    From the owner's own address a guesser can; a resume token lets the owner in meanwhile.
    """

    def __init__(self, options: AccountOptions, passwords: Passwords) -> None:
        self.penalties = Penalties(options.first_penalty, options.max_penalty, max_entries=options.max_penalties)
        self._passwords = passwords
        self._new_accounts = Rate(options.max_new_accounts / 3600.0, burst=options.max_new_accounts)
        self._full_at: dict[str, float] = {}  # when each address may make `max_new_accounts` at once again
        self._most_addresses = options.max_penalties

    async def check(self, account: Account | None, key: str, address: str, password: str) -> bool:
        """Return True if this is the password of the account; False also if there is no account.

        Args:
            account: The account, if there is one.
            key: The key that was typed, whether there is an account or not.
            address: The address that the attempt comes from.
            password: The password as typed.

        Raises:
            TooManyTries: The address or the account has to wait; nothing was checked.
            Overloaded: Too many passwords wait to be checked.
        """
        keys = self._keys(account, key, address)
        self._refuse_early(*keys)
        self.penalties.fail(*keys)  # taken back if it is right
        try:
            is_right = await self._passwords.check(account.password if account else None, password)
        except Overloaded:
            self.penalties.forgive(*keys)
            raise
        if is_right:
            self.penalties.forgive(*keys)
        return is_right

    def check_names(self, address: str) -> None:
        """Raise TooManyTries if this address has asked for too many names that are taken."""
        self._refuse_early(("names", origin_of(address)))

    def count_name(self, address: str) -> None:
        """Count that this address learns that a name is taken."""
        self.penalties.fail(("names", origin_of(address)))

    def count_new_account(self, address: str) -> None:
        """Count a new account.

        Raises:
            TooManyTries: This address has made `max_new_accounts` within an hour.
        """
        origin, now = origin_of(address), trio.current_time()
        full_at, seconds = self._new_accounts.spend(self._full_at.get(origin, -math.inf), now, 0)
        if seconds > ROUNDING:
            raise TooManyTries(f"{address} has made too many accounts: wait {math.ceil(seconds)} seconds", seconds)
        self._full_at.pop(origin, None)
        self._full_at[origin] = self._new_accounts.spend(full_at, now)[0]
        while len(self._full_at) > self._most_addresses:
            del self._full_at[next(iter(self._full_at))]

    def _refuse_early(self, *keys: Key) -> None:
        if seconds := self.penalties.wait(*keys):
            raise TooManyTries(f"wait {math.ceil(seconds)} seconds before the next try", seconds)

    def _keys(self, account: Account | None, key: str, address: str) -> list[Key]:
        origin = origin_of(address)
        if account is not None and account.knows(address):
            return [("known", key, origin)]
        return [("account", key), *([("address", origin)] if origin else [])]
