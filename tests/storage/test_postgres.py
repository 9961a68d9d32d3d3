"""PostgreSQL beyond the contract: lost connections, the lock, texts that it cannot search."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_mud.errors import CannotOpenStorage, NotSaved
from trio_mud.storage import Postgres, Sqlite, Store, backend_of, open_store
from trio_mud.storage import postgres_session as module
from trio_mud.storage.inspection import check
from trio_mud.storage.lock import IN_USE
from trio_mud.storage.restoring import restore_into

from .records import Hero, Item, Member


def test_a_url_names_the_backend_and_no_log_shows_its_password() -> None:
    backend = backend_of("postgresql://mud:secret@db.inn:5432/inn")
    assert isinstance(backend, Postgres)
    assert backend.name == "postgresql://db.inn/inn"
    assert isinstance(backend_of("data/inn.db"), Sqlite)


@pytest.mark.parametrize(
    "rest",
    [
        *["mud:a@secret@127.0.0.1:1/inn", "mud:a/secret@127.0.0.1:1/inn", "mud:a[secret@127.0.0.1:1/inn"],
        *[
            "mud:a%secret@127.0.0.1:1/inn",
            "mud@127.0.0.1:1/inn?password=a%zzsecret",
            "127.0.0.1:1/inn?password=a=secret",
        ],
    ],
)
def test_a_password_that_is_not_escaped_is_refused_and_not_shown(rest: str) -> None:
    pytest.importorskip("psycopg")
    backend = Postgres(f"postgresql://{rest}")
    with pytest.raises(CannotOpenStorage, match=r"of postgresql://127\.0\.0\.1/inn is malformed: write %40") as caught:
        backend.open()
    assert "secret" not in f"{caught.value}{caught.value.__cause__}{backend.name}"


@pytest.mark.slow
async def test_a_server_out_of_reach_is_named(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(CannotOpenStorage, match=r"cannot reach postgresql:///inn: ") as caught:
        Postgres(f"postgresql://mud:secret@/inn?host={tmp_path}").open()
    assert caught.value.status == IN_USE
    assert "secret" not in str(caught.value)


def lose_connections(url: str) -> None:
    """End every other session, as a restart of the server does."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as db:
        db.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'trio-mud%'")


@pytest.mark.slow
async def test_a_lost_connection_is_opened_again_and_nothing_is_lost(postgres_url: str) -> None:
    async with open_store(Postgres(postgres_url), Item, interval=0.01) as store:
        thing = store.add(Item(name="a"), "a")
        await store.saved()
        for gold in range(1, 4):
            lose_connections(postgres_url)
            thing.gold = gold
            store.log("audit", gold=gold)
            await store.saved(within=30)
            with pytest.raises(CannotOpenStorage, match=r"in use by trio-mud \d+ on"):
                Postgres(postgres_url).open()  # the lock was taken again
        assert store.counters["failed_transactions"] >= 3
    async with open_store(Postgres(postgres_url), Item) as store:
        found = store.get(Item, "a")
        assert found is not None
        assert found.gold == 3
        assert [entry["gold"] for _, entry in await store.entries("audit")] == [1, 2, 3]


@pytest.mark.slow
async def test_a_server_that_lost_its_place_to_another_saves_nothing_more(postgres_url: str) -> None:
    other = Postgres(postgres_url)

    async def play() -> None:
        async with open_store(Postgres(postgres_url), Item, interval=1e6, cleanup=1) as store:
            await store.saved()
            lose_connections(postgres_url)
            other.open()
            await lose(store)

    async def lose(store: Store) -> None:
        store.add(Item(name="a"), "a")
        with pytest.raises(NotSaved):
            await store.saved(within=2)
        assert "is in use by trio-mud" in str(store.error)

    with pytest.raises(NotSaved, match="1 changed records are lost"):
        await play()
    assert other.keys("thing") == []
    other.close()


@pytest.mark.slow
async def test_a_text_with_a_nul_is_stored_and_only_its_record_cannot_be_found(postgres_url: str) -> None:
    async with open_store(Postgres(postgres_url), Member) as store:
        store.add(Member(name="a\0b", email="nul@inn"), "nul")
        store.add(Member(name=r"\u0000", email="text@inn"), "text")
        store.add(Member(name="Ann", email="ann@inn"), "ann")
    async with open_store(Postgres(postgres_url), Member) as store:
        assert await store.find(Member, email="ann@inn") == ["ann"]
        nul, text = await store.load(Member, "nul"), await store.load(Member, "text")
        assert nul is not None
        assert text is not None
        assert (nul.name, text.name) == ("a\0b", r"\u0000")


@pytest.mark.slow
async def test_an_upgrade_that_fails_half_way_changes_nothing_and_a_newer_layout_is_refused(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts = module.LAYOUTS
    async with open_store(Postgres(postgres_url), Item) as store:
        store.add(Item(name="a"), "a")
        store.log("audit", text="hello")
    with monkeypatch.context() as patch:
        patch.setattr(module, "LAYOUTS", [*layouts, ("drop table entries", "create nonsense")])
        with pytest.raises(CannotOpenStorage, match=r"cannot make the tables of .*nothing was changed"):
            Postgres(postgres_url).open()
        patch.setattr(module, "LAYOUTS", layouts)
        async with open_store(Postgres(postgres_url), Item) as store:
            assert len(await store.entries("audit")) == 1
        patch.setattr(module, "LAYOUTS", [*layouts, ("create table extra(name text)", "drop table extra")])
        backend = Postgres(postgres_url)
        backend.open()
        backend.close()
    with pytest.raises(CannotOpenStorage, match=r"newer trio_mud \(layout 2, this one knows 1\)"):
        Postgres(postgres_url).open()


@pytest.mark.slow
async def test_a_backup_moves_a_game_from_one_kind_of_database_to_the_other(postgres_url: str, tmp_path: Path) -> None:
    async with open_store(Sqlite(tmp_path / "inn.db"), Item) as store:
        ann = store.add(Hero(name="Ann"), "ann")
        store.add(Item(name="bag", place=ann), "bag")
        store.log("audit", text="hello")
    assert restore_into(Postgres(postgres_url), tmp_path / "inn.db") == 2
    Postgres(postgres_url).backup(tmp_path / "copy.db")
    assert check(tmp_path / "copy.db", [Item]).problems == []
    async with open_store(Sqlite(tmp_path / "copy.db"), Item) as store:
        assert await store.hold(Hero, "ann") is not None
        assert store.get(Item, "bag") is not None
        assert [entry for _, entry in await store.entries("audit")] == [{"text": "hello"}]
