"""The watchdog: in real time, because it watches code that stops virtual time too."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from trio_mud import Admitted, Dialog, Hooks, Input, Limits, MasterServer, SessionStarted, Texts
from trio_mud.driver.server.watchdog import Watchdog
from trio_mud.testing import OpenMud, Pipe, PipeListener

from ..conftest import EventLog

CHECKOUT = Path(__file__).resolve().parent.parent.parent.parent
PATIENCE = 40  # seconds for what takes one or two; a busy machine needs more

MILL = """
import time
from trio_mud import Admitted, Hooks, Input, run, Limits

hooks = Hooks()


@hooks.on(Admitted)
def greet(event):
    event.connection.write("The mill is quiet.")


def grind(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


@hooks.on(Input)
def work(event):
    grind(float(event.line))
    event.connection.write("flour")


run(hooks, host="127.0.0.1", port=0, limits=Limits(watchdog_timeout=0.3, watchdog_abort_timeout=ABORT))
"""


def work_until_told(caplog: pytest.LogCaptureFixture, times: int = 1) -> None:
    """Compute, without a checkpoint, until the watchdog has reported this function this often, and then for a while."""
    until = time.monotonic() + PATIENCE
    while len(told_of(caplog, "work_until_told")) < times:
        assert time.monotonic() < until, "the watchdog does not notice"
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        pass


async def type_lines(hooks: Hooks, *lines: str, limits: Limits) -> MasterServer:
    """Serve one player in real time, under the watchdog, which types these lines and leaves."""
    server, listener, pipe = MasterServer(hooks, limits=limits, texts=Texts(shutdown="")), PipeListener(), Pipe()
    async with trio.open_nursery() as nursery:
        with Watchdog(server):
            await nursery.start(server.serve, [listener])
            listener.connect(pipe)
            await pipe.client.send_all("".join(f"{line}\r\n" for line in lines).encode())
            await pipe.client.send_eof()
            while await pipe.client.receive_some():
                pass
            server.shutdown()
            await server.closed.wait()
    return server


def told(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Return the watchdog's records of a level: at least those caused by a test, more if the machine stalls."""
    messages = [record.getMessage() for record in caplog.records if record.levelno == level]
    return [message for message in messages if "the event loop" in message]


def told_of(caplog: pytest.LogCaptureFixture, function: str) -> list[str]:
    """The messages of the watchdog with this function in the stack."""
    return [
        record.getMessage()
        for record in list(caplog.records)
        if record.exc_info and function in [frame.name for frame in traceback.extract_tb(record.exc_info[2])]
    ]


def test_a_function_that_computes_too_long_is_told_of_once_with_its_stack_and_its_player(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A3."""
    hooks = Hooks()

    @hooks.on(Input)
    def grind(event: Input) -> None:
        if event.line == "grind":
            work_until_told(caplog)

    server = trio.run(partial(type_lines, hooks, "look", "grind", limits=Limits(watchdog_timeout=0.1)))

    [first] = told_of(caplog, "work_until_told")
    place = rf"grind at {re.escape(__file__)}:{grind.__code__.co_firstlineno + 3}"  # the line that does not return
    assert re.fullmatch(rf"the event loop has been blocked for \d+\.\d s in {place}, for Input of .*guest-1.*", first)
    second = told(caplog, logging.WARNING)[-1]
    assert re.fullmatch(r"the event loop runs again after it was blocked for \d+\.\d s", second)
    assert len(told(caplog, logging.WARNING)) == len(told(caplog, logging.ERROR)) == server.counters["stood still"]


def test_the_watchdog_calls_no_code_of_the_game_to_describe_an_event(caplog: pytest.LogCaptureFixture) -> None:
    """It runs in another thread, and what the loop's function holds it would wait for."""
    described = []

    class Key:
        def __repr__(self) -> str:
            described.append(threading.current_thread().name)
            raise AttributeError("not loaded yet")

    hooks = Hooks()

    @hooks.on(Input)
    def enter(event: Input) -> None:
        event.connection.server.sessions.enter(Key(), event.connection)

    @hooks.on(SessionStarted)
    def work(event: SessionStarted) -> None:
        work_until_told(caplog)

    trio.run(partial(type_lines, hooks, "look", limits=Limits(watchdog_timeout=0.1)))

    [message] = told_of(caplog, "work")
    assert message.endswith("for SessionStarted of the session of a Key")
    assert "trio_mud watchdog" not in described


def test_a_function_that_only_waits_is_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    async def wait(event: Input) -> None:
        await trio.sleep(1)

    server = trio.run(partial(type_lines, hooks, "look", limits=Limits(watchdog_timeout=0.3)))

    assert told(caplog, logging.ERROR) == []
    assert server.counters["stood still"] == 0


def test_a_waiting_function_that_computes_between_two_waits_is_told_of_too(caplog: pytest.LogCaptureFixture) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    async def ponder(event: Input) -> None:
        await trio.sleep(0.01)
        work_until_told(caplog)

    trio.run(partial(type_lines, hooks, "look", limits=Limits(watchdog_timeout=0.1)))

    [message] = told_of(caplog, "ponder")
    assert re.search(rf" s in ponder at {re.escape(__file__)}:\d+, for Input of", message)


def test_a_dialog_that_computes_is_told_of_by_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    hooks = Hooks()

    async def login(dialog: Dialog) -> None:
        await dialog.ask("Name? ")
        work_until_told(caplog)

    hooks.on(Admitted)(lambda event: event.connection.start_dialog(login))

    trio.run(partial(type_lines, hooks, "ann", limits=Limits(watchdog_timeout=0.1)))

    [message] = told_of(caplog, "login")
    assert re.search(rf" s in login at {re.escape(__file__)}:\d+$", message)


def test_each_time_is_told_of_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    async def grind_and_rest(event: Input) -> None:
        work_until_told(caplog, int(event.line))
        with trio.fail_after(PATIENCE):
            while len(told(caplog, logging.WARNING)) < len(told(caplog, logging.ERROR)):  # noqa: ASYNC110
                await trio.sleep(0.01)

    server = trio.run(partial(type_lines, hooks, "1", "2", limits=Limits(watchdog_timeout=0.1)))

    assert len(told_of(caplog, "grind_and_rest")) == 2
    assert len(told(caplog, logging.WARNING)) == len(told(caplog, logging.ERROR)) == server.counters["stood still"]


def test_switched_off_there_is_no_thread() -> None:
    async def main() -> None:
        before = threading.active_count()
        with Watchdog(MasterServer(Hooks(), limits=Limits(watchdog_timeout=None))):
            assert threading.active_count() == before

    trio.run(main)


def test_the_thread_goes_with_the_block() -> None:
    async def main() -> None:
        before = threading.active_count()
        with Watchdog(MasterServer(Hooks())):
            assert threading.active_count() == before + 1
        assert threading.active_count() == before

    trio.run(main)


class ClearedLate(threading.Event):
    """An event that is cleared only once it has been set, as by a thread that was held up for a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.about_to_clear, self.was_set = threading.Event(), threading.Event()

    def set(self) -> None:
        super().set()
        self.was_set.set()

    def clear(self) -> None:
        self.about_to_clear.set()
        self.was_set.wait(PATIENCE)
        super().clear()


def test_a_block_left_at_the_moment_of_a_question_does_not_wait_for_its_answer() -> None:
    async def main() -> None:
        with Watchdog(MasterServer(Hooks(), limits=Limits(watchdog_timeout=0.1))) as watchdog:
            watchdog._answered = answered = ClearedLate()
            assert answered.about_to_clear.wait(PATIENCE)

    trio.run(main)


async def test_in_virtual_time_nobody_watches(mud: OpenMud, witness: EventLog) -> None:
    before = threading.active_count()
    async with mud(witness.hooks, limits=Limits(watchdog_timeout=0.001)) as place:
        await place.player()
        assert threading.active_count() == before


# In a process of its own


@contextmanager
def mill(folder: Path, *, abort: float | None) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """A program that spins for as many seconds as its player types, and that player."""
    (folder / "mill.py").write_text(MILL.replace("ABORT", repr(abort)), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "mill.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().split()[-1])
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as player:
                heard = b""
                while b"quiet" not in heard:
                    heard += player.recv(4096)
                yield process, player
        finally:
            process.kill()


@pytest.mark.slow
def test_a_process_that_spins_for_ever_says_where_and_is_ended(tmp_path: Path) -> None:
    """A3: the log is there, and after `watchdog_abort_timeout` the process is not."""
    with mill(tmp_path, abort=1.0) as (process, player):
        player.sendall(b"1e9\r\n")
        assert process.stderr is not None
        said = next(line for line in process.stderr if "the event loop has been blocked for" in line)
        rest = process.stderr.read()  # to its end
        process.wait(PATIENCE)

    assert "Input of" in said
    assert process.returncode == 1
    assert "in grind\n" in rest.split("the process is ended without saving")[0]
    assert "in grind\n" in rest.split("the process is ended without saving")[1]  # the stacks of all threads


@pytest.mark.slow
def test_a_process_that_was_stopped_is_not_blamed_for_it(tmp_path: Path) -> None:
    """A18: the time was not spent by the game, and is no reason to end the process."""
    with mill(tmp_path, abort=0.5) as (process, player):
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)  # it has stopped
        time.sleep(0.8)
        process.send_signal(signal.SIGCONT)
        player.sendall(b"0\r\n")
        assert player.recv(4096).strip() == b"flour"

        player.close()
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert "the event loop" not in complaints
