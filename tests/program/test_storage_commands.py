"""The commands for operators: what they print, and with which status they end."""

from __future__ import annotations

import json
from pathlib import Path

import apsw
import pytest

from tests.storage.records import Hero, Item
from trio_mud.program import cli
from trio_mud.storage import Sqlite, inline, open_store


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "inn.db"
    async with open_store(Sqlite(path), Item, executor=inline) as store:
        ann = store.add(Hero(name="Ann"), "ann")
        store.add(Item(name="bag", place=ann), "bag")
        store.log("audit", text="hello")
    return path


async def test_check_counts_and_says_that_all_is_whole(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--storage", str(path)]) == 0
    assert capsys.readouterr().out == f"thing: 2\nlog entries: 1\n{path} is undamaged\n"


async def test_check_takes_the_database_by_its_place_too_but_not_two(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", str(path)]) == 0
    assert capsys.readouterr().out.endswith(f"{path} is undamaged\n")
    assert cli.main(["check", str(path), "--storage", "other.db"]) == 2
    said = f"trio-mud: check got two databases, {path} and other.db: name one of them\n"
    assert capsys.readouterr() == ("", said)


async def test_check_names_a_damaged_row_and_ends_with_status_1(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = apsw.Connection(str(path))
    db.execute("update rows set data = '{}' where key = 'bag'")
    db.close()
    assert cli.main(["check", "--storage", str(path)]) == 1
    assert capsys.readouterr().out.splitlines()[2:] == [
        "thing 'bag': damaged, its checksum does not match",
        f"{path}: 1 problem",
    ]
    assert cli.main(["export", "--storage", str(path)]) == 1
    assert "is damaged: run trio-mud check" in capsys.readouterr().err


async def test_backup_and_restore(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy.db"
    assert cli.main(["backup", str(copy), "--storage", str(path)]) == 0
    assert cli.main(["backup", str(copy), "--storage", str(path)]) == 1
    assert capsys.readouterr() == (f"wrote {copy}\n", f"trio-mud: {copy} exists already; name a new file\n")
    path.write_bytes(b"")
    assert cli.main(["restore", str(copy), "--storage", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"restored {copy}; the former database is {tmp_path}/inn-replaced-")
    assert cli.main(["check", "--storage", str(path)]) == 0


async def test_restore_beside_a_server_is_refused_with_status_75(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIO_MUD_STORAGE_URL", str(path))
    copy = tmp_path / "copy.db"
    async with open_store(Sqlite(path), Item, executor=inline):
        assert cli.main(["backup", str(copy)]) == 0
        assert cli.main(["check"]) == 0
        assert cli.main(["restore", str(copy)]) == 75
    assert "is in use by process" in capsys.readouterr().err


async def test_export_prints_records(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "thing", "ann", "--storage", str(path)]) == 0
    assert [json.loads(line)["key"] for line in capsys.readouterr().out.splitlines()] == ["ann", "bag"]


async def test_an_export_of_an_unknown_family_is_reported(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "thign", "--storage", str(path)]) == 1
    assert capsys.readouterr() == ("", f"trio-mud: {path} has no such record; `trio-mud check` lists its families\n")


def test_a_database_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--storage", str(tmp_path / "inn.db")]) == 1
    assert capsys.readouterr().err == f"trio-mud: there is no file {tmp_path}/inn.db\n"
    assert cli.main(["check"]) == 2
