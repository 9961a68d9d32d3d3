"""Players by their names, also those who are away."""

from __future__ import annotations

from trio_mud.accounts import same_name
from trio_mud.commands import Mistake
from trio_mud.errors import UnreadableRecord
from trio_mud.storage import Store

from .social_phrases import SOCIAL_PHRASES
from .villager import Villager

__all__ = ["character_called", "key_of"]

MOST_TYPED = 64  # characters; a name is shorter


def key_of(name: str) -> str:
    """Return the key of the character whose name was typed; empty for a text that is too long for a name."""
    name = name.strip()
    return same_name(name) if len(name) <= MOST_TYPED else ""


async def character_called(store: Store, name: str) -> Villager | None:
    """Return the stored character of this name in full, in the game or not; None for a guest, and without one.

    It stays in memory as long as the caller keeps it.

    Raises:
        Mistake: Its row is damaged.
    """
    try:
        return await store.load(Villager, key_of(name))
    except UnreadableRecord:
        raise Mistake(SOCIAL_PHRASES.unreadable.format(name=name)) from None
