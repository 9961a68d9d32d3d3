"""Preferences: how the valley is shown to a player, and what of it is kept with an account.

Each is chosen by a verb, has a short name, and is `AUTO` until then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trio_mud import Client
from trio_mud.accounts import Character

__all__ = ["AUTO", "COLOURS", "Resident", "apply", "apply_all"]

AUTO = "auto"
COLOURS = {"off": 0, "16": 16, "256": 256, "true": 1 << 24}

_PREFER: Mapping[str, tuple[str, Callable[[Client, str], None]]] = {
    "colour": ("colours", lambda client, choice: client.prefer(colours=COLOURS[choice])),
    "reader": ("screen_reader", lambda client, choice: client.prefer(screen_reader=choice == "on")),
    "charset": ("charset", lambda client, choice: client.prefer(charset=choice)),
}


class Resident(Character):
    """A player with an account; their preferences come back with them."""

    colour: str = AUTO
    reader: str = AUTO
    charset: str = AUTO


def apply(client: Client, name: str, choice: str) -> None:
    """Set one preference of a client, or clear it.

    Raises:
        ValueError: There is no such charset.
    """
    fact, prefer = _PREFER[name]
    if choice == AUTO:
        client.clear_preference(fact)
    else:
        prefer(client, choice)


def apply_all(client: Client, resident: Resident) -> None:
    """Set what the account has kept; what it has not stays as it is."""
    for name in _PREFER:
        choice: str = getattr(resident, name)
        if choice != AUTO:
            apply(client, name, choice)
