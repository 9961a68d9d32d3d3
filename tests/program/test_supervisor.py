"""The supervisor of `trio-mud serve`, without processes: how long it waits before it starts one again."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from trio_mud.program.supervisor import LONGEST_PAUSE, QUICK, URGENT_PAUSE, ChildFailed, ClusterSupervisor, _Child


class LackedProcess(_Child):
    """A spare without a process."""

    def __init__(self) -> None:
        ours, self._theirs = socket.socketpair()
        super().__init__("world", ours, cast("trio.Process", SimpleNamespace(pid=4711, returncode=2)), lambda: None)

    def close(self) -> None:
        self._stream.socket.close()
        self._theirs.close()


async def pauses(*lives: float, is_urgent: bool = False) -> list[float]:
    """Return the pauses after spares that have lived so long."""
    with closing(LackedProcess()) as child:
        supervisor, pause, found = ClusterSupervisor([], [], Path("inn.serve")), 0.0, []
        for life in lives:
            child.began = trio.current_time() - life
            began = trio.current_time()
            pause = await supervisor._note_end(child, pause, lambda: is_urgent)
            found.append(trio.current_time() - began)
    return found


async def test_a_spare_that_ends_at_once_is_started_after_longer_and_longer_pauses(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert await pauses(*[0.1] * 8) == [0.5, 1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE]
    assert caplog.messages[1] == "the spare, process 4711, has ended with status 2: another one is started within 1 s"


async def test_players_never_wait_for_a_long_pause(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    assert await pauses(*[0.1] * 8, is_urgent=True) == [0.5, 1, *[URGENT_PAUSE] * 6]
    assert caplog.messages[-1].endswith("another one is started within 2 s")


async def test_a_pause_is_cut_short_when_the_last_world_ends(autojump_clock: MockClock) -> None:
    supervisor = ClusterSupervisor([], [], Path("inn.serve"))
    with closing(LackedProcess()) as world, closing(LackedProcess()) as spare:
        supervisor._worlds = [world]

        async def kill_world() -> None:
            await trio.sleep(3)
            world.ended.set()
            supervisor._change()

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kill_world)
            await supervisor._note_end(spare, LONGEST_PAUSE, supervisor._lacks_world)
        assert trio.current_time() - began == 3 + URGENT_PAUSE


async def test_a_process_that_has_lived_for_a_while_is_started_at_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert await pauses(0.1, 0.1, QUICK, 0.1) == [0.5, 1, 0, 0.5]
    assert caplog.messages[2] == "the spare, process 4711, has ended with status 2: another one is started"


async def test_the_log_says_that_a_spare_takes_over_if_there_is_one(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(LackedProcess()) as world, closing(LackedProcess()) as spare:
        supervisor = ClusterSupervisor([], [], Path("inn.serve"))
        world.serving.set()
        for spares in ([], [spare]):
            supervisor._worlds = list(spares)
            await supervisor._note_end(world, 0, lambda: False)
            spare.ready.set()
    ended = "the world, process 4711, has ended with status 2: "
    assert caplog.messages[0].startswith(f"{ended}another one is started")
    assert caplog.messages[1].startswith(f"{ended}the spare takes over, and another one is started")


async def test_a_process_that_ends_with_a_message_unread_does_not_end_its_supervisor() -> None:
    with closing(LackedProcess()) as child:
        await child.reopen_log()
        child._theirs.close()  # Linux reports a reset to the other side, since it has not read everything
        with trio.fail_after(5):
            await child._read()


async def test_a_report_that_cannot_be_read_is_logged_and_the_next_one_counts(caplog: pytest.LogCaptureFixture) -> None:
    with closing(LackedProcess()) as child:
        child._theirs.send(b"\xff\xfe\nready {\nready\n" + b"x" * 100 + b'\nready "telnet inn 4000"\n')
        child._theirs.close()
        with trio.fail_after(5):
            await child._read()
        assert child.text == "telnet inn 4000"
    assert len(caplog.messages) == 4
    assert caplog.messages[0] == "the world, process 4711, has reported b'\\xff\\xfe', which is ignored"


async def test_the_end_of_a_process_is_described_with_its_error(caplog: pytest.LogCaptureFixture) -> None:
    with closing(LackedProcess()) as child:
        assert child.end_described == "has ended with status 2: see the log"
        child._theirs.send(b'failed "KeyError: 1 (game.py, line 3, in begin)"\n')
        child._theirs.close()
        await child._read()
        assert child.end_described == "has ended with status 2: KeyError: 1 (game.py, line 3, in begin)"


async def test_a_process_that_the_system_cannot_start_is_tried_again(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor, tries = ClusterSupervisor(["/none/python"], [], Path("inn.serve")), list[float]()

    async def start() -> None:
        tries.append(trio.current_time())
        if len(tries) < 3:
            await supervisor._start_gateway()

    async with trio.open_nursery() as supervisor._nursery:
        with pytest.raises(ChildFailed, match=r"cannot start the gateway: .*No such file"):
            await supervisor._start_gateway()
        await supervisor._start_again(start)
    assert [later - tries[0] for later in tries] == [0, URGENT_PAUSE, 2 * URGENT_PAUSE]
    assert caplog.messages[0].startswith("cannot start the gateway: [Errno 2] No such file or directory")


async def test_many_signals_during_a_hand_over_are_one_more(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor, began = ClusterSupervisor([], [], Path("inn.serve")), list[float]()

    async def hand_over() -> float:
        began.append(trio.current_time())
        await trio.sleep(10)
        return 10.0

    monkeypatch.setattr(supervisor, "_hand_over", hand_over)
    since = trio.current_time()
    async with trio.open_nursery() as supervisor._nursery:
        for _ in range(20):
            supervisor._hand_over_soon()
            await trio.sleep(0.1)
    assert [round(at - since) for at in began] == [0, 10]
