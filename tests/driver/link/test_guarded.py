"""A link or a transport of a game's own fails: that costs its connection, and no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import trio
import trio.testing

from trio_mud import Admitted, Connect, Connection, Disconnect, HookEvent, Hooks, Input, Limits, MasterServer
from trio_mud.driver.link.guarded import GuardedLink

from ..conftest import FakeListener, FakeTransport, first_connection, settled
from .memory_link import MemoryLink, MemoryListener

ATTRIBUTES = ("address", "needs_handshake", "may_be_health_check", "has_unparsed", "can_parse", "is_drained")
METHODS = (
    *("open", "read", "drain", "stop", "write", "write_shared", "prompt", "prompt_answered", "send", "hide_input"),
    *("taken", "drop_input", "discard_input", "discard", "mark_dirty", "flush", "locate", "handshake", "aclose"),
)
ASYNC = ("locate", "handshake", "read", "drain", "aclose")


class LinkError(Exception):
    """A mistake in the link."""


class FaultyLink(MemoryLink):
    """A link one of whose methods or attributes raises once `is_broken`.

    Attributes:
        is_broken: True if it raises.
        faulty: The name of what raises.
    """

    is_broken = False
    faulty = ""

    async def aclose_forcefully(self) -> None:
        await trio.lowlevel.checkpoint()

    def __getattribute__(self, name: str) -> Any:
        if name in {"is_broken", "faulty"} or not self.is_broken or name != self.faulty:
            return super().__getattribute__(name)
        if name in (*ATTRIBUTES, "hides_input"):
            raise LinkError(name)
        return _fail_later if name in ASYNC else _fail


def _fail(*args: object, **settings: object) -> object:
    raise LinkError


async def _fail_later(*args: object, **settings: object) -> object:
    raise LinkError


class Place:
    """A server of memory links, and its events by the number of their connection."""

    def __init__(self) -> None:
        self.story: dict[int, list[type[HookEvent]]] = {}
        hooks = Hooks()
        hooks.on(Connect)(self._note)
        hooks.on(Admitted)(self._note)
        hooks.on(Disconnect)(self._note)
        hooks.on(Input)(lambda event: event.connection.write(f"you said {event.line}"))
        self.server = MasterServer(hooks, limits=Limits(first_input_timeout=None))
        self.listener = MemoryListener()

    def _note(self, event: Connect | Admitted | Disconnect) -> None:
        self.story.setdefault(event.connection.number, []).append(type(event))

    async def connect(self, link: MemoryLink) -> None:
        self.listener._to.send_nowait(link)
        await settled()

    async def must_answer(self, link: MemoryLink) -> None:
        link.type("look")
        await settled()
        assert link.seen[-1] == "you said look"


def _uses(place: Place, link: FaultyLink, connection: Connection) -> Iterator[object]:
    """Use every method of a link, each in a step of its own."""
    yield link.type("look")
    yield connection.write("text")
    yield connection.prompt("> ")
    yield connection.hide_input(True)
    yield connection.gmcp("Core.Ping")
    link.hang_up()
    yield None
    yield connection.quit("bye")


@pytest.mark.parametrize("faulty", [*ATTRIBUTES, "hides_input", *METHODS])
@pytest.mark.parametrize("since", ["accept", "admission"])
async def test_what_a_games_link_raises_costs_its_connection_only(
    faulty: str, since: str, autojump_clock: trio.testing.MockClock
) -> None:
    place, other, link, newcomer = Place(), MemoryLink(), FaultyLink(), MemoryLink()
    link.faulty = faulty
    async with trio.open_nursery() as nursery:
        await nursery.start(place.server.serve, [place.listener])
        await place.connect(other)
        link.is_broken = since == "accept"
        await place.connect(link)
        link.is_broken = True
        for connection in list(place.server.connections)[1:]:
            for _ in _uses(place, link, connection):
                await settled()
        await trio.sleep(20)
        await place.must_answer(other)
        await place.connect(newcomer)
        await place.must_answer(newcomer)
        assert not place.server.is_closing
        assert len(place.server.connections) == 2
        place.server.shutdown()
    assert all(kinds.count(Disconnect) == kinds.count(Connect) == 1 for kinds in place.story.values())


async def test_a_link_that_does_not_drain_after_it_was_discarded_does_not_hold_up_the_shutdown(
    autojump_clock: trio.testing.MockClock,
) -> None:
    class Undrained(MemoryLink):
        is_drained = property(lambda self: False)

        async def drain(self) -> None:
            await trio.sleep_forever()

    place = Place()
    async with trio.open_nursery() as nursery:
        await nursery.start(place.server.serve, [place.listener])
        await place.connect(Undrained())
        began = trio.current_time()
        place.server.shutdown()
    assert trio.current_time() - began <= 30


async def test_a_link_with_an_async_method_is_named_in_the_log(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Waiting(MemoryLink):
        async def flush(self) -> None:  # type: ignore[override]
            raise NotImplementedError("it is never awaited")

    place = Place()
    async with trio.open_nursery() as nursery:
        await nursery.start(place.server.serve, [place.listener])
        await place.connect(Waiting())
        assert len(place.server.connections) == 0
        place.server.shutdown()
    assert "never awaited" in str(caplog.records[-1].exc_info)


async def test_a_wrong_text_for_a_games_link_is_the_callers_mistake(autojump_clock: trio.testing.MockClock) -> None:
    place = Place()
    async with trio.open_nursery() as nursery:
        await nursery.start(place.server.serve, [place.listener])
        await place.connect(MemoryLink())
        connection = first_connection(place.server)
        assert isinstance(connection._link, GuardedLink)
        with pytest.raises(TypeError, match=r"write\(\) takes a str"):
            connection.write(5)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"prompt\(\) takes a str"):
            connection.prompt(None)  # type: ignore[arg-type]
        assert connection.ending is None
        place.server.shutdown()


@pytest.mark.parametrize("faulty", ["address", "is_secure", "needs_handshake", "may_be_health_check"])
@pytest.mark.parametrize("error", [LinkError(), OSError(107, "not connected"), trio.BrokenResourceError()])
async def test_an_attribute_of_a_games_transport_that_raises_costs_its_connection_only(
    faulty: str, error: Exception, autojump_clock: trio.testing.MockClock
) -> None:
    class Faulty(FakeTransport):
        def __getattribute__(self, name: str) -> Any:
            if name == faulty:
                raise error
            return super().__getattribute__(name)

    await _must_cost_no_other(Faulty())


async def test_a_transport_that_waits_for_a_first_byte_has_a_deadline(autojump_clock: trio.testing.MockClock) -> None:
    transport = FakeTransport()
    transport.may_be_health_check = True
    await _must_cost_no_other(transport)


@pytest.mark.parametrize("sent", [None, 0, -3, 10_000, True, "all"])
async def test_a_transport_that_returns_no_number_of_bytes_loses_its_link_and_sends_nothing_twice(
    sent: object, autojump_clock: trio.testing.MockClock
) -> None:
    class Liar(FakeTransport):
        async def send_some(self, data: bytes) -> Any:
            await trio.lowlevel.checkpoint()
            self.sent.append(data)
            return sent

    transport = Liar(room=1)
    await _must_cost_no_other(transport)
    assert transport.text.count("elcome") <= 1


async def _must_cost_no_other(transport: FakeTransport) -> None:
    """Serve this transport beside an honest one until its connection has ended; the honest one is served."""
    hooks, other, newcomer = Hooks(), FakeTransport(), FakeTransport()
    hooks.on(Admitted)(lambda event: event.connection.write("Welcome."))
    server, listener = MasterServer(hooks, limits=Limits(first_input_timeout=None), options=()), FakeListener()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [listener])
        for each in (other, transport, newcomer):
            listener.connect(each)
            await settled()
        await trio.sleep(60)
        assert _texts(other, newcomer) == ["Welcome.\r\n"] * 2
        assert len(server.connections) == 2
        assert not server.is_closing
        server.shutdown()


def _texts(*transports: FakeTransport) -> Sequence[str]:
    return [transport.text for transport in transports]
