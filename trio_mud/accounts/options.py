"""The options of accounts: the table `[accounts]` of a configuration file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

__all__ = ["AccountOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOptions:
    """The rules and bounds of accounts and logins.

    Raises:
        ValueError: A value makes no sense; the text names it and says what to write instead.
    """

    max_characters: int = 5
    """Characters of one account."""

    max_played: int = 1
    """Characters of one account that are in the game at a time; the first one leaves when one more comes in."""

    guests: bool = True
    """Whether players may come in without an account."""

    max_new_accounts: int = 20
    """New accounts that one address may make in an hour."""

    max_tries: int = 3
    """Wrong answers of one connection before it ends."""

    login_timeout: float = 120.0
    """Seconds for the whole login."""

    plain: Literal["allow", "warn", "refuse"] = "warn"
    """Passwords over links that are neither encrypted nor local; "refuse" ends the connection."""

    plain_gmcp: bool = False
    """Whether `Char.Login` and `Session.Token` by GMCP are sent over such links, too."""

    gmcp_timeout: float = 3.0
    """Seconds that a program has to send name and password by GMCP, before the player is asked."""

    tls_port: int | None = None
    """The port for TLS that `texts.plain_refused` names; the program sets it to its own."""

    shortest_password: int = 8
    """Characters of a new password."""

    hash_threads: int = 2
    """Passwords that are hashed at a time, each in a thread."""

    max_hash_queue: int = 200
    """Passwords that wait for a thread; past it a login is refused."""

    hash_memory: int = 19 * 1024
    """KiB of memory for one hash. Precedent: OWASP's first choice for argon2id."""

    hash_passes: int = 2
    """Passes over that memory."""

    first_penalty: float = 15.0
    """Seconds to wait after the third wrong password; each further one doubles them."""

    max_penalty: float = 600.0
    """The most seconds to wait; a penalty is forgotten that long after its end."""

    max_penalties: int = 65_536
    """Addresses and accounts whose wrong passwords are remembered; past it the oldest are forgotten."""

    token_lifetime: float = 3600.0
    """Seconds until a resume token is void."""

    recovery_lifetime: float = 3600.0
    """Seconds until a recovery code is void."""

    deletion_days: int = 30
    """Days until a deleted account is destroyed, counted by the daily runs of the server."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "plain":
                if value not in ("allow", "warn", "refuse"):
                    raise ValueError(f'plain = {value!r}: write "allow", "warn" or "refuse"')
            elif isinstance(field.default, bool):
                if not isinstance(value, bool):
                    raise ValueError(f"{field.name} = {value!r}: write true or false")
            elif value is None and field.default is None:
                continue
            elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**31:
                raise ValueError(f"{field.name} = {value!r}: write a positive number, such as {field.default}")
            elif not isinstance(field.default, float) and not isinstance(value, int):
                raise ValueError(f"{field.name} = {value!r}: write a whole number, such as {field.default}")
        if self.hash_memory < 8:
            raise ValueError(f"hash_memory = {self.hash_memory}: write at least 8, which argon2 needs")
