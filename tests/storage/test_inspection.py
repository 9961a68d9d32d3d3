"""Check and export."""

from __future__ import annotations

import json
from pathlib import Path

import apsw
import pytest

from trio_mud.errors import CannotOpenStorage, StorageError
from trio_mud.storage import Record, Sqlite, open_store
from trio_mud.storage.inspection import check, export

from .filled import fill
from .records import Hero, Item, Member


async def test_a_check_counts_what_is_there_and_names_what_is_wrong(path: Path) -> None:
    await fill(path)
    report = check(path, [Item, Member])
    assert (report.problems, dict(report.rows), report.entries) == ([], {"thing": 3, "account": 1}, 1)
    db = apsw.Connection(str(path))
    db.execute("update rows set data = '{}' where key = 'hall'")
    db.close()
    assert check(path).problems == ["thing 'hall': damaged, its checksum does not match"]
    with pytest.raises(CannotOpenStorage, match="there is no file"):
        check(path.with_name("other.db"))


async def test_a_check_with_the_classes_finds_rows_that_cannot_be_loaded(path: Path) -> None:
    async with open_store(Sqlite(path), Item) as store:
        store.add(Item(name="a", gold="much"), "a")  # type: ignore[arg-type]
        store.add(Hero(name="b"), "b")
    assert check(path).problems == []

    class Other(Record, family="thing", kind="thing"):
        gold: int = 0

    assert check(path, [Other]).problems == [
        "thing 'a': ValidationError: Expected `int`, got `str` - at `$.gold`",
        "thing 'b': there is no record class for the kind 'hero'",
    ]


async def test_an_export_is_one_line_of_json_a_record(path: Path) -> None:
    await fill(path)
    lines = [json.loads(line) for line in export(path, "thing", "ann")]
    assert [line["key"] for line in lines] == ["ann", "bag"]
    assert lines[1] == {
        "family": "thing",
        "key": "bag",
        "kind": "thing",
        "version": "",
        "owner": "ann",
        "fields": {"name": "bag", "place": "ann"},
    }
    assert [json.loads(line)["family"] for line in export(path)] == ["account", "thing", "thing", "thing"]
    db = apsw.Connection(str(path))
    db.execute("update rows set sum = 1 where key = 'hall'")
    db.close()
    with pytest.raises(StorageError, match="run trio-mud check"):
        list(export(path))
