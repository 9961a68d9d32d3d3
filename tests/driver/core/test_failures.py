"""Failures of a game's code in the log: the entry names owner, place and reason, and entries are limited."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from trio_mud import Admitted, Dialog, Hooks, Input, Limits, SessionStarted
from trio_mud.driver.core.describing import guarded
from trio_mud.driver.core.failures import MOST_KINDS, RepeatLimiter
from trio_mud.driver.core.thread import HomeThread
from trio_mud.driver.core.timers import Timers
from trio_mud.testing import OpenMud

from ..conftest import first_connection, open_house, settled


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the records logged as errors, in order."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def stumble(event: Input) -> None:
    raise ValueError(event.line)


LINE = stumble.__code__.co_firstlineno + 1


async def test_a_failure_names_function_file_line_event_connection_and_what_was_typed(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    """K11: with the traceback behind it."""
    hooks = Hooks()
    hooks.on(Input)(stumble)
    async with mud(hooks, allow_errors=True) as place:
        player = await place.player()
        await player.type("look\x1b[2J around")
        await settled()
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (
        record.getMessage()
        == f"hook stumble at {__file__}:{LINE} failed for Input of guest-1 (#1), typed 'look around'"
    )
    assert record.exc_info


async def nothing() -> None:
    return None


@pytest.mark.parametrize(
    ("mistake", "advice"),
    [
        (lambda event: event.text, "; did you mean Input.line?"),
        (lambda event: event.lin, "; did you mean Input.line?"),
        (lambda event: event.connection.send("x"), "; did you mean Connection.write?"),
        (lambda event: event.connection.adress, "; did you mean Connection.address?"),
        (lambda event: event.connection.zebra, ""),
        (lambda event: event.line.zebra, ""),
        (lambda event: trio.run(nothing), "; trio runs already: write `await` in an `async def`, without run()"),
        (
            lambda event: asyncio.sleep(1),
            "; the server runs on trio: write trio.sleep() for asyncio.sleep(), and so on",
        ),
        (lambda event: wait_in_vain(event), "; the function does not wait: leave out `await`"),
    ],
)
async def test_a_failure_says_what_was_meant_where_python_does_not(
    mud: OpenMud, caplog: pytest.LogCaptureFixture, mistake: Callable[[Any], object], advice: str
) -> None:
    """K11: of attributes that the driver's objects do not have, and of waiting where it cannot be."""
    hooks = Hooks()
    hooks.on(Input)(mistake)
    async with mud(hooks, allow_errors=True) as place:
        player = await place.player()
        await player.type("x")
        await settled()
    [failure] = errors(caplog)
    assert failure.partition(", typed 'x'")[2] == advice


async def wait_in_vain(event: Any) -> None:
    await event.connection.start_dialog(script)


async def script(dialog: Dialog) -> None:
    """Asks nothing."""


@pytest.mark.parametrize("turned", ["before", "by it", "never"])
async def test_what_was_typed_hidden_is_never_in_the_log(
    mud: OpenMud, caplog: pytest.LogCaptureFixture, turned: str
) -> None:
    """Also if the function that failed had the input shown again first."""
    hooks = Hooks()
    hooks.on(Admitted)(lambda event: event.connection.hide_input(True))

    @hooks.on(Input)
    def check(event: Input) -> None:
        if turned == "by it":
            event.connection.hide_input(False)
        raise RuntimeError("no such account")

    async with mud(hooks, allow_errors=True) as place:
        player = await place.player()
        if turned == "before":
            first_connection(place.server).hide_input(False)
        await trio.sleep(1)
        await player.type("xyzzy")
        await settled()
    [failure] = errors(caplog)
    assert failure.endswith(", typed 'xyzzy'" if turned == "before" else ", typed hidden")
    assert ("xyzzy" in caplog.text) == (turned == "before")


async def test_a_command_that_fails_again_and_again_is_one_traceback_and_one_line_an_interval(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    """K5: typed by ten, it filled a megabyte in ten seconds."""
    hooks = Hooks()
    hooks.on(Input)(stumble)
    async with mud(
        hooks, limits=Limits(log_interval=10, command_rate=None, max_per_address=None), allow_errors=True
    ) as place:
        players = [await place.player() for _ in range(10)]
        for _ in range(3):
            for player in players:
                await player.type(*"abcde")
            await trio.sleep(5)
        await trio.sleep(20)
        logged = errors(caplog)
    named = f"hook stumble at {__file__}:{LINE} failed"
    assert [told.partition(" for ")[0] for told in logged] == [
        named,
        f"{named} with ValueError: repeated 99 times within 10 s",
        named,
        f"{named} with ValueError: repeated 49 times within 10 s",
    ]
    assert [bool(record.exc_info) for record in caplog.records if record.levelno >= logging.ERROR] == [True, False] * 2


async def test_what_was_left_out_last_is_told_when_the_server_ends(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = Hooks()
    hooks.on(Input)(stumble)
    async with mud(hooks, allow_errors=True) as place:
        player = await place.player()
        await player.type("a", "b")
        await settled()
    assert errors(caplog)[-1].endswith("repeated 1 times within 10 s")


async def test_another_fault_of_the_same_function_is_not_hidden(mud: OpenMud, caplog: pytest.LogCaptureFixture) -> None:
    """By its place, or by its type."""
    hooks = Hooks()

    @hooks.on(Input)
    def fail(event: Input) -> None:
        if event.line == "there":
            raise ValueError
        raise {"key": KeyError, "value": ValueError}[event.line]

    async with mud(hooks, allow_errors=True) as place:
        player = await place.player()
        await player.type("key", "value", "there", "key")
        await settled()
        assert len(errors(caplog)) == 3


async def test_dialogs_timers_and_work_are_named_and_bounded_likewise(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = Hooks()

    async def ask(dialog: Dialog) -> None:
        raise LookupError

    async def toil() -> None:
        raise LookupError

    def tick() -> None:
        raise LookupError

    async with mud(hooks, allow_errors=True) as place:
        await place.player()
        guest, server = first_connection(place.server), place.server
        session = server.sessions.enter("ann", guest)
        for _ in range(2):
            guest.start_dialog(ask)
            guest.after(0, tick)
            guest.start_soon(toil)
            await settled()
        session.start_soon(partial(toil))
        server.after(0, tick)
        await settled()
        logged = errors(caplog)
    assert [told.split(" at ")[0] + told.partition(" failed")[2] for told in sorted(logged)] == [
        "dialog ask for guest-1 (#1)",
        "timer tick for Tick of guest-1 (#1)",
        "work toil for guest-1 (#1)",
    ]


def test_a_description_that_raises_costs_itself_and_no_more() -> None:
    class Name:
        def __str__(self) -> str:
            raise RuntimeError("no name")

    assert guarded(lambda: f" of {Name()}") == " (its description raised RuntimeError)"


async def test_a_key_that_cannot_be_shown_costs_its_description_and_no_more(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    class Key:
        def __repr__(self) -> str:
            raise RuntimeError("no name")

    hooks = Hooks()

    @hooks.on(Input)
    def enter(event: Input) -> None:
        event.connection.server.sessions.enter(Key(), event.connection)

    @hooks.on(SessionStarted)
    def fail(event: SessionStarted) -> None:
        raise ValueError

    async with mud(hooks, allow_errors=True) as place:
        player = await place.player()
        await player.type("x")
        await settled()
    assert "failed for SessionStarted of <Session <Key whose repr raises RuntimeError>>" in errors(caplog)[0]


@contextmanager
def limiter(interval: float | None) -> Iterator[RepeatLimiter]:
    yield RepeatLimiter(Timers(64, HomeThread()), interval)


async def test_the_table_of_kinds_is_bounded_and_tells_what_it_forgets(
    autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    with limiter(10) as repeats:
        for number in range(3 * MOST_KINDS):
            for _ in range(2):
                repeats.log(logging.ERROR, f"fault {number}", kind=number, summary=f"fault {number}")
        assert len(repeats._kinds) == MOST_KINDS
        repeats.flush()
    assert len(errors(caplog)) == 2 * 3 * MOST_KINDS


async def test_without_an_interval_everything_is_logged(
    autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    with limiter(None) as repeats:
        for _ in range(3):
            repeats.log(logging.ERROR, "fault", kind="fault", summary="fault")
    assert errors(caplog) == ["fault"] * 3


# Code that does not end


async def stubborn(*_: object) -> None:
    """Continue after the cancellation forever, like a loop with `except BaseException: pass`."""
    with trio.CancelScope(shield=True):
        await trio.sleep(60)


STUBBORN = f"stubborn at {__file__}:{stubborn.__code__.co_firstlineno}"


@pytest.mark.parametrize(
    ("start", "named"),
    [
        (lambda connection: connection.start_soon(stubborn), f"work {STUBBORN} for guest-1 (#1)"),
        (lambda connection: connection.start_dialog(stubborn), f"dialog {STUBBORN} for guest-1 (#1)"),
        (
            lambda connection: connection.server.sessions.enter("ann", connection, grace=0).start_soon(stubborn),
            f"work {STUBBORN} for <Session 'ann'>",
        ),
    ],
)
async def test_work_that_goes_on_after_its_owner_has_ended_is_named_in_the_log(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, start: Callable[..., object], named: str
) -> None:
    hooks = Hooks()
    hooks.on(Admitted)(lambda event: start(event.connection))
    limits = Limits(cleanup_timeout=5, shutdown_timeout=600)
    async with open_house(hooks, limits=limits) as house:
        await house.connect()
        first_connection(house.server).quit()
        await trio.sleep(4)
        assert "does not end" not in caplog.text
        await trio.sleep(2)
        (said,) = [record.getMessage() for record in caplog.records if "does not end" in record.getMessage()]
        await trio.sleep(60)
    assert said.startswith(f"{named} was cancelled and does not end: let trio.Cancelled pass")


async def test_work_that_ends_in_time_is_not_named(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def save() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)

    def start(event: Admitted) -> None:
        event.connection.start_soon(save)
        event.connection.server.start_soon(save)

    hooks = Hooks()
    hooks.on(Admitted)(start)
    async with open_house(hooks, limits=Limits(cleanup_timeout=2)) as house:
        await house.connect()
    await trio.sleep(10)
    assert "does not end" not in caplog.text


@pytest.mark.parametrize(
    ("start", "named"),
    [
        (lambda event: event.connection.server.start_soon(stubborn), f"work {STUBBORN} for the server"),
        (stubborn, f"hook {STUBBORN} for Input of guest-1 (#1), typed 'look'"),
    ],
)
async def test_code_that_keeps_a_shutdown_from_its_end_is_named_in_the_log(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, start: Callable[..., object], named: str
) -> None:
    hooks = Hooks()
    hooks.on(Input)(start)
    async with open_house(hooks, limits=Limits(cleanup_timeout=5, hook_timeout=600)) as house:
        ann = await house.connect()
        ann.say(b"look\r\n")
        await settled()
        house.server.shutdown(within=1)
        await trio.sleep(1 + 5 + 2)  # then the process is ended
        told = caplog.text
    assert f"{named} was cancelled and does not end" in told


# Forgotten awaits


async def reply(event: object = None) -> None:
    await trio.lowlevel.checkpoint()


async def forget(*_: object) -> object:
    return reply()


@pytest.mark.parametrize(
    ("obey", "named"),
    [
        (forget, "hook forget"),
        (lambda event: event.connection.start_soon(forget), "work forget"),
        (lambda event: event.connection.server.start_soon(forget), "work forget"),
        (lambda event: event.connection.start_dialog(forget), "dialog forget"),
        (lambda event: event.connection.after(0, forget), "timer forget"),
    ],
)
async def test_a_coroutine_that_is_returned_and_never_awaited_is_a_failure_that_names_both_functions(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, obey: Callable[..., object], named: str
) -> None:
    hooks = Hooks()
    hooks.on(Input)(obey)
    async with open_house(hooks) as house:
        ann = await house.connect()
        ann.say(b"look\r\n")
        await trio.sleep(1)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage().startswith(f"{named} at {__file__}:{forget.__code__.co_firstlineno} failed for ")
    assert record.exc_info is not None
    where = f"{__file__}:{reply.__code__.co_firstlineno}"
    assert str(record.exc_info[1]) == (
        f"it returned reply(…) of {where}, which was never awaited: write `await reply(…)`"
    )


async def test_the_warning_of_a_coroutine_that_was_dropped_says_where_it_was_made(mud: OpenMud) -> None:
    def talk(event: Input) -> None:
        dropped = reply(event)  # noqa: F841 - dropped when this returns, in a line of the driver

    hooks = Hooks()
    hooks.on(Input)(talk)
    with pytest.warns(RuntimeWarning, match="was never awaited") as warned:
        async with mud(hooks) as place:
            await (await place.player()).type("look")
    (text,) = {str(warning.message) for warning in warned}
    assert f'File "{__file__}", line {talk.__code__.co_firstlineno + 1}, in talk' in text
