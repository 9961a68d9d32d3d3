"""`trio-mud admin`: where the console's socket is, and what an operator's shell sees."""

from __future__ import annotations

import io
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.program.conftest import WriteGame
from tests.program.test_cli import ended, port_of, started
from trio_mud.program import cli
from trio_mud.program.admin_command import console_of
from trio_mud.program.config import Configuration, OperationsOptions
from trio_mud.storage import Memory, Postgres, Sqlite

TAVERN = """
from trio_mud import Hooks, Input, Started

hooks = Hooks()


@hooks.on(Started)
def obey_operators(event):
    event.server.operator_commands = lambda operator, line: operator.write(f"obeyed: {line}") and None


@hooks.on(Input)
def grind(event):
    event.connection.write("The mill begins to grind.")
    while True:
        pass
"""


@pytest.fixture
def folder(write_game: WriteGame) -> Path:
    """A current directory with `mill:hooks`."""
    return write_game("mill", TAVERN)


RUN = ("run", "mill:hooks", "--host", "127.0.0.1", "--port", "0", "--console", "data/mill.sock")


def admin(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, str]:
    """Return the exit status of `trio-mud admin`, and what it printed and complained of."""
    capsys.readouterr()
    status = cli.main(["admin", *command])
    out, err = capsys.readouterr()
    return status, out + err


# Where the socket is


def test_the_socket_is_beside_the_database_or_as_configured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inn = Configuration(game="inn.rooms:game")
    assert console_of(inn, Sqlite("data/rooms.db")) == Path("data/rooms.sock")
    assert console_of(inn, Postgres("postgresql://db/inn")) == Path("data/rooms.sock")
    assert console_of(inn, Memory()) is None
    assert console_of(inn, None) is None
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/inn")
    assert console_of(inn, Postgres("postgresql://db/inn")) == Path("/var/lib/inn/rooms.sock")
    wanted = Configuration(operations=OperationsOptions(socket="/run/inn.sock"))
    assert console_of(wanted, None) == Path("/run/inn.sock")
    assert console_of(Configuration(operations=OperationsOptions(socket="none")), Sqlite("data/rooms.db")) is None


def test_a_platform_without_unix_sockets_has_no_console_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    assert console_of(Configuration(), Sqlite("data/rooms.db")) is None
    status, said = admin(capsys, "--console", "x.sock", "status")
    assert (status, "this platform has no Unix sockets" in said) == (75, True)


def test_the_only_socket_of_the_data_folder_is_meant(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert admin(capsys, "status") == (
        2,
        "trio-mud: the folder data holds no socket of a console: name one with --console\n",
    )
    (folder / "data").mkdir()
    (folder / "data/inn.sock").touch()
    status, said = admin(capsys, "status")
    assert status == 75
    assert said.startswith("trio-mud: no server answers at data/inn.sock: ")
    (folder / "data/mill.sock").touch()
    assert "holds 2 consoles (inn.sock, mill.sock): name one" in admin(capsys, "status")[1]
    (folder / "mud.toml").write_text('[storage]\nurl = "kept/inn.db"\n')
    assert "no server answers at kept/inn.sock" in admin(capsys, "status", "--config", "mud.toml")[1]
    (folder / "mud.toml").write_text('[operations]\nsocket = "run/inn.sock"\n')
    assert "no server answers at run/inn.sock" in admin(capsys, "status", "--config", "mud.toml")[1]


def test_help_names_the_commands_that_always_work(capsys: pytest.CaptureFixture[str]) -> None:
    status, said = admin(capsys, "--help")
    assert status == 0
    assert "work even while the game is blocked" in " ".join(said.split())


# With a server


def test_an_operator_gives_commands_one_by_one_or_at_a_prompt(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(*RUN) as process:
        port_of(process)
        assert admin(capsys, "say", "hello", "--all") == (0, "obeyed: say hello --all\n")
        monkeypatch.setattr(sys, "stdin", io.StringIO("one\n\ntwo\nexit\nthree\n"))
        assert admin(capsys) == (0, "obeyed: one\nobeyed: two\n")
        process.send_signal(signal.SIGTERM)
        status, log = ended(process)
    assert status == 0
    assert "the console is at data/mill.sock" in log
    assert list((folder / "data").iterdir()) == []


def test_a_game_that_spins_is_found_and_killed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with started(*RUN) as process, socket.create_connection(("127.0.0.1", port_of(process)), timeout=40) as player:
        player.sendall(b"grind\r\n")
        while "grind at" not in admin(capsys, "stack")[1]:
            pass
        stack = admin(capsys, "stack")[1]
        assert f"grind at {folder / 'mill.py'}:" in stack.splitlines()[-1]
        assert "for Input of <Connection guest-1 from 127.0.0.1>" in stack.splitlines()[-1]
        assert "link scope: open" in admin(capsys, "tasks")[1]
        status, said = admin(capsys, "who")
        assert (status, "the game does not answer" in said) == (1, True)
        process.send_signal(signal.SIGUSR2)
        assert process.stderr is not None
        while "guest-1 (#1): lives" not in process.stderr.readline():
            pass
        assert admin(capsys, "kill") == (0, "the process is ended without saving\n")
        status, log = ended(process)
    assert status == 1
    assert "an operator has killed the server" in log


@pytest.mark.slow
def test_the_socket_of_a_killed_server_is_replaced_and_that_of_a_live_one_is_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with started(*RUN) as first:
        port_of(first)
        first.kill()
        first.wait(40)
    assert (folder / "data/mill.sock").exists()
    with started(*RUN) as second:
        port_of(second)
        with started(*RUN) as third:
            status, complaints = ended(third)
        assert admin(capsys, "hello") == (0, "obeyed: hello\n")
        second.send_signal(signal.SIGTERM)
        assert ended(second)[0] == 0
    assert status == 75
    assert complaints.splitlines()[-1] == (
        "trio-mud: cannot open the console data/mill.sock: another server listens there; choose another with --console"
    )


def test_a_socket_that_cannot_be_bound_ends_a_server_only_if_it_was_wanted(folder: Path) -> None:
    (folder / "data").write_text("no folder")
    with started(*RUN) as process:
        status, complaints = ended(process)
    assert status == 75
    assert "cannot open the console data/mill.sock: " in complaints
