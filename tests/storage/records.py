"""Record classes that several tests store."""

from __future__ import annotations

from trio_mud.storage import Record, live


class Thing(Record, family="thing", resident=True, index=("gold",)):
    name: str
    place: Thing | None = None
    gold: int = 0
    notes: list[str] = []
    flame: object = live()

    def stored_with(self) -> str:
        at: Thing | None = self
        while at is not None:
            if isinstance(at, Hero):
                return at.key
            at = at.place
        return ""


class Hero(Thing):
    skills: dict[str, int] = {}
    friends: tuple[Thing, ...] = ()


class Member(Record, family="account", kind="account", unique=("email",), index=("level",)):
    name: str
    email: str = ""
    level: int = 1
