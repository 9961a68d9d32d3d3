"""The valley is reloaded while it is played: a copy of it, whose files the tests edit."""

from __future__ import annotations

import gc
import importlib
import re
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

import trio_mud.mudlib
from trio_mud.errors import ReloadFailed
from trio_mud.program.reload import GameReload
from trio_mud.storage import Store, inline
from trio_mud.testing import OpenMud

from ..reloading import alone, forget
from .conftest import ComeIn, reads
from .residents import newcomer, returning
from .test_operators import console

PACKAGE = "reloaded_valley"
HOUR = 900.0  # seconds


class Copy:
    """A copy of the valley in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        original = Path(trio_mud.mudlib.__file__).parent
        shutil.copytree(original, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for file in folder.rglob("*.py"):
            file.write_text(file.read_text().replace("trio_mud.mudlib", PACKAGE))

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.folder / file).read_text()
        assert old in text
        (self.folder / file).write_text(text.replace(old, new))

    @property
    def module(self) -> Any:
        return importlib.import_module(PACKAGE)


@pytest.fixture
def valley(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Copy]:
    monkeypatch.syspath_prepend(str(tmp_path))
    with alone():
        yield Copy(tmp_path / PACKAGE)
        forget(PACKAGE)


async def test_the_hours_are_struck_by_the_new_code_and_at_their_time(
    valley: Copy, mud: OpenMud, come_in: ComeIn
) -> None:
    async with mud(valley.module.world) as place:
        ann = await come_in(place, "Ann")
        await trio.sleep(HOUR / 2)
        for number in range(3):
            valley.edit("sky.py", "The great bucket" if number == 0 else f"Bucket {number}", f"Bucket {number + 1}")
            await place.reload(f"{PACKAGE}:world")
        await trio.sleep(HOUR / 2 - place.server.world.clock.now % 1 - 2)  # type: ignore[attr-defined]
        assert "Bucket" not in await reads(ann)
        await trio.sleep(4)
        assert (await reads(ann)).count("Bucket 3 tips.") == 1
        await trio.sleep(3 * HOUR)
        assert "The sun clears the eastern ridge" in await reads(ann)


async def test_mutes_and_snoops_of_the_valley_go_on_after_a_reload(valley: Copy, mud: OpenMud) -> None:
    async with mud(valley.module.lasting_world) as place:
        ann, bob = await newcomer(place, "Ann"), await newcomer(place, "Bob")
        for line in ("role ann owner", "mute bob 1h shouting"):
            await console(place, line)
        await ann.type("snoop bob")
        await bob.sees("An operator watches what you see and type.")
        await place.reload(f"{PACKAGE}:lasting_world")
        await bob.type("say one")
        await bob.sees("You may not speak to others just now. shouting")
        await ann.sees("Bob| > say one")
        await ann.type("snoop")
        await ann.sees("You no longer snoop on Bob.")
        await console(place, "unmute bob")
        await bob.type("say two")
        await ann.sees('Bob says, "two"')


async def test_old_versions_of_the_valley_are_forgotten(valley: Copy, mud: OpenMud) -> None:
    async with mud(valley.module.world) as place:
        olds = []
        for _ in range(3):
            olds.append(weakref.ref(importlib.import_module(f"{PACKAGE}.villager").Villager))
            await place.reload(f"{PACKAGE}:world")
            await place.pass_time(1)
        gc.collect()
        assert [old() for old in olds[1:]] == [None] * 2  # the first is that of the `Game` that is open


async def test_the_sign_of_the_valley_is_that_of_the_new_code(valley: Copy, mud: OpenMud) -> None:
    async with mud(valley.module.world) as place:
        assert place.server.mssp["GENRE"] == "Fantasy"
        valley.edit("out_of_band.py", '"GENRE": "Fantasy"', '"GENRE": "Mystery"')
        await place.reload(f"{PACKAGE}:world")
        await place.pass_time(1)
        assert place.server.mssp["GENRE"] == "Mystery"


async def test_players_go_on_with_all_that_they_do_while_every_module_is_exchanged(
    valley: Copy, mud: OpenMud, come_in: ComeIn
) -> None:
    """O4, O5: a lamp burns, a note is being written, a name is asked for; a third of the versions is broken."""
    async with mud(valley.module.world) as place:
        ann, bob, cid = await come_in(place, "Ann"), await come_in(place, "Bob"), await place.player()
        await cid.sees("By what name are you known? ")
        world: Any = place.server.world
        lamp = world.make("lamp", world.start)
        await bob.type("n", "n", "note", "The clock is late.")
        await ann.type("take lamp", "light lamp")
        await ann.sees("You light the brass lamp.")
        due = lamp.due
        said = "v0 You can go {ways}."
        valley.edit("verbs/looking.py", "You can go {ways}.", said)
        for turn in range(1, 7):
            if turn % 3 == 0:
                valley.edit("villager.py", "\nclass Villager", "\n1 / 0\nclass Villager")
                with pytest.raises(ReloadFailed, match=r"division by zero at .*reloaded_valley/villager\.py:\d+$"):
                    await place.reload(f"{PACKAGE}:world")
                valley.edit("villager.py", "\n1 / 0\nclass Villager", "\nclass Villager")
                await ann.type("look", f"shout line {turn}")
                await ann.sees(f"v{turn - 1} You can go")
            else:
                valley.edit("verbs/looking.py", said, said := f"v{turn} You can go {{ways}}.")
                done = await place.reload(f"{PACKAGE}:world")
                assert len(done.modules) > 30
                await ann.type("look", f"shout line {turn}")
                await ann.sees(f"v{turn} You can go")
        valley.edit("phrases.py", "gutters, remembers", "flares, remembers")
        await place.reload(f"{PACKAGE}:world")
        assert lamp.due == due
        await bob.type(".", "read")
        await bob.sees("Bob, on the")
        await bob.sees("The clock is late.")
        await cid.type("Cid")
        await cid.sees("v5 You can go")
        await ann.sees("The brass lamp flares, remembers", within=1200)
        kinds = {type(session.body) for session in place.server.sessions}
        assert kinds == {importlib.import_module(f"{PACKAGE}.villager").Villager}
        assert len(place.server.connections) == 3
        assert place.errors == []


async def test_a_ban_that_waits_for_its_audit_during_a_reload_holds_after_it(
    valley: Copy, mud: OpenMud, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Store.saved

    async def slowly(store: Store, within: float = 5.0) -> None:
        await trio.sleep(2)
        await saved(store, within)

    async with mud(valley.module.lasting_world) as place:
        monkeypatch.setattr(Store, "saved", slowly)
        place.nursery.start_soon(place.admin, "ban 192.0.2.0/24 spam")
        await trio.sleep(1)
        await place.reload(f"{PACKAGE}:lasting_world")
        await trio.sleep(2)
        player = await place.player(address="192.0.2.7")
        assert "You may not come in. spam" in await player.sees_the_end()


async def test_an_operator_reloads_the_valley_that_keeps_its_players(valley: Copy, mud: OpenMud) -> None:
    async with mud(valley.module.lasting_world) as place:
        place.server._reload = GameReload(place.server, f"{PACKAGE}:lasting_world", execute=inline, longest=0).run
        ann, bob = await newcomer(place, "Ann"), await newcomer(place, "Bob")
        await place.admin("role ann admin")
        valley.edit("verbs/looking.py", "You can go {ways}.", "New: You can go {ways}.")
        await bob.type("reload")
        await bob.sees('There is no command "reload".')
        await ann.type("reload")
        assert re.search(rf"{PACKAGE} is reloaded: \d+ modules, \d+ records, in 0 ms", await ann.sees(" ms."))
        await bob.type("look", "quit")
        await bob.sees("New: You can go")
        await bob.sees_the_end()
        bob = await returning(place, "Bob")
        assert "New: You can go" in bob.screen
        await place.admin("mute bob")
        await bob.sees("You may not speak to others just now.")
        await place.store.saved()
    async with mud(valley.module.lasting_world, storage=place.storage) as place:
        assert "New: You can go" in (await returning(place, "Ann")).screen
