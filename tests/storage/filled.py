"""A small database file for tests of backups, checks and restores."""

from __future__ import annotations

from pathlib import Path

from trio_mud.storage import Sqlite, inline, open_store

from .records import Hero, Item, Member


async def fill(path: Path) -> None:
    async with open_store(Sqlite(path), Item, Member, wall_clock=lambda: 1.5, executor=inline) as store:
        hall = store.add(Item(name="hall"), "hall")
        ann = store.add(Hero(name="Ann", place=hall), "ann")
        store.add(Item(name="bag", place=ann), "bag")
        store.add(Member(name="Ann"), "ann")
        store.log("audit", text="hello")
        store.set_value("clock", 7)


async def keys(path: Path) -> list[str]:
    async with open_store(Sqlite(path), Item, Member) as store:
        assert store.value("clock") == 7
        return sorted(thing.key for thing in store.all(Item))
