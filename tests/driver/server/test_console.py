"""The console: in real time and over real sockets, because it answers from threads while the game blocks the loop."""

from __future__ import annotations

import logging
import os
import socket
import stat
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.lowlevel
import trio.testing

from trio_mud import Connection, ConsoleOperator, Hooks, MasterServer, Reloaded, Started
from trio_mud.commands import Commands
from trio_mud.driver.server import console as module
from trio_mud.driver.server.console import CannotOpenConsole, Console
from trio_mud.driver.server.task_report import report_tasks
from trio_mud.errors import ReloadFailed
from trio_mud.program.admin_command import NoServer, Reply, ask
from trio_mud.testing import Pipe, PipeListener
from trio_mud.transports import unix

PATIENCE = 30.0  # seconds for a thread to do what it should


class Desk:
    """A server with a console, and the way to ask it."""

    def __init__(self, server: MasterServer, path: Path, listener: PipeListener) -> None:
        self.server, self.path, self.listener = server, path, listener

    async def ask(self, command: str) -> Reply:
        return await trio.to_thread.run_sync(ask, self.path, command)

    async def send(self, data: bytes, *, answers: bool = True) -> bytes:
        """Send raw bytes, and return the raw answer."""

        def talk() -> bytes:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(str(self.path))
                client.sendall(data)
                received = b""
                while answers and (more := client.recv(65536)):
                    received += more
                return received

        return await trio.to_thread.run_sync(talk)


@asynccontextmanager
async def open_desk(path: Path, hooks: Hooks | None = None, *, loop_timeout: float = PATIENCE) -> AsyncIterator[Desk]:
    server, listener = MasterServer(hooks or Hooks()), PipeListener()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [listener])
        with Console(server, path / "admin.sock", loop_timeout=loop_timeout):
            yield Desk(server, path / "admin.sock", listener)
        server.shutdown()


class Spinner:
    """A game whose `spin` blocks the event loop until an operator has asked what it wanted to ask."""

    def __init__(self) -> None:
        self.hooks = Hooks()
        self.is_spinning = threading.Event()
        self.may_go_on = threading.Event()
        self.hooks.on(Started)(self.obey)

    def obey(self, event: Started) -> None:
        event.server.operator_commands = self.answer

    def answer(self, operator: ConsoleOperator, line: str) -> None:
        operator.write(f"done: {line}")

    def spin(self) -> None:
        self.is_spinning.set()
        while not self.may_go_on.wait(0):
            pass

    async def during(self, server: MasterServer, ask_all: Callable[[], None]) -> None:
        """Block the loop in a function of the game, and call the function in a thread meanwhile."""

        def work() -> None:
            try:
                assert self.is_spinning.wait(PATIENCE)
                ask_all()
            finally:
                self.may_go_on.set()

        server.after(0.001, self.spin)
        await trio.to_thread.run_sync(work)


# While the game spins


async def test_a_blocked_game_is_named_by_its_line(tmp_path: Path) -> None:
    spinner, replies = Spinner(), dict[str, Reply]()
    async with open_desk(tmp_path, spinner.hooks, loop_timeout=0.05) as desk:
        await spinner.during(
            desk.server,
            lambda: replies.update(
                {verb: ask(desk.path, verb) for verb in ("stack", "status", "tasks", "help", "who")}
            ),
        )
    assert "spin at " in replies["stack"].text.splitlines()[-1]
    assert f"{__file__}" in replies["stack"].text
    assert "does not answer within 0.1 s" in replies["status"].text
    assert "spin at " in replies["status"].text
    assert "trio_mud server" in replies["tasks"].text
    assert "stack" in replies["help"].text
    assert replies["who"] == Reply(
        True, "the game does not answer: `stack` shows what it does, and `kill` ends the process"
    )


async def test_a_blocked_verb_of_the_game_is_named_and_not_the_library_that_runs_it(tmp_path: Path) -> None:
    spinner, replies, commands = Spinner(), list[Reply](), Commands[ConsoleOperator]()
    inner = spinner.spin

    @commands.verb("spin")
    def spin_by_name(who: ConsoleOperator) -> None:
        """Block the event loop."""
        inner()

    spinner.spin = partial(commands.run, ConsoleOperator(), "spin")  # type: ignore[assignment, method-assign]
    async with open_desk(tmp_path, spinner.hooks) as desk:
        await spinner.during(desk.server, lambda: replies.extend(ask(desk.path, verb) for verb in ("stack", "status")))
    assert all("in spin_by_name at " in reply.text.splitlines()[-1] for reply in replies)


async def test_a_command_that_was_given_up_never_runs(tmp_path: Path) -> None:
    spinner, done = Spinner(), list[str]()
    async with open_desk(tmp_path, spinner.hooks, loop_timeout=0.05) as desk:
        desk.server.operator_commands = lambda operator, line: done.append(line)
        await spinner.during(desk.server, lambda: assert_failed(ask(desk.path, "shutdown")))
        assert (await desk.ask("who")).has_failed is False
    assert done == ["who"]


def assert_failed(reply: Reply) -> None:
    assert reply.has_failed


# While it does not


async def test_a_command_of_the_game_is_run_in_its_loop_and_waited_for(tmp_path: Path) -> None:
    threads = set()

    async def answer(operator: ConsoleOperator, line: str) -> None:
        threads.add(threading.get_ident())
        await trio.lowlevel.checkpoint()
        operator.write(f"{line}: two\nlines")

    async with open_desk(tmp_path) as desk:
        desk.server.operator_commands = answer
        assert await desk.ask("count  to two ") == Reply(False, "count  to two: two\nlines")
    assert threads == {threading.get_ident()}


async def test_a_failed_command_is_answered_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fall(operator: ConsoleOperator, line: str) -> None:
        raise ValueError("no such thing")

    async with open_desk(tmp_path) as desk:
        desk.server.operator_commands = fall
        reply = await desk.ask("trip")
    assert reply == Reply(True, "the command failed: ValueError('no such thing')")
    assert "the command 'trip' of an operator failed" in caplog.text


async def test_a_game_without_commands_says_so(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        assert (await desk.ask("who")).has_failed
        assert not (await desk.ask("status")).has_failed
        assert (await desk.ask("help")).text.endswith("reload      read the code of the game again, while it is played")


async def test_the_command_of_a_gateway_is_answered_with_where_it_belongs(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        reply = await desk.ask("waiting")
        assert reply.has_failed
        assert "`waiting` is a command of gateways: name the console of one with --console" in reply.text


async def reload(server: MasterServer) -> Reloaded:
    return Reloaded(server, ("inn.game", "inn"), 3, 0.0214)


async def fail() -> Reloaded:
    raise ReloadFailed("ZeroDivisionError: division by zero at inn/game.py:7")


async def test_a_game_without_commands_is_reloaded_by_the_console(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        server = desk.server
        refused = await desk.ask("reload")
        server._reload = partial(reload, server)
        assert await desk.ask("reload") == Reply(False, "inn is reloaded: 2 modules, 3 records, in 21 ms")
        server._reload = fail
        failed = await desk.ask("reload")
    assert refused.has_failed
    assert refused.text.startswith("nothing was reloaded: only a game that was started by its name")
    assert failed == Reply(True, "nothing was reloaded: ZeroDivisionError: division by zero at inn/game.py:7")


async def test_what_came_of_a_reload_that_an_operator_asked_for_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "trio_mud")
    async with open_desk(tmp_path) as desk:
        server = desk.server
        for each in (partial(reload, server), fail):
            server._reload = each
            await desk.ask("reload")
    assert [(record.levelname, record.message) for record in caplog.records if "reloaded" in record.message] == [
        ("INFO", "the game was reloaded: 2 modules, 3 records, in 21 ms"),
        (
            "INFO",
            "the game was not reloaded, and the old code goes on: ZeroDivisionError: division by zero at inn/game.py:7",
        ),
    ]


async def test_a_reload_that_sets_a_higher_level_does_not_hide_its_own_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_desk(tmp_path) as desk:
        server = desk.server

        async def reload() -> Reloaded:
            logging.getLogger("trio_mud").setLevel(levels.pop(0))  # `caplog.set_level` below restores it
            return Reloaded(server, ("inn",), 3, 0.0214)

        caplog.set_level("INFO", "trio_mud")
        levels = ["WARNING", "WARNING", "INFO"]
        server._reload = reload
        for count in (1, 1, 2):
            await desk.ask("reload")
            assert caplog.messages.count("the game was reloaded: 1 modules, 3 records, in 21 ms") == count


async def test_the_answer_has_no_control_characters_and_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trio_mud.driver.server.operator.MAX_ANSWER", 30)

    def answer(operator: ConsoleOperator, line: str) -> None:
        assert operator.write("a\x1b[2Jb")
        assert operator.write("x" * 100)
        assert not operator.write("never")

    async with open_desk(tmp_path) as desk:
        desk.server.operator_commands = answer
        assert (await desk.ask("who")).text == "a\\x1b[2Jb\n" + "x" * 20


async def test_status_counts_what_the_server_has(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        pipe = await connect(desk)
        text = (await desk.ask("status")).text
        await pipe.client.aclose()
    assert f"process {os.getpid()}, " in text
    assert "connections: 1 open, 1 admitted; sessions: 0" in text
    assert "accepted: 1, accepted: telnet: 1, admitted: 1" in text
    assert text.endswith("the event loop answers")


async def connect(desk: Desk) -> Pipe:
    pipe = Pipe()
    desk.listener.connect(pipe)
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert len(desk.server.connections) == 1
    return pipe


# The tasks


async def test_the_report_has_every_task_and_the_scopes_of_each_connection(tmp_path: Path) -> None:
    async def doze(connection: Connection) -> None:
        await trio.sleep_forever()

    async with open_desk(tmp_path) as desk:
        pipe = await connect(desk)
        (connection,) = desk.server.connections
        connection.start_soon(doze, connection)
        await trio.testing.wait_all_tasks_blocked(0.01)
        before = (await desk.ask("tasks")).text
        connection.quit()
        report = "\n".join(report_tasks(trio.lowlevel.current_root_task()))
        await pipe.client.aclose()
    for line in ("guest-1 (#1): lives", "link scope: open", "active scope: open", "scope of work doze at", "doze at "):
        assert line in before
    for line in ("guest-1 (#1): ends by quit (asked)", "link scope: open", "active scope: cancelled"):
        assert line in report
    assert "run at " in before, "the dispatcher's line"


# The socket


async def test_only_its_owner_may_use_the_socket_and_it_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder"
    async with open_desk(path) as desk:
        assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert list(path.iterdir()) == []
    with pytest.raises(NoServer, match=r"no server answers at .*admin\.sock: No such file"):
        ask(path / "admin.sock", "status")


async def test_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_desk(tmp_path) as desk:
        monkeypatch.setattr(os, "geteuid", lambda: -2)
        monkeypatch.setattr(unix, "ROOT", -1)  # the tests may run as root
        reply = await desk.ask("kill")
    assert reply == Reply(True, "only the user of the server, and root, may use the console")


async def test_the_socket_of_an_ended_server_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "admin.sock"))
    async with open_desk(tmp_path) as desk:
        assert not (await desk.ask("status")).has_failed


async def test_the_socket_of_a_running_server_is_left_alone(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        with pytest.raises(CannotOpenConsole, match="another server listens there") as caught:
            Console(MasterServer(Hooks()), desk.path).__enter__()
        assert caught.value.is_in_use
        assert not (await desk.ask("status")).has_failed


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "admin.sock").write_text("mine")
    with pytest.raises(CannotOpenConsole, match="a file is there that is no socket") as caught:
        Console(MasterServer(Hooks()), tmp_path / "admin.sock").__enter__()
    assert not caught.value.is_in_use
    assert (tmp_path / "admin.sock").read_text() == "mine"


# Clients that misbehave


async def test_a_silent_client_is_dropped_and_others_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLIENT_TIMEOUT", 0.2)
    async with open_desk(tmp_path) as desk:
        assert (await desk.send(b"")).startswith(b"1\na command is one line of at most 8192 bytes")
        assert (await desk.send(b"sta")).startswith(b"1\na command is one line")


async def test_more_clients_than_places_are_answered_that_it_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CLIENTS", 1)
    async with open_desk(tmp_path) as desk:
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(str(desk.path))
            reply = await desk.ask("status")
            assert reply == Reply(True, "the console is busy: try again in some seconds")
        assert not (await ask_until_free(desk, "status")).has_failed


async def ask_until_free(desk: Desk, command: str) -> Reply:
    """Ask again until the threads of earlier clients have ended."""
    while "the console is busy" in (reply := await desk.ask(command)).text:
        pass
    return reply


async def test_a_huge_line_is_refused(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        assert (await desk.send(b"x" * 8193 + b"\n")).startswith(b"1\na command is one line of at most 8192 bytes")


async def test_a_line_without_an_end_counts_when_the_client_has_sent_all(tmp_path: Path) -> None:
    def talk(path: Path) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"status")
            client.shutdown(socket.SHUT_WR)
            return client.recv(65536)

    async with open_desk(tmp_path) as desk:
        assert (await trio.to_thread.run_sync(talk, desk.path)).startswith(b"0\nprocess ")


def write_much(operator: ConsoleOperator, line: str) -> None:
    operator.write("x" * 500_000)


async def test_a_client_that_disconnects_in_mid_answer_costs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_desk(tmp_path) as desk:
        desk.server.operator_commands = write_much
        for _ in range(module.MAX_CLIENTS + 5):
            await desk.send(b"who\n", answers=False)
        assert len((await ask_until_free(desk, "who")).text) == 500_000
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_several_clients_at_once_are_all_answered(tmp_path: Path) -> None:
    replies: list[Reply] = []

    async def answer(operator: ConsoleOperator, line: str) -> None:
        await trio.sleep(0.01)
        operator.write(line)

    async with open_desk(tmp_path) as desk:
        desk.server.operator_commands = answer

        async def ask_one(number: int) -> None:
            replies.append(await desk.ask(f"command {number}"))

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(ask_one, number)
    assert sorted(replies) == sorted(Reply(False, f"command {number}") for number in range(10))


async def test_the_console_answers_without_a_free_file_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descriptor that it keeps in reserve is freed for an operator."""
    async with open_desk(tmp_path) as desk:
        accept, failures = socket.socket.accept, iter([True, False])

        def fail_once(listener: socket.socket) -> object:
            if next(failures, False):
                raise OSError(24, "Too many open files")
            return accept(listener)

        monkeypatch.setattr(socket.socket, "accept", fail_once)
        for _ in range(3):
            assert not (await desk.ask("status")).has_failed
