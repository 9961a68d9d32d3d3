"""Players on a web port: one connection each, as by telnet; and what is no player, which raises no event."""

from __future__ import annotations

import ipaddress
import json
import math
import ssl
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme
from trio.testing import MockClock, wait_all_tasks_blocked
from websockets.exceptions import ConnectionClosedOK
from websockets.frames import Opcode
from websockets.trio.client import connect

from tests.driver.conftest import EventLog, first_connection, waits
from tests.transports.frames import BINARY, CLOSE, FAULTS, PING, PONG, frame
from trio_mud import (
    Admitted,
    Cause,
    ClientReady,
    Connect,
    Dialog,
    Duplicate,
    EchoRefused,
    GmcpMessage,
    Input,
    Limits,
    Reason,
    serve,
)
from trio_mud.transports.tls import Certificate
from trio_mud.web import SUBPROTOCOLS, open_web

from .client import WebClient, WebHouse, open_web_house

ALL = list(SUBPROTOCOLS)
GET = b"GET %b HTTP/1.1\r\nHost: mud.example\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: mud.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
def game() -> EventLog:
    """Greets, echoes each line with a message and a prompt, and knows `quit`."""
    log = EventLog()

    @log.hooks.on(Admitted)
    def greet(event: Admitted) -> None:
        event.connection.write("Welcome.")

    @log.hooks.on(Input)
    def answer(event: Input) -> None:
        if event.line == "quit":
            event.connection.quit("Farewell.")
        else:
            event.connection.write(f"you said {event.line}")
            event.connection.gmcp("Room.Info", {"name": "Ünder"})
            event.connection.prompt("> ")

    return log


async def settle() -> None:
    await wait_all_tasks_blocked()


# Players


@pytest.mark.parametrize("name", [*ALL, None])
async def test_a_line_comes_and_goes_in_every_subprotocol(
    game: EventLog, autojump_clock: MockClock, name: str | None
) -> None:
    async with open_web_house(game.hooks) as house:
        client = await house.connect(*([name] if name else []))
        assert client.response is not None
        assert client.response.headers.get("Sec-WebSocket-Protocol") == name
        client.type("look")
        await settle()
        shown = client.shown.decode(errors="replace") + "".join(client.texts)
        assert "Welcome.\r\n" in shown
        assert "you said look\r\n" in shown
        assert "> " in shown
        assert (b"\xff" in client.shown) is (name in (None, "telnet", "binary", "telnet.mudstandards.org"))
        client.type("quit")
        await settle()
        assert client.close_code == 1000
        assert "Farewell.\r\n" in client.shown.decode(errors="replace") + "".join(client.texts)
        client.wire.say(b"")
        await trio.sleep(3)
        assert client.wire.is_closed
    assert game.story() == [
        "guest-1 connect",
        "guest-1 admitted",
        "guest-1: look",
        "guest-1: quit",
        "guest-1 quit: asked",
    ]


async def test_gmcp_goes_beside_the_text_as_the_subprotocol_frames_it(game: EventLog) -> None:
    heard: list[tuple[str, object]] = []
    game.hooks.on(GmcpMessage)(lambda event: heard.append((event.package, event.data)))
    async with open_web_house(game.hooks) as house:
        plain = await house.connect("gmcp.mudstandards.org")
        plain.say('Char.Login.Credentials {"a": [1]}')
        plain.type("look")
        wrapped = await house.connect("json.mudstandards.org")
        wrapped.say(json.dumps({"proto": "gmcp", "id": "Char.X", "data": "true"}))
        wrapped.say(json.dumps({"proto": "text", "data": "look"}))
        await settle()
        assert plain.texts == ['Room.Info {"name":"Ünder"}']
        assert [json.loads(text)["proto"] for text in wrapped.texts] == ["gmcp", "prompt"]
    assert heard == [("Char.Login.Credentials", {"a": [1]}), ("Char.X", True)]


async def test_a_client_without_telnet_is_ready_at_once_with_the_colours_of_its_subprotocol(game: EventLog) -> None:
    ready: list[tuple[str, int]] = []
    game.hooks.on(ClientReady)(lambda event: ready.append((event.connection.name, event.connection.client.colours)))
    async with open_web_house(game.hooks) as house:
        for name in ("terminal", "gmcp", "json"):
            await house.connect(f"{name}.mudstandards.org")
    assert ready == [("guest-1", 256), ("guest-2", 256), ("guest-3", 256)]


async def test_compression_is_not_offered_inside_of_messages(game: EventLog) -> None:
    async with open_web_house(game.hooks) as house:
        client = await house.connect("telnet.mudstandards.org")
        assert b"\xff\xfb\xc9" in client.shown  # GMCP is
        assert b"\xff\xfb\x56" not in client.shown


async def test_a_client_that_cannot_hide_its_input_is_reported_after_two_seconds(
    game: EventLog, autojump_clock: MockClock
) -> None:
    refused: list[str] = []
    game.hooks.on(EchoRefused)(lambda event: refused.append(event.connection.name))

    async def ask(dialog: Dialog) -> None:
        await dialog.ask_hidden("Password: ")
        refused.append(str(dialog.hiding_refused))

    game.hooks.on(Admitted)(lambda event: event.connection.start_dialog(ask))
    async with open_web_house(game.hooks) as house:
        client = await house.connect("terminal.mudstandards.org")
        await trio.sleep(3)
        client.type("sesame")
        await settle()
    assert "True" in refused


async def test_recorded_bytes_are_those_of_telnet(game: EventLog, tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_web_house(game.hooks) as house:
        house.server.record(tmp_path)
        client = await house.connect("gmcp.mudstandards.org")
        client.type("look")
        await settle()
        client.close()
        await trio.sleep(3)
    (path,) = await trio.Path(tmp_path).iterdir()
    recorded = await path.read_text()
    assert "in b'look\\r\\n'" in recorded
    assert "Core.Supports.Set" in recorded  # the codec's greeting
    assert "eof" in recorded


@pytest.mark.parametrize("name", ["gmcp.mudstandards.org", "json.mudstandards.org"])
async def test_a_client_returns_by_its_token_with_the_text_that_it_missed(
    game: EventLog, autojump_clock: MockClock, name: str
) -> None:
    @game.hooks.on(Input)
    def enter(event: Input) -> None:
        if event.connection.session is None:
            event.connection.server.sessions.enter("ann", event.connection)

    def send(client: WebClient, package: str, data: object) -> None:
        text = json.dumps(data)
        wrapped = json.dumps({"proto": "gmcp", "id": package, "data": text})
        client.say(wrapped if name.startswith("json") else f"{package} {text}")

    def heard(client: WebClient, package: str) -> dict[str, object]:
        for text in client.texts:
            package_of, _, data = text.partition(" ")
            if name.startswith("json"):
                package_of, data = (json.loads(text)[key] for key in ("id", "data"))
            if package_of == package:
                found: dict[str, object] = json.loads(data)
                return found
        raise AssertionError(f"no {package} in {client.texts}")

    async with open_web_house(game.hooks) as house:
        first = await house.connect(name)
        send(first, "Core.Supports.Set", ["Session 1"])
        first.type("look")
        await settle()
        token = heard(first, "Session.Token")
        first.wire.break_()
        await trio.sleep(3)
        session = house.server.sessions.get("ann")
        assert session is not None
        session.write("You sleep.")
        second = await house.connect(name)
        send(second, "Core.Supports.Set", ["Session 1"])
        send(second, "Session.Resume", {"token": token["token"], "lines": token["lines"]})
        await settle()
        assert heard(second, "Session.Resumed")["missed"] == 0
        assert b"You sleep.\r\n" in second.shown
        assert session.connection is not None
        assert session.connection.number == 2


# Endings


@pytest.mark.parametrize("code", [1000, 1001])
async def test_a_close_frame_is_an_end_of_file_after_the_lines_before(
    game: EventLog, autojump_clock: MockClock, code: int
) -> None:
    async with open_web_house(game.hooks) as house:
        client = await house.connect()
        client.wire.say(
            frame(BINARY, b"one\r\ntwo\r\n") + frame(CLOSE, code.to_bytes(2, "big")) + frame(BINARY, b"three\r\n")
        )
        await trio.sleep(3)
        assert client.close_code == code
    assert game.story()[2:] == ["guest-1: one", "guest-1: two", "guest-1 linkdeath: end of file"]


async def test_an_end_of_file_without_a_close_frame_is_one_too(game: EventLog, autojump_clock: MockClock) -> None:
    async with open_web_house(game.hooks) as house:
        client = await house.connect()
        client.type("one")
        client.wire.say(b"")
        await trio.sleep(3)
        assert b"you said one" in client.shown
    assert game.story()[2:] == ["guest-1: one", "guest-1 linkdeath: end of file"]


async def test_a_reset_is_a_link_death(game: EventLog, autojump_clock: MockClock) -> None:
    async with open_web_house(game.hooks) as house:
        client = await house.connect()
        client.wire.break_()
        await trio.sleep(3)
    assert game.story()[2:] == ["guest-1 linkdeath: reset"]


async def test_a_shutdown_is_reported_as_going_away(game: EventLog, autojump_clock: MockClock) -> None:
    async with open_web_house(game.hooks) as house:
        client = await house.connect()
        house.server.shutdown("Until tomorrow.")
        await trio.sleep(3)
        assert b"Until tomorrow.\r\n" in client.shown
        assert client.close_code == 1001


async def test_a_takeover_is_reported_so_that_the_page_does_not_come_back(
    game: EventLog, autojump_clock: MockClock
) -> None:
    @game.hooks.on(Admitted)
    def enter(event: Admitted) -> None:
        event.connection.server.sessions.enter("ann", event.connection, on_duplicate=Duplicate.TAKE_OVER)

    async with open_web_house(game.hooks) as house:
        first = await house.connect()
        second = await house.connect()
        await trio.sleep(3)
        assert first.close_code == 4001
        assert second.close_code is None


async def test_a_refusal_is_read_and_closes_normally_and_a_full_house_asks_to_try_again(
    game: EventLog, autojump_clock: MockClock
) -> None:
    game.hooks.on(Connect)(lambda event: event.connection.refuse("No.") if event.connection.number == 1 else None)
    async with open_web_house(game.hooks, limits=Limits(max_connections=1)) as house:
        refused = await house.connect("terminal.mudstandards.org")
        refused.wire.say(b"")
        await trio.sleep(3)
        await house.connect()
        late = await house.connect("json.mudstandards.org")
        assert refused.shown == b"No.\r\n"
        assert refused.close_code == 1000
        assert late.shown.startswith(b"Every place is taken")
        assert late.close_code == 1013
    assert [ending.reason for ending in game.disconnects()][:2] == [Reason.REFUSED, Reason.REFUSED]


@pytest.mark.parametrize(("data", "code"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
async def test_a_violation_is_one_quit_with_its_close_code(
    game: EventLog, autojump_clock: MockClock, data: bytes, code: int
) -> None:
    async with open_web_house(game.hooks, limits=Limits(command_rate=None)) as house:
        client = await house.connect()
        client.wire.say(data)
        client.wire.say(frame(BINARY, b"quit\r\n"))
        await trio.sleep(5)
        assert client.close_code == code
        assert client.wire.is_closed
    assert [(ending.reason, ending.cause) for ending in game.disconnects()] == [(Reason.QUIT, Cause.PROTOCOL)]
    assert "guest-1: quit" not in game.story()


async def test_junk_right_behind_the_handshake_ends_one_connection(game: EventLog, autojump_clock: MockClock) -> None:
    async with open_web_house(game.hooks) as house:
        honest = await house.connect()
        wire = house.knock()
        wire.say(UPGRADE + b"\xff\xff")  # ends the whole process of Hypercorn 0.18
        await trio.sleep(3)
        assert wire.text.startswith("HTTP/1.1 101 Switching Protocols\r\n")
        honest.type("look")
        await settle()
        assert b"you said look" in honest.shown
    assert game.disconnects()[0].cause is Cause.PROTOCOL
    assert game.story().count("guest-2 connect") == 1


async def test_malformed_gmcp_and_json_are_dropped_and_counted_and_the_connection_lives(game: EventLog) -> None:
    async with open_web_house(game.hooks) as house:
        plain = await house.connect("gmcp.mudstandards.org")
        wrapped = await house.connect("json.mudstandards.org")
        for _ in range(10):
            plain.say("Char.X {")
            wrapped.say("no json")
        plain.type("look")
        wrapped.type("look")
        await settle()
        assert b"you said look" in plain.shown
        assert b"you said look" in wrapped.shown
        assert house.server.counters["anomaly: malformed payload"] == 20


# Bounds


async def test_a_flood_of_lines_is_read_no_faster_than_the_rate_and_none_is_lost(
    game: EventLog, autojump_clock: MockClock
) -> None:
    lines = [f"line {number}" for number in range(300)]
    async with open_web_house(game.hooks) as house:
        client = await house.connect("terminal.mudstandards.org")
        for line in lines:
            client.send(line.encode())
        await settle()
        assert len(game.story()) < 200
        await trio.sleep(60)
    assert [told.removeprefix("guest-1: ") for told in game.story() if ": line" in told] == lines


async def test_a_flood_of_letters_pauses_reading_and_the_line_arrives(
    game: EventLog, autojump_clock: MockClock
) -> None:
    async with open_web_house(game.hooks, limits=Limits(first_input_timeout=None)) as house:
        client = await house.connect("ascii")
        other = await house.connect()
        client.wire.say(frame(BINARY, b"x") * 2000 + frame(BINARY, b"\n"))
        await settle()
        other.type("look")
        await trio.sleep(5)
        assert game.story()[-1] == "guest-2: look"
        await trio.sleep(15)
    assert f"guest-1: {'x' * 2000}" in game.story()


async def test_a_flood_of_malformed_messages_pauses_reading(game: EventLog, autojump_clock: MockClock) -> None:
    async with open_web_house(game.hooks, limits=Limits(first_input_timeout=None)) as house:
        client = await house.connect("json.mudstandards.org")
        for _ in range(400):
            client.say("no json")
        client.say('{"proto": "text", "data": "look"}')
        await settle()
        assert house.server.counters["anomaly: malformed payload"] < 200
        await trio.sleep(100)
        assert house.server.counters["anomaly: malformed payload"] == 400
    assert game.story()[2] == "guest-1: look"


async def test_a_client_that_does_not_read_loses_messages_and_then_its_link(
    game: EventLog, autojump_clock: MockClock
) -> None:
    @game.hooks.on(Input)
    def answer(event: Input) -> None:
        for _ in range(400):
            event.connection.write("x" * 1000)

    async with open_web_house(game.hooks, limits=Limits(max_output=64 * 1024)) as house:
        client = await house.connect("gmcp.mudstandards.org", room=2000)
        client.type("much")
        await settle()
        assert house.server.counters["messages dropped"] > 300
        await trio.sleep(40)
    assert game.last_ending.cause is Cause.WRITE_STALL


async def test_after_a_pause_output_goes_on_where_it_stopped(game: EventLog, autojump_clock: MockClock) -> None:
    @game.hooks.on(Input)
    def answer(event: Input) -> None:
        for number in range(500):
            event.connection.write(f"{number} " + "x" * 200)

    async with open_web_house(game.hooks) as house:
        client = await house.connect("gmcp.mudstandards.org", room=2000)
        client.type("much")
        for _ in range(60):
            await trio.sleep(1)
            client.wire.make_room(2000)
        client.wire.make_room(1 << 30)
        await trio.sleep(1)
        lines = client.shown.decode().removeprefix("Welcome.\r\n").replace("> ", "").splitlines()
        numbers = [line.split()[0] for line in lines if line.endswith("xxx")]
    assert numbers == [str(number) for number in range(500)]


async def test_pings_of_a_client_that_reads_no_answer_end_its_link(game: EventLog, autojump_clock: MockClock) -> None:
    async with open_web_house(game.hooks, limits=Limits(first_input_timeout=None)) as house:
        client = await house.connect(room=1000)
        for _ in range(1200):
            client.wire.say(frame(PING, b"x" * 125) * 8)
            await trio.sleep(1)
            if game.disconnects():
                break
    assert game.last_ending.cause is Cause.RESET


# Keepalive


async def test_a_quiet_websocket_is_pinged_from_its_beginning(game: EventLog, autojump_clock: MockClock) -> None:
    limits = Limits(first_input_timeout=None)
    async with open_web_house(game.hooks, limits=limits) as house:
        client = await house.connect("telnet.mudstandards.org")
        shown = client.shown
        await trio.sleep(101)
        assert [each.opcode for each in client.control] == [Opcode.PING] * 4
        assert client.shown == shown


async def test_pings_can_be_switched_off_and_are_apart_from_those_of_telnet(
    game: EventLog, autojump_clock: MockClock
) -> None:
    limits = Limits(first_input_timeout=None, web_keepalive_interval=None, keepalive_interval=5)
    async with open_web_house(game.hooks, limits=limits) as house:
        client = await house.connect()
        client.type("look")
        await settle()
        shown = client.shown
        await trio.sleep(100)
        assert client.control == []
        assert client.shown == shown


@pytest.mark.parametrize("patience", [20.0, 120.0])
async def test_a_client_that_answers_no_ping_is_a_dead_peer(
    game: EventLog, autojump_clock: MockClock, patience: float
) -> None:
    limits = Limits(first_input_timeout=None, web_keepalive_interval=30, dead_peer_timeout=patience)
    async with open_web_house(game.hooks, limits=limits) as house:
        await house.connect()
        last_check = 30 + 30 * math.ceil(patience / 30)
        await trio.sleep(last_check - 1)
        assert not game.disconnects()
        await trio.sleep(2)
    assert game.last_ending.cause is Cause.DEAD_PEER
    assert game.story()[-1] == "guest-1 linkdeath: dead peer"


@pytest.mark.parametrize("answer", [frame(PONG), frame(BINARY, b"look\r\n"), frame(BINARY, b"look\r\n")[:3]])
async def test_any_bytes_of_a_client_are_a_sign_of_life(
    game: EventLog, autojump_clock: MockClock, answer: bytes
) -> None:
    limits = Limits(first_input_timeout=None, web_keepalive_interval=30, dead_peer_timeout=60)
    async with open_web_house(game.hooks, limits=limits) as house:
        client = await house.connect()
        for at in range(3):
            await trio.sleep(50)
            client.wire.say(answer if len(answer) > 3 else (frame(BINARY, b"look\r\n"))[at : at + 1])
        await settle()
        assert not game.disconnects()
        await trio.sleep(95)
    assert game.last_ending.cause is Cause.DEAD_PEER


async def test_without_a_time_for_dead_peers_no_answer_is_expected(game: EventLog, autojump_clock: MockClock) -> None:
    async with open_web_house(game.hooks, limits=Limits(first_input_timeout=None, dead_peer_timeout=None)) as house:
        client = await house.connect()
        await trio.sleep(1001)
        assert len(client.control) == 40
        assert not game.disconnects()


async def test_no_answer_is_expected_while_input_is_not_read(game: EventLog, autojump_clock: MockClock) -> None:
    game.hooks.on(Input)(waits(300))
    limits = Limits(first_input_timeout=None, max_typeahead=1, hook_timeout=None)
    async with open_web_house(game.hooks, limits=limits) as house:
        client = await house.connect()
        client.wire.say(frame(BINARY, b"one\r\ntwo\r\nthree\r\n"))
        await trio.sleep(599)  # the third line begins at 600 s, and from then on input is read
        assert first_connection(house.server).ending is None
        await trio.sleep(350)
    assert game.last_ending.cause is Cause.DEAD_PEER


async def test_a_ping_into_a_lost_link_is_a_link_death(
    game: EventLog, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_web_house(game.hooks) as house:
        client = await house.connect()

        def break_(data: bytes) -> int:
            raise trio.BrokenResourceError

        monkeypatch.setattr(client.wire, "send_nowait", break_)
        await trio.sleep(26)
    assert game.last_ending.cause is Cause.RESET


# What is no player


async def answer_to(house: WebHouse, request: bytes, *, address: str = "192.0.2.1") -> str:
    wire = house.knock(address)
    wire.say(request)
    wire.say(b"")
    await trio.sleep(3)
    assert wire.is_closed
    return wire.text


async def test_a_health_check_is_answered_and_raises_no_event(game: EventLog, autojump_clock: MockClock) -> None:
    async with open_web_house(game.hooks) as house:
        assert (await answer_to(house, GET % b"/healthz")).endswith("\r\n\r\nok\n")
        assert (await answer_to(house, (GET % b"/healthz").replace(b"GET", b"HEAD"))).endswith("\r\n\r\n")
        assert (await answer_to(house, GET % b"/")).startswith("HTTP/1.1 404 ")
        assert house.server.counters["requests answered"] == 3
        assert house.server.counters["handshakes failed"] == 0
    assert game.story() == []


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"\x16\x03\x01", 400),
        (bytes(4096), 400),
        (b"G" * 9000, 431),
        (UPGRADE.replace(b"13\r\n", b"12\r\n"), 400),
        (UPGRADE.replace(b"Host: mud.example", b"Host: mud.example\r\nOrigin: https://evil.example"), 403),
        (UPGRADE.replace(b"Host: mud.example", b"Host: mud.example\r\nOrigin: null"), 403),
    ],
)
async def test_a_refused_request_is_answered_and_raises_no_event(
    game: EventLog, autojump_clock: MockClock, request_: bytes, status: int
) -> None:
    async with open_web_house(game.hooks) as house:
        assert (await answer_to(house, request_)).startswith(f"HTTP/1.1 {status} ")
        assert house.server.counters["handshakes failed"] == 1
    assert game.story() == []


async def test_a_request_that_drips_is_closed_at_the_handshake_timeout(
    game: EventLog, autojump_clock: MockClock
) -> None:
    async with open_web_house(game.hooks) as house:
        wire = house.knock()
        for byte in UPGRADE[:9]:
            wire.say(bytes((byte,)))
            await trio.sleep(1)
        assert not wire.is_closed
        await trio.sleep(1.5)
        assert wire.is_closed
        assert wire.sent == []
    assert game.story() == []


async def test_a_peer_that_stays_after_its_answer_is_closed_after_the_linger_timeout(
    game: EventLog, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_web_house(game.hooks) as house:
        wire = house.knock()
        monkeypatch.setattr(wire, "aclose", trio.sleep_forever)
        wire.say(GET % b"/healthz")
        await trio.sleep(2.5)
        assert wire.is_closed
        assert house.server.counters["requests answered"] == 1


# Behind a proxy


async def test_the_forwarded_address_is_trusted_only_from_a_proxy(game: EventLog) -> None:
    arrived: list[tuple[str, bool]] = []
    game.hooks.on(Connect)(lambda event: arrived.append((event.connection.address, event.connection.client.is_secure)))
    headers = [("X-Forwarded-For", "6.6.6.6, 203.0.113.5"), ("X-Forwarded-Proto", "https")]
    async with open_web_house(game.hooks, forwarded_from=[ipaddress.ip_network("10.0.0.0/8")]) as house:
        await house.connect(address="10.0.0.1", headers=headers)
        await house.connect(address="192.0.2.7", headers=headers)
        await house.connect(address="10.0.0.1")
    assert arrived == [("203.0.113.5", True), ("192.0.2.7", False), ("10.0.0.1", False)]


async def test_the_limits_of_an_address_are_those_of_the_client_and_not_of_its_proxy(
    game: EventLog, autojump_clock: MockClock
) -> None:
    limits = Limits(max_per_address=1)
    async with open_web_house(game.hooks, limits=limits, forwarded_from=[ipaddress.ip_network("10.0.0.1")]) as house:
        for client in ("203.0.113.1", "203.0.113.2", "203.0.113.2"):
            await house.connect(address="10.0.0.1", headers=[("X-Forwarded-For", client)])
        assert game.story("guest-3")[-1] == "guest-3 refused: too many from here"
        assert not game.disconnects()[1:]


async def test_a_proxys_own_health_check_counts_as_one(game: EventLog, autojump_clock: MockClock) -> None:
    async with open_web_house(game.hooks, forwarded_from=[ipaddress.ip_network("10.0.0.1")]) as house:
        wire = house.knock("10.0.0.1")
        wire.say(b"")
        await trio.sleep(3)
        assert (await answer_to(house, GET % b"/healthz", address="10.0.0.1")).endswith("ok\n")
        assert house.server.counters["requests answered"] == 1
        assert house.server.counters["handshakes failed"] + house.server.counters["health checks"] == 1


async def test_a_bad_request_through_a_proxy_is_refused(game: EventLog, autojump_clock: MockClock) -> None:
    async with open_web_house(game.hooks, forwarded_from=[ipaddress.ip_network("10.0.0.1")]) as house:
        assert (await answer_to(house, b"POST / HTTP/1.1\r\n\r\n", address="10.0.0.1")).startswith("HTTP/1.1 405 ")


# Over TCP


@pytest.mark.parametrize("is_secure", [False, True])
async def test_a_library_plays_over_tcp_and_over_tls(game: EventLog, tmp_path: Path, is_secure: bool) -> None:
    authority = trustme.CA()
    pem = tmp_path / "both.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    certificate = Certificate(pem) if is_secure else None
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            listeners = await open_web(0, host="127.0.0.1", certificate=certificate)
            server = await nursery.start(partial(serve, game.hooks, listeners=listeners))
            host, port = listeners[0].address
            scheme, ssl_context = ("wss", trust) if is_secure else ("ws", None)
            async with connect(
                f"{scheme}://{host}:{port}/",
                subprotocols=["gmcp.mudstandards.org"],  # type: ignore[list-item]
                ssl=ssl_context,
                server_hostname="localhost" if is_secure else None,
                proxy=None,
            ) as client:
                await client.send(b"look")
                shown: list[str | bytes] = []
                while 'Room.Info {"name":"Ünder"}' not in shown:
                    shown.append(await client.recv())
                assert await client.recv() == b"> "
                pong = await client.ping()
                await pong.wait()
                await client.send(b"quit")
                assert await client.recv() == b"Farewell.\r\n"
                with pytest.raises(ConnectionClosedOK):
                    await client.recv()
            server.shutdown()
    assert game.story()[-1] == "guest-1 quit: asked"
