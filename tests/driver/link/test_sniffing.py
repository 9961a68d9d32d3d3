"""Foreign protocols on the telnet port: detected by their first bytes, closed before any of them is a command."""

from __future__ import annotations

import shutil
import subprocess
from http.client import parse_headers
from io import BytesIO

import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from trio_mud import Admitted, Cause, Dialog, Hooks, Reason, Texts, open_tcp_listeners, serve
from trio_mud.driver.link.sniffing import LONGEST, ForeignProtocol, answer, detect
from trio_mud.testing import OpenMud

from ..conftest import EventLog, open_house, settled

REQUEST = b"POST / HTTP/1.1\r\nHost: mud.example:4000\r\nContent-Type: text/plain\r\n\r\nsay hello\r\nquit\r\n"
CLIENT_HELLO = bytes.fromhex("16 03 01 02 00 01 00 01 fc 03 03") + b"\r\nlook\r\n"
RDP = bytes.fromhex("03 00 00 2b 26 e0 00 00 00 00 00") + b"Cookie: mstshash=Administr\r\n\x01\x00\x08\x00"
STUN = bytes.fromhex("00 03 00 54 21 12 a4 42") + b"\r\nsay hello\r\n" * 5
STRANGERS = [
    (REQUEST, ForeignProtocol.HTTP),
    (b"GET / HTTP/1.1\r\n\r\n", ForeignProtocol.HTTP),
    (b"OPTIONS * HTTP/1.1\r\n\r\n", ForeignProtocol.HTTP),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ForeignProtocol.HTTP),
    (b"DELETE /everything HTTP/1.0\n\n", ForeignProtocol.HTTP),
    (CLIENT_HELLO, ForeignProtocol.TLS),
    (b"SSH-2.0-Go\r\n", ForeignProtocol.SSH),
    (RDP, ForeignProtocol.RDP),
    (STUN, ForeignProtocol.STUN),
]
PLAYERS = [
    b"look\r\n",
    b"GET\r\n",
    b"GET ALL FROM CORPSE\r\n",
    b"get /ball\r\n",
    b"POST\r\n",
    b"CONNECT bob secret\r\n",
    b"SSH\r\n",
    b"\x03",  # ^C
    b"\x03\r\n",
    b"\xff\xfd\x18\xff\xfb\x1f",
    b"\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.9 56324 4000\r\n",
]


# The pure part


@pytest.mark.parametrize(("said", "stranger"), STRANGERS)
def test_a_stranger_is_known_by_the_first_bytes(said: bytes, stranger: ForeignProtocol) -> None:
    assert detect(said) is detect(said[:LONGEST]) is stranger
    seen = [detect(said[:size]) for size in range(len(said) + 1)]
    assert set(seen) == {ForeignProtocol.UNDECIDED, stranger}
    assert seen == sorted(seen, key=lambda one: one is stranger)


@pytest.mark.parametrize("said", [said for said in PLAYERS if said != b"\x03"])
def test_a_player_is_none(said: bytes) -> None:
    assert detect(said) is None


@example(b"GET ")
@given(st.binary(max_size=20))
def test_nobody_is_undecided_for_long_or_after_a_line(first: bytes) -> None:
    if detect(first) is ForeignProtocol.UNDECIDED:
        assert len(first) < LONGEST
        assert b"\n" not in first
        assert b"\r" not in first


@given(st.binary(max_size=20), st.binary(max_size=5))
def test_a_decision_stands_whatever_comes_behind(first: bytes, more: bytes) -> None:
    if (decided := detect(first)) is not ForeignProtocol.UNDECIDED:
        assert detect(first + more) is decided


def test_only_a_browser_gets_an_answer_and_none_without_a_text() -> None:
    assert [stranger for stranger in ForeignProtocol if answer(stranger, "This is no web page.")] == [
        ForeignProtocol.HTTP
    ]
    assert answer(ForeignProtocol.HTTP, "") == b""


def test_the_answer_is_http_of_the_right_length() -> None:
    head, _, body = answer(ForeignProtocol.HTTP, "Grüß dich!").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert body.decode() == "Grüß dich!\n"


# At the port


@pytest.mark.parametrize("size", [1, 3, 8, 1000])
@pytest.mark.parametrize(("said", "stranger"), STRANGERS)
async def test_nothing_a_stranger_sends_becomes_input(
    mud: OpenMud, talkers: EventLog, said: bytes, stranger: ForeignProtocol, size: int
) -> None:
    """N23: cross-protocol requests run not one command."""
    async with mud(talkers.hooks) as place:
        pipe = place.connect()
        for start in range(0, len(said), size):
            try:
                await pipe.client.send_all(said[start : start + size])
            except trio.BrokenResourceError:
                break
            await settled()
        await trio.sleep(1)
        assert len(place.server.connections) == 0
    assert talkers.story() == ["guest-1 connect", "guest-1 admitted", "guest-1 quit: protocol abuse"]
    assert (Reason.QUIT, Cause.PROTOCOL) == (talkers.last_ending.reason, talkers.last_ending.cause)


@pytest.mark.parametrize(("said", "stranger"), STRANGERS)
async def test_a_stranger_is_counted_by_its_protocol(mud: OpenMud, said: bytes, stranger: ForeignProtocol) -> None:
    async with mud(Hooks()) as place:
        await place.connect().client.send_all(said)
        await settled()
        assert place.front.counters[f"foreign protocol: {stranger.value}"] == 1


async def test_a_browser_reads_why_and_nothing_of_its_own(talkers: EventLog) -> None:
    async with open_house(talkers.hooks, texts=Texts(not_http="No pages here."), options=()) as house:
        wire = await house.connect()
        wire.say(REQUEST)
        await settled()
        assert wire.is_closed
        assert wire.text.startswith("HTTP/1.1 400 Bad Request\r\n")
        assert wire.text.endswith("\r\n\r\nNo pages here.\n")
        assert "mud.example" not in wire.text


@pytest.mark.parametrize("said", [CLIENT_HELLO, b"SSH-2.0-Go\r\n", RDP, STUN])
async def test_other_strangers_read_nothing(talkers: EventLog, said: bytes) -> None:
    async with open_house(talkers.hooks, options=()) as house:
        wire = await house.connect()
        wire.say(said)
        await settled()
        assert (wire.is_closed, wire.text) == (True, "")


@pytest.mark.parametrize("said", [said for said in PLAYERS if said.endswith(b"\n")])
async def test_a_player_who_begins_like_one_is_heard_at_once_and_whole(talkers: EventLog, said: bytes) -> None:
    for pieces in ([said], [bytes([byte]) for byte in said]):
        async with open_house(talkers.hooks, options=()) as house:
            wire = await house.connect()
            for piece in pieces:
                wire.say(piece)
            await settled()
            assert wire.text.startswith("you said ")
    lines = [told for told in talkers.story() if ": " in told and "quit:" not in told]
    assert lines[0] == lines[-1]
    assert len(lines) == 2


async def test_only_the_first_words_are_looked_at(talkers: EventLog) -> None:
    async with open_house(talkers.hooks, options=()) as house:
        wire = await house.connect()
        wire.say(b"look\r\n")
        wire.say(b"GET / HTTP/1.1\r\n")
        await settled()
        assert wire.text == "you said look\r\nyou said GET / HTTP/1.1\r\n"


async def test_a_stranger_in_a_login_dialog_answers_no_question(mud: OpenMud, witness: EventLog) -> None:
    answers: list[str] = []

    async def login(dialog: Dialog) -> None:
        answers.append(await dialog.ask("Name? "))

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(login))
    async with mud(witness.hooks) as place:
        await place.connect().client.send_all(REQUEST)
        await trio.sleep(1)
    assert answers == []
    assert witness.last_ending.cause is Cause.PROTOCOL


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl command")
async def test_curl_is_answered() -> None:
    listeners = await open_tcp_listeners(0, host="127.0.0.1")
    url = f"http://127.0.0.1:{listeners[0].address[1]}/"
    async with trio.open_nursery() as nursery:
        server = await nursery.start(lambda task_status: serve(Hooks(), listeners=listeners, task_status=task_status))
        with trio.fail_after(60):
            done = await trio.run_process(
                ["curl", "--silent", "--http0.9", "--max-time", "50", url],
                capture_stdout=True,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        server.shutdown(within=1)
    assert done.returncode == 0
    assert Texts().not_http.encode() in done.stdout


def test_the_answer_says_what_it_is_and_that_nothing_follows() -> None:
    status, _, fields = answer(ForeignProtocol.HTTP, "This is no web page.").partition(b"\r\n")
    told = parse_headers(BytesIO(fields))
    assert status == b"HTTP/1.1 400 Bad Request"
    assert told.get_content_type() == "text/plain"
    assert told.get_content_charset() == "utf-8"
    assert told["Connection"].lower() == "close"
