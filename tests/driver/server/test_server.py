"""The complete server: its start, admission, and its two ways to end."""

from __future__ import annotations

import errno
import inspect
import logging
import math
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
import trio.testing

from trio_mud import (
    Admitted,
    Cause,
    Connect,
    Disconnect,
    HookEvent,
    Hooks,
    Input,
    Limits,
    MasterServer,
    Overloaded,
    Rate,
    Reason,
    Started,
    Texts,
    open_tcp_listeners,
)
from trio_mud.driver.core.guard import unwrap_single
from trio_mud.driver.server.server import ServerSettings
from trio_mud.testing import OpenMud, PipeListener
from trio_mud.transports import Transport

from ..conftest import (
    Crash,
    EventLog,
    FakeListener,
    FakeTransport,
    first_connection,
    open_house,
    read_all,
    settled,
    until,
    waits,
)


@dataclass(frozen=True, slots=True)
class Bell(HookEvent):
    """An event of the game's own."""

    strokes: int


def ways_out(witness: EventLog) -> list[tuple[Reason, Cause]]:
    return [(ending.reason, ending.cause) for ending in witness.disconnects()]


# The graceful path


async def test_a_shutdown_tells_everybody_flushes_and_runs_every_disconnect_hook(
    mud: OpenMud, witness: EventLog
) -> None:
    """O1."""
    async with mud(witness.hooks) as place:
        players = [await place.player(capacity=6) for _ in range(10)]
        for connection in place.server.connections:
            connection.write("something before")
        place.server.shutdown("Night falls.")
        assert [await player.sees_the_end() for player in players] == ["something before\nNight falls.\n"] * 10
        await place.server.closed.wait()
        assert trio.current_time() == 0.0
    assert ways_out(witness) == [(Reason.QUIT, Cause.SHUTDOWN)] * 10


async def test_a_shutdown_without_a_text_says_the_servers_own(mud: OpenMud) -> None:
    async with mud(Hooks(), texts=Texts(shutdown="Closing time.")) as place:
        player = await place.player()
        place.server.shutdown()
        assert await player.sees_the_end() == "Closing time.\n"


async def test_a_shutdown_may_come_from_a_hook_and_waits_for_nothing(mud: OpenMud, witness: EventLog) -> None:
    @witness.hooks.on(Input)
    def close(event: Input) -> None:
        event.connection.server.shutdown("The wizard sleeps.")
        assert event.connection.ending is None  # the last words to come are the shutdown's
        event.connection.write("So be it.")

    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.type("shutdown")
        assert await player.sees_the_end() == "So be it.\nThe wizard sleeps.\n"


async def test_the_shutdown_text_is_the_last_word(mud: OpenMud, witness: EventLog) -> None:
    witness.hooks.on(Disconnect)(
        lambda event: [other.write("X left.") for other in event.connection.server.connections]
    )
    async with mud(witness.hooks) as place:
        players = [await place.player() for _ in range(5)]
        place.server.shutdown("End.")
        assert [await player.sees_the_end() for player in players] == ["End.\n"] * 5


async def test_a_second_shutdown_changes_nothing(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        player = await place.player()
        place.server.shutdown("First.", within=5)
        place.server.shutdown("Second.", within=0)
        assert await player.sees_the_end() == "First.\n"


@pytest.mark.one_process("the gateway sends the last words, and the world does not wait for it")
async def test_the_time_of_a_shutdown_is_kept_whatever_its_clients_do(mud: OpenMud, witness: EventLog) -> None:
    """O2, I-18: one that reads nothing and one that never closes."""
    limits = Limits(
        quit_timeout=60, linger_timeout=60, write_stall_timeout=None, shutdown_timeout=10, cleanup_timeout=5
    )
    async with mud(witness.hooks, limits=limits) as place:
        deaf = await place.player(capacity=4)
        deaf.stop_reading()
        place.connect()
        await settled()
        place.server.shutdown("A long farewell.")
        await place.server.closed.wait()
        assert 10 <= trio.current_time() <= 15
    assert ways_out(witness) == [(Reason.QUIT, Cause.SHUTDOWN)] * 2


@pytest.mark.one_process("the gateway sends the last words, and the world does not wait for it")
async def test_within_outweighs_the_limit(mud: OpenMud) -> None:
    limits = Limits(quit_timeout=60, linger_timeout=0.1, write_stall_timeout=None, shutdown_timeout=10)
    async with mud(Hooks(), limits=limits) as place:
        deaf = await place.player(capacity=4)
        deaf.stop_reading()
        place.server.shutdown("A long farewell.", within=3)
        await place.server.closed.wait()
        assert trio.current_time() == pytest.approx(3, abs=0.2)


async def test_a_shutdown_without_any_time_is_the_hard_path_and_loses_no_event(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks) as place:
        for _ in range(3):
            player = await place.player(capacity=4)
            player.stop_reading()
        place.server.shutdown("Now!", within=0)
        await place.server.closed.wait()
        assert len(place.server.connections) == 0
    assert len(witness.disconnects()) == 3


async def test_a_shutdown_waits_for_hooks_that_wait(mud: OpenMud, witness: EventLog) -> None:
    saved: list[str] = []

    @witness.hooks.on(Disconnect)
    async def save(event: Disconnect) -> None:
        await trio.sleep(4)
        saved.append(event.connection.name)

    async with mud(witness.hooks) as place:
        for _ in range(3):
            await place.player()
        place.server.shutdown()
        await place.server.closed.wait()
    assert sorted(saved) == ["guest-1", "guest-2", "guest-3"]


async def test_what_still_waits_when_the_cleanup_time_is_over_is_cut_and_every_disconnect_has_run(
    mud: OpenMud, witness: EventLog
) -> None:
    """A10: plain functions whole, waiting ones to their first wait."""
    steps: list[str] = []

    @witness.hooks.on(Disconnect)
    async def hang(event: Disconnect) -> None:
        steps.append("begins")
        await trio.sleep_forever()
        steps.append("never")

    witness.hooks.on(Disconnect)(lambda event: steps.append("whole"))
    witness.hooks.on(Input)(waits(math.inf))
    async with mud(witness.hooks, limits=Limits(hook_timeout=None, cleanup_timeout=5), allow_errors=True) as place:
        for _ in range(3):
            player = await place.player()
            await player.type("hang", "dropped")
        await settled()
        place.server.shutdown()
        await place.server.closed.wait()
        assert trio.current_time() == 5
    assert Counter(steps) == {"begins": 3, "whole": 3}
    assert len(witness.disconnects()) == 3
    assert not [event for event in witness.events if isinstance(event, Input) and event.line == "dropped"]


async def test_posts_are_refused_once_the_time_is_over(mud: OpenMud, witness: EventLog) -> None:
    """So a game that posts forever cannot delay the end of the server."""
    strokes: list[int] = []

    @witness.hooks.on(Bell)
    async def ring_again(event: Bell) -> None:
        strokes.append(event.strokes)
        await trio.sleep(1)
        place.server.post(Bell(event.strokes + 1))

    async with mud(witness.hooks, limits=Limits(cleanup_timeout=5), allow_errors=True) as place:
        place.server.post(Bell(1))
        await settled()
        place.server.shutdown()
        await place.server.closed.wait()
        assert trio.current_time() == 5
    assert 5 <= len(strokes) <= 6


class SlowDoor(FakeListener):
    """A listener that was already accepting when it was closed, and returns that connection a second later."""

    def __init__(self, visitor: FakeTransport) -> None:
        super().__init__()
        self.visitor = visitor

    async def accept(self) -> Transport:
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
        return self.visitor


async def test_who_comes_during_a_shutdown_reads_why_and_has_both_events(
    autojump_clock: trio.testing.MockClock,
) -> None:
    witness, late = EventLog(), FakeTransport()
    server = MasterServer(witness.hooks)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [SlowDoor(late)])
        server.shutdown("Too late.")
    assert witness.story() == ["guest-1 connect", "guest-1 admitted", "guest-1 quit: shutdown"]
    assert late.text.endswith("Too late.\r\n")
    assert late.is_closed


async def test_who_comes_during_a_hard_stop_has_both_events_and_keeps_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Not even if the connect hook never ends."""
    witness, late = EventLog(), FakeTransport()
    witness.hooks.on(Connect)(waits(math.inf))
    server = MasterServer(witness.hooks, limits=Limits(hook_timeout=None, cleanup_timeout=5))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, [SlowDoor(late)])
            server.abort()
    assert trio.current_time() == 5
    assert witness.story() == ["guest-1 connect", "guest-1 refused: hook too slow"]
    assert late.text == ""
    assert late.is_closed


async def test_who_is_at_the_door_when_the_shutdown_comes_has_both_events(mud: OpenMud, witness: EventLog) -> None:
    witness.hooks.on(Connect)(waits(2))
    async with mud(witness.hooks) as place:
        player = await place.player()
        place.server.shutdown("Sorry.")
        assert await player.sees_the_end() == "Sorry.\n"
    assert witness.story() == ["guest-1 connect", "guest-1 admitted", "guest-1 quit: shutdown"]


async def test_the_doors_close_at_once(autojump_clock: trio.testing.MockClock) -> None:
    """And not when the last connection has ended."""
    witness = EventLog()
    witness.hooks.on(Disconnect)(waits(3))
    async with open_house(witness.hooks) as house:
        await house.connect()
        house.server.shutdown()
        await settled()
        with pytest.raises(trio.BrokenResourceError):
            house.listener.connect(FakeTransport())
        assert not house.server.closed.is_set()


async def test_a_shutdown_may_come_before_anything_else(autojump_clock: trio.testing.MockClock) -> None:
    server = MasterServer(Hooks())
    server.shutdown()
    await server.serve([PipeListener()])
    assert server.closed.is_set()


@pytest.mark.unmeasured
@pytest.mark.parametrize("path", ["shutdown", "abort"])
async def test_many_endings_are_sliced(mud: OpenMud, path: str) -> None:
    """Between two checkpoints at most `limits.batch_size` connections end, so no other task is delayed."""
    limits = Limits(batch_size=16, max_connections=None, accept_rate=None, first_input_timeout=None)
    most = 0

    class Watch(trio.abc.Instrument):
        before = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.before = self._ended()

        def after_task_step(self, task: trio.lowlevel.Task) -> None:
            nonlocal most
            most = max(most, self._ended() - self.before)

        @staticmethod
        def _ended() -> int:
            return sum(connection.ending is not None for connection in everybody)

    async with mud(Hooks(), limits=limits) as place:
        pipes = [place.connect() for _ in range(200)]
        await settled()
        everybody = list(place.server.connections)
        assert len(everybody) == 200
        watch = Watch()
        trio.lowlevel.add_instrument(watch)
        if path == "shutdown":
            place.server.shutdown()
        else:
            place.server.abort()
        await settled()
        trio.lowlevel.remove_instrument(watch)
        assert all(connection.ending for connection in everybody)
        for pipe in pipes:
            await pipe.client.aclose()
    assert most == 16


# The hard path


async def test_a_cancel_from_outside_ends_every_connection_and_runs_every_disconnect(
    autojump_clock: trio.testing.MockClock,
) -> None:
    witness = EventLog()
    server, door = MasterServer(witness.hooks), FakeListener()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [door])
        for _ in range(5):
            door.connect(FakeTransport())
        await settled()
        nursery.cancel_scope.cancel()
    assert ways_out(witness) == [(Reason.LINKDEATH, Cause.CANCELLED)] * 5
    assert server.closed.is_set()
    assert len(server.connections) == 0


async def test_a_cancel_before_it_began_ends_it_in_order(autojump_clock: trio.testing.MockClock) -> None:
    """`serve` called in a scope that is cancelled already neither hangs nor leaves a listener open."""
    listeners = await open_tcp_listeners(0, host="127.0.0.1")
    server = MasterServer(Hooks())
    with trio.CancelScope() as scope:
        scope.cancel()
        await server.serve(listeners)
    assert scope.cancelled_caught
    assert server.closed.is_set()
    with socket.socket() as again:
        again.bind(listeners[0].address)


async def test_starting_from_a_cancelled_caller_does_not_hang(autojump_clock: trio.testing.MockClock) -> None:
    """A service that shields before it calls `started` would wait forever."""
    server = MasterServer(Hooks())
    with trio.move_on_after(60):
        async with trio.open_nursery() as nursery:
            nursery.cancel_scope.cancel()
            await nursery.start(server.serve, [PipeListener()])
    assert server.closed.is_set()
    assert trio.current_time() == 0


async def test_a_caller_cancelled_while_it_starts_the_server_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    server = MasterServer(Hooks())
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel_soon, scope)
            await nursery.start(server.serve, [PipeListener()])
        await settled()
        if not server.closed.is_set():
            server.shutdown()
    assert server.closed.is_set()


async def test_the_cleanup_time_is_counted_once_and_shared(mud: OpenMud, witness: EventLog) -> None:
    """For any number of waiting tasks, it ends after `limits.cleanup_timeout`."""
    witness.hooks.on(Disconnect)(waits(math.inf))
    async with mud(
        witness.hooks, limits=Limits(cleanup_timeout=5, linger_timeout=60, hook_timeout=None), allow_errors=True
    ) as place:
        pipes = [place.connect() for _ in range(10)]
        await settled()
        place.server.abort()
        await place.server.closed.wait()
        assert trio.current_time() == 5
        del pipes
    assert len(witness.disconnects()) == 10


async def test_an_abort_without_time_runs_the_disconnect_functions_all_the_same(
    mud: OpenMud, witness: EventLog
) -> None:
    steps: list[str] = []

    @witness.hooks.on(Disconnect)
    async def save(event: Disconnect) -> None:
        steps.append("begins")
        await trio.sleep(1)
        steps.append("never")

    witness.hooks.on(Disconnect)(lambda event: steps.append("whole"))
    async with mud(witness.hooks, allow_errors=True) as place:
        for _ in range(2):
            await place.player()
        place.server.abort(within=0)
        await place.server.closed.wait()
        assert trio.current_time() == 0
    assert Counter(steps) == {"begins": 2, "whole": 2}


async def test_a_later_abort_may_shorten_the_time(mud: OpenMud, witness: EventLog) -> None:
    """O3: the second interrupt of an impatient operator."""
    witness.hooks.on(Disconnect)(waits(math.inf))
    async with mud(witness.hooks, limits=Limits(hook_timeout=None, cleanup_timeout=5), allow_errors=True) as place:
        await place.player()
        place.server.abort()
        await trio.sleep(1)
        place.server.abort(within=0)
        await place.server.closed.wait()
        assert trio.current_time() == 1
    assert len(witness.disconnects()) == 1


async def test_an_abort_may_shorten_the_end_of_a_shutdown(mud: OpenMud, witness: EventLog) -> None:
    """O3: even when all connections have ended and only hooks are awaited."""
    witness.hooks.on(Disconnect)(waits(math.inf))
    async with mud(witness.hooks, limits=Limits(hook_timeout=None, cleanup_timeout=5), allow_errors=True) as place:
        player = await place.player()
        place.server.shutdown()
        await player.sees_the_end()
        await trio.sleep(1)
        place.server.abort(within=0)
        await place.server.closed.wait()
        assert trio.current_time() == 1
    assert len(witness.disconnects()) == 1


async def test_an_abort_waits_for_no_verdict_on_somebody_whom_a_shutdown_has_met_at_the_door(
    mud: OpenMud, witness: EventLog
) -> None:
    """I-18; seed 1020823 of an earlier simulator: the ending was decided already, so the loss was not noticed."""
    witness.hooks.on(Connect)(waits(30))
    async with mud(witness.hooks, limits=Limits(hook_timeout=40, cleanup_timeout=2), allow_errors=True) as place:
        place.connect()
        await settled()
        place.server.shutdown()
        await settled()  # it has met everybody
        place.server.abort()
        await place.server.closed.wait()
        assert trio.current_time() == 2
    assert len(witness.disconnects()) == 1


async def test_a_later_abort_never_lengthens_the_time(mud: OpenMud, witness: EventLog) -> None:
    witness.hooks.on(Disconnect)(waits(math.inf))
    async with mud(witness.hooks, limits=Limits(hook_timeout=None), allow_errors=True) as place:
        await place.player()
        place.server.abort(within=1)
        place.server.abort(within=100)
        await place.server.closed.wait()
        assert trio.current_time() == 1


async def test_after_an_orderly_shutdown_nobody_says_the_hard_path_was_taken(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        await place.player()
        server = place.server
    assert server.closed.is_set()
    assert not server._aborting.is_set()


# Listeners


async def test_a_machine_without_descriptors_is_waited_for_and_logged_now_and_then(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """N12: no spinning, no log that fills the disk, and it recovers."""
    async with open_house(Hooks(), limits=Limits(log_interval=10)) as house:
        for _ in range(250):  # 25 seconds of it
            house.listener.fail(OSError(errno.EMFILE, "Too many open files"))
        wire = FakeTransport()
        house.listener.connect(wire)
        await trio.sleep(24)
        assert 200 <= house.server.counters["accepts without resources"] <= 245
        await trio.sleep(6)
        assert len(house.server.connections) == 1
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 3
    assert "ulimit" in warnings[0].getMessage()


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO])
async def test_a_peer_gone_before_it_was_accepted_is_counted_and_nothing_else(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    """N13."""
    witness = EventLog()
    async with open_house(witness.hooks) as house:
        for _ in range(100):
            house.listener.fail(OSError(number, "gone"))
        await house.connect()
        assert trio.current_time() == 0
        assert len(house.server.connections) == 1
        assert house.server.counters["gone before accepted"] == 100
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("error", [OSError(errno.EBADF, "bad"), RuntimeError("a bug of the listener")])
async def test_any_other_failure_of_a_listener_ends_the_server_and_is_raised_after_all_disconnects(
    autojump_clock: trio.testing.MockClock, error: Exception
) -> None:
    """N14."""
    witness = EventLog()
    done_at_end: list[int] = []
    with pytest.raises(type(error)) as caught:  # noqa: PT012 - the block is the server
        async with open_house(witness.hooks) as house:
            witness.hooks.on(Disconnect)(waits(1))
            witness.hooks.on(Disconnect)(lambda event: done_at_end.append(1))
            for _ in range(3):
                await house.connect()
            house.listener.fail(error)
            await trio.sleep(100)
    assert caught.value is error
    assert ways_out(witness) == [(Reason.LINKDEATH, Cause.CANCELLED)] * 3
    assert len(done_at_end) == 3


async def test_a_listener_that_fails_to_close_loses_no_event(autojump_clock: trio.testing.MockClock) -> None:
    class StuckDoor(FakeListener):
        async def aclose(self) -> None:
            await super().aclose()
            raise OSError(errno.EIO, "the door is stuck")

    witness = EventLog()
    server, stuck, other = MasterServer(witness.hooks), StuckDoor(), FakeListener()
    with pytest.raises((OSError, ExceptionGroup)):  # noqa: PT012 - the block is the server
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, [stuck, other])
            for _ in range(3):
                stuck.connect(FakeTransport())
            await settled()
            server.shutdown()
            await trio.sleep(60)
            raise OSError  # it may also be forgiven
    assert len(witness.disconnects()) == 3
    assert server.closed.is_set()
    with pytest.raises(trio.ClosedResourceError):
        await other.accept()


async def test_accepting_keeps_to_its_rate_and_refuses_nobody(mud: OpenMud) -> None:
    hooks, times = Hooks(), []
    hooks.on(Connect)(lambda event: times.append(trio.current_time()))
    async with mud(hooks, limits=Limits(accept_rate=Rate(10, burst=5))) as place:
        for _ in range(25):
            place.connect()
        await settled()
        assert times == [0.0] * 5
        await trio.sleep(10)
        assert len(times) == 25
        assert times[-1] == pytest.approx(2.0)
        assert len(place.server.connections) == 25


async def test_a_shutdown_does_not_wait_for_the_rate_of_accepting(mud: OpenMud) -> None:
    async with mud(Hooks(), limits=Limits(accept_rate=Rate(0.001, burst=1))) as place:
        player = await place.player()
        await player.hang_up()
        place.server.shutdown()
        await place.server.closed.wait()
        assert trio.current_time() == 0


# How many


async def test_one_too_many_is_refused_and_the_connect_hook_sees_it(mud: OpenMud, witness: EventLog) -> None:
    seen: list[bool] = []
    witness.hooks.on(Connect)(lambda event: seen.append(event.connection.is_refused))
    async with mud(witness.hooks, limits=Limits(max_connections=2), texts=Texts(server_full="Full.")) as place:
        first = await place.player()
        await place.player()
        third = await place.player()
        assert await third.sees_the_end() == "Full.\n"
        await first.hang_up()
        await settled()
        await place.player()
        assert len(place.server.connections) == 2
    assert seen == [False, False, True, False]
    assert "guest-3 refused: full" in witness.story()


@pytest.mark.parametrize(
    ("addresses", "admitted"),
    [
        (["192.0.2.1"] * 3, 2),
        (["192.0.2.1", "192.0.2.2", "192.0.2.3"], 3),
        (["2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:2:3:4:5:6"], 2),
        (["2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:1:4::1"], 3),
        (["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"], 2),
        (["::ffff:192.0.2.1", "::ffff:192.0.2.2", "::ffff:192.0.2.3"], 3),
        (["fe80::1%eth0", "fe80::2%eth0", "fe80::3%eth1"], 2),
        (["somewhere: odd"] * 3, 2),
    ],
    ids=["one v4", "three v4", "one /64", "three /64", "one mapped", "three mapped", "zones", "no address"],
)
async def test_so_many_come_from_one_place_and_no_more(
    mud: OpenMud, witness: EventLog, addresses: list[str], admitted: int
) -> None:
    """The addresses of an IPv6 /64 count as one, and an IPv4 address mapped into IPv6 counts as that address."""
    async with mud(witness.hooks, limits=Limits(max_per_address=2)) as place:
        for address in addresses:
            await place.player(address=address)
        assert len(place.server.connections) == admitted
        assert place.server.counters["refused: too many from here"] == len(addresses) - admitted


async def test_an_unknown_address_is_no_address_to_count(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Hooks(), limits=Limits(max_per_address=1)) as house:
        for _ in range(3):
            await house.connect(address="")
        assert len(house.server.connections) == 3


async def test_past_its_rate_an_address_is_closed_without_an_event_and_spends_nothing_of_the_rate_of_all(
    autojump_clock: trio.testing.MockClock, witness: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(accept_rate=Rate(10, burst=10), accept_rate_per_address=Rate(1, burst=3), max_per_address=None)
    async with open_house(witness.hooks, limits=limits) as house:
        flood = [await house.connect(address="192.0.2.1") for _ in range(500)]
        other = await house.connect(address="192.0.2.2")
        assert trio.current_time() == 0
        assert not other.is_closed
        assert [wire.is_closed for wire in flood] == [False] * 3 + [True] * 497
        assert all(wire.sent == [] for wire in flood[3:])
        assert len(house.server.connections) == 4
        assert house.server.counters["accepted"] == 501
        assert house.server.counters["closed by rate"] == 497
        assert [event for event in witness.events if isinstance(event, Connect)] == witness.events[::2]
        assert len(witness.events) == 8
        assert len([record for record in caplog.records if "accept_rate_per_address" in record.message]) == 1
        await trio.sleep(10)
        again = [await house.connect(address="192.0.2.1") for _ in range(5)]
        assert [wire.is_closed for wire in again] == [False] * 3 + [True] * 2
        assert len([record for record in caplog.records if "accept_rate_per_address" in record.message]) == 2


async def test_a_connection_that_has_ended_its_input_gives_its_place_to_the_next_from_there(mud: OpenMud) -> None:
    """A client that reconnects ten times, or whose last words are still on their way, is not one too many."""
    hooks = Hooks()
    hooks.on(Input)(waits(1))
    async with mud(hooks, limits=Limits(max_per_address=1, linger_timeout=50)) as place:
        for _ in range(5):
            player = await place.player(address="192.0.2.1")
            await player.type("look")
            await player.finish_typing()
            await settled()
        assert len(place.server.connections) == 5  # each is served to the end
        assert place.server.counters["refused: too many from here"] == 0
        leaving = await place.player(address="192.0.2.1")
        await settled()
        await place.player(address="192.0.2.1")
        assert place.server.counters["refused: too many from here"] == 1  # it lives, and counts
        list(place.server.connections)[-1].quit("Bye.")
        await settled()
        await place.player(address="192.0.2.1")
        assert place.server.counters["refused: too many from here"] == 1
        assert await leaving.sees("Bye.") == "Bye."


async def test_every_connection_is_counted_once(mud: OpenMud, talkers: EventLog) -> None:
    """I-26: accepted = refused by cause + admitted; admitted = live + ended."""
    talkers.hooks.on(Connect)(lambda event: event.connection.refuse() if event.connection.number % 3 == 0 else None)
    async with mud(talkers.hooks, limits=Limits(max_connections=12)) as place:
        players = [await place.player() for _ in range(16)]
        for player in players[:2]:
            await player.vanish()
        await players[3].type("quit")
        await trio.sleep(5)
        counters = place.server.counters
        refused = sum(count for word, count in counters.items() if word.startswith("refused: "))
        ended = sum(count for word, count in counters.items() if word.startswith(("quit: ", "linkdeath: ")))
        assert counters["accepted"] == 16 == refused + counters["admitted"]
        assert counters["admitted"] == len(place.server.connections) + ended
        assert ended == 3


# Posts


async def test_posted_events_run_their_hooks_in_order(mud: OpenMud) -> None:
    hooks, strokes = Hooks(), []
    hooks.on(Bell)(lambda event: strokes.append(event.strokes))
    async with mud(hooks) as place:
        for number in range(5):
            place.server.post(Bell(number))
        assert strokes == []
        await settled()
        assert strokes == [0, 1, 2, 3, 4]


async def test_too_many_posts_are_told_to_whoever_posts(mud: OpenMud) -> None:
    hooks, strokes = Hooks(), []
    hooks.on(Bell)(lambda event: strokes.append(event.strokes))
    async with mud(hooks, limits=Limits(max_posts=10)) as place:
        await settled()
        for number in range(10):
            place.server.post(Bell(number))
        with pytest.raises(Overloaded, match="10"):
            place.server.post(Bell(10))
        await settled()
        place.server.post(Bell(11))
        await settled()
    assert strokes == [*range(10), 11]


async def test_started_is_the_first_event_of_all_even_if_something_was_posted_before(
    autojump_clock: trio.testing.MockClock,
) -> None:
    hooks, events = Hooks(), []
    hooks.on(Started)(lambda event: events.append("started"))
    hooks.on(Bell)(lambda event: events.append("bell"))
    server = MasterServer(hooks)
    server.post(Bell(1))
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [PipeListener()])
        await settled()
        server.shutdown()
    assert events == ["started", "bell"]


# Once


async def test_a_server_serves_once(autojump_clock: trio.testing.MockClock) -> None:
    server = MasterServer(Hooks())
    server.shutdown()
    await server.serve([PipeListener()])
    with pytest.raises(RuntimeError, match="once"):
        await server.serve([PipeListener()])


async def test_a_server_that_serves_cannot_be_served_again_meanwhile(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks) as place:
        with trio.move_on_after(1), pytest.raises(RuntimeError, match="once"):
            await place.server.serve([PipeListener()])
        await place.player()
        assert len(place.server.connections) == 1


# Leaks


async def test_everything_returns_to_what_it_was(mud: OpenMud, talkers: EventLog) -> None:
    """O10, I-14, I-15."""
    async with mud(talkers.hooks) as place:
        await trio.sleep(10)  # a gateway has met its world
        before = trio.lowlevel.current_statistics().tasks_living
        for round_ in range(3):
            players = [await place.player(address="192.0.2.1") for _ in range(10)]
            for number, player in enumerate(players):
                match (number + round_) % 4:
                    case 0:
                        await player.type("quit")
                    case 1:
                        await player.vanish()
                    case 2:
                        await player.hang_up()
                    case 3:
                        await player.type("hello")
                        await player.finish_typing()
            await trio.sleep(10)
            server = place.server
            assert trio.lowlevel.current_statistics().tasks_living == before
            assert len(server.connections) == 0
            assert not server._tree.accepted
            assert not server._tree.admission._by_origin
            assert len(server._context.timers) == 0
            assert not server._context.dispatcher.is_working
            assert not server._context.dispatcher._waiting
            assert not server._host._dirty


async def test_numbers_and_names_are_never_used_again(mud: OpenMud, witness: EventLog) -> None:
    """I-15."""
    async with mud(witness.hooks) as place:
        for _ in range(5):
            player = await place.player()
            await player.hang_up()
            await settled()
    assert [event.connection.number for event in witness.events if isinstance(event, Connect)] == [1, 2, 3, 4, 5]


# Isolation


async def test_a_hook_that_breaks_for_one_changes_nothing_for_another(mud: OpenMud) -> None:
    """I-16: the same story with and without the fault."""

    async def story_of_bob(fault: Callable[[], object] | None) -> list[str]:
        witness = EventLog()

        @witness.hooks.on(Input)
        def act(event: Input) -> object:
            if event.connection.name == "guest-1" and fault is not None:
                return fault()
            event.connection.write(event.line)
            return None

        async with mud(witness.hooks, limits=Limits(hook_timeout=2), allow_errors=True) as place:
            ann, bob = await place.player(), await place.player()
            for number in range(10):
                await ann.type("x")
                await bob.type(str(number))
                await bob.sees(f"{number}\n", within=0.001)
                await trio.sleep(0.5)
            await bob.hang_up()
        return witness.story("guest-2")

    def fail() -> None:
        raise RuntimeError

    undisturbed = await story_of_bob(None)
    assert await story_of_bob(fail) == undisturbed
    assert await story_of_bob(trio.sleep_forever) == undisturbed


async def test_a_world_that_breaks_in_every_hook_is_still_served(mud: OpenMud, witness: EventLog) -> None:
    def break_(event: HookEvent) -> None:
        raise RuntimeError("everything is broken")

    for event_type in (Admitted, Input, Disconnect):
        witness.hooks.on(event_type)(break_)
    async with mud(witness.hooks, allow_errors=True) as place:
        player = await place.player()
        await player.type("x", "y")
        await settled()
        assert len(place.server.connections) == 1
        await player.hang_up()
        await settled()
    assert len(witness.disconnects()) == 1


@pytest.mark.parametrize("kind", ["plain", "async", "too slow"])
async def test_a_function_on_started_that_fails_ends_serve_before_anybody_is_accepted(
    autojump_clock: trio.testing.MockClock, witness: EventLog, kind: str
) -> None:
    """K11: with its own error; a waiting peer never meets a partly created world."""

    def fail(event: Started) -> None:
        raise RuntimeError("no world")

    async def fail_later(event: Started) -> None:
        await trio.sleep(1)
        raise RuntimeError("no world")

    async def dawdle(event: Started) -> None:
        await trio.sleep_forever()

    witness.hooks.on(Started)({"plain": fail, "async": fail_later, "too slow": dawdle}[kind])
    server, door = MasterServer(witness.hooks), FakeListener()
    door.connect(FakeTransport())
    with pytest.raises(trio.TooSlowError if kind == "too slow" else RuntimeError):  # noqa: PT012 - the block serves
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve, [door])
                server.shutdown()
        except BaseExceptionGroup as group:
            raise unwrap_single(group) from None
    assert server.counters["accepted"] == 0
    assert witness.events == []


async def test_nobody_is_accepted_before_every_function_on_started_has_run(
    autojump_clock: trio.testing.MockClock, witness: EventLog
) -> None:
    made: list[float] = []

    @witness.hooks.on(Started)
    async def make_the_world(event: Started) -> None:
        await trio.sleep(3)
        made.append(trio.current_time())

    witness.hooks.on(Connect)(lambda event: made.append(trio.current_time()))
    began = trio.current_time()
    server, door = MasterServer(witness.hooks), FakeListener()
    door.connect(FakeTransport())
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [door])
        await settled()
        server.shutdown()
    assert [moment - began for moment in made] == [3, 3]


@pytest.mark.parametrize("does", ["nothing", "asks for MSSP", "types"])
@pytest.mark.one_process("counted or logged by the gateway, too or instead")
async def test_a_visit_is_logged_at_info_once_a_line_was_typed(
    mud: OpenMud, witness: EventLog, caplog: pytest.LogCaptureFixture, does: str
) -> None:
    """K5: scanners and health checks connect by the thousand; they are logged at debug."""
    caplog.set_level(logging.DEBUG, "trio_mud")
    async with mud(witness.hooks) as place:
        player = await place.player()
        if does != "nothing":
            await player.type("look" if does == "types" else "MSSP-REQUEST")
            await settled()
        await player.hang_up()
        await settled()
    visits = [record for record in caplog.records if "guest-1" in record.getMessage()]
    assert {record.getMessage().partition(" (#1) ")[2].split()[0] for record in visits} >= {"was", "left:"}
    at_info = [record.getMessage() for record in visits if record.levelno >= logging.INFO]
    if does == "types":
        assert at_info == ["guest-1 (#1) came in from 10.0.0.1", "guest-1 (#1) left: linkdeath (end of file)"]
    else:
        assert at_info == []


async def test_a_crash_is_logged_as_critical(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(LookupError):  # noqa: PT012 - the block is the server
        async with open_house(Hooks()) as house:
            house.server._context.dispatcher.put(Crash(house.server._context.dispatcher))
            await trio.sleep(100)
    assert "CRITICAL" in {record.levelname for record in caplog.records}


async def test_over_tcp_a_reset_a_half_close_and_a_quit_look_the_same_as_in_memory() -> None:
    """N1, N3, N4 on the kernel's own sockets."""
    witness = EventLog()

    @witness.hooks.on(Input)
    def answer(event: Input) -> None:
        if event.line == "quit":
            event.connection.quit("Bye.")
        else:
            event.connection.write(event.line)

    server = MasterServer(witness.hooks, options=())
    listeners = await open_tcp_listeners(0, host="127.0.0.1")
    address = listeners[0].address
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, listeners)
            half = await trio.open_tcp_stream(*address)
            await half.send_all(b"one\r\ntwo\r\n")
            await half.send_eof()
            assert await read_all(half) == b"one\r\ntwo\r\n"
            quitter = await trio.open_tcp_stream(*address)
            await quitter.send_all(b"quit\r\nand more that nobody reads\r\n")
            assert await read_all(quitter) == b"Bye.\r\n"
            resetting = await trio.open_tcp_stream(*address)
            await resetting.send_all(b"hello\r\n")
            assert await resetting.receive_some() == b"hello\r\n"
            resetting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            await resetting.aclose()
            await until(lambda: len(witness.disconnects()) == 3)
            server.shutdown()
    assert ways_out(witness) == [
        (Reason.LINKDEATH, Cause.EOF),
        (Reason.QUIT, Cause.ASKED),
        (Reason.LINKDEATH, Cause.RESET),
    ]


async def test_over_tcp_unread_input_turns_no_farewell_into_a_reset() -> None:
    """N29: the kernel would answer unread input with a reset, which may overtake the last output."""
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.quit("Bye."))
    server = MasterServer(hooks, options=())
    listeners = await open_tcp_listeners(0, host="127.0.0.1")
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, listeners)
            for _ in range(5):
                talker = await trio.open_tcp_stream(*listeners[0].address)
                await talker.send_all(b"quit\r\n" + b"and another thing\r\n" * 5000)
                assert await talker.receive_some() == b"Bye.\r\n"
                await talker.send_all(b"and another thing\r\n" * 10)
                await talker.send_eof()
                assert await read_all(talker) == b""
            server.shutdown()


async def _cancel_soon(scope: trio.CancelScope) -> None:
    scope.cancel()


async def test_the_drivers_own_events_cannot_be_posted(mud: OpenMud, witness: EventLog) -> None:
    """A second disconnect of one connection would end the promise that there is one."""
    async with mud(witness.hooks) as place:
        await place.player()
        connection = first_connection(place.server)
        for event in (Started(place.server), Connect(connection), Admitted(connection)):
            with pytest.raises(ValueError, match="only the driver"):
                place.server.post(event)
        with pytest.raises(ValueError, match="Disconnect"):
            place.server.post(Disconnect(connection, Reason.QUIT, Cause.ASKED, ""))


async def test_an_encrypted_link_is_not_offered_compression(autojump_clock: trio.testing.MockClock) -> None:
    """Lengths would reveal its content."""
    mccp2 = bytes((255, 251, 86))
    async with open_house(Hooks()) as house:
        plain, secret = await house.connect(), FakeTransport()
        secret.is_secure = True
        house.listener.connect(secret)
        await settled()
        assert mccp2 in b"".join(plain.sent)
        assert mccp2 not in b"".join(secret.sent)


async def test_the_charset_that_is_preferred_holds_on_an_encrypted_link(autojump_clock: trio.testing.MockClock) -> None:
    """Its engine is not the one that it was created with."""
    async with open_house(Hooks()) as house:
        secret = FakeTransport()
        secret.is_secure = True
        house.listener.connect(secret)
        await settled()
        connection = first_connection(house.server)
        connection.client.prefer(charset="latin-1")
        connection.write("café")
        await settled()
        assert "café\r\n".encode("latin-1") in b"".join(secret.sent)


async def test_neither_can_subclasses_of_them_nor_lines(mud: OpenMud, witness: EventLog) -> None:
    class MyDisconnect(Disconnect):
        """Would take a living player off the list."""

    async with mud(witness.hooks) as place:
        await place.player()
        connection = first_connection(place.server)
        for event in (MyDisconnect(connection, Reason.QUIT, Cause.ASKED, ""), Input(connection, "look")):
            with pytest.raises(ValueError, match="only the driver"):
                place.server.post(event)
        assert connection in place.server.connections


async def test_a_unix_socket_serves_like_any_stream(tmp_path: Path) -> None:
    with trio.socket.socket(trio.socket.AF_UNIX) as sock:
        await sock.bind(str(tmp_path / "door"))
        sock.listen()
        server = MasterServer(Hooks())
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, [trio.SocketListener(sock)])
            async with await trio.open_unix_socket(str(tmp_path / "door")) as stream:
                assert (await stream.receive_some(1)) == b"\xff"
            server.shutdown(within=1)


@pytest.mark.parametrize("owner", ["server", "session"])
async def test_work_that_fails_is_logged_by_its_owner_and_costs_nobody_else(
    mud: OpenMud, talkers: EventLog, caplog: pytest.LogCaptureFixture, owner: str
) -> None:
    async def count_the_stars() -> None:
        raise ArithmeticError("too many stars")

    async with mud(talkers.hooks, allow_errors=True) as place:
        player = await place.player()
        session = place.server.sessions.enter("ann", first_connection(place.server))
        (place.server if owner == "server" else session).start_soon(count_the_stars)
        await settled()
        await player.type("hello")
        await player.sees("you said hello")
    [failure] = [record.getMessage() for record in caplog.records if record.exc_info]
    assert failure.startswith("work count_the_stars at ")
    assert failure.endswith("failed for the server" if owner == "server" else "failed for <Session 'ann'>")


async def test_a_function_that_has_no_need_to_wait_does_not_fail_when_the_time_is_up(mud: OpenMud) -> None:
    hooks, told = Hooks(), list[str]()
    hooks.on(Input)(waits(math.inf))

    @hooks.on(Disconnect)
    async def note(event: Disconnect) -> None:
        told.append(str(event.cause))

    async with mud(hooks, limits=Limits(hook_timeout=None, cleanup_timeout=1), allow_errors=True) as place:
        player = await place.player()
        await player.type("wait")
        await settled()
        place.server.abort()
        await place.server.closed.wait()
        assert told == [str(Cause.CANCELLED)]
        assert place.server.counters["hooks failed"] == 1  # the one that was cut


def test_the_settings_that_serve_run_and_the_test_kit_pass_on_are_those_of_a_server() -> None:
    parameters = inspect.signature(MasterServer).parameters.values()
    assert {one.name for one in parameters if one.kind is one.KEYWORD_ONLY} == set(ServerSettings.__annotations__)
