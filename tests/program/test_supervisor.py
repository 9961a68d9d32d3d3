"""The supervisor of `trio-mud serve`, without processes: how long it waits before it starts one again."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from trio_mud.program.supervisor import LONGEST_PAUSE, QUICK, ClusterSupervisor, _Child


async def pauses(lives: list[float], caplog: pytest.LogCaptureFixture) -> list[float]:
    """Return the pauses after spares that have lived so long."""
    ours, theirs = socket.socketpair()
    process = cast("trio.Process", SimpleNamespace(pid=4711, returncode=2))
    with ours, theirs:
        child = _Child("world", ours, process, lambda: None)
        supervisor, pause, found = ClusterSupervisor([], [], Path("inn.serve")), 0.0, []
        for life in lives:
            child.began = trio.current_time() - life
            began = trio.current_time()
            pause = await supervisor._note_end(child, pause)
            assert trio.current_time() - began == pause
            found.append(pause)
    return found


async def test_a_process_that_ends_at_once_is_started_after_longer_and_longer_pauses(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert await pauses([0.1] * 8, caplog) == [0.5, 1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE]
    assert caplog.messages[1] == "the spare, process 4711, has ended with status 2: another one is started in 1 s"


async def test_a_process_that_has_lived_for_a_while_is_started_at_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert await pauses([0.1, 0.1, QUICK, 0.1], caplog) == [0.5, 1, 0, 0.5]
    assert caplog.messages[2] == "the spare, process 4711, has ended with status 2: another one is started"
