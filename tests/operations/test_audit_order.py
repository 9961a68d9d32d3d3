"""I-30: whatever the staff does, and whoever loses a role meanwhile, the entry on disk precedes the effect."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from typing import Any

import msgspec
import pytest
import trio

from trio_mud import Cause, Connection
from trio_mud.commands import Role
from trio_mud.errors import NotSaved
from trio_mud.operations.countdown import Countdown
from trio_mud.operations.sanctions import Sanction, Sanctions
from trio_mud.operations.snoops import Snoops
from trio_mud.storage import Store
from trio_mud.testing import OpenMud, Player

from .club import PASSWORD, Club, open_club

NAMES = ("Ann", "Bob", "Cid", "Dan", "Eve")


async def returned(club: Club, name: str) -> Player:
    """A player who comes back, or who is banned and stays out."""
    player = await club.mud.player()
    with suppress(trio.BrokenResourceError):
        for line in (name, PASSWORD):
            await player.catches_up()
            await player.type(line)
    return player


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.one_process("patches a method of connections, which the gateway calls, too")
async def test_the_entry_of_a_verb_is_on_disk_before_its_effect(
    mud: OpenMud, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    effects = Counter[str]()
    saved = Store.saved

    async def slowly(store: Store, within: float = 5.0) -> None:
        await trio.sleep(chance.random())
        if chance.random() < 0.1:
            raise NotSaved("the disk is full")
        await saved(store, within)

    async with open_club(mud) as club:
        players = [await club.member(name, chance.choice([Role.PLAYER, Role.ADMIN, Role.OWNER])) for name in NAMES]

        def check(event: str) -> None:
            """Fail unless the database has an entry for one more such effect."""
            effects[event] += 1
            stored = club.mud.storage.entries.values()
            entries = [msgspec.json.decode(entry.data) for entry in stored if entry.log == "audit"]
            outcomes = [entry.get("outcome", "done") for entry in entries if entry["event"] == event]
            assert outcomes.count("done") - outcomes.count("not done") >= effects[event], event

        monkeypatch.setattr(Store, "saved", slowly)
        add, snoop, begin, quit_connection = Sanctions.add, Snoops.begin, Countdown.begin, Connection.quit

        def add_checked(self: Sanctions, kind: str, *args: Any) -> Sanction:
            check("mute" if kind == "mute" else "ban")
            return add(self, kind, *args)

        def snoop_checked(self: Snoops, *args: Any) -> None:
            check("snoop")
            snoop(self, *args)

        def begin_checked(self: Countdown, *args: Any) -> None:
            check("shutdown")
            begin(self, *args)

        def quit_checked(self: Connection, text: str = "", *, cause: Cause = Cause.ASKED) -> None:
            if cause is Cause.KICKED:
                check("kick")
            quit_connection(self, text, cause=cause)

        monkeypatch.setattr(Connection, "quit", quit_checked)
        monkeypatch.setattr(Sanctions, "add", add_checked)
        monkeypatch.setattr(Snoops, "begin", snoop_checked)
        monkeypatch.setattr(Countdown, "begin", begin_checked)
        for _ in range(60):
            verb = chance.choice(["kick", "ban", "mute", "snoop", "role", "unban", "unmute", "shutdown"])
            name = chance.choice(NAMES).lower()
            line = {
                "role": f"role {name} {chance.choice(['player', 'builder', 'admin'])}",
                "shutdown": "shutdown 9000",
            }.get(verb, f"{verb} {name}")
            number = chance.randrange(len(NAMES))
            if chance.random() < 0.3:
                club.mud.server.start_soon(club.console, line)
            else:
                try:
                    await players[number].type(line)
                except trio.BrokenResourceError:  # an earlier kick or ban
                    players[number] = await returned(club, NAMES[number])
            await trio.sleep(chance.random())
            if verb == "ban":
                club.mud.server.start_soon(club.console, f"unban {name}")
                await trio.sleep(3)
                players[number] = await returned(club, NAMES[number])
        await trio.sleep(5)
    assert effects, "something was done"
