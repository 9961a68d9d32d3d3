"""Services: parts of a game that live as long as its server."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.testing

from trio_mud import Disconnect, Hooks, Limits, MasterServer, Started

from ..conftest import FakeListener, FakeTransport

Clock = trio.testing.MockClock


class Clerk:
    """A service that writes down what happens to it."""

    def __init__(self, name: str, told: list[str]) -> None:
        self._name = name
        self._told = told
        self._closed = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)
        self._told.append(f"{self._name} is ready")
        task_status.started()
        await self._closed.wait()

    async def aclose(self) -> None:
        self._told.append(f"{self._name} closes")
        self._closed.set()


async def serve(
    *services: object, hooks: Hooks | None = None, limits: Limits | None = None, seconds: float = 10
) -> None:
    """Serve, and shut down after some seconds."""
    server = MasterServer(hooks or Hooks(), services=services, limits=limits)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [FakeListener()])
        await trio.sleep(seconds)
        server.shutdown()


async def test_services_start_in_order_before_the_game_and_close_in_reverse_after_it(autojump_clock: Clock) -> None:
    told: list[str] = []
    hooks = Hooks()
    hooks.on(Started)(lambda event: told.append("the game starts"))
    hooks.on(Disconnect)(lambda event: told.append("a player leaves"))
    server = MasterServer(hooks, services=[Clerk("watch", told), Clerk("post", told)])
    door = FakeListener()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [door])
        door.connect(FakeTransport())
        await trio.testing.wait_all_tasks_blocked()
        server.shutdown()
    assert told == [
        "watch is ready",
        "post is ready",
        "the game starts",
        "a player leaves",
        "post closes",
        "watch closes",
    ]


class Fails(Clerk):
    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        raise LookupError("no such database")


async def test_a_service_that_cannot_start_ends_serve_with_its_error_before_the_first_accept(
    autojump_clock: Clock,
) -> None:
    told: list[str] = []
    hooks = Hooks()
    hooks.on(Started)(lambda event: told.append("the game starts"))
    server, door = (
        MasterServer(hooks, services=[Clerk("watch", told), Fails("post", told), Clerk("bank", told)]),
        FakeListener(),
    )
    with pytest.raises(LookupError, match="no such database"):
        await server.serve([door])
    assert told == ["watch is ready", "watch closes"]
    assert server.counters["accepted"] == 0


class ReturnsEarly(Clerk):
    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(5)


async def test_a_service_that_returns_before_it_is_closed_ends_the_server(autojump_clock: Clock) -> None:
    with pytest.RaisesGroup(
        pytest.RaisesExc(RuntimeError, match="returned before it was closed"), flatten_subgroups=True
    ):
        await serve(ReturnsEarly("watch", []), seconds=1000)
    assert trio.current_time() < 100


class Raises(Clerk):
    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(5)
        raise LookupError("the database is gone")


async def test_a_service_that_raises_ends_the_server_with_its_error(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(LookupError, match="the database is gone"), flatten_subgroups=True):
        await serve(Raises("watch", []), seconds=1000)
    assert "the server must stop: service Raises has ended" in caplog.messages


class NeverCloses(Clerk):
    async def aclose(self) -> None:
        await trio.sleep_forever()


async def test_a_service_that_does_not_close_is_cancelled_and_named(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    await serve(Clerk("watch", told), NeverCloses("post", told), limits=Limits(cleanup_timeout=5))
    assert told[-1] == "watch closes"
    assert [record.levelno for record in caplog.records if "NeverCloses took too long" in record.message] == [
        logging.ERROR
    ]
    assert trio.current_time() < 30


class NeverReady(Clerk):
    """A service whose author forgot `task_status.started()`."""

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()


@pytest.mark.parametrize("ends_by", ["shutdown", "cancel"])
async def test_a_service_that_never_starts_is_named_and_does_not_hold_up_the_end(
    ends_by: str, autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    server = MasterServer(Hooks(), services=[NeverReady("clerk", [])])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, [FakeListener()])
        await trio.sleep(60)
        assert [record.getMessage() for record in caplog.records] == [
            "service NeverReady has not started for 10 s: call task_status.started() when ready"
        ]
        if ends_by == "shutdown":
            server.shutdown()
        else:
            nursery.cancel_scope.cancel()
    assert server.closed.is_set()
    assert trio.current_time() < 70


async def test_a_service_that_returns_before_it_has_started_ends_the_server(autojump_clock: Clock) -> None:
    class Returns(Clerk):
        async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
            await trio.sleep(1)

    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match=r"before it called task_status.started\(\)")):
        await serve(Returns("clerk", []))


async def test_a_service_that_starts_twice_is_closed_once(autojump_clock: Clock) -> None:
    class Twice(Clerk):
        async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
            task_status.started()
            await super().run(task_status=task_status)

    told: list[str] = []
    await serve(Twice("clerk", told))
    assert told == ["clerk is ready", "clerk closes"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (Clerk, r"takes objects, not a class: write Clerk\(\)"),
        (object(), r"takes a Service, not an object: run\(\) is missing"),
        (None, "not None"),
    ],
)
def test_what_is_no_service_is_refused_where_it_is_given(wrong: object, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        MasterServer(Hooks(), services=[wrong])  # type: ignore[list-item]
