"""What a client agrees on with its gateway works over the cluster link: MSDP, GMCP, MXP, MSSP, hidden input."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from trio.testing import MockClock

from trio_mud import Admitted, Dialog, GmcpMessage, Hooks, Input, MsdpMessage, broadcast, markup
from trio_mud.cluster import world as world_module
from trio_mud.cluster.held_input import HeldInput
from trio_mud.cluster.recorded_lines import KEPT, SecretLines
from trio_mud.cluster.remote_input import RemoteInput
from trio_mud.cluster.wire import Arrived, KnownFacts, LineTyped
from trio_mud.telnet.codes import DO, DONT, IAC, MSDP, MSSP, MXP, SB, SE
from trio_mud.telnet.msdp_messages import encode_msdp
from trio_mud.telnet.options import Msdp, Mxp
from trio_mud.testing.threads import settle

from .conftest import SplitServer, open_split

CANARY = "sesame-4711"


class Wire:
    """A client that sends and receives bytes."""

    def __init__(self, split: SplitServer) -> None:
        self._pipe = split.mud.connect()
        self.received = b""
        split.mud.nursery.start_soon(self._read)

    async def send(self, data: bytes) -> None:
        await self._pipe.client.send_all(data)
        await settle()

    async def _read(self) -> None:
        while data := await self._pipe.client.receive_some():
            self.received += data


def framed(option: int, payload: bytes) -> bytes:
    return bytes((IAC, SB, option)) + payload + bytes((IAC, SE))


async def agree(split: SplitServer, option: int) -> Wire:
    """Connect a client that agrees on an option."""
    wire = Wire(split)
    await split.mud.pass_time(1)
    await wire.send(bytes((IAC, DO, option)))
    await split.mud.pass_time(1)
    return wire


async def test_a_variable_is_reported_when_it_was_asked_for_and_has_changed(autojump_clock: MockClock) -> None:
    async with open_split(options=[Msdp()]) as split:
        world = await split.start_world(Hooks())
        wire = await agree(split, MSDP)
        await wire.send(framed(MSDP, encode_msdp("REPORT", "HEALTH")))
        wire.received = b""
        (connection,) = world.server.connections
        for name, value in (("HEALTH", 41), ("MANA", 1), ("HEALTH", 41), ("HEALTH", 42)):
            assert connection.msdp(name, value)
            await settle()
        assert wire.received == framed(MSDP, encode_msdp("HEALTH", 41)) + framed(MSDP, encode_msdp("HEALTH", 42))


async def test_a_client_without_msdp_gets_none_and_the_game_learns_it(autojump_clock: MockClock) -> None:
    async with open_split(options=[Msdp()]) as split:
        world = await split.start_world(Hooks())
        wire = Wire(split)
        await split.mud.pass_time(5)
        await wire.send(bytes((IAC, DONT, MSDP)))
        wire.received = b""
        (connection,) = world.server.connections
        assert not connection.msdp("HEALTH", 41)
        await settle()
        assert wire.received == b""


async def test_a_variable_of_the_client_reaches_the_game_in_turn_with_its_lines(autojump_clock: MockClock) -> None:
    heard: list[object] = []
    hooks = Hooks()
    hooks.on(MsdpMessage)(lambda event: heard.append((event.variable, event.value)))
    hooks.on(Input)(lambda event: heard.append(event.line))
    async with open_split(latency=0.1, options=[Msdp()]) as split:
        await split.start_world(hooks)
        wire = await agree(split, MSDP)
        await wire.send(b"one\r\n" + framed(MSDP, encode_msdp("CLIENT_ID", ["a", "b"])) + b"two\r\n")
        await split.mud.pass_time(2)
        assert heard == ["one", ("CLIENT_ID", ["a", "b"]), "two"]


async def test_a_variable_that_is_asked_for_before_it_has_a_value_is_asked_of_the_game(
    autojump_clock: MockClock,
) -> None:
    hooks = Hooks()

    @hooks.on(MsdpMessage)
    def answer(event: MsdpMessage) -> None:
        assert event.variable == "REPORT"
        event.connection.msdp("HEALTH", 17)

    async with open_split(latency=0.1, options=[Msdp()]) as split:
        await split.start_world(hooks)
        wire = await agree(split, MSDP)
        await wire.send(framed(MSDP, encode_msdp("REPORT", "HEALTH")))
        await split.mud.pass_time(2)
        assert wire.received.endswith(framed(MSDP, encode_msdp("HEALTH", 17)))


async def test_gmcp_crosses_in_both_directions_and_keeps_its_place(autojump_clock: MockClock) -> None:
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.write(f"heard {event.line}"))

    @hooks.on(GmcpMessage)
    def answer(event: GmcpMessage) -> None:
        event.connection.write(f"asked {event.package}")
        event.connection.gmcp("Room.Info", {"num": event.data})

    async with open_split(latency=0.1) as split:
        await split.start_world(hooks)
        ann = await split.mud.player(gmcp=("Room",))
        await split.mud.pass_time(2)
        await ann.type("one")
        await ann.send_gmcp("Room.Look", 7)
        await ann.type("two")
        await split.mud.pass_time(2)
        assert ann.screen == "heard one\nasked Room.Look\nheard two\n"
        assert ann.gmcp == [("Room.Info", {"num": 7})]


@pytest.mark.parametrize("latency", [0.0, 0.3])
async def test_no_text_of_a_player_is_ever_a_tag(autojump_clock: MockClock, latency: float) -> None:
    """A client turns MXP on and off while another player's text is on its way, at every moment of it."""
    async with open_split(latency=latency, options=[Mxp()]) as split:
        world = await split.start_world(Hooks())
        wire = Wire(split)
        await split.mud.pass_time(3)
        (connection,) = world.server.connections
        evil = "<send 'kill me'>&lt;"
        for step in range(24):
            if step % 6 == 1:
                await wire.send(bytes((IAC, DO, MXP)))
            elif step % 6 == 4:
                await wire.send(bytes((IAC, DONT, MXP)))
            connection.write(evil)
            broadcast(markup("<b>{text}</b>", text=evil), to=[connection])
            await split.mud.pass_time(0.1)
        await split.mud.pass_time(5)
        is_on, texts = False, 0
        for piece in re.split(rb"(\x1b\[5z|\xff\xfc\x5b|\xff[\xfb-\xfe].|\r\n)", wire.received):
            if piece == b"\x1b[5z":
                is_on = True
            elif piece == bytes((IAC, 0xFC, MXP)):  # WONT
                is_on = False
            elif b"kill" in piece:
                texts += 1
                assert (b"<send" not in piece) if is_on else (b"<send" in piece), (is_on, piece)
        assert texts == 48


async def test_listings_are_answered_by_the_gateway_with_the_words_of_the_world(autojump_clock: MockClock) -> None:
    async with open_split(options=None) as split:
        world = await split.start_world(Hooks())
        world.server.mssp = {"NAME": "The Split"}
        for _ in range(2):
            player = await split.mud.player()
            await player.type("hello")
        await split.mud.pass_time(3)
        wire = await agree(split, MSSP)
        assert b"\x01NAME\x02The Split" in wire.received
        assert b"\x01PLAYERS\x022" in wire.received
        world.end.kill()
        crawler = Wire(split)
        await split.mud.pass_time(20)  # it waits for the verdict, which does not come
        await crawler._pipe.client.aclose()
        await split.start_world(Hooks())
        await split.mud.pass_time(3)
        again = await agree(split, MSSP)
        assert b"NAME" in again.received


async def login(dialog: Dialog) -> None:
    name = await dialog.ask("Name? ")
    password = await dialog.ask_hidden("Password? ")
    dialog.connection.write(f"Welcome, {name}." if password == CANARY else "Wrong.")


def gate() -> Hooks:
    """A game that asks for a name and a password, and then echoes."""
    hooks = Hooks()
    hooks.on(Admitted)(lambda event: event.connection.start_dialog(login))
    hooks.on(Input)(lambda event: event.connection.write(f"heard {event.line}"))
    return hooks


def only_text(folder: Path) -> str:
    (path,) = folder.iterdir()
    return path.read_text(encoding="ascii")


async def test_a_password_is_hidden_at_the_client_and_left_out_of_the_recording(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    async with open_split(latency=0.1) as split:
        split.mud.server.record(tmp_path)
        _, ann = await split.begin(gate())
        await ann.sees("Name? ")
        await ann.type("ann")
        await ann.sees("Password? ")
        assert ann.input_hidden
        await ann.type(CANARY)
        await ann.sees("Welcome, ann.")
        assert not ann.input_hidden
        await ann.type("look")
        await ann.sees("heard look")
        await ann.hang_up()
        await split.mud.pass_time(5)
        split.mud.server.shutdown()
        await split.mud.server.closed.wait()
    text = only_text(tmp_path)
    assert r"in b'ann\r\n'" in text
    assert r"in b'look\r\n'" in text
    assert "hidden" in text
    assert CANARY not in text
    assert CANARY not in caplog.text


async def test_a_password_that_is_typed_before_its_question_is_left_out_of_the_recording(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_split(latency=0.1) as split:
        split.mud.server.record(tmp_path)
        _, ann = await split.begin(gate())
        await ann.sees("Name? ")
        await ann.type("ann", CANARY, "look")
        await ann.sees("heard look")
        await ann.hang_up()
        await split.mud.pass_time(5)
        split.mud.server.shutdown()
        await split.mud.server.closed.wait()
    text = only_text(tmp_path)
    assert [line.split(" ", 1)[1] for line in text.splitlines() if re.search(r" (in b'[a-z]|hidden)", line)] == [
        r"in b'ann\r\n'",
        "hidden",
        r"in b'look\r\n'",
    ]


async def passes(split: SplitServer, condition: Callable[[], bool]) -> None:
    """Let time pass until a condition holds."""
    for _ in range(200):
        if condition():
            return
        await split.mud.pass_time(0.01)
    raise AssertionError("the condition does not hold after 2 s")


async def test_a_password_whose_acknowledgement_is_repeated_is_left_out_of_the_recording(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """The cluster link loses the acknowledgement with its data."""
    async with open_split(latency=0.1) as split:
        split.mud.server.record(tmp_path)
        world, ann = await split.begin(gate())
        await ann.sees("Name? ")
        (link,) = world.service._links.values()
        await ann.type("ann", CANARY)
        await passes(split, lambda: link.input.acknowledged == 2)
        await split.mud.pass_time(0.06)  # the commit has taken effect, and has not reached the gateway
        split.cluster.forget()
        (connection,) = world.server.connections
        connection.write("It rains.")  # the next commit finds it
        await split.mud.pass_time(5)
        await ann.type("look")
        await ann.sees("heard look")
        await ann.hang_up()
        await split.mud.pass_time(5)
        split.mud.server.shutdown()
        await split.mud.server.closed.wait()
    text = only_text(tmp_path)
    assert r"in b'ann\r\n'" in text
    assert r"in b'look\r\n'" in text
    assert CANARY not in text


def test_a_password_of_the_link_before_is_left_out_of_the_recording() -> None:
    """The gateway was given up before the password was acknowledged, and its connection has arrived again."""
    arrived = Arrived(1, "192.0.2.1", False, KnownFacts(), is_recorded=True)
    before = RemoteInput(HeldInput(), arrived, None)
    before.take(before.ordered(LineTyped(1, 1, CANARY))[0])
    later = RemoteInput(HeldInput(), arrived, before)
    before.drop()
    assert later.acknowledge() == (1, [1])
    assert later.acknowledge() is None
    later.acknowledged = 0  # the gateway has not received that
    assert later.acknowledge() == (1, [1])


def test_an_acknowledgement_names_secret_lines_once_however_many_there_were() -> None:
    secrets = SecretLines()
    for number in range(1, 3 * KEPT):
        secrets.dropped(number)
        assert secrets.take(number - 1, number) == [number]
    assert secrets.take(3 * KEPT - 3, 3 * KEPT - 1) == [3 * KEPT - 2, 3 * KEPT - 1]


def texts_in(folder: Path) -> list[str]:
    """The recordings in a folder."""
    return [path.read_text() for path in folder.iterdir()]


async def test_passwords_are_left_out_of_recordings_although_their_acknowledgements_are_many_messages(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world_module, "MOST_ACKNOWLEDGED", 6)
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection._inbox.discard_lines())
    async with open_split(latency=0.1) as split:
        split.mud.server.record(tmp_path)
        await split.start_world(hooks)
        players = [await split.mud.player() for _ in range(7)]
        await split.mud.pass_time(1)
        for player in players:
            await player.type("look", CANARY, CANARY)
        await split.mud.pass_time(1)
    texts = texts_in(tmp_path)
    assert len(texts) == 7
    assert not any(CANARY in text for text in texts)
    assert all("look" in text for text in texts)


async def test_what_the_world_drops_is_left_out_of_the_recording(autojump_clock: MockClock, tmp_path: Path) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    def obey(event: Input) -> None:
        event.connection.write(f"heard {event.line}")
        if event.line == "drop":
            event.connection._inbox.discard_lines()

    async with open_split(latency=0.1) as split:
        split.mud.server.record(tmp_path)
        _, ann = await split.begin(hooks)
        await split.mud.pass_time(1)
        await ann.type("drop", CANARY, CANARY)
        await split.mud.pass_time(0.05)
        await ann.type(CANARY)
        await split.mud.pass_time(2)
        await ann.type("look")
        await ann.sees("heard look")
        await ann.hang_up()
        await split.mud.pass_time(5)
        split.mud.server.shutdown()
        await split.mud.server.closed.wait()
    text = only_text(tmp_path)
    assert CANARY not in text
    assert r"in b'drop\r\n'" in text
    assert r"in b'look\r\n'" in text


async def test_a_password_question_that_dies_with_its_world_shows_input_again(autojump_clock: MockClock) -> None:
    async with open_split() as split:
        first, ann = await split.begin(gate(), "ann")
        await ann.sees("Password? ")
        assert ann.input_hidden
        first.end.kill()
        await split.start_world(gate())
        await ann.sees("Name? ")
        assert not ann.input_hidden
        await ann.type("ann")
        await ann.sees("Password? ")
        await ann.type(CANARY)
        await ann.sees("Welcome, ann.")


async def test_an_operator_at_one_gateway_sees_what_a_player_at_another_one_sees(autojump_clock: MockClock) -> None:
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.write(f"heard {event.line}"))
    async with open_split(latency=0.05) as split:
        other = await split.start_gateway("other")
        world, ann = await split.begin(hooks)
        await split.mud.pass_time(2)
        operator = await other.mud.player()
        await split.mud.pass_time(2)
        watched, watcher = world.server.connections
        watched.tap(lambda event: watcher.write(f"| {getattr(event, 'text', None) or event.line}"))  # type: ignore[union-attr]
        await ann.type("look")
        await split.mud.pass_time(1)
        assert operator.screen == "| look\n| heard look\n"
