"""One text to many: rendered and encoded once for each kind of client, and safe without a guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio

from trio_mud import Connection, Hooks, Input, Limits, Texts, broadcast, markup
from trio_mud.driver.link.outgoing import MOST_RENDERED, MOST_SHARED
from trio_mud.driver.link.telnet import TelnetLink
from trio_mud.testing import OpenMud
from trio_mud.text import Rendering, Text, render

from ...replacing import replace_method
from ..conftest import engine_of, first_connection, open_house, read_all, settled


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[Text]:
    """Every text that is rendered and encoded for any connection."""
    encoded: list[Text] = []
    encode: Callable[[Any, Text, str], bytes] = TelnetLink._encode

    def note(self: Connection, text: Text, where: str) -> bytes:
        encoded.append(text)
        return encode(self, text, where)

    replace_method(monkeypatch, TelnetLink, "_encode", note)
    return encoded


@pytest.fixture
def renderings(monkeypatch: pytest.MonkeyPatch) -> list[Text]:
    """Every text that is rendered for any connection."""
    rendered: list[Text] = []

    def note(text: Text, rendering: Rendering) -> str:
        rendered.append(text)
        return render(text, rendering)

    monkeypatch.setattr("trio_mud.driver.link.outgoing.render", note)
    return rendered


async def test_everybody_in_it_reads_it(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        players = [await place.player() for _ in range(5)]
        broadcast("A bell rings.", to=place.server.connections)
        for player in players:
            await player.sees("A bell rings.\n")


@pytest.mark.one_process("text is rendered and encoded at the gateway, a moment later")
async def test_one_kind_of_client_costs_one_encoding(mud: OpenMud, encodings: list[Text]) -> None:
    async with mud(Hooks()) as place:
        for _ in range(20):
            await place.player()
        encodings.clear()
        broadcast("A bell rings.", to=place.server.connections)
        assert encodings == ["A bell rings."]


@pytest.mark.one_process("text is rendered and encoded at the gateway, a moment later")
async def test_each_kind_of_client_gets_its_own(mud: OpenMud, encodings: list[Text]) -> None:
    async with mud(Hooks()) as place:
        plain = [await place.player() for _ in range(3)]
        colourful = [await place.player(terminal=("XTERM-256COLOR",)) for _ in range(3)]
        await settled()
        encodings.clear()
        broadcast(markup("A <b>bell</b> rings."), to=place.server.connections)
        assert len(encodings) == 2
        for player in plain:
            await player.sees("A bell rings.\n")
        for player in colourful:
            assert "\x1b[" in await player.sees("rings.\n")


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_charsets_are_kinds_too(mud: OpenMud) -> None:
    async with mud(Hooks(), options=()) as place:
        first, second = place.connect(), place.connect()
        await settled()
        connections = list(place.server.connections)
        engine_of(connections[1]).charset = "latin-1"
        broadcast("caf\u00e9", to=place.server.connections)
        for connection in connections:
            connection.quit()
        assert (await read_all(first.client)).endswith(b"caf\xc3\xa9\r\n")
        assert (await read_all(second.client)).endswith(b"caf\xe9\r\n")


async def test_those_left_out_hear_nothing(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        players = [await place.player() for _ in range(4)]
        ann, bob, cid, _ = place.server.connections
        broadcast("but one", to=place.server.connections, exclude=ann)
        broadcast("but two", to=place.server.connections, exclude=[bob, cid])
        broadcast("but a set", to=place.server.connections, exclude={bob, cid})
        broadcast("but whom an iterator gives", to=place.server.connections, exclude=iter([bob, cid]))
        others = "but two\nbut a set\nbut whom an iterator gives\n"
        assert [await player.catches_up() for player in players] == [
            others,
            "but one\n",
            "but one\n",
            "but one\n" + others,
        ]


async def test_who_has_ended_is_passed_over(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        players = [await place.player() for _ in range(3)]
        ann, bob, _ = everybody = list(place.server.connections)
        ann.quit("Bye.")
        await players[1].vanish()
        await settled()
        broadcast("Hello?", to=everybody)
        assert bob.ending
        assert await players[0].sees_the_end() == "Bye.\n"
        assert await players[2].catches_up() == "Hello?\n"


async def test_a_broadcast_to_nobody_is_nothing(encodings: list[Text]) -> None:
    broadcast("Hello?", to=[])
    assert encodings == []


async def test_ending_some_while_speaking_to_all_is_safe(mud: OpenMud) -> None:
    """Iteration goes over a snapshot."""
    hooks = Hooks()

    @hooks.on(Input)
    def cull(event: Input) -> None:
        for connection in event.connection.server.connections:
            if connection is not event.connection:
                connection.quit()
            broadcast("One less.", to=event.connection.server.connections)

    async with mud(hooks) as place:
        survivor = await place.player()
        for _ in range(3):
            await place.player()
        await survivor.type("go")
        await settled()
        assert survivor.screen.count("One less.\n") == 4
        assert len(place.server.connections) == 1


async def test_the_bound_of_one_listener_is_nobody_elses(autojump_clock: trio.testing.MockClock) -> None:
    limits = Limits(max_output=50, first_input_timeout=None, write_stall_timeout=None)
    async with open_house(Hooks(), limits=limits, texts=Texts(output_dropped="(gap)"), options=()) as house:
        slow, quick = await house.connect(room=0), await house.connect()
        for number in range(20):
            broadcast(f"message {number:02}", to=house.server.connections)
            await settled()
        assert len(quick.text.splitlines()) == 20
        slow.make_room(10_000)
        await settled()
        assert len(slow.text.splitlines()) == 5


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_the_bytes_are_shared_not_copied(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        for _ in range(5):
            await place.player()
        broadcast("One text.", to=place.server.connections)
        sent = [engine_of(connection).outgoing.queue[-1] for connection in place.server.connections]
        assert len(sent) == 5
        assert len({id(data) for data in sent}) == 1


# Loops over a room, without broadcast


SPEECH = "\u6f22" * 200


async def test_a_loop_over_a_room_renders_a_text_once_for_each_kind_of_client(
    mud: OpenMud, renderings: list[Text]
) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    def say(event: Input) -> None:
        styled = markup("<b>{words}</b>", words=SPEECH)
        for listener in event.connection.server.connections:
            listener.write("".join(SPEECH))  # equal each time
            listener.write(styled)
            listener.prompt("\u00bb ")

    async with mud(hooks) as place:
        narrow = [await place.player(columns=40, rows=24) for _ in range(5)]
        wide = [await place.player(columns=90, rows=24) for _ in range(5)]
        await settled()
        renderings.clear()
        await wide[0].type("say")
        await settled()
        assert len(renderings) == 2 * 3  # windows, texts
        for player in (*narrow, *wide):
            assert (await player.sees("\u00bb ")).replace("\n", "").count("\u6f22") == 400


async def test_a_session_renders_a_text_once_for_each_kind_of_client(mud: OpenMud, renderings: list[Text]) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    def obey(event: Input) -> None:
        sessions = event.connection.server.sessions
        if event.line == "say":
            for session in sessions:
                session.write(SPEECH)
        else:
            sessions.enter(event.line, event.connection)

    async with mud(hooks) as place:
        players = [await place.player() for _ in range(6)]
        for number, player in enumerate(players):
            await player.type(f"name {number}")
        await settled()
        renderings.clear()
        await players[0].type("say")
        for player in players:
            await player.sees(SPEECH)
        assert len(renderings) == 1


async def test_what_was_rendered_is_kept_no_longer_than_the_batch_and_not_without_bound(mud: OpenMud) -> None:
    async with mud(Hooks(), limits=Limits(max_output=10_000)) as place:
        await place.player()
        rendered = place.server._link_host.rendered
        (connection,) = place.server.connections
        for number in range(1000):
            connection.write(f"\u00e9 {number}")
            assert len(rendered) <= MOST_RENDERED
        connection.write("\u00e9" * MOST_SHARED)
        assert sum(len(data) for _, data in rendered.values()) < MOST_SHARED
        await settled()
        assert rendered == {}
        connection.write("\u00e9")
        connection.quit()
        connection.write("\u00e9 too late")
        await settled()
        assert rendered == {}


async def test_a_recipient_or_an_exception_that_is_no_connection_is_named(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        await place.player()
        connection = first_connection(place.server)
        for arguments, sentence in (
            ({"to": [None]}, r"broadcast\(to=\) takes connections, such as server.connections, not None"),
            ({"to": [connection], "exclude": None}, r"broadcast\(exclude=\) takes one connection or several, not None"),
        ):
            with pytest.raises(TypeError, match=sentence):
                broadcast("x", **arguments)
