"""A game as a program of its own: what signals, a stopped process and a deaf client do to it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).resolve().parent.parent
PATIENCE = 40  # seconds for a process to do what it should; a busy machine needs a few

CLOCKWORK = """
import time
import trio
from trio_mud import Admitted, Hooks, Input, Limits, Started, run

hooks = Hooks()
ticks = []


@hooks.on(Started)
def wind_up(event):
    began = time.monotonic()
    event.server.every(0.05, lambda: ticks.append(time.monotonic() - began))


@hooks.on(Admitted)
def greet(event):
    event.connection.write("ready")


@hooks.on(Input)
def obey(event):
    guest = event.connection
    match event.line:
        case "ticks":
            guest.write(" ".join(f"{tick:.4f}" for tick in ticks) + " that is all")
        case "story":
            for number in range(100):
                guest.write("and so on " * 1000)
        case "stumble":
            raise ValueError("x" * 5000)
        case "spin":
            while True:
                pass
        case "swallow":
            guest.start_soon(swallow)
        case "swallow for the server":
            guest.server.start_soon(swallow)


async def swallow():
    while True:
        try:
            await trio.sleep(0.01)
        except BaseException:
            pass


limits = Limits(
    max_per_address=None, accept_rate_per_address=None, shutdown_timeout=1.5, cleanup_timeout=0.5, linger_timeout=0.2,
    write_stall_timeout=None, quit_timeout=60,
    watchdog_timeout=0.2,
)
run(hooks, host="127.0.0.1", port=0, limits=limits)
"""


@contextmanager
def clockwork(folder: Path, *, stderr: int = subprocess.PIPE) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The program, and the port it listens at; killed if it is still there at the end."""
    (folder / "clockwork.py").write_text(CLOCKWORK, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "clockwork.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=environment,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline().split()[-1])
        finally:
            process.kill()


@contextmanager
def calling(port: int, *, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    with socket.socket() as player:
        if receive_buffer is not None:
            player.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        player.settimeout(PATIENCE)
        player.connect(("127.0.0.1", port))
        hear(player, b"ready")
        yield player


def hear(player: socket.socket, text: bytes) -> bytes:
    heard = b""
    while text not in heard:
        data = player.recv(4096)
        assert data, heard
        heard += data
    return heard


def ticks_of(player: socket.socket) -> list[float]:
    """When it has ticked so far, in seconds."""
    player.sendall(b"ticks\r\n")
    told = hear(player, b"that is all").decode()
    return [float(word) for word in told.split() if "." in word]


def test_a_process_that_was_stopped_makes_up_for_no_tick(tmp_path: Path) -> None:
    """A18: it goes on with the next tick, and its players are still there."""
    with clockwork(tmp_path) as (process, port), calling(port) as player:
        while not (before := ticks_of(player)):
            time.sleep(0.05)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)  # it has stopped
        time.sleep(1)
        process.send_signal(signal.SIGCONT)
        while len(after := ticks_of(player)) < len(before) + 5:
            time.sleep(0.05)
    gap, start = max((later - earlier, later) for earlier, later in pairwise(after))
    assert gap > 0.999  # the second it was stopped for: a busy machine can only lengthen it
    assert sum(start <= tick < start + 0.05 for tick in after) <= 2  # in a second it would have been twenty


def test_a_signal_ends_it_in_time_although_clients_read_nothing(tmp_path: Path) -> None:
    """O2, I-18: `drain` applies, not the minute of `quit_timeout`, and the honest client reads the farewell."""
    with clockwork(tmp_path) as (process, port), ExitStack() as stack:
        for _ in range(5):
            deaf = stack.enter_context(calling(port, receive_buffer=4096))
            deaf.sendall(b"story\r\n" * 20)
        honest = stack.enter_context(calling(port))
        process.send_signal(signal.SIGTERM)
        assert hear(honest, b"\r\n")
        honest.close()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def spin_on(process: subprocess.Popen[str]) -> None:
    """Wait until a process that computes has done so for a while, and so has taken the signals sent to it."""
    if sys.platform != "linux":
        time.sleep(1)
        return
    until = cpu_ticks(process) + 20  # of a hundred a second
    while cpu_ticks(process) < until:
        time.sleep(0.02)


def cpu_ticks(process: subprocess.Popen[str]) -> int:
    """How long it has computed, in the kernel's ticks."""
    return int(Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[11])


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_even_a_program_that_spins(tmp_path: Path, first: signal.Signals) -> None:
    """O3, O12, A3: by the signal's default action, because the event loop cannot handle it."""
    with clockwork(tmp_path) as (process, port), calling(port) as player:
        player.sendall(b"spin\r\n")
        assert process.stderr is not None
        assert any("the event loop has been blocked" in line for line in process.stderr)
        process.send_signal(first)
        spin_on(process)  # two of a kind at once are one to the kernel
        process.send_signal(signal.SIGINT)
        complaints = process.stderr.read()
        process.wait(PATIENCE)
    assert process.returncode == 130
    assert "the process is ended without saving" in complaints


def run_program(folder: Path, program: str, *, stderr: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program of an author's to its end."""
    (folder / "tavern.py").write_text(program, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "tavern.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if stderr is None else stderr,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        timeout=PATIENCE,
        check=False,
    )


def full_pipe() -> tuple[int, int]:
    """A pipe that is full: a writer waits."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 512)
    with suppress(BlockingIOError):
        os.write(writer, b"x")
    os.set_blocking(writer, True)
    return reader, writer


def test_a_log_that_nobody_reads_stops_neither_the_players_nor_a_signal(tmp_path: Path) -> None:
    """K5, O7: standard error is a full pipe; lines are dropped, and the program ends as it should."""
    reader, writer = full_pipe()
    with clockwork(tmp_path, stderr=writer) as (process, port):
        os.close(writer)
        with calling(port) as player:
            for _ in range(3):
                player.sendall(b"stumble\r\n")
                hear(player, b"Something went wrong")
            process.send_signal(signal.SIGTERM)
            assert hear(player, b"closing its doors")
        assert process.wait(PATIENCE) == 0
    os.close(reader)


def test_a_program_that_spins_is_ended_although_nobody_reads_its_log(tmp_path: Path) -> None:
    """K5: the forced exit waits for no stream."""
    reader, writer = full_pipe()
    with clockwork(tmp_path, stderr=writer) as (process, port), calling(port) as player:
        os.close(writer)
        player.sendall(b"spin\r\n")
        spin_on(process)
        process.send_signal(signal.SIGTERM)
        spin_on(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 130
    os.close(reader)


@pytest.mark.parametrize(
    ("started", "status", "said"),
    [
        ("raise LookupError('no world')", 1, ["LookupError: no world"]),
        ("sys.exit(9)", 9, []),
        ("sys.exit('no database')", 1, ["no database"]),
        ("raise KeyboardInterrupt", 130, []),
        ("event.server.shutdown()", 0, []),
    ],
)
def test_a_function_on_started_decides_how_the_program_ends(
    tmp_path: Path, started: str, status: int, said: list[str]
) -> None:
    """K11: one traceback at most, and none for an intended exit."""
    program = f"""
import sys
from trio_mud import Hooks, Started, run

hooks = Hooks()


@hooks.on(Started)
def prepare(event):
    {started}


run(hooks, host="127.0.0.1", port=0)
"""
    ended = run_program(tmp_path, program)
    assert ended.returncode == status
    lines = ended.stderr.splitlines()
    assert lines[len(lines) - len(said) :] == said
    assert ended.stderr.count("Traceback") == (status == 1 and "raise" in started)
    assert len(lines) <= 2 or "raise L" in started
    if status:
        assert f"hook prepare at {tmp_path}/tavern.py:10 " in lines[0]


@pytest.mark.parametrize(
    ("place", "status", "said"),
    [
        (
            "host='127.0.0.1', port=PORT",
            75,
            "cannot bind 127.0.0.1 port PORT: Address already in use; choose another with port=",
        ),
        (
            "host='no-such-host.invalid', port=0",
            2,
            "host 'no-such-host.invalid' is unknown; choose another with host=",
        ),
    ],
)
def test_a_program_that_cannot_listen_says_so_in_one_line(tmp_path: Path, place: str, status: int, said: str) -> None:
    """K11: with the same exit status as the command line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        program = f"from trio_mud import Hooks, run\nrun(Hooks(), {place.replace('PORT', port)})"
        ended = run_program(tmp_path, program)
    assert (ended.returncode, ended.stderr) == (status, said.replace("PORT", port) + "\n")


def test_a_program_without_functions_says_so(tmp_path: Path) -> None:
    """K11: `hooks.on(Input)` above a function, without its @, or a second Hooks()."""
    program = """
from trio_mud import Hooks, Input, run

hooks = Hooks()
hooks.on(Input)


def talk(event):
    event.connection.write("Hello.")


run(hooks, host="127.0.0.1", port=0, on_open=lambda server, places: server.shutdown())
"""
    ended = run_program(tmp_path, program)
    assert (ended.returncode, ended.stderr.count("\n")) == (0, 1)
    assert "Z [warning] the game has no hooks" in ended.stderr


@pytest.mark.parametrize("program", ["clockwork.py", "-m trio_mud run quiet:hooks --host 127.0.0.1 --port 0"])
def test_a_program_without_a_standard_error_serves(tmp_path: Path, program: str) -> None:
    """K5: as old daemons start it; no socket gets the number of standard error."""
    (tmp_path / "clockwork.py").write_text(CLOCKWORK, encoding="utf-8")
    (tmp_path / "quiet.py").write_text("from trio_mud import Hooks\nhooks = Hooks()\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        ["/bin/sh", "-c", f"exec {sys.executable} {program} 2>&-"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            assert process.stdout is not None
            port = next(int(found[1]) for line in process.stdout if (found := re.search(r" (\d+)$", line)))
            socket.create_connection(("127.0.0.1", port)).close()
            assert Path(f"/proc/{process.pid}/fd/2").readlink() == Path(os.devnull)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("line", "whose"), [("swallow", "for guest-1 (#1)"), ("swallow for the server", "for the server")]
)
def test_a_process_whose_work_swallows_its_cancellation_names_it_and_ends(
    tmp_path: Path, line: str, whose: str
) -> None:
    with clockwork(tmp_path) as (process, port), calling(port) as player:
        player.sendall(f"{line}\r\nticks\r\n".encode())
        hear(player, b"that is all")
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    (named,) = [line for line in complaints.splitlines() if "does not end:" in line and "swallow at " in line]
    assert f"work swallow at {tmp_path / 'clockwork.py'}:" in named
    assert f" {whose} was cancelled and does not end: let trio.Cancelled pass" in named
    assert "the process is ended without saving" in complaints
