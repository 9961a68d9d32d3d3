"""A recording played again: it passes if the game answers as recorded, and shows the difference otherwise."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import trio

from trio_mud import Admitted, Dialog, Hooks, Input, broadcast
from trio_mud.mudlib import world
from trio_mud.telnet.codes import GMCP, IAC, SB, SE
from trio_mud.testing import OpenMud, read_recording, replay

HEAD = "trio_mud recording 1\nnumber 1\naddress '192.0.2.7'\nsecure False\nbegan 2026-11-24T20:15:00.250+00:00\n"


def tavern(greeting: str = "Welcome", password: str = "sesame") -> Hooks:
    hooks = Hooks()

    async def login(dialog: Dialog) -> None:
        await dialog.client_ready()
        name = await dialog.ask("Name? ")
        if await dialog.ask_hidden("Password? ") != password:
            dialog.connection.quit("Wrong.")
            return
        dialog.connection.name = name
        dialog.connection.write(f"{greeting}, {name}.")
        dialog.connection.after(60, lambda: dialog.connection.write("A minute has passed."))

    @hooks.on(Admitted)
    def receive(event: Admitted) -> None:
        event.connection.start_dialog(login)

    @hooks.on(Input)
    def talk(event: Input) -> None:
        if event.line == "quit":
            event.connection.quit("Farewell.")
        elif event.line == "dice":
            event.connection.write(f"You throw {random.randint(1, 10**9)}.")
        else:
            broadcast(f"{event.connection.name}: {event.line}", to=event.connection.server.connections)

    return hooks


async def record(mud: OpenMud, folder: Path, *lines: str) -> Path:
    """A session in the tavern."""
    async with mud(tavern()) as place:
        for _ in range(3):
            await (await place.player()).hang_up()
        place.server.record(folder)
        ann = await place.player(columns=100, rows=30, terminal=("MUDLET",), gmcp=("Room",))
        await ann.sees("Name? ")
        await trio.sleep(2)
        await ann.type("Ann")
        await ann.sees("Password? ")
        await trio.sleep(1)
        await ann.type("sesame")
        await ann.sees("Welcome, Ann.")
        for line in lines:
            await trio.sleep(50)
            await ann.type(line)
        await trio.sleep(50)
    return only(folder)


def only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def written(folder: Path, steps: str) -> Path:
    path = folder / "written.txt"
    path.write_text(HEAD + steps, encoding="ascii")
    return path


async def test_a_game_that_answers_as_it_did_passes(mud: OpenMud, tmp_path: Path) -> None:
    path = await record(mud, tmp_path, "hello", "and bye", "quit")
    assert b"A minute has passed." in read_recording(path).output
    async with mud(tavern()) as place:
        await replay(place, path, hidden="sesame")


async def test_a_game_that_answers_otherwise_fails_and_both_answers_are_told(mud: OpenMud, tmp_path: Path) -> None:
    path = await record(mud, tmp_path, "quit")
    async with mud(tavern(greeting="Hello")) as place:
        with pytest.raises(AssertionError) as failure:
            await replay(place, path, hidden="sesame")
    told = str(failure.value).splitlines()
    assert told[0] == f"{path.name} got other answers than it had recorded:"
    assert '-"Welcome, Ann."' in [line.removeprefix("-IAC WONT ECHO ") and line for line in told]
    assert any(line.startswith("+") and "Hello, Ann." in line for line in told)
    assert any("IAC WILL ECHO" in line or "IAC WONT ECHO" in line for line in told)


async def test_a_server_that_closes_too_early_or_not_at_all_is_told(mud: OpenMud, tmp_path: Path) -> None:
    path = await record(mud, tmp_path, "quit")
    async with mud(tavern(password="other")) as place:
        with pytest.raises(AssertionError, match=r'-.*"Welcome, Ann."'):
            await replay(place, path, hidden="sesame")
    async with mud(Hooks()) as place:
        with pytest.raises(AssertionError, match=r"-\(the server closes\)"):
            await replay(place, written(tmp_path, "1.000 in b'quit\\r\\n'\n1.000 closed\n"))


async def test_what_may_differ_can_be_made_the_same(mud: OpenMud, tmp_path: Path) -> None:
    path = await record(mud, tmp_path, "dice")
    async with mud(tavern()) as place:
        with pytest.raises(AssertionError, match="You throw"):
            await replay(place, path, hidden="sesame")
    async with mud(tavern()) as place:
        await replay(place, path, hidden="sesame", same=lambda line: re.sub(r"[0-9]+", "#", line))


async def test_two_who_talked_to_each_other_are_played_together(mud: OpenMud, tmp_path: Path) -> None:
    async with mud(tavern()) as place:
        place.server.record(tmp_path)
        for name in ("Ann", "Bob"):
            player = await place.player()
            await player.type(name, "sesame")
            await player.sees(f"Welcome, {name}.")
            await trio.sleep(7)
            await player.type("hello everybody")
            await trio.sleep(3)
    paths = list(tmp_path.iterdir())  # noqa: ASYNC240
    assert len(paths) == 2
    assert b"Bob: hello everybody" in b"".join([read_recording(path).output for path in paths[::-1]])
    async with mud(tavern()) as place:
        await replay(place, *paths, hidden="sesame")


@pytest.mark.parametrize("way", ["hang up", "vanish"])
async def test_the_peer_leaves_as_it_left(mud: OpenMud, tmp_path: Path, way: str) -> None:
    async with mud(tavern()) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        await ann.type("Ann")
        await trio.sleep(5)
        await (ann.hang_up() if way == "hang up" else ann.vanish())
        await trio.sleep(5)
    counted = {}
    async with mud(tavern()) as place:
        await replay(place, only(tmp_path))
        await trio.sleep(5)
        counted = dict(place.server.counters)
    assert counted["linkdeath: end of file" if way == "hang up" else "linkdeath: reset"] == 1


async def test_the_valley_answers_as_it_did(mud: OpenMud, tmp_path: Path) -> None:
    async with mud(world) as place:
        place.server.record(tmp_path)
        ann = await place.player(columns=80, rows=24, gmcp=("Room", "Char"))
        for line in ("Ann", "look", "north", "say hello", "quit"):
            await trio.sleep(1.5)
            await ann.type(line)
        await trio.sleep(1)
    assert len(read_recording(only(tmp_path)).output) > 1000
    async with mud(world) as place:
        await replay(place, only(tmp_path))


# Files


def test_a_recording_says_where_and_when_and_what(tmp_path: Path) -> None:
    recorded = read_recording(
        written(tmp_path, "0.000 out b'Name? '\n1.500 in b'Ann\\r\\n'\n2.000 hidden\n9.000 eof\n")
    )
    assert (recorded.number, recorded.address) == (1, "192.0.2.7")
    assert recorded.began.isoformat() == "2026-11-24T20:15:00.250000+00:00"
    assert [(step.when, step.kind, step.data) for step in recorded.steps] == [
        (0.0, "out", b"Name? "),
        (1.5, "in", b"Ann\r\n"),
        (2.0, "hidden", b""),
        (9.0, "eof", b""),
    ]


def test_a_last_line_that_was_cut_is_left_out(tmp_path: Path) -> None:
    recorded = read_recording(written(tmp_path, "0.000 out b'Name? '\n1.500 in b'An"))
    assert [step.kind for step in recorded.steps] == ["out"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "does not begin"),
        ("GET / HTTP/1.1\n", "does not begin"),
        (f"{HEAD}1.000 sings b'la'\n", "line 6: 'sings'"),
        (f"{HEAD}1.000 in\n", "line 6"),
        (f"{HEAD}1.000 in 7\n", "line 6: '7' are no bytes"),
        (f"{HEAD}1.000 in b'\n", "line 6"),
        ("trio_mud recording 1\nnumber 1\naddress 'x'\n", "its head says nothing of 'began'"),
    ],
)
def test_a_file_that_is_no_recording_is_told_with_the_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "recording.txt"
    path.write_text(text, encoding="ascii")
    with pytest.raises(ValueError, match=why):
        read_recording(path)


async def test_a_login_left_out_of_a_recording_does_not_stop_the_replay(mud: OpenMud, tmp_path: Path) -> None:
    login = bytes((IAC, SB, GMCP)) + b'Char.Login.Credentials {"password": "sesame"}' + bytes((IAC, SE))
    async with mud(Hooks()) as place:
        place.server.record(tmp_path)
        ann = await place.player(gmcp=("Char.Login",))
        await ann.send(login + b"look\r\n")
        await trio.sleep(1)
        await ann.hang_up()
        await trio.sleep(1)
    path = only(tmp_path)
    assert [step.kind for step in read_recording(path).steps if step.kind in ("left-out", "eof")] == ["left-out", "eof"]
    async with mud(Hooks()) as place:
        await replay(place, path)
