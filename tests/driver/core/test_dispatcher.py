"""The dispatcher: one event of each source a turn, strictly in order, and nothing a hook does stops it."""

from __future__ import annotations

import re
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from trio_mud import (
    Admitted,
    Cause,
    Connect,
    Dialog,
    Disconnect,
    HookEvent,
    Hooks,
    Input,
    Limits,
    MasterServer,
    Texts,
    WouldDeadlock,
)
from trio_mud.driver.core.dispatcher import Dispatcher
from trio_mud.driver.core.durations import BOUNDS, Durations
from trio_mud.driver.core.guard import unwrap_single
from trio_mud.driver.core.turns import Source
from trio_mud.telnet.codes import IAC, NAWS, SB, SE
from trio_mud.testing import OpenMud

from ..conftest import Crash, EventLog, feed, first_connection, open_house, settled, waits


@dataclass(frozen=True, slots=True)
class Bell(HookEvent):
    """An event of the game's own."""

    strokes: int


class Weird(BaseException):
    """An error that is no `Exception`, as `asyncio.CancelledError` and pytest's own outcomes are."""


def lines_of(witness: EventLog) -> list[str]:
    return [event.line for event in witness.events if isinstance(event, Input)]


# Turns


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_a_flooder_and_a_whisperer_alternate(mud: OpenMud, witness: EventLog) -> None:
    """I-17, P16: one event of each source a turn."""
    async with mud(witness.hooks, limits=Limits(command_rate=None, max_typeahead=1000)) as place:
        await place.player()
        await place.player()
        flooder, whisperer = place.server.connections
        feed(flooder, b"buy gold\r\n" * 100)
        feed(whisperer, b"psst\r\n" * 3)
        await settled()
        assert [event.connection.number for event in witness.events if isinstance(event, Input)][:6] == [1, 2] * 3


async def test_a_pasted_packet_holds_up_nobody_else(mud: OpenMud, talkers: EventLog) -> None:
    """P16: ten thousand lines in one packet."""
    async with mud(talkers.hooks, limits=Limits(command_rate=None)) as place:
        flooder, honest = await place.player(), await place.player()
        await settled()
        place.nursery.start_soon(flooder.send, b"x\n" * 10_000)
        await honest.type("hello")
        await honest.sees("you said hello")
        before = len(lines_of(talkers))
        assert before < 2000
        await trio.sleep(1)
    assert len(lines_of(talkers)) == 10_001


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_between_two_batches_lies_a_checkpoint(mud: OpenMud) -> None:
    """However much there is to do, the others get their turn every `limits.batch_size` events."""
    hooks = Hooks()
    turns: Counter[int] = Counter()
    steps = 0

    class Count(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            nonlocal steps
            steps += 1

    hooks.on(Input)(lambda event: turns.update([steps]))
    async with mud(hooks, limits=Limits(batch_size=4, command_rate=None, max_typeahead=1000)) as place:
        for _ in range(6):
            await place.player()
        counter = Count()
        trio.lowlevel.add_instrument(counter)
        for connection in place.server.connections:
            feed(connection, b"x\r\n" * 20)
        await settled()
        trio.lowlevel.remove_instrument(counter)
    assert turns.total() == 120
    assert set(turns.values()) == {4}


async def test_a_source_has_one_event_running_at_any_time_whatever_its_bytes_say(
    mud: OpenMud, witness: EventLog
) -> None:
    """A resize that is parsed while a line is taken must not start a second event beside it."""
    running: list[str] = []
    most = 0

    @witness.hooks.on(Input)
    async def ponder(event: Input) -> None:
        nonlocal most
        running.append(event.line)
        most = max(most, len(running))
        await trio.sleep(1)
        running.remove(event.line)

    resize = bytes((IAC, SB, NAWS, 0, 100, 0, 40, IAC, SE))
    async with mud(witness.hooks, limits=Limits(max_typeahead=2, command_rate=None, first_input_timeout=None)) as place:
        player = await place.player(columns=80, rows=24)
        await settled()
        await player.send(b"1\r\n2\r\n" + b"3" * 520 + b"\r\n" + resize + b"4\r\n5\r\n")
        await trio.sleep(20)
        assert [line[:1] for line in lines_of(witness)] == ["1", "2", "3", "4", "5"]
        assert most == 1
        assert not place.server._aborting.is_set()


async def test_one_slow_tick_of_the_server_holds_up_no_other_timer(mud: OpenMud) -> None:
    ticks: list[str] = []

    async def slow() -> None:
        await trio.sleep(3)
        ticks.append("slow")

    async with mud(Hooks()) as place:
        place.server.after(1, slow)
        place.server.after(2, lambda: ticks.append("quick"))
        await trio.sleep(5)
    assert ticks == ["quick", "slow"]


# Plain and waiting functions


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_plain_functions_are_atomic_steps_in_one_total_order(mud: OpenMud) -> None:
    """They all run in the dispatcher's own task, within one step of it, for an event of any source."""
    hooks, steps = Hooks(), []
    passes = 0

    class Count(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            nonlocal passes
            passes += 1

    def note(number: int, event: Input) -> None:
        steps.append((trio.lowlevel.current_task().name, passes, number))

    for number in (1, 2, 3):
        hooks.on(Input)(partial(note, number))
    async with mud(hooks) as place:
        await place.player()
        await place.player()
        counter = Count()
        trio.lowlevel.add_instrument(counter)
        for connection in place.server.connections:
            feed(connection, b"x\r\n")
        await settled()
        trio.lowlevel.remove_instrument(counter)
    assert {name for name, _, _ in steps} == {"trio_mud run"}
    assert len({step for _, step, _ in steps}) == 1
    assert [number for _, _, number in steps] == [1, 2, 3, 1, 2, 3]


async def test_a_waiting_function_holds_up_only_its_own_source(mud: OpenMud, witness: EventLog) -> None:
    """A2."""
    wait = waits(3)

    @witness.hooks.on(Input)
    def act(event: Input) -> Awaitable[None] | None:
        if event.line == "wait":
            return wait(event)
        event.connection.write(f"{event.line} at {trio.current_time():.0f}")
        return None

    async with mud(witness.hooks) as place:
        slow, quick = await place.player(), await place.player()
        await slow.type("wait", "look")
        await quick.type("look")
        await quick.sees("look at 0")
        await slow.sees("look at 3")


async def test_functions_of_one_event_run_strictly_in_order_also_when_one_waits(mud: OpenMud) -> None:
    hooks, order = Hooks(), []

    def plain(name: str) -> Callable[[Input], None]:
        return lambda event: order.append(f"{name} {event.line}")

    async def wait(event: Input) -> None:
        order.append(f"begins {event.line}")
        await trio.sleep(1)
        order.append(f"ends {event.line}")

    for function in (plain("a"), wait, plain("b"), wait, plain("c")):
        hooks.on(Input)(function)
    async with mud(hooks) as place:
        player = await place.player()
        await player.type("1", "2")
        await trio.sleep(10)
    one = ["a 1", "begins 1", "ends 1", "b 1", "begins 1", "ends 1", "c 1"]
    assert order == one + [words.replace("1", "2") for words in one]


async def test_whatever_awaitable_a_function_returns_is_awaited(mud: OpenMud) -> None:
    hooks, done = Hooks(), []

    class Later:
        def __await__(self):  # type: ignore[no-untyped-def]
            yield from waits(1)(None).__await__()
            done.append("later")

    hooks.on(Input)(lambda event: Later())
    hooks.on(Input)(lambda event: done.append("next"))
    async with mud(hooks) as place:
        player = await place.player()
        await player.type("x")
        await trio.sleep(2)
    assert done == ["later", "next"]


async def test_each_waiting_function_is_cut_at_the_deadline_for_itself(
    mud: OpenMud, witness: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    """A2: the next function of the event and the next event still run."""
    done: list[tuple[str, float]] = []

    @witness.hooks.on(Input)
    async def almost(event: Input) -> None:
        await trio.sleep(4)
        done.append(("almost", trio.current_time()))

    @witness.hooks.on(Input)
    async def too_long(event: Input) -> None:
        await trio.sleep(60)
        done.append(("never", trio.current_time()))

    witness.hooks.on(Input)(lambda event: done.append(("next", trio.current_time())))
    async with mud(
        witness.hooks, limits=Limits(hook_timeout=5), texts=Texts(command_too_slow="Too slow."), allow_errors=True
    ) as place:
        player = await place.player()
        await player.type("x")
        await player.sees("Too slow.")
        await player.type("y")
        await trio.sleep(10)
        assert len(place.server.connections) == 1
    assert done == [("almost", 4.0), ("next", 9.0), ("almost", 13.0), ("next", 18.0)]
    assert "guest-1" in caplog.text


async def test_without_a_deadline_a_function_may_wait_for_ever(mud: OpenMud) -> None:
    hooks, done = Hooks(), []

    @hooks.on(Input)
    async def sleep_long(event: Input) -> None:
        await trio.sleep(10_000)
        done.append(event.line)

    async with mud(hooks, limits=Limits(hook_timeout=None, first_input_timeout=None)) as place:
        player = await place.player()
        await player.type("x")
        await trio.sleep(10_001)
    assert done == ["x"]


# What goes wrong


RAISED_BY_ANY = [
    RuntimeError("broken"),
    ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
    Weird("not an Exception"),
    BaseExceptionGroup("weird ones", [Weird("inside")]),
    AssertionError(),
]
RAISED_BY_PLAIN = [GeneratorExit(), StopIteration()]  # out of a coroutine these cannot come


@pytest.mark.parametrize(
    ("error", "is_async"),
    [(error, is_async) for error in RAISED_BY_ANY for is_async in (False, True)]
    + [(error, False) for error in RAISED_BY_PLAIN],
    ids=lambda value: ("waiting" if value else "plain") if isinstance(value, bool) else type(value).__name__,
)
async def test_a_function_that_raises_costs_one_call(
    mud: OpenMud, witness: EventLog, caplog: pytest.LogCaptureFixture, error: BaseException, is_async: bool
) -> None:
    """A1, A5, I-16: any exception; it is logged with the connection and its traceback, and the player is notified."""
    after: list[str] = []

    def fail(event: Input) -> Awaitable[None] | None:
        async def fail_later() -> None:
            await trio.lowlevel.checkpoint()
            raise error

        if event.line != "fail":
            return None
        if is_async:
            return fail_later()
        raise error

    witness.hooks.on(Input)(fail)
    witness.hooks.on(Input)(lambda event: after.append(event.line))
    async with mud(witness.hooks, texts=Texts(command_failed="Oops."), allow_errors=True) as place:
        ann, bob = await place.player(), await place.player()
        await ann.type("fail", "look")
        await bob.type("look")
        await ann.sees("Oops.")
        await settled()
        assert after == ["look", "fail", "look"] or sorted(after) == ["fail", "look", "look"]
        assert len(place.server.connections) == 2
        assert not place.server._aborting.is_set()
    records = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(records) == 1
    assert "guest-1" in records[0].getMessage()
    assert records[0].exc_info


async def test_a_disconnect_function_that_fails_or_hangs_costs_itself(mud: OpenMud, witness: EventLog) -> None:
    """A10: the list is clean already, and the functions after it still run."""
    after: list[int] = []

    @witness.hooks.on(Disconnect)
    def stumble(event: Disconnect) -> None:
        raise RuntimeError("no grave")

    @witness.hooks.on(Disconnect)
    async def hang(event: Disconnect) -> None:
        await trio.sleep_forever()

    witness.hooks.on(Disconnect)(lambda event: after.append(len(event.connection.server.connections)))
    async with mud(witness.hooks, limits=Limits(hook_timeout=5), allow_errors=True) as place:
        player = await place.player()
        await player.vanish()
        await trio.sleep(6)
        assert after == [0]


async def test_a_disconnect_function_that_writes_writes_nothing(mud: OpenMud, witness: EventLog) -> None:
    """A11."""
    wrote: list[bool] = []

    @witness.hooks.on(Disconnect)
    def call_after_them(event: Disconnect) -> None:
        guest = event.connection
        wrote.extend((guest.write("come back"), guest.prompt("please? ")))
        guest.hide_input(True)
        guest.quit("too late")
        guest.refuse("too late")

    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.finish_typing()
        assert await player.sees_the_end() == ""
        await settled()
    assert wrote == [False, False]
    assert len(witness.disconnects()) == 1


@pytest.mark.parametrize("why", ["swallows", "shields"])
async def test_a_late_return_is_a_warning_that_names_the_function_and_costs_nobody(
    mud: OpenMud, witness: EventLog, caplog: pytest.LogCaptureFixture, why: str
) -> None:
    """A4, K11: it swallowed its cancellation, or waited for something that nothing cuts, such as a thread."""

    async def stubborn(event: Connect | Input) -> None:
        if why == "swallows":
            with suppress(trio.Cancelled):
                await trio.sleep_forever()
        else:
            with trio.CancelScope(shield=True):
                await trio.sleep(7)
        event.connection.write("done")

    witness.hooks.on(Connect)(stubborn)
    witness.hooks.on(Input)(stubborn)
    async with mud(witness.hooks, limits=Limits(hook_timeout=5), texts=Texts(command_failed="Oops.")) as place:
        player = await place.player()
        await player.type("x", "x")
        await player.sees("done\ndone\ndone\n", within=60)
        assert place.server.counters["hooks late"] == 3
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) < 5
    assert warnings[0].startswith("hook stubborn at ")
    assert f"{__file__}:" in warnings[0]
    assert "for Connect of guest-1 (#1); limits.hook_timeout is 5 s" in warnings[0]
    assert "start_soon(), give trio.to_thread.run_sync() abandon_on_cancel=True" in warnings[0]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "waiting"])
async def test_a_door_that_returns_false_is_told_how_to_refuse(
    mud: OpenMud, caplog: pytest.LogCaptureFixture, is_async: bool
) -> None:
    """K11: the connection is admitted, although the author meant to refuse it."""
    hooks = Hooks()

    def shut(event: Connect) -> bool:
        return False

    async def shut_later(event: Connect) -> bool:
        return False

    hooks.on(Connect)(shut_later if is_async else shut)
    hooks.on(Input)(lambda event: False)
    async with mud(hooks) as place:
        await (await place.player()).type("x")
        await settled()
        assert len(place.server.connections) == 1
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert re.search(
        r"^hook .*shut.* returned False for Connect of guest-1 .*: call event.connection.refuse\(", warning
    )


async def test_a_function_that_hides_its_cancellation_behind_an_error_is_too_slow_all_the_same(
    mud: OpenMud, witness: EventLog
) -> None:
    @witness.hooks.on(Input)
    async def clumsy(event: Input) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise RuntimeError("while cleaning up")

    async with mud(witness.hooks, limits=Limits(hook_timeout=5), allow_errors=True) as place:
        player = await place.player()
        await player.type("x")
        await trio.sleep(6)
        assert place.server.counters["hooks failed"] >= 1
        assert not place.server._aborting.is_set()


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "waiting"])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("in_group", [False, True], ids=["bare", "in a group"])
async def test_only_an_interrupt_stops_the_server_and_the_disconnects_still_run(
    stop: type[BaseException], is_async: bool, in_group: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """A5: KeyboardInterrupt and SystemExit, also from a group; `serve` raises them at its very end."""
    witness = EventLog()

    @witness.hooks.on(Input)
    def interrupt(event: Input) -> Awaitable[None]:
        async def later() -> None:
            await trio.lowlevel.checkpoint()
            raise error

        error = BaseExceptionGroup("a nursery", [stop(3), ValueError()]) if in_group else stop(3)
        if is_async:
            return later()
        raise error

    with pytest.raises((stop, BaseExceptionGroup)) as caught:  # noqa: PT012 - the block is the server
        async with open_house(witness.hooks) as house:
            first, _ = await house.connect(), await house.connect()
            first.say(b"stop\r\n")
            await trio.sleep(100)
    assert isinstance(unwrap_single(caught.value), stop)
    cause = Cause.SHUTDOWN if stop is SystemExit else Cause.CANCELLED
    assert [ending.cause for ending in witness.disconnects()] == [cause] * 2


@pytest.mark.parametrize("place", ["hook", "timer", "dialog", "work", "at the door"])
async def test_an_exit_says_the_last_words_to_every_player(place: str, mud: OpenMud) -> None:
    """K11: `sys.exit` in a hook was a bare end of file to the players."""
    hooks, texts = Hooks(), Texts(shutdown="The lamps go out.")

    async def leave() -> None:
        sys.exit(9)

    async def script(dialog: Dialog) -> None:
        sys.exit(9)

    @hooks.on(Input)
    def stop(event: Input) -> None:
        if place == "hook":
            sys.exit(9)
        elif place == "timer":
            event.connection.after(1, partial(sys.exit, 9))
        elif place == "dialog":
            event.connection.start_dialog(script)
        elif place == "work":
            event.connection.server.start_soon(leave)

    @hooks.on(Connect)
    def refuse(event: Connect) -> None:
        if place == "at the door" and event.connection.number == 3:
            sys.exit(9)

    with pytest.raises(SystemExit) as caught:  # noqa: PT012 - the block is the server
        async with mud(hooks, texts=texts, allow_errors=True) as house:
            players = [await house.player(), await house.player()]
            if place == "at the door":
                players.append(await house.player())
            else:
                await players[0].type("stop")
            for player in players:
                assert await player.sees_the_end() == "The lamps go out.\n"
            await house.server.closed.wait()
    assert caught.value.code == 9


def test_ctrl_c_inside_a_hook_breaks_into_it_and_loses_no_event() -> None:
    """O12: the signal interrupts the game's function, and the server ends in order."""
    witness = EventLog()
    after: list[str] = []

    @witness.hooks.on(Input)
    def loop_for_ever(event: Input) -> None:
        signal.raise_signal(signal.SIGINT)
        after.append("went on")

    async def main() -> None:
        async with open_house(witness.hooks) as house:
            wire = await house.connect()
            await house.connect()
            wire.say(b"stop\r\n")
            await trio.sleep(100)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert after == []
    assert [ending.cause for ending in witness.disconnects()] == [Cause.CANCELLED] * 2


def test_ctrl_c_inside_a_verb_of_the_driver_waits_until_the_verb_is_done() -> None:
    """The game's function may be interrupted anywhere, but not the driver's methods that it calls: their steps are
    paired.
    """
    witness = EventLog()
    witness.hooks.on(Input)(lambda event: event.connection.server.post(Bell(1)))

    async def main() -> None:
        with trio.fail_after(60):
            async with open_house(witness.hooks) as house:
                wire = await house.connect()
                dispatcher: Any = house.server._context.dispatcher
                send = dispatcher._to_ready.send_nowait

                class Interrupted:
                    def send_nowait(self, source: Source) -> None:
                        if type(source).__name__ == "QueueSource":
                            signal.raise_signal(signal.SIGINT)
                        send(source)

                    close = dispatcher._to_ready.close

                dispatcher._to_ready = Interrupted()
                wire.say(b"post\r\n")
                await trio.sleep(100)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert len(witness.disconnects()) == 1


def test_what_the_game_hands_to_a_timer_stays_as_protected_as_it_was() -> None:
    """`server.after(3600, server.shutdown)` must not open the driver's own verbs, or trio's, to interrupts for good."""

    async def main() -> None:
        async with open_house(Hooks()) as house:
            await house.connect()
            connection = first_connection(house.server)
            house.server.after(0, house.server.shutdown)
            house.server.after(0, house.server._context.dispatcher.cut)
            connection.start_soon(trio.sleep_forever)
            await settled()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    registry = trio._core._ki._CODE_KI_PROTECTION_STATUS_WMAP
    for function in (MasterServer.shutdown, Dispatcher.cut, trio.sleep_forever):
        with suppress(KeyError):  # never marked
            assert registry[function.__code__]


@pytest.mark.parametrize("kind", ["timer", "dialog", "work"])
def test_ctrl_c_breaks_into_every_other_code_of_the_game_too(kind: str) -> None:
    """O12: an endless loop in a timer's function, a script or background work is just what Ctrl-C is for."""
    witness = EventLog()
    after: list[str] = []

    def loop_for_ever() -> None:
        signal.raise_signal(signal.SIGINT)
        after.append("went on")

    async def loop_in_a_task(*_: object) -> None:
        loop_for_ever()

    @witness.hooks.on(Admitted)
    def begin(event: Admitted) -> None:
        if kind == "timer":
            event.connection.after(1, loop_for_ever)
        elif kind == "dialog":
            event.connection.start_dialog(loop_in_a_task)
        else:
            event.connection.start_soon(loop_in_a_task)

    async def main() -> None:
        async with open_house(witness.hooks) as house:
            await house.connect()
            await trio.sleep(100)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert after == []
    assert len(witness.disconnects()) == 1


def test_ctrl_c_between_hooks_loses_no_event() -> None:
    """The driver's own code is protected: an interrupt there is delivered when it waits."""
    witness = EventLog()

    async def main() -> None:
        async with open_house(witness.hooks) as house:
            await house.connect()
            house.server._context.timers.at(trio.current_time() + 1, lambda: signal.raise_signal(signal.SIGINT))
            await trio.sleep(100)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert len(witness.disconnects()) == 1


def test_ctrl_c_inside_the_dispatchers_own_steps_loses_no_event() -> None:
    witness = EventLog()

    async def main() -> None:
        async with open_house(witness.hooks) as house:
            wire = await house.connect()
            after_flush = house.server._link_host.after_flush

            def interrupt_once() -> None:
                after_flush.clear()
                signal.raise_signal(signal.SIGINT)

            after_flush.append(interrupt_once)
            wire.say(b"look\r\n")
            await trio.sleep(100)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert witness.story()[2:] == ["guest-1: look", "guest-1 linkdeath: cancelled"]


# Changes while it runs


async def test_hooks_changed_during_an_event_hold_from_the_next_one(mud: OpenMud) -> None:
    """A22: an event that has begun keeps its functions, also those after a waiting one."""
    hooks, seen = Hooks(), []

    @hooks.on(Input)
    async def change(event: Input) -> None:
        if event.line == "change":
            hooks.on(Input)(added)
            hooks.remove(doomed)
        await trio.sleep(1)

    def added(event: Input) -> None:
        seen.append(f"added {event.line}")

    @hooks.on(Input)
    def doomed(event: Input) -> None:
        seen.append(f"doomed {event.line}")

    async with mud(hooks) as place:
        player = await place.player()
        await player.type("change", "next")
        await trio.sleep(5)
    assert seen == ["doomed change", "added next"]


async def test_hooks_are_swapped_as_a_whole_between_two_events(mud: OpenMud) -> None:
    old, new, seen = Hooks(), Hooks(), []

    @old.on(Input)
    def swap(event: Input) -> None:
        event.connection.server.hooks = new

    old.on(Input)(lambda event: seen.append(f"old {event.line}"))
    new.on(Input)(lambda event: seen.append(f"new {event.line}"))
    async with mud(old) as place:
        player = await place.player()
        await player.type("1", "2")
        await settled()
    assert seen == ["old 1", "new 2"]


# Its own death


async def test_a_dead_dispatcher_stops_the_server_with_its_error(autojump_clock: trio.testing.MockClock) -> None:
    """A19: fail-stop; no task waits for it forever, and nothing stays on the list."""
    server = None
    with pytest.raises(LookupError, match="crash"):  # noqa: PT012 - the block is the server
        async with open_house(Hooks()) as house:
            server = house.server
            for _ in range(3):
                await house.connect()
            assert len(server.connections) == 3
            server._context.dispatcher.put(Crash(server._context.dispatcher))
            await trio.sleep(100)
    assert server is not None
    assert server.closed.is_set()
    assert server._context.dispatcher.is_dead
    assert len(server.connections) == 0


async def test_putting_into_a_dead_dispatcher_does_nothing(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        server = place.server
    server.post(Bell(1))
    crash = Crash(server._context.dispatcher)
    server._context.dispatcher.put(crash)
    assert not crash.is_queued
    await server._context.dispatcher.drained()
    assert not server._context.dispatcher.is_working


async def test_a_connection_at_the_door_of_a_dead_dispatcher_is_let_go(autojump_clock: trio.testing.MockClock) -> None:
    """A19: it waits for a verdict that never comes."""
    hooks = Hooks()
    hooks.on(Connect)(waits(50))
    began = trio.current_time()
    wire = None
    with pytest.raises(LookupError, match="crash"):  # noqa: PT012 - the block is the server
        async with open_house(hooks, limits=Limits(hook_timeout=None)) as house:
            wire = await house.connect()
            house.server._context.dispatcher.put(Crash(house.server._context.dispatcher))
            await trio.sleep(100)
    assert wire is not None
    assert wire.is_closed
    assert trio.current_time() - began <= 5


# Waiting for oneself


async def test_who_asks_its_own_source_from_a_hook_is_told_at_once(mud: OpenMud, witness: EventLog) -> None:
    """A14: the answer would wait for the hook, and the hook for the answer."""
    told: list[float] = []
    dialogs: list[Dialog] = []

    async def script(dialog: Dialog) -> None:
        dialogs.append(dialog)
        await trio.sleep_forever()

    async def ask() -> None:
        with pytest.raises(WouldDeadlock):
            await dialogs[0].ask("Are you there? ")
        told.append(trio.current_time())

    async with mud(witness.hooks) as place:
        await place.player()
        connection = first_connection(place.server)
        connection.start_dialog(script)
        connection.after(1, ask)
        await trio.sleep(2)
    assert told == [1.0]


async def test_events_that_post_events_are_queued_and_starve_nobody(mud: OpenMud, talkers: EventLog) -> None:
    """A13: an event that posts itself forever gets one turn, the same as every source."""
    async with mud(talkers.hooks) as place:
        server = place.server
        talkers.hooks.on(Bell)(lambda event: server.post(Bell(event.strokes + 1)) if event.strokes < 5000 else None)
        player = await place.player()
        place.server.post(Bell(1))
        await player.type("hello")
        await player.sees("you said hello")


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_a_batch_of_many_sources_costs_one_task_switch_not_one_each(mud: OpenMud) -> None:
    hooks = Hooks()
    steps: dict[str, int] = {}
    hooks.on(Input)(lambda event: None)

    class Count(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            steps[task.name] = steps.get(task.name, 0) + 1

    async with mud(hooks) as place:
        for _ in range(40):
            await place.player()
        counter = Count()
        trio.lowlevel.add_instrument(counter)
        for connection in place.server.connections:
            feed(connection, b"x\r\n")
        await settled()
        trio.lowlevel.remove_instrument(counter)
    assert steps["trio_mud run"] <= 3


# Durations


async def test_the_functions_of_an_event_are_timed_as_a_whole_while_the_server_is_watched(
    mud: OpenMud, witness: EventLog
) -> None:
    hooks = witness.hooks
    hooks.on(Input, order=1)(waits(3))
    hooks.on(Input, order=2)(lambda event: None)
    hooks.on(Input, order=3)(waits(0.2))
    async with mud(hooks) as place:
        before = await place.player()
        await before.type("not timed")
        await trio.sleep(4)
        durations = place.server._context.dispatcher.measure(trio.current_time)
        assert place.server._context.dispatcher.measure() is durations
        await before.type("timed")
        await trio.sleep(10)
        await before.vanish()
        await trio.sleep(1)
        assert durations["Input"].total == pytest.approx(3.2)
        assert sum(durations["Input"].counts) == 1
        assert durations["Input"].worst == pytest.approx(3.2)
        assert durations["Disconnect"].total == 0


async def test_a_hook_that_fails_or_is_cancelled_is_timed_too(mud: OpenMud) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    async def fail(event: Input) -> None:
        await trio.sleep(1000 if event.line == "wait" else 1)
        raise LookupError("as the test asks")

    async with mud(hooks, limits=Limits(hook_timeout=5.0), allow_errors=True) as place:
        durations = place.server._context.dispatcher.measure(trio.current_time)
        player = await place.player()
        for line in ("wait", "fail"):
            await player.type(line)
        await trio.sleep(20)
        assert durations["Input"].total == pytest.approx(6)


def test_a_duration_is_counted_in_the_bucket_of_its_bound() -> None:
    durations = Durations()
    for seconds in (0.0, 0.0001, 0.0002, 5.0, 5.1, 3600.0):
        durations.add(seconds)
    assert durations.counts == [2, 1, *[0] * (len(BOUNDS) - 3), 1, 2]
    assert durations.worst == 3600.0
