"""A program in a terminal of its own: what it shows is read, what is typed goes to it, and it ends with the test."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import trio

PATIENCE = 20.0  # seconds for anything that is expected of a program; a busy machine needs some
COLUMNS, ROWS = 80, 24

# Debian keeps games out of the way, and pip puts programs beside its Python.
SEARCHED = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), "/usr/games"))
GLANCE = 0.01  # seconds between two looks at what another process does

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])|[\x00\x07]")


class RunningProgram:
    """One running program. Made by `run`."""

    def __init__(self, program: subprocess.Popen[bytes], master: int, answers: Mapping[bytes, bytes]) -> None:
        self.program = program
        self._master = master
        self._answers = answers
        self._keyboard = trio.Lock()  # a test types while the terminal itself answers a question
        self.shown = bytearray()  # as it came, escapes and all

    @property
    def screen(self) -> str:
        """All that was ever shown, without escape sequences."""
        return _ESCAPES.sub("", self.shown.decode("utf-8", "replace"))

    @property
    def echoes(self) -> bool:
        """Whether the terminal itself shows what is typed; off for programs that do that themselves, or hide it."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    async def sees(self, text: str) -> None:
        """Wait until a text has been shown."""
        await until(lambda: text in self.screen, lambda: f"{text!r}; shown is:\n{self.screen}")

    async def types(self, line: str) -> None:
        """Type a line and press Enter, as a terminal sends it."""
        await self.presses(line.encode() + b"\r")

    async def presses(self, keys: bytes) -> None:
        """Press keys that send these bytes."""
        async with self._keyboard:
            await trio.lowlevel.wait_writable(self._master)
            os.write(self._master, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Resize the window: the kernel notifies the program by SIGWINCH."""
        _set_size(self._master, columns, rows)

    def kill(self) -> None:
        """End the program as a crash does."""
        self.program.send_signal(signal.SIGKILL)

    async def has_ended(self) -> None:
        """Wait for its end."""
        await until(lambda: self.program.poll() is not None, lambda: f"its end; shown is:\n{self.screen}")

    async def read_on(self) -> None:
        """Read its screen forever, so that it never waits for the test."""
        while True:
            await trio.lowlevel.wait_readable(self._master)
            try:
                data = os.read(self._master, 65536)
            except OSError as error:
                if error.errno != errno.EIO:  # Linux says so when nobody has the other end open any more
                    raise
                data = b""
            if not data:
                await trio.sleep_forever()
            self.shown += data
            for question, answer in self._answers.items():
                if question in data:
                    await self.presses(answer)


@contextlib.asynccontextmanager
async def run(
    command: Sequence[str], home: Path, answers: Mapping[bytes, bytes] | None = None
) -> AsyncIterator[RunningProgram]:
    """Run a program in a terminal of 80 by 24; it is killed at the end, if it has not ended by itself.

    Args:
        command: The program and its arguments.
        home: An empty folder: what a user has configured must not decide anything.
        answers: What the terminal answers to questions of the program, such as for the place of its cursor.
    """
    master, slave = pty.openpty()
    _set_size(master, COLUMNS, ROWS)
    os.set_blocking(master, False)
    variables = {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": SEARCHED,
        "TERM": "xterm-256color",
    }
    try:
        # setsid makes the terminal the program's own, so that the kernel tells it of every resize.
        program = subprocess.Popen(  # noqa: ASYNC220 - it is started in a moment, and watched without waiting
            ["setsid", "--ctty", *command], stdin=slave, stdout=slave, stderr=slave, env=variables, cwd=home
        )
    finally:
        os.close(slave)
    try:
        terminal = RunningProgram(program, master, answers or {})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(terminal.read_on)
            yield terminal
            nursery.cancel_scope.cancel()
    finally:
        program.kill()
        program.wait()
        os.close(master)


def _set_size(fileno: int, columns: int, rows: int) -> None:
    fcntl.ioctl(fileno, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


async def until(is_so: Callable[[], bool], what: Callable[[], str]) -> None:
    """Wait for a condition that another process brings about; fail after a time-out, naming the condition."""
    with trio.move_on_after(PATIENCE):
        while not is_so():  # noqa: ASYNC110 - nobody tells us
            await trio.sleep(GLANCE)
        return
    raise AssertionError(f"waited {PATIENCE:g} s for {what()}")
