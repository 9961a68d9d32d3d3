"""Line takers: what has a connection's lines need not be a dialog."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from trio_mud import Disconnect, GmcpMessage, Hooks, Input, LocalProtocolError
from trio_mud.driver.connection.line_taker import BorrowedLines
from trio_mud.driver.link.base import LinkEvent
from trio_mud.testing import OpenMud

from ..conftest import first_connection, settled


class Forwarder:
    """Takes every line at once, as if to forward it; takes none while it is `busy`."""

    asks_hidden, has_begun = False, True

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.events: list[LinkEvent] = []
        self.is_asking = True
        self.handle: BorrowedLines | None = None

    def answer(self, line: str) -> None:
        self.lines.append(line)

    def received(self, event: LinkEvent) -> None:
        self.events.append(event)

    def show_input(self) -> None:
        pass

    def give_way(self) -> None:
        pass


async def test_a_taker_that_is_no_dialog_gets_the_lines_until_it_ends_that(mud: OpenMud) -> None:
    hooks, lines, taker = Hooks(), list[str](), Forwarder()
    hooks.on(Input)(lambda event: lines.append(event.line))
    async with mud(hooks) as place:
        player = await place.player()
        handle = first_connection(place.server).take_lines(taker)
        await player.type("one")
        await player.type("two")
        await settled()
        handle.end()
        await player.type("three")
        await settled()
    assert taker.lines == ["one", "two"]
    assert lines == ["three"]


async def test_lines_wait_while_the_taker_does_not_ask(mud: OpenMud) -> None:
    taker = Forwarder()
    async with mud(Hooks()) as place:
        player = await place.player()
        handle = first_connection(place.server).take_lines(taker)
        taker.is_asking = False
        await player.type("one")
        await settled()
        assert taker.lines == []
        taker.is_asking = True
        handle.notify()
        await settled()
        assert taker.lines == ["one"]


async def test_a_line_that_is_given_back_comes_first_again(mud: OpenMud) -> None:
    hooks, lines, taker = Hooks(), list[str](), Forwarder()
    hooks.on(Input)(lambda event: lines.append(event.line))
    async with mud(hooks) as place:
        player = await place.player()
        handle = first_connection(place.server).take_lines(taker)
        await player.type("one")
        await settled()
        taker.is_asking = False
        await player.type("two")
        await settled()
        handle.give_back(taker.lines.pop())
        handle.end()
        await settled()
    assert lines == ["one", "two"]


async def test_the_taker_hears_of_messages_and_the_game_gets_them_too(mud: OpenMud) -> None:
    hooks, packages, taker = Hooks(), list[str](), Forwarder()
    hooks.on(GmcpMessage)(lambda event: packages.append(event.package))
    async with mud(hooks) as place:
        player = await place.player()
        first_connection(place.server).take_lines(taker)
        await player.send(b"\xff\xfd\xc9\xff\xfa\xc9Room.Look\xff\xf0")
        await settled()
    assert packages == ["Room.Look"]
    assert len(taker.events) >= 1


async def test_one_taker_at_a_time(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        await place.player()
        connection = first_connection(place.server)
        connection.take_lines(Forwarder())
        with pytest.raises(LocalProtocolError, match="in a dialog already"):
            connection.take_lines(Forwarder())


def _fail(*args: object) -> None:
    raise LookupError("the forwarder has a mistake")


@pytest.mark.parametrize("faulty", ["asks_hidden", "has_begun", "is_asking", "answer", "received", "show_input"])
@pytest.mark.parametrize("ending", ["quit", "takeover", "vanish", "hang_up", "type"])
async def test_a_taker_that_raises_costs_its_connection_and_ends_it_once(
    faulty: str, ending: str, mud: OpenMud
) -> None:
    class Faulty(Forwarder):
        is_broken = False

        def __getattribute__(self, name: str) -> Any:
            if name == faulty and super().__getattribute__("is_broken"):
                if name in {"answer", "received", "show_input"}:
                    return _fail
                _fail()
            return super().__getattribute__(name)

    hooks, endings, taker = Hooks(), list[Disconnect](), Faulty()
    hooks.on(Disconnect)(endings.append)
    hooks.on(Input)(lambda event: event.connection.write(f"you said {event.line}"))
    async with mud(hooks, allow_errors=True) as place:
        player, other = await place.player(), await place.player()
        connection, theirs = place.server.connections
        place.server.sessions.enter("ann", connection)
        connection.take_lines(taker)
        taker.is_broken = True
        if ending == "quit":
            connection.quit("bye")
        elif ending == "takeover":
            place.server.sessions.enter("ann", theirs)
        elif ending == "type":
            await player.type("look")
        else:
            await getattr(player, ending)()
        await place.pass_time(10)
        await other.type("hello")
        await other.sees("you said hello")
        assert not place.server.is_closing
    assert [event.connection.number for event in endings].count(1) == 1


async def test_what_is_no_taker_is_refused_where_it_is_given(mud: OpenMud) -> None:
    class Waiting(Forwarder):
        async def answer(self, line: str) -> None:  # type: ignore[override]
            raise NotImplementedError

    class Narrow(Forwarder):
        def received(self) -> None:  # type: ignore[override]
            raise NotImplementedError

    async with mud(Hooks()) as place:
        await place.player()
        connection = first_connection(place.server)
        for wrong, sentence in (
            (object(), "takes a LineTaker, not an object: 'answer' is missing"),
            (Waiting(), "is async, so calling it runs nothing"),
            (Narrow(), "with 1 argument, which"),
        ):
            with pytest.raises(TypeError, match=sentence):
                connection.take_lines(wrong)  # type: ignore[arg-type]
        connection.take_lines(Forwarder())


async def test_lines_are_taken_and_given_back_in_the_servers_thread_only(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        await place.player()
        connection = first_connection(place.server)
        handle = connection.take_lines(Forwarder())

        def work() -> None:
            for call in (handle.notify, handle.end, lambda: handle.give_back("x"), lambda: connection.take_lines(5)):  # type: ignore[arg-type]
                with pytest.raises(LocalProtocolError, match="nothing was changed"):
                    call()

        await trio.to_thread.run_sync(work)
