"""Functions that a game declares with its hooks are called periodically, and exchanged with them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, time
from functools import partial
from typing import Any

import pytest
import trio

from trio_mud import Hooks, Input, LocalProtocolError, MasterServer, Started
from trio_mud.testing import OpenMud

HOUR = 3600


def bell(seen: list[str], word: str, name: str = "bell") -> Callable[[MasterServer], None]:
    """Return a function of a game that notes a word; by its name it is found again after an exchange."""

    def ring(server: MasterServer) -> None:
        seen.append(word)

    ring.__qualname__ = ring.__name__ = name
    return ring


async def test_a_declared_function_is_called_each_period_with_the_server(mud: OpenMud) -> None:
    hooks = Hooks()
    seen: list[tuple[MasterServer, float]] = []

    @hooks.every(10)
    def chime(server: MasterServer) -> None:
        seen.append((server, trio.current_time()))

    async with mud(hooks) as place:
        began = trio.current_time()
        await trio.sleep(35)
        assert [server for server, _ in seen] == [place.server] * 3
        assert [at - began for _, at in seen] == pytest.approx([10, 20, 30])


async def test_a_daily_function_is_called_at_its_hour_in_its_zone(mud: OpenMud) -> None:
    hooks = Hooks()
    seen: list[Any] = []

    @hooks.daily(time(14), tz="UTC")
    async def close_the_market(server: MasterServer) -> None:
        await trio.sleep(1)
        seen.append(server.wall_clock())

    async with mud(hooks) as place:
        place.server.wall_clock = lambda: trio.current_time() - began + 12 * HOUR
        began = trio.current_time()
        place.server.hooks = hooks  # the timer keeps its date, and looks at the clock within the hour
        await trio.sleep(50 * HOUR)
    assert seen == pytest.approx([14 * HOUR + 1, 38 * HOUR + 1, 62 * HOUR + 1], abs=1)


async def test_the_first_period_begins_after_the_last_function_on_started(mud: OpenMud) -> None:
    hooks = Hooks()
    seen: list[Any] = []
    hooks.every(1)(bell(seen, "chime"))

    @hooks.on(Started)
    async def open_slowly(event: Started) -> None:
        await trio.sleep(2.5)
        seen.append("open")

    async with mud(hooks):
        await trio.sleep(1.5)
        assert seen == ["open", "chime"]


async def test_included_functions_count_and_removed_ones_do_not(mud: OpenMud) -> None:
    part, hooks = Hooks(), Hooks()
    seen: list[Any] = []
    stays, goes = bell(seen, "stays"), bell(seen, "goes")
    part.every(1)(stays)
    part.every(1)(goes)
    part.daily(time(4))(goes)
    hooks.include(part)
    hooks.remove(goes)
    async with mud(hooks):
        await trio.sleep(1.5)
        assert seen == ["stays"]


def test_a_registry_with_a_declared_function_is_not_empty() -> None:
    hooks = Hooks()
    hooks.every(1)(bell([], "chime"))
    assert not hooks.is_empty


@pytest.mark.parametrize("change", ["every", "include", "remove"])
async def test_a_change_of_the_hooks_takes_effect_while_the_server_runs(mud: OpenMud, change: str) -> None:
    hooks, other = Hooks(), Hooks()
    seen: list[Any] = []
    old, new = bell(seen, "old"), bell(seen, "new", "other")
    hooks.every(1)(old)
    other.every(1)(new)
    async with mud(hooks):
        await trio.sleep(1.5)
        if change == "every":
            hooks.every(1)(new)
        elif change == "include":
            hooks.include(other)
        else:
            hooks.remove(old)
        await trio.sleep(1.1)
        assert seen == {"every": ["old", "old", "new"], "include": ["old", "old", "new"], "remove": ["old"]}[change]


async def test_an_exchange_of_the_hooks_keeps_the_phase_of_the_same_name_and_period(mud: OpenMud) -> None:
    old, new = Hooks(), Hooks()
    seen: list[Any] = []
    old.every(10)(bell(seen, "old"))
    new.every(10)(bell(seen, "new"))
    async with mud(old) as place:
        await trio.sleep(7)
        place.server.hooks = new
        await trio.sleep(4)  # a timer of its own would be due in 6 seconds
        assert seen == ["new"]
        await trio.sleep(10)
        assert seen == ["new", "new"]


@pytest.mark.parametrize("other", ["name", "period", "daily"])
async def test_an_exchange_ends_the_timers_of_all_others_and_begins_new_ones(mud: OpenMud, other: str) -> None:
    old, new = Hooks(), Hooks()
    seen: list[Any] = []
    old.every(10)(bell(seen, "old"))
    if other == "daily":
        new.daily(time(12, 0, 15), tz=UTC)(bell(seen, "new"))
    else:
        new.every(9 if other == "period" else 10)(bell(seen, "new", "bell" if other == "period" else "gong"))
    async with mud(old) as place:
        await trio.sleep(7)
        place.server.hooks = new
        await trio.sleep(4)
        assert seen == []
        await trio.sleep(6.5)
        assert seen == ["new"]


async def test_functions_of_one_name_have_a_timer_each_over_an_exchange(mud: OpenMud) -> None:
    seen: list[str] = []
    old, new = Hooks(), Hooks()
    for hooks, words in ((old, "ab"), (new, "cd")):
        for word in words:
            hooks.every(10)(bell(seen, word))
    async with mud(old) as place:
        await trio.sleep(7)
        place.server.hooks = new
        await trio.sleep(4)
        assert seen == ["c", "d"]


async def test_a_tick_that_waits_for_its_turn_runs_the_new_function(mud: OpenMud) -> None:
    old, new = Hooks(), Hooks()
    seen: list[Any] = []

    def exchange(server: MasterServer) -> None:
        server.hooks = new

    old.every(10)(exchange)
    old.every(10)(bell(seen, "old"))
    new.every(10)(bell(seen, "new"))
    async with mud(old):
        await trio.sleep(10.5)
        assert seen == ["new"]


async def test_a_failure_costs_one_call_and_names_the_function(mud: OpenMud, caplog: pytest.LogCaptureFixture) -> None:
    hooks = Hooks()
    seen: list[Any] = []

    @hooks.every(10)
    def falter(server: MasterServer) -> None:
        seen.append(1)
        raise ValueError("the clock is broken")

    async with mud(hooks, allow_errors=True):
        await trio.sleep(25)
    assert len(seen) == 2
    assert "timer falter at " in caplog.text


async def test_two_servers_of_one_registry_have_timers_of_their_own(mud: OpenMud) -> None:
    hooks = Hooks()
    seen: list[Any] = []

    @hooks.every(10)
    def chime(server: MasterServer) -> None:
        seen.append(server)

    async with mud(hooks) as one, mud(hooks) as two:
        await trio.sleep(10.5)
        assert set(seen) == {one.server, two.server}
        assert len(seen) == 2


async def test_a_start_that_fails_begins_no_timer() -> None:
    hooks = Hooks()
    seen: list[Any] = []
    hooks.every(0.01)(bell(seen, "chime"))

    @hooks.on(Started)
    def fail(event: Started) -> None:
        raise ValueError("no floor")

    with pytest.raises(ValueError, match="no floor"):
        await MasterServer(hooks).serve([])
    assert seen == []


class Tower:
    """A game in which a method was decorated inside its class."""

    def strike(self, server: MasterServer) -> None: ...


async def _waiting() -> None: ...


def _generator(server: MasterServer) -> Any:
    yield server


@pytest.mark.parametrize(
    ("function", "part"),
    [
        (lambda: None, "with 1 argument"),
        (lambda server, other: None, "with 1 argument"),
        (_waiting, "async def _waiting\\(server\\)"),
        (_generator, "contains `yield`"),
        (Tower.strike, r"write hooks\.(every|daily)\(\.\.\.\)\(thing\.strike\)"),
        (5, "takes a function, not an int"),
    ],
)
@pytest.mark.parametrize("method", ["every", "daily"])
def test_a_function_that_cannot_be_called_is_refused_where_it_is_declared(
    method: str, function: Any, part: str
) -> None:
    hooks = Hooks()
    declare = partial(hooks.every, 10) if method == "every" else partial(hooks.daily, time(4))
    with pytest.raises(TypeError, match=part):
        declare()(function)
    assert hooks.is_empty


@pytest.mark.parametrize(
    ("declare", "error", "part"),
    [
        (lambda hooks: hooks.every(0), ValueError, "0.01 or more"),
        (lambda hooks: hooks.every(float("inf")), ValueError, "finite"),
        (lambda hooks: hooks.every("10"), TypeError, "a number of seconds"),
        (lambda hooks: hooks.every(_waiting), TypeError, "a number of seconds"),
        (lambda hooks: hooks.daily("04:30"), TypeError, r"datetime\.time"),
        (lambda hooks: hooks.daily(time(4), tz="Berlin"), ValueError, "no time zone 'Berlin'"),
        (lambda hooks: hooks.daily(time(4, tzinfo=UTC)), ValueError, "pass it as tz"),
    ],
)
def test_a_schedule_that_is_none_is_refused_where_it_is_declared(
    declare: Callable[[Hooks], object], error: type[Exception], part: str
) -> None:
    with pytest.raises(error, match=part):
        declare(Hooks())


async def test_another_thread_cannot_declare(mud: OpenMud) -> None:
    hooks = Hooks()
    hooks.on(Input)(lambda event: None)
    async with mud(hooks):
        refused: list[str] = []

        def declare() -> None:
            try:
                hooks.every(1)
            except LocalProtocolError as error:
                refused.append(str(error))

        thread = threading.Thread(target=declare)
        thread.start()
        thread.join()
        assert refused[0].startswith("Hooks.every was called in the thread")
