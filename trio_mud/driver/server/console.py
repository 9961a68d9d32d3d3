"""The console: a Unix socket by which an operator asks and directs a running server, even one whose game is blocked.

Threads answer it. `status`, `stack`, `tasks` and `kill` need no event loop; every other command is run in the event
loop by `MasterServer.operator_commands`, and is given up if the loop does not take it.

The protocol: the client sends one line in UTF-8. The answer is a line `0`, or `1` if the command was not done, and then
text up to the end of the file. Each connection carries one command, so that a silent client costs a thread for five
seconds and nothing else.

Used by `run` and the command line; `trio_mud.program.admin_command` is the client. It works on Unix only.
"""

from __future__ import annotations

import errno
import inspect
import logging
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import trio

from ...errors import ReloadFailed, TrioMudError
from ...transports.unix import bind, is_own, remove_own
from .operator import ConsoleOperator
from .server import MasterServer
from .stacks import activity_of
from .task_report import report_tasks
from .watchdog import end_process

logger = logging.getLogger("trio_mud")

__all__ = ["CannotOpenConsole", "Console"]

EXIT_KILLED: Final = 1  # as for any crash
EXIT_UNAVAILABLE: Final = 75  # EX_TEMPFAIL of sysexits.h
MAX_REQUEST: Final = 8 * 1024  # bytes of a command
MAX_CLIENTS: Final = 16  # that are answered at a time; others read that the console is busy
BACKLOG: Final = 128  # clients that wait to be accepted
CLIENT_TIMEOUT: Final = 5.0  # seconds for a client to send its command, and as many to take the answer
LOOP_TIMEOUT: Final = 2.0  # seconds until the event loop takes a command
STATUS_TIMEOUT: Final = 0.1  # the same for `status`, which answers in any case
COMMAND_TIMEOUT: Final = 30.0  # seconds for a command that the event loop has taken
PAUSE: Final = 0.1  # seconds between two attempts to accept without resources

HELP: Final = """\
status      what the server does, and how many connections it has
stack       the function that the event loop runs now
tasks       all tasks, and the scopes of each connection
kill        end the process at once, without saving
These work while the game is blocked. The others do not:"""
OF_GATEWAYS: Final = "waiting"
HINT_OF_GATEWAYS: Final = (
    f"`{OF_GATEWAYS}` is a command of gateways: name the console of one with --console, as the gateway's log has it"
)
HELP_WITHOUT_GAME: Final = "reload      read the code of the game again, while it is played"


class CannotOpenConsole(TrioMudError):
    """The socket of the console cannot be created; the message names it and the reason.

    Attributes:
        status: The exit status of a program that ends by it.
        is_in_use: True if another server listens there.
    """

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"cannot open the console {path}: {error.strerror or error}")
        self.status = EXIT_UNAVAILABLE
        self.is_in_use = error.errno == errno.EADDRINUSE


class Console:
    """Answers operators during a `with` block.

    Args:
        server: The server.
        path: The socket, which only its owner may use; its folder is created if there is none. A socket that an ended
            server has left there is replaced.

    Raises:
        CannotOpenConsole: Another server listens there, or the socket cannot be created.
    """

    def __init__(self, server: MasterServer, path: Path, *, loop_timeout: float = LOOP_TIMEOUT) -> None:
        self._server = server
        self._path = path
        self._loop_timeout = loop_timeout
        self._began = time.monotonic()
        self._watched = threading.get_ident()
        self._token = trio.lowlevel.current_trio_token()
        self._root = trio.lowlevel.current_root_task()
        self._places = threading.Semaphore(MAX_CLIENTS)
        self._answers: dict[str, Callable[[ConsoleOperator], None]] = {
            "status": self._status,
            "stack": self._stack,
            "tasks": self._tasks,
            "help": self._help,
        }

    def __enter__(self) -> Self:
        try:
            self._listener = bind(self._path, backlog=BACKLOG)
        except OSError as error:
            raise CannotOpenConsole(self._path, error) from error
        self._inode = self._path.stat().st_ino
        self._spare = os.open(os.devnull, os.O_RDONLY)
        threading.Thread(target=self._accept, name="trio_mud console", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes up the thread that accepts
        self._listener.close()
        remove_own(self._path, self._inode)

    # The threads

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED):
                    os.close(self._spare)
                    return  # closed
                self._accept_with_spare()
                continue
            self._start(client)

    def _accept_with_spare(self) -> None:
        """Answer one client although the process has no file descriptor left: that is when an operator comes."""
        os.close(self._spare)
        with suppress(OSError):
            client, _ = self._listener.accept()
            self._serve(client)
        while True:
            try:
                self._spare = os.open(os.devnull, os.O_RDONLY)
            except OSError:
                time.sleep(PAUSE)
            else:
                return

    def _start(self, client: socket.socket) -> None:
        if self._places.acquire(blocking=False):
            with suppress(RuntimeError):  # no thread can be started
                threading.Thread(
                    target=self._serve_in_place, args=(client,), name="console client", daemon=True
                ).start()
                return
            self._places.release()
        with client, suppress(OSError):
            client.settimeout(PAUSE)
            client.sendall(b"1\nthe console is busy: try again in some seconds\n")

    def _serve_in_place(self, client: socket.socket) -> None:
        try:
            self._serve(client)
        finally:
            self._places.release()

    def _serve(self, client: socket.socket) -> None:
        is_killed = False
        with client, suppress(OSError):  # a client that disconnects, or that is too slow
            operator = ConsoleOperator()
            if not is_own(client):
                operator.fail("only the user of the server, and root, may use the console")
            else:
                is_killed = self._obey_guarded(operator, _read_line(client))
            client.settimeout(CLIENT_TIMEOUT)
            client.sendall(f"{int(operator.has_failed)}\n{operator.answer}".encode(errors="backslashreplace"))
        if is_killed:
            end_process(EXIT_KILLED, "an operator has killed the server: the process is ended without saving")

    def _obey_guarded(self, operator: ConsoleOperator, line: str | None) -> bool:
        """Answer a command as `_obey` does, also if that fails, since it reads what the loop is changing."""
        try:
            return self._obey(operator, line)
        except Exception as error:
            operator.fail(f"the console failed: {error!r}; try again")
            logger.exception("the console failed to answer %r", line)
            return False

    def _obey(self, operator: ConsoleOperator, line: str | None) -> bool:
        """Answer a command; return True if the process is to be ended afterwards."""
        verb = (line or "").casefold()
        if line is None:
            operator.fail(f"a command is one line of at most {MAX_REQUEST} bytes, sent within {CLIENT_TIMEOUT:g} s")
        elif verb == "kill":
            operator.write("the process is ended without saving")
        elif verb in self._answers:
            self._answers[verb](operator)
        elif line and not self._run_in_loop(operator, line, self._loop_timeout):
            operator.fail("the game does not answer: `stack` shows what it does, and `kill` ends the process")
        elif verb == OF_GATEWAYS and operator.has_failed:  # this process is none
            operator.write(HINT_OF_GATEWAYS)
        return verb == "kill"

    # The commands that need no event loop

    def _status(self, operator: ConsoleOperator) -> None:
        server, tree = self._server, self._server._tree
        operator.write(f"process {os.getpid()}, running for {time.monotonic() - self._began:.0f} s")
        operator.write(
            f"connections: {len(tree.accepted)} open, {len(server.connections)} admitted; "
            f"sessions: {len(server.sessions)}"
        )
        operator.write(", ".join(f"{what}: {number}" for what, number in sorted(server.counters.copy().items())))
        if self._run_in_loop(operator, "status", STATUS_TIMEOUT):
            operator.write("the event loop answers")
        else:
            activity = activity_of(sys._current_frames().get(self._watched))
            operator.write(
                f"the event loop does not answer within {STATUS_TIMEOUT:g} s"
                + (f": it is in {activity.where}" if activity.where else "")
                + (f", for {activity.event}" if activity.event else "")
            )

    def _stack(self, operator: ConsoleOperator) -> None:
        innermost = sys._current_frames().get(self._watched)
        activity = activity_of(innermost)
        operator.write("".join(traceback.format_tb(activity.trace)))
        operator.write(
            (f"the event loop is in {activity.where}" if activity.where else "the event loop runs no code of the game")
            + (f", for {activity.event}" if activity.event else "")
        )

    def _tasks(self, operator: ConsoleOperator) -> None:
        for line in report_tasks(self._root):
            if not operator.write(line):
                return

    def _help(self, operator: ConsoleOperator) -> None:
        operator.write(HELP)
        if not self._run_in_loop(operator, "help", STATUS_TIMEOUT):
            operator.write("the game does not answer, so they are not listed")

    # The commands that need it

    def _run_in_loop(self, operator: ConsoleOperator, line: str, patience: float) -> bool:
        """Run a command of the game; return False if the event loop does not take it, and it will never run."""
        command = _Command(self._server, operator, line)
        try:
            self._token.run_sync_soon(command.begin)
        except trio.RunFinishedError:
            operator.fail("the server has ended")
            return True
        if not command.taken.wait(patience) and command.withdraw():
            return False
        if not command.done.wait(COMMAND_TIMEOUT):
            operator.fail(f"the command runs for more than {COMMAND_TIMEOUT:g} s: its answer is not waited for")
        return True


class _Command:
    """One command of the game, on its way from a thread into the event loop."""

    def __init__(self, server: MasterServer, operator: ConsoleOperator, line: str) -> None:
        self._server, self._operator, self._line = server, operator, line
        self._lock = threading.Lock()
        self._is_withdrawn = False
        self.taken = threading.Event()
        self.done = threading.Event()

    def withdraw(self) -> bool:
        """Return True if the loop has not taken the command, and now never will: a late `shutdown` would surprise."""
        with self._lock:
            self._is_withdrawn = not self.taken.is_set()
            return self._is_withdrawn

    # In the event loop

    def begin(self) -> None:
        """Start the command as a task of the server."""
        with self._lock:
            if self._is_withdrawn:
                return
            self.taken.set()
        try:
            self._server.start_soon(self._run, name="console command")
        except RuntimeError:
            self._operator.fail("the server does not serve now")
            self.done.set()

    async def _run(self) -> None:
        try:
            commands = self._server.operator_commands
            if commands is not None:
                answer: Any = commands(self._operator, self._line)
                if inspect.isawaitable(answer):
                    await answer
            elif self._line == "reload":
                await self._reload()
            elif self._line == "help":
                self._operator.write(HELP_WITHOUT_GAME)
            elif self._line != "status":
                self._operator.fail(f"the game has no commands for operators; `help` lists the others: {self._line!r}")
        except Exception as error:
            self._operator.fail(f"the command failed: {error!r}")
            logger.exception("the command %r of an operator failed", self._line)
        finally:
            self.done.set()

    async def _reload(self) -> None:
        """Reload a game that has no commands for operators."""
        try:
            done = await self._server.reload()
        except ReloadFailed as error:
            self._operator.fail(f"nothing was reloaded: {error}")
        else:
            self._operator.write(
                f"{min(done.modules, key=len)} is reloaded: {len(done.modules)} modules, {done.records} records, "
                f"in {done.seconds * 1000:.0f} ms"
            )


def _read_line(client: socket.socket) -> str | None:
    """Return the line that a client sends; None if it is too long or does not come in time."""
    data, deadline = b"", time.monotonic() + CLIENT_TIMEOUT
    while b"\n" not in data:
        left = deadline - time.monotonic()
        if left <= 0 or len(data) > MAX_REQUEST:
            return None
        client.settimeout(left)
        try:
            received = client.recv(MAX_REQUEST)
        except TimeoutError:
            return None
        if not received:
            break
        data += received
    line = data.partition(b"\n")[0]
    return None if len(line) > MAX_REQUEST else line.decode(errors="replace").strip()
