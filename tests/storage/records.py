"""Record classes that several tests store."""

from __future__ import annotations

from trio_mud.storage import Record, live


class Item(Record, family="thing", kind="thing", resident=True, index=("gold",)):
    name: str
    place: Item | None = None
    gold: int = 0
    notes: list[str] = []
    flame: object = live()

    def stored_with(self) -> str:
        at: Item | None = self
        while at is not None:
            if isinstance(at, Hero):
                return at.key
            at = at.place
        return ""


class Hero(Item):
    skills: dict[str, int] = {}
    friends: tuple[Item, ...] = ()


class Member(Record, family="account", kind="account", unique=("email",), index=("level",)):
    name: str
    email: str = ""
    level: int = 1
