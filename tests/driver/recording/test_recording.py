"""Recordings hold what passed, in order, as people can read it; and never what was typed hidden."""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import assume, example, given
from hypothesis import strategies as st

from trio_mud import Admitted, Dialog, Hooks, Input, Limits
from trio_mud.driver.connection.waiting import HiddenLine
from trio_mud.driver.recording import recorder
from trio_mud.driver.recording.journal import ENTRY, HELD, Journal
from trio_mud.driver.recording.recording import EARLY, Recording
from trio_mud.telnet import Line, TelnetEngine
from trio_mud.telnet.codes import GMCP, IAC, MCCP3, SB, SE
from trio_mud.testing import Mud, OpenMud, Player, read_recording
from trio_mud.testing.replay import Recorded

from ..conftest import EventLog, FakeTransport, link_of, open_house, settled

pytestmark = pytest.mark.one_process("connections are recorded where their bytes are, at the gateway")

CANARY = "sesame-4711"
SECRET = re.compile(r"sesame|4711|esam|471")


def gate() -> Hooks:
    """A game that asks for a name and a password, and then echoes."""
    hooks = Hooks()

    @hooks.on(Admitted)
    def receive(event: Admitted) -> None:
        event.connection.start_dialog(login)

    @hooks.on(Input)
    def echo(event: Input) -> None:
        if event.line == "quit":
            event.connection.quit("Farewell.")
        else:
            event.connection.write(f"you said {event.line}")

    return hooks


async def login(dialog: Dialog) -> None:
    name = await dialog.ask("Name? ")
    while await dialog.ask_hidden("Password? ") != CANARY:
        dialog.connection.write("Wrong.")
    dialog.connection.write(f"Welcome, {name}.")


def only_text(folder: Path) -> str:
    (path,) = folder.iterdir()
    return path.read_text(encoding="ascii")


def only_recording(folder: Path) -> Recorded:
    (path,) = folder.iterdir()
    return read_recording(path)


def all_recordings(folder: Path) -> list[Recorded]:
    return [read_recording(path) for path in folder.iterdir()]


def heard(recorded: Recorded) -> list[str]:
    """Return the recorded input, with other actions of the peer in brackets, and without negotiations."""
    did = [(step.kind, re.sub(rb"\xff[\xfb-\xfe].", b"", step.data)) for step in recorded.steps if step.kind != "out"]
    return [data.decode() or f"[{kind}]" for kind, data in did if data or kind != "in"]


# What is in it


async def test_a_session_is_written_down_as_it_passed(mud: OpenMud, talkers: EventLog, tmp_path: Path) -> None:
    async with mud(talkers.hooks, options=()) as place:
        place.server.record(tmp_path)
        ann = await place.player(address="192.0.2.7")
        await trio.sleep(1.5)
        await ann.type("hello")
        await ann.sees("you said hello")
        await trio.sleep(2)
        await ann.type("quit")
        await ann.sees_the_end()
    assert only_text(tmp_path).splitlines() == [
        "trio_mud recording 1",
        "number 1",
        "address '192.0.2.7'",
        "secure False",
        "began 2000-01-01T12:00:00.000+00:00",
        r"1.500 in b'hello\r\n'",
        r"1.500 out b'you said hello\r\n'",
        r"3.500 in b'quit\r\n'",
        r"3.500 out b'Farewell.\r\n'",
        "3.500 closed",
    ]


async def test_a_recorded_transport_may_receive_bytearrays(
    talkers: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scanner of the compiled build ended its link with a TypeError."""
    entered: list[bytes] = []
    hear = Journal.hear

    def note(journal: Journal, now: float, data: bytes, *, is_hidden: bool) -> None:
        entered.append(data)
        hear(journal, now, data, is_hidden=is_hidden)

    monkeypatch.setattr(Journal, "hear", note)
    async with open_house(talkers.hooks) as house:
        house.server.record(tmp_path)
        wire = FakeTransport(address="192.0.2.1")
        house.listener.connect(wire)
        wire.say(bytearray(b"look\r\n"))  # type: ignore[arg-type]  # as a game that is not type checked
        await settled()
        assert "you said look" in wire.text
    assert [(bytes, b"look\r\n")] == [(type(data), data) for data in entered]
    assert heard(only_recording(tmp_path)) == ["look\r\n", "[shutdown]"]


async def test_only_its_owner_may_read_a_recording(mud: OpenMud, talkers: EventLog, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    async with mud(talkers.hooks) as place:
        place.server.record(folder)
        await (await place.player()).type("hello")
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_new_connections_are_recorded_and_no_others(mud: OpenMud, talkers: EventLog, tmp_path: Path) -> None:
    async with mud(talkers.hooks) as place:
        ann = await place.player()
        place.server.record(tmp_path)
        bob = await place.player()
        place.server.record(None)
        cid = await place.player()
        for player in (ann, bob, cid):
            await player.type("hello")
            await player.sees("you said hello")
    assert only_recording(tmp_path).number == 2
    assert b"you said hello" in only_recording(tmp_path).output


async def test_what_is_recorded_is_not_compressed(mud: OpenMud, talkers: EventLog, tmp_path: Path) -> None:
    async with mud(talkers.hooks) as place:
        place.server.record(tmp_path)
        await (await place.player()).type("hello")
    output = only_recording(tmp_path).output
    assert b"\xff\xfb\xc9" in output
    assert b"\xff\xfb\x56" not in output
    assert b"\xff\xfb\x57" not in output


async def test_how_the_peer_left_is_recorded(mud: OpenMud, talkers: EventLog, tmp_path: Path) -> None:
    for way, kinds in ((Player.hang_up, ["[eof]", "[closed]"]), (Player.vanish, ["[lost]", "[closed]"])):
        folder = tmp_path / kinds[0]
        async with mud(talkers.hooks) as place:
            place.server.record(folder)
            ann = await place.player()
            await ann.type("hello")
            await ann.sees("you said hello")
            await way(ann)
            await trio.sleep(1)
        assert heard(only_recording(folder)) == ["hello\r\n", *kinds]


async def test_telnet_and_the_lines_around_it_keep_their_order(mud: OpenMud, talkers: EventLog, tmp_path: Path) -> None:
    sent = b"lo\xff\xf1ok\r\xff\xfd\x03\n\xff\xff\xff\xfa\x1f\x00\x50\xff\xff\x18\xff\xf0\xc3\xa9\r\n"
    async with mud(talkers.hooks, options=()) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        await ann.send(sent)
        await ann.sees("you said look")
        await ann.hang_up()
        await trio.sleep(1)
    recorded = only_recording(tmp_path)
    assert b"".join(step.data for step in recorded.steps if step.kind == "in") == sent


# What is not in it


@pytest.mark.parametrize(
    "typed",
    [
        [f"Ann\r\n{CANARY}\r\nlook\r\n"],
        ["Ann\r\n", f"{CANARY}\r\nlook\r\n"],
        ["Ann\r\n", f"{CANARY[:4]}", f"{CANARY[4:]}\r", "\nlook\r\n"],
        [f"Ann\r\n{CANARY[:4]}", f"{CANARY[4:]}\r\n", "look\r\n"],
        ["Ann\n", "4711\n", f"{CANARY}\n", "look\n"],
        [*f"Ann\r\n{CANARY}\r\n", "look\r\n"],
    ],
)
@pytest.mark.parametrize("pause", [0.0, 1.0])
async def test_a_hidden_answer_is_never_recorded_however_it_is_cut_and_whenever_it_comes(
    mud: OpenMud, tmp_path: Path, typed: list[str], pause: float
) -> None:
    async with mud(gate()) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        for part in typed:
            await ann.send(part.encode())
            await trio.sleep(pause)
        await ann.sees("Welcome, Ann.")
        if pause:
            await ann.type("look")
            await ann.sees("you said look")
        await trio.sleep(1)
    assert SECRET.search(only_text(tmp_path)) is None
    told = heard(only_recording(tmp_path))
    assert "[hidden]" in told
    assert "".join(told).startswith("Ann")
    assert b"Welcome, Ann." in only_recording(tmp_path).output


async def test_what_was_typed_ahead_behind_a_password_is_recorded(mud: OpenMud, tmp_path: Path) -> None:
    async with mud(gate()) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        await ann.send(f"Ann\r\n{CANARY}\r\nlook\r\n".encode())
        await ann.sees("you said look")
    assert heard(only_recording(tmp_path)) == ["Ann\r\n", "[hidden]", "look\r\n", "[shutdown]"]


async def test_a_hidden_answer_half_typed_when_its_question_is_given_up_is_not_recorded(
    mud: OpenMud, tmp_path: Path
) -> None:
    hooks = Hooks()

    async def ask(dialog: Dialog) -> None:
        with pytest.raises(trio.TooSlowError):
            await dialog.ask_hidden("Password? ", within=10)

    hooks.on(Admitted)(lambda event: event.connection.start_dialog(ask))
    async with mud(hooks) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        await ann.send(CANARY[:6].encode())
        await trio.sleep(11)
        await ann.send(CANARY[6:].encode() + b"\r\nlook\r\n")
        await trio.sleep(1)
    assert SECRET.search(only_text(tmp_path)) is None
    assert heard(only_recording(tmp_path)) == ["[hidden]", "look\r\n", "[shutdown]"]


async def test_a_hook_that_hides_input_has_its_line_left_out_typed_ahead_or_not(mud: OpenMud, tmp_path: Path) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    def obey(event: Input) -> None:
        event.connection.hide_input(event.line == "login")
        event.connection.write("So be it.")

    async with mud(hooks) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        await ann.send(f"login\r\n{CANARY}\r\nlook\r\nlogin\r\n".encode())
        await ann.type(CANARY, "look")
        await trio.sleep(1)
    assert SECRET.search(only_text(tmp_path)) is None
    assert heard(only_recording(tmp_path))[:3] == ["login\r\n", "[hidden]", "look\r\n"]


async def test_lines_that_nobody_takes_are_left_out(mud: OpenMud, tmp_path: Path) -> None:
    async with mud(gate()) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        await ann.send(f"Ann\r\nwrong\r\n{CANARY}\r\nquit\r\n{CANARY}\r\n{CANARY}".encode())
        await ann.sees("Farewell.")
        await ann.sees_the_end()
    assert SECRET.search(only_text(tmp_path)) is None
    assert heard(only_recording(tmp_path))[-1] == "[closed]"


async def test_half_a_line_at_the_end_is_left_out(mud: OpenMud, talkers: EventLog, tmp_path: Path) -> None:
    async with mud(talkers.hooks) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        await ann.send(CANARY.encode())
        await trio.sleep(1)
        await ann.hang_up()
        await trio.sleep(1)
    assert heard(only_recording(tmp_path)) == ["[left-out]", "[eof]", "[closed]"]


@pytest.mark.parametrize("at", range(0, 60, 7))
async def test_a_login_by_gmcp_is_left_out(mud: OpenMud, talkers: EventLog, tmp_path: Path, at: int) -> None:
    message = bytes((IAC, SB, GMCP)) + f'Char.Login.Credentials {{"password": "{CANARY}"}}'.encode() + bytes((IAC, SE))
    async with mud(talkers.hooks) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        await ann.send(b"\xff\xfd\xc9" + message[:at])
        await ann.send(message[at:] + b"hello\r\n")
        await ann.sees("you said hello")
    assert SECRET.search(only_text(tmp_path)) is None
    assert "GMCP" in only_text(tmp_path)
    assert "hello\r\n" in heard(only_recording(tmp_path))


async def test_a_token_by_gmcp_is_left_out_in_both_directions(mud: OpenMud, talkers: EventLog, tmp_path: Path) -> None:
    talkers.hooks.on(Input)(lambda event: event.connection.gmcp("Session.Token", {"token": CANARY, "grace": 9}))
    async with mud(talkers.hooks) as place:
        place.server.record(tmp_path)
        ann = await place.player(gmcp=("Session",))
        await ann.send_gmcp("Session.Resume", {"token": CANARY})
        await ann.type("hello")
        await ann.sees("you said hello")
        await ann.catches_up()
        assert ("Session.Token", {"token": CANARY, "grace": 9}) in ann.gmcp
    assert SECRET.search(only_text(tmp_path)) is None


async def test_compressed_input_is_left_out(mud: OpenMud, witness: EventLog, tmp_path: Path) -> None:
    async with mud(witness.hooks) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        await ann.send(bytes((IAC, SB, MCCP3, IAC, SE)) + f"{CANARY}\r\n".encode())
        await ann.type(CANARY)
        await trio.sleep(1)
    assert SECRET.search(only_text(tmp_path)) is None


# A line given back is nobody's again


async def test_a_line_that_answered_two_questions_is_left_out_if_one_was_hidden(mud: OpenMud, tmp_path: Path) -> None:
    hooks = Hooks()
    answers: list[str] = []

    async def read(dialog: Dialog) -> None:
        await dialog.page("\n".join(map(str, range(100))))
        answers.append(await dialog.ask_hidden("Password? "))

    hooks.on(Admitted)(lambda event: event.connection.start_dialog(read))
    async with mud(hooks) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        await ann.type(CANARY)
        await ann.sees("Password? ")
        await trio.sleep(1)
    assert answers == [CANARY]
    assert SECRET.search(only_text(tmp_path)) is None
    assert "[hidden]" in heard(only_recording(tmp_path))


# Bounds


async def test_a_recording_stops_when_it_is_long_enough(mud: OpenMud, talkers: EventLog, tmp_path: Path) -> None:
    async with mud(talkers.hooks) as place:
        place.server.record(tmp_path, most_bytes=2000)
        ann = await place.player()
        for _ in range(100):
            await ann.type("hello")
            await ann.sees("you said hello")
    text = only_text(tmp_path)
    assert 1000 < len(text) < 2100
    assert text.endswith("stopped\n")


async def test_no_more_sessions_are_recorded_than_wanted(mud: OpenMud, talkers: EventLog, tmp_path: Path) -> None:
    async with mud(talkers.hooks) as place:
        place.server.record(tmp_path, most_sessions=3)
        for _ in range(5):
            ann = await place.player()
            await ann.type("hello")
            await ann.sees("you said hello")
    assert sorted(recorded.number for recorded in all_recordings(tmp_path)) == [1, 2, 3]


async def test_a_line_that_waits_too_long_is_left_out_and_holds_up_nothing(mud: OpenMud, tmp_path: Path) -> None:
    hooks = Hooks()

    async def muse(dialog: Dialog) -> None:
        await trio.sleep(1000)

    hooks.on(Admitted)(lambda event: event.connection.start_dialog(muse))
    async with mud(hooks, limits=Limits(first_input_timeout=None)) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        await ann.type(CANARY)
        (connection,) = place.server.connections
        for _ in range(HELD // 1000 + 10):
            connection.write("x" * 1000)
            await trio.sleep(0.1)
        await trio.sleep(2000)
    text = only_text(tmp_path)
    assert SECRET.search(text) is None
    assert len(text) > HELD
    assert heard(only_recording(tmp_path)) == ["[hidden]", "[shutdown]"]


async def talk(mud: Mud, *lines: str) -> None:
    ann = await mud.player()
    for line in lines or ("hello",):
        await ann.type(line)
        await ann.sees(f"you said {line}")


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


async def until_written(mud: Mud) -> None:
    """Wait for the thread that writes, which the virtual clock does not know."""
    (recorder,) = mud.server._recorders
    while recorder._put != recorder._written and recorder._thread is not None and recorder._thread.is_alive():
        await trio.lowlevel.checkpoint()
    await trio.testing.wait_all_tasks_blocked()


async def test_a_file_that_cannot_be_written_costs_its_recording_and_no_other(
    mud: OpenMud,
    talkers: EventLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    append_to = recorder._append_to

    def fails_for_the_second(path: Path, text: str) -> None:
        if path.stem.endswith("-2"):
            raise OSError(errno.ENOSPC, "No space left on device")
        append_to(path, text)

    monkeypatch.setattr(recorder, "_append_to", fails_for_the_second)
    async with mud(talkers.hooks) as place:
        place.server.record(tmp_path, most_sessions=3)
        for _ in range(5):
            await talk(place)
            await until_written(place)
    assert sorted(recorded.number for recorded in all_recordings(tmp_path)) == [1, 3, 4]
    (complaint,) = complaints(caplog)
    assert "the recording of a session ended" in complaint
    assert "No space left on device" in complaint


@pytest.mark.parametrize("error", [errno.EMFILE, errno.EACCES, errno.EEXIST])
async def test_files_that_cannot_be_made_do_not_count_and_are_logged_with_a_count(
    mud: OpenMud,
    talkers: EventLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: int,
) -> None:
    def fails(*args: object) -> int:
        raise OSError(error, os.strerror(error))

    async with mud(talkers.hooks) as place:
        place.server.record(tmp_path, most_sessions=1)
        with monkeypatch.context() as trouble:
            trouble.setattr(os, "open", fails)
            for _ in range(3):
                await talk(place)
                await until_written(place)
        assert len(complaints(caplog)) == 1
        await talk(place, "again")
    assert only_recording(tmp_path).number == 4
    assert complaints(caplog)[1:] == [f"the recording of a session ended in {tmp_path}: repeated 2 times within 10 s"]


async def test_a_disk_that_does_not_keep_up_ends_the_recordings_it_has_no_room_for(
    mud: OpenMud,
    talkers: EventLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    is_awake, write_to = threading.Event(), recorder.Recorder._write_to

    def write_late(self: recorder.Recorder, file: recorder._File, text: str) -> None:
        is_awake.wait(10)
        write_to(self, file, text)

    monkeypatch.setattr(recorder, "QUEUE", 1000)
    monkeypatch.setattr(recorder.Recorder, "_write_to", write_late)
    async with mud(talkers.hooks) as place:
        place.server.record(tmp_path)
        await talk(place, *(["hello"] * 100))
        await talk(place)
        is_awake.set()
        await until_written(place)
        await talk(place)
    assert sorted(recorded.number for recorded in all_recordings(tmp_path)) == [1, 3]
    assert any("the disk does not keep up" in complaint for complaint in complaints(caplog))


async def test_without_a_thread_to_write_in_a_session_goes_on_and_the_next_is_recorded(
    mud: OpenMud,
    talkers: EventLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with mud(talkers.hooks) as place:
        place.server.record(tmp_path)
        with monkeypatch.context() as trouble:
            trouble.setattr(threading.Thread, "start", fails)
            await talk(place)
        await talk(place)
    assert only_recording(tmp_path).number == 2
    assert len(complaints(caplog)) == 1


async def test_servers_that_share_a_folder_keep_their_recordings_apart(
    mud: OpenMud, talkers: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for process, line in ((11, "one"), (22, "two"), (22, "three")):  # the last two in containers of their own
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        async with mud(talkers.hooks) as place:
            place.server.record(tmp_path)
            await talk(place, line)
    said = [line for recorded in all_recordings(tmp_path) for line in heard(recorded) if line[0] != "["]
    assert sorted(said) == ["one\r\n", "three\r\n", "two\r\n"]
    assert complaints(caplog) == []


async def test_connections_that_type_nothing_leave_no_file_and_use_nothing_up(mud: OpenMud, tmp_path: Path) -> None:
    async with mud(gate()) as place:
        place.server.record(tmp_path, most_sessions=1)
        for _ in range(5):
            ann = await place.player()
            await ann.sees("Name? ")
            await ann.send(b"\xff\xfb\x1f\xff\xfa\x1f\x00P\x00\x18\xff\xf0")
            await ann.hang_up()
        await trio.sleep(1)
        await until_written(place)
        assert all_recordings(tmp_path) == []
        bob = await place.player()
        await bob.type("Bob")
        await bob.sees("Password? ")
    recorded = only_recording(tmp_path)
    assert recorded.number == 6
    assert b"Name? " in recorded.output


async def test_what_is_sent_before_anything_is_typed_is_kept_within_bounds(
    mud: OpenMud, talkers: EventLog, tmp_path: Path
) -> None:
    async with mud(talkers.hooks) as place:
        place.server.record(tmp_path)
        ann = await place.player()
        (connection,) = place.server.connections
        for _ in range(EARLY // 1000 + 10):
            connection.write("x" * 1000)
            await trio.sleep(0.1)
        recording = link_of(connection)._transport
        assert isinstance(recording, Recording)
        assert EARLY - 1100 < len(recording._early) < EARLY + 100
        await ann.type("hello")
        await ann.sees("you said hello")
    text = only_text(tmp_path)
    assert text.count("left-out early output") == 1
    assert b"you said hello" in only_recording(tmp_path).output


async def test_a_folder_that_cannot_be_made_is_told_at_once(mud: OpenMud, talkers: EventLog, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with mud(talkers.hooks) as place:
        with pytest.raises(OSError, match="file"):
            place.server.record(tmp_path / "file" / "folder")
        await place.player()


# The journal counts lines as the engine does


def written_by(act: Callable[[Journal], None]) -> list[tuple[str, bytes]]:
    written: list[tuple[str, bytes]] = []
    journal = Journal(lambda when, kind, data: written.append((kind, data)), lambda: False)
    act(journal)
    return written


TYPED = st.lists(st.sampled_from([b"\r", b"\n", b"\0", b"a", b"\xff\xff", b"\xff\xf7", b"\x08", b"\xff\xf1"])).map(
    b"".join
)


@given(chunks=st.lists(TYPED, max_size=10))
@example(chunks=[b"a\r", b"\n", b"\0b\r\r\n"])
@example(chunks=[b"a\r\xff\xf1\nb\n"])
def test_every_line_of_the_engines_is_a_line_of_the_journals(chunks: list[bytes]) -> None:
    engine = TelnetEngine(())
    lines = [event for chunk in chunks for event in engine.receive(chunk) if isinstance(event, Line)]
    assume(sum(map(len, chunks)) < HELD // (ENTRY + 2))

    def take_all(journal: Journal) -> None:
        for chunk in chunks:
            journal.hear(0, chunk, is_hidden=False)
        for _ in lines:
            journal.line_taken(is_secret=False, is_borrowed=False)
        journal.note(0, "closed")

    written = written_by(take_all)
    again = TelnetEngine(())
    text = b"".join(data for kind, data in written if kind == "in")
    assert lines == [event for event in again.receive(text) if isinstance(event, Line)]
    assert written[-1] == ("closed", b"")


def test_a_line_that_the_journal_does_not_know_makes_it_deaf() -> None:
    def take_too_many(journal: Journal) -> None:
        journal.line_taken(is_secret=False, is_borrowed=False)
        journal.hear(0, b"sesame\r\n", is_hidden=False)
        journal.say(0, b"on it goes")

    assert written_by(take_too_many) == [("out", b"on it goes")]


def test_the_repr_of_a_hidden_line_does_not_tell() -> None:
    assert CANARY not in repr(HiddenLine(CANARY))
