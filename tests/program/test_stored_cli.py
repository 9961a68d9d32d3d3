"""A game with records, as a shell sees it: which database it opens, what is logged, and what is refused."""

from __future__ import annotations

import signal
import socket
import sys
import time
from pathlib import Path

import apsw
import pytest

from tests.program.conftest import WriteGame
from tests.program.test_cli import ended, port_of, started
from trio_mud.errors import ConfigurationError
from trio_mud.program import cli, logs
from trio_mud.program.config import Configuration, StorageOptions
from trio_mud.program.effective import decode
from trio_mud.program.storage_commands import database_of
from trio_mud.storage import Memory, Sqlite

TAVERN = """
from trio_mud import Admitted, Hooks
from trio_mud.storage import Record
from trio_mud.world import Game, World

hooks = Hooks()


class Guestbook(Record, family="book", resident=True):
    visits: int = 0


game = Game(hooks, records=(Guestbook,))


@hooks.on(Admitted)
def greet(event):
    store = World.of(event.connection.server).store
    book = store.get(Guestbook, "book") or store.add(Guestbook(), "book")
    book.visits += 1
    event.connection.quit(f"You are visitor {book.visits}.")
"""


@pytest.fixture
def folder(write_game: WriteGame, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with `tavern:game`."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(logs, "show", lambda *_, **__: None)
    return write_game("tavern", TAVERN)


# Which database


def named(**settings: object) -> str:
    backend = database_of(Configuration(game="inn.tavern:game", **settings))  # type: ignore[arg-type]
    assert isinstance(backend, Sqlite)
    return backend.name


def test_the_database_is_named_for_the_module_in_the_data_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert named() == "data/tavern.db"
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/inn:/var/lib/other")
    assert named() == "/var/lib/inn/tavern.db"
    assert named(data="/srv") == "/srv/tavern.db"
    assert named(data="/srv", storage=StorageOptions(url="inn.db")) == "inn.db"


def test_the_bundled_world_stores_nothing_unless_a_folder_is_named(folder: Path) -> None:
    assert isinstance(database_of(Configuration()), Memory)
    assert database_of(Configuration(data="saved")).name == "saved/mudlib.db"


@pytest.mark.parametrize(("backups", "place"), [(None, "data/backups"), ("copies", "copies"), ("none", None)])
def test_backups_are_beside_the_file_or_elsewhere_or_none(folder: Path, backups: str | None, place: str | None) -> None:
    backend = database_of(Configuration(game="tavern:game", storage=StorageOptions(backups=backups)))
    wanted = Path(place) if place is not None else None
    found = backend.backup_folder
    assert (found and found.resolve()) == (wanted and wanted.resolve())


def test_postgresql_is_named_without_its_password(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("url").write_text("postgresql://mud:secret@db.example/inn\n", encoding="utf-8")
    monkeypatch.setenv("TRIO_MUD_STORAGE_URL_FILE", "url")
    assert cli.main(["run", "tavern:game", "--check-config"]) == 0
    assert capsys.readouterr().out.endswith("with records in postgresql://db.example/inn\n")


def test_the_file_sets_what_arguments_and_environment_override(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tavern.toml").write_text('game = "tavern:game"\n[storage]\nurl = "a.db"\nevery = 5\n', encoding="utf-8")

    def plan(*arguments: str) -> str:
        assert cli.main(["--config", "tavern.toml", "--check-config", *arguments]) == 0
        return capsys.readouterr().out.rpartition(" ")[2].strip()

    assert plan() == "a.db"
    monkeypatch.setenv("TRIO_MUD_STORAGE_URL", "b.db")
    assert plan() == "b.db"
    assert plan("--storage", "c.db") == "c.db"


def test_the_environment_sets_the_rules_of_accounts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tavern.toml").write_text('game = "tavern:game"\n[accounts]\nguests = true\n', encoding="utf-8")
    monkeypatch.setenv("TRIO_MUD_ACCOUNTS_GUESTS", "false")
    assert cli.main(["--config", "tavern.toml", "--check-config"]) == 0
    assert "accounts guests = False" in capsys.readouterr().out
    monkeypatch.setenv("TRIO_MUD_ACCOUNTS_GUESTS", "no")
    assert cli.main(["--config", "tavern.toml", "--check-config"]) == 2
    said = 'TRIO_MUD_ACCOUNTS_GUESTS: accounts.guests = "no": write true or false'
    assert capsys.readouterr().err == f"trio-mud: {said}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--storage-every", "0"],
            "storage.every = 0.0: write a positive number of seconds, 86400 at most",
        ),
        (
            ["--storage-every", "inf"],
            "storage.every = inf: write a positive number of seconds, 86400 at most",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_and_status_2(
    folder: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "tavern:game", *arguments]) == 2
    assert capsys.readouterr().err == f"trio-mud: --storage-every: {said}\n"


# What is refused before a port is bound


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Start the game, with a port that cannot be bound, and return the status and the complaint."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status = cli.main(["run", "tavern:game", "--host", "127.0.0.1", "--port", port, *arguments])
    return status, capsys.readouterr().err


def test_a_damaged_file_is_refused_with_the_remedy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "data").mkdir()
    (folder / "data/tavern.db").write_bytes(b"not a database" * 500)
    status, complaint = refused(capsys)
    assert status == 1
    assert "tavern.db is damaged" in complaint
    assert "restore a backup with: trio-mud restore BACKUP --storage" in complaint
    assert complaint.count("\n") == 1


def test_a_newer_file_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backend = Sqlite("data/tavern.db")
    backend.open()
    backend.close()
    db = apsw.Connection("data/tavern.db")
    db.execute("pragma user_version = 99")
    db.close()
    status, complaint = refused(capsys)
    assert status == 1
    assert "was written by a newer trio_mud (layout 99" in complaint


def test_a_folder_that_cannot_be_made_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "data").write_text("a file")
    status, complaint = refused(capsys)
    assert status == 1
    assert complaint == (
        "trio-mud: cannot make the folder of data/tavern.db: File exists; name a file in a folder that can be written\n"
    )


def test_a_wrong_declaration_is_status_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = TAVERN.replace('family="book", ', 'family="book", version=2, ')
    (folder / "tavern.py").write_text(text, encoding="utf-8")
    status, complaint = refused(capsys)
    assert status == 2
    assert complaint.startswith("trio-mud: tavern:game: Guestbook has version 2 and no migration of version 1")
    assert not (folder / "data").exists()


def test_a_port_in_use_leaves_the_database_closed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys)[0] == 75
    backend = Sqlite("data/tavern.db")
    backend.open()  # the lock is free
    backend.close()


# In a process of its own


def visit(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=40) as player:
        return b"".join(iter(lambda: player.recv(4096), b""))


RUN = ("run", "tavern:game", "--host", "127.0.0.1", "--port", "0")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_goes_on_where_the_last_run_ended(folder: Path, end: signal.Signals) -> None:
    with started(*RUN, "--storage-every", "0.01") as process:
        assert b"You are visitor 1." in visit(port_of(process))
        for _ in range(400):
            if stored(folder / "data/tavern.db"):
                break
            time.sleep(0.05)
        assert stored(folder / "data/tavern.db") == '{"visits":1}'
        process.send_signal(end)
        status, complaints = ended(process)
    assert "records are stored in data/tavern.db" in complaints
    assert status == (0 if end is signal.SIGTERM else -end)
    with started(*RUN) as process:
        assert b"You are visitor 2." in visit(port_of(process))
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 0
    assert stored(folder / "data/tavern.db") == '{"visits":2}'  # also the last change, less than a second ago


def stored(path: Path) -> str:
    db = apsw.Connection(str(path))
    try:
        return "".join(str(data) for (data,) in db.execute("select data from rows"))
    finally:
        db.close()


def test_a_second_server_on_the_database_is_refused_with_status_75_and_the_process(folder: Path) -> None:
    with started(*RUN) as first:
        port_of(first)
        with started(*RUN) as second:
            status, complaints = ended(second)
        first.send_signal(signal.SIGTERM)
        assert ended(first)[0] == 0
    assert status == 75
    assert f"tavern.db is in use by process {first.pid}" in complaints.splitlines()[-1]


def test_records_that_cannot_be_saved_at_the_end_are_counted_with_status_1(folder: Path) -> None:
    text = TAVERN.replace("visits: int = 0", "visits: int = 0\n    mood: object = None").replace(
        "    book.visits += 1\n", "    book.visits += 1\n    book.mood = lambda: 0\n"
    )
    (folder / "tavern.py").write_text(text, encoding="utf-8")
    with started(*RUN) as process:
        visit(port_of(process))
        process.send_signal(signal.SIGTERM)
        status, complaints = ended(process)
    assert status == 1
    assert complaints.splitlines()[-1].startswith("trio-mud: 1 changed records are lost: ")


# The operator's commands


def test_commands_find_the_only_database_of_the_data_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def complaint(*arguments: str) -> str:
        assert cli.main(arguments) == 2
        return capsys.readouterr().err

    assert complaint("check") == "trio-mud: the folder data holds no database: name one with --storage\n"
    for name in ("tavern", "inn"):
        backend = Sqlite(f"data/{name}.db")
        backend.open()
        backend.close()
        if name == "tavern":
            assert cli.main(["check"]) == 0
            assert capsys.readouterr().out == "log entries: 0\ndata/tavern.db is undamaged\n"
    assert complaint("export") == (
        "trio-mud: the folder data holds 2 databases (inn.db, tavern.db): name one with --storage\n"
    )
    (folder / "tavern.toml").write_text('[storage]\nurl = "data/inn.db"\n', encoding="utf-8")
    assert cli.main(["backup", "copy.db", "--config", "tavern.toml"]) == 0
    assert cli.main(["restore", "copy.db", "--storage", "data/tavern.db"]) == 0
    assert "restored copy.db; the former database is " in capsys.readouterr().out


def test_a_wrong_key_of_the_table_is_answered_with_the_nearest(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no 'ur' in storage; did you mean 'url'"):
        decode({"storage": {"ur": "x"}}, "tavern.toml")
    with pytest.raises(ConfigurationError, match=r"tavern.toml: storage.every = 0"):
        decode({"storage": {"every": 0}}, "tavern.toml")


@pytest.mark.parametrize("arguments", [["--data", "kept"], ["--storage", "kept/mudlib.db"]])
def test_the_bundled_world_has_accounts_if_it_has_a_database(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert cli.main([*arguments, "--check-config"]) == 0
    assert "with records in" in capsys.readouterr().out
    assert cli.main(["--check-config"]) == 0
    assert "with records in" not in capsys.readouterr().out


def test_the_table_of_accounts_reaches_the_game(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("tavern.toml").write_text("[accounts]\nmax_tries = 5\n")
    assert cli.main(["--config", "tavern.toml", "--check-config"]) == 0
    assert "accounts max_tries = 5" in capsys.readouterr().out
    Path("tavern.toml").write_text("[accounts]\nmax_tries = 0\n")
    assert cli.main(["--config", "tavern.toml", "--check-config"]) == 2
    assert "accounts.max_tries = 0: write a positive number" in capsys.readouterr().err
    Path("tavern.toml").write_text("[accounts]\nmax_trys = 5\n")
    assert cli.main(["--config", "tavern.toml", "--check-config"]) == 2
    assert "there is no 'max_trys' in accounts; did you mean 'max_tries' or" in capsys.readouterr().err
