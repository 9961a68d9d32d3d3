"""The login: who comes in, and what they read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import pytest
import trio

from trio_mud import Connection, Texts
from trio_mud.accounts import Account, AccountOptions
from trio_mud.commands import Mistake
from trio_mud.storage import Memory, Record
from trio_mud.storage.rows import Row
from trio_mud.testing import OpenMud, Player

from .inn import CHEAP, PASSWORD, Inn, Patron, answers, open_inn

TEXTS = Texts()

T = TypeVar("T")
Args = TypeVarTuple("Args")
HOME = "192.0.2.7"


async def test_a_new_player_makes_an_account_and_comes_back_with_it_after_a_restart(mud: OpenMud) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        ann = await inn.newcomer("Ann")
        await ann.type("dig", "dig", "quit")
        await ann.sees_the_end()
    async with open_inn(mud, stored) as inn:
        ann = await inn.login("ann")
        assert "You are Ann" in ann.screen
        await ann.type("gold")
        await ann.sees("You have 2")
        assert PASSWORD not in ann.screen


async def test_a_wrong_password_and_an_unknown_name_read_the_same(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Ann")
        known, unknown = await inn.login("Ann", password="wrong"), await inn.login("Bob", password="wrong")
        assert known.screen == unknown.screen
        assert known.screen.endswith(f"\n{TEXTS.login_wrong}\n{TEXTS.login_question}")
        assert len(inn.mud.server.sessions) == 1


async def test_after_three_tries_the_connection_ends_and_after_three_wrong_ones_the_next_waits(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Ann", address=HOME)
        enemy = await inn.player(address="203.0.113.9")
        await answers(enemy, "Ann", "one", "Ann", "two", "Ann", "three")
        await enemy.sees_the_end()
        assert enemy.screen.endswith(f"{TEXTS.login_over}\n")
        before = inn.accounts.passwords.hashed
        again = await inn.player("Ann", PASSWORD, address="203.0.113.9")
        await again.sees_the_end()
        assert again.screen.endswith("Please wait 15 seconds, and try again.\n")
        assert inn.accounts.passwords.hashed == before
        assert "You are back" in (await inn.login("Ann", address=HOME)).screen
        await trio.sleep(16)
        again = await inn.login("Ann", address="203.0.113.9")
        assert "You are back" in again.screen


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (["new", "x"], "2 to 16 letters"),
        (["new", "guest"], TEXTS.name_reserved),
        (["new", "new"], TEXTS.name_reserved),
        (["new", "look"], TEXTS.name_reserved),
        (["new", "Ann"], TEXTS.name_taken),
        (["new", "\u00c0nn"], TEXTS.name_taken),
        (["new", "Bob", "short"], "8 characters"),
        (["new", "Bobbetta", "bobBetta"], "is not the name"),
        (["new", "Bob", "x" * 1025], "1024 bytes"),
        (["new", "Bob", "correct horse", "correct house"], TEXTS.password_different),
        (["x"], "2 to 16 letters"),
    ],
)
async def test_an_answer_that_will_not_do_is_asked_for_again(mud: OpenMud, lines: list[str], answer: str) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Ann")
        player = await inn.player()
        await answers(player, *lines)
        assert answer in player.screen
        question = player.screen.rpartition("\n")[2]
        assert question in (TEXTS.login_question, TEXTS.name_question, TEXTS.password_new)
        assert len(inn.mud.server.sessions) == 1


async def test_a_guest_comes_in_at_once_and_leaves_nothing_behind(mud: OpenMud) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        bob = await inn.player("guest", "Bob")
        assert "You are Bob" in bob.screen
        await bob.type("dig", "role")
        await bob.sees("Your role is 0")
        taken = await inn.player("new", "Bob")
        assert TEXTS.name_taken in taken.screen
        assert TEXTS.name_taken in (await inn.player("guest", "bob")).screen
        await bob.vanish()
        await inn.mud.pass_time(1)
        assert inn.events == ["Bob comes", "Bob goes"]
        await inn.newcomer("Bob")
    assert sorted(stored.rows) == [("account", "bob"), ("character", "bob"), ("name", "bob")]
    assert b"gold" not in stored.rows["character", "bob"].data


async def test_guests_stay_outside_where_they_are_not_wanted(mud: OpenMud) -> None:
    options = AccountOptions(hash_memory=8, hash_passes=1, plain="allow", guests=False)
    async with open_inn(mud, rules=options) as inn:
        bob = await inn.player("guest")
        assert TEXTS.login_guest_hint not in bob.screen
        assert bob.screen.endswith(TEXTS.password_question)


async def test_the_password_is_hidden_while_it_is_typed_and_echo_comes_back(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.player("Ann")
        assert ann.input_hidden
        await ann.type("wrong")
        await ann.catches_up()
        assert not ann.input_hidden


async def test_a_link_that_is_not_encrypted_is_warned_of_once_and_a_local_one_is_not(mud: OpenMud) -> None:
    options = AccountOptions(hash_memory=8, hash_passes=1)
    async with open_inn(mud, rules=options) as inn:
        far, near = await inn.player(address=HOME), await inn.player(address="127.0.0.1")
        assert far.screen.count(TEXTS.plain_warning) == 1
        assert TEXTS.plain_warning not in near.screen


async def test_a_link_that_is_not_encrypted_can_be_refused(mud: OpenMud) -> None:
    options = AccountOptions(hash_memory=8, hash_passes=1, plain="refuse", tls_port=4443)
    async with open_inn(mud, rules=options) as inn:
        far, near = await inn.player(address=HOME), await inn.player(address="::1")
        await far.sees_the_end()
        assert "connect with TLS to port 4443" in far.screen
        assert TEXTS.login_question not in far.screen
        assert near.screen.endswith(TEXTS.login_question)


async def test_an_account_with_several_characters_chooses_one(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        connection = next(iter(inn.mud.server.connections))
        account = await inn.accounts.find("Ann")
        assert account is not None
        await inn.accounts.add_character(connection, account, "Zoe")
        await ann.type("quit")
        again = await inn.login("Ann")
        assert " 1) Ann\n 2) Zoe\n" in again.screen
        await again.type("zoe")
        await again.sees("You are Zoe")


async def test_a_second_character_in_the_game_makes_the_first_one_leave(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        connection = next(iter(inn.mud.server.connections))
        account = await inn.accounts.find("Ann")
        assert account is not None
        await inn.accounts.add_character(connection, account, "Zoe")
        zoe = await inn.login("Ann")
        await zoe.type("2")
        await zoe.sees("You are Zoe")
        assert (await ann.sees_the_end()).endswith(f"{TEXTS.another_character}\n")
        assert [session.key for session in inn.mud.server.sessions] == ["zoe"]


async def test_a_login_that_takes_too_long_ends(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        slow = await inn.player("Ann")
        await slow.sees_the_end(within=CHEAP.login_timeout + 1)
        assert slow.screen.endswith(f"{TEXTS.no_input}\n")


async def test_a_password_of_a_hundred_kilobytes_is_wrong_and_costs_no_hash(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Ann")
        before = inn.accounts.passwords.hashed
        enemy = await inn.player("Ann", "x" * 100_000)
        await enemy.sees(TEXTS.login_wrong, within=60)
        assert inn.accounts.passwords.hashed == before


async def test_past_the_queue_of_passwords_a_player_reads_that_too_many_log_in(mud: OpenMud) -> None:
    gate = trio.Event()

    async def wait(function: Callable[[*Args], T], *args: *Args) -> T:
        await gate.wait()
        return function(*args)

    options = AccountOptions(hash_memory=8, hash_passes=1, plain="allow", hash_threads=1, max_hash_queue=2)
    async with open_inn(mud, rules=options, execute=wait) as inn:
        players = [await inn.player(name, "guess") for name in ("Ann", "Bob", "Cid", "Dan", "Eve")]
        ended = [player for player in players if TEXTS.login_busy in player.screen]
        gate.set()
        assert len(ended) == 2


async def test_a_damaged_character_is_said_to_its_player_and_the_log(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        await (await inn.newcomer("Ann")).type("quit")
    row = stored.rows["character", "ann"]
    stored.rows["character", "ann"] = row._replace(data=b'{"gold": "much"}')
    async with open_inn(mud, stored) as inn:
        ann = await inn.login("Ann")
        await ann.sees_the_end()
        assert ann.screen.endswith(f"{TEXTS.login_unreadable}\n")
    assert "cannot be loaded" in caplog.text


async def test_a_damaged_character_does_not_keep_the_others_out(mud: OpenMud) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        ann = await inn.newcomer("Ann")
        account = await inn.accounts.find("Ann")
        assert account is not None
        await inn.accounts.add_character(next(iter(inn.mud.server.connections)), account, "Zoe")
        await ann.type("quit")
    stored.rows["character", "zoe"] = stored.rows["character", "zoe"]._replace(data=b'{"gold": "much"}')
    async with open_inn(mud, stored) as inn:
        ann = await inn.player("Ann", PASSWORD, "1")
        assert " 1) Ann\n 2) zoe\n" in ann.screen
        assert "You are Ann" in ann.screen


async def test_a_hero_is_in_memory_only_while_it_is_played(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        assert [hero.name for hero in inn.store.all(Patron)] == ["Ann"]
        await ann.type("quit")
        await inn.mud.pass_time(3)
        assert list(inn.store.all(Patron)) == []


async def test_an_owner_who_does_not_say_whether_to_keep_the_account_is_sent_away(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await answers(await inn.newcomer("Ann"), "delete", PASSWORD)
        ann = await inn.player("Ann", PASSWORD, *["perhaps"] * 5)
        await ann.sees_the_end()
        assert ann.screen.endswith(f"{TEXTS.login_over}\n")


async def test_an_account_without_a_character_is_asked_for_one(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await (await inn.newcomer("Ann")).type("quit")
        account = await inn.accounts.find("Ann")
        assert account is not None
        account.characters = ()
        ann = await inn.player("Ann", PASSWORD, "Zoe")
        assert "You are Zoe" in ann.screen
        assert list(account.characters) == ["zoe"]


async def test_names_that_will_not_do_count_as_tries(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.player("new", "x", "y", "z", "new", "x", "y", "z", "guest", "x", "y", "z")
        await ann.sees_the_end()
        assert ann.screen.endswith(f"{TEXTS.login_over}\n")


async def test_passwords_that_will_not_do_count_as_one_try(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.player("new", "Ann", "a", "b", "c")
        assert ann.screen.endswith(TEXTS.login_question)
        assert await inn.accounts.find("Ann") is None


async def at_the_choice(inn: Inn, *names: str) -> Player:
    """A player who has proved to be Ann, and is asked which character to play."""
    ann = await inn.newcomer("Ann")
    account = await inn.accounts.find("Ann")
    assert account is not None
    connection = next(iter(inn.mud.server.connections))
    for name in names:
        await inn.accounts.add_character(connection, account, name)
    await ann.type("quit")
    await ann.sees_the_end()
    chooser = await inn.login("Ann")
    assert TEXTS.choose_character in chooser.screen
    return chooser


async def test_a_character_that_is_removed_while_its_owner_chooses_is_refused_by_a_sentence(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        chooser = await at_the_choice(inn, "Bea")
        bea = await inn.store.load(Patron, "bea")
        assert bea is not None
        inn.store.remove(bea)
        await chooser.type("Bea")
        await chooser.sees_the_end()
        assert chooser.screen.endswith(f"{TEXTS.login_gone}\n")
        assert not inn.store._contents.holds


async def test_an_account_that_is_deleted_while_a_link_chooses_is_not_entered(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        chooser = await at_the_choice(inn, "Bea")
        account = await inn.accounts.find("Ann")
        assert account is not None
        await inn.accounts.delete(account)
        await chooser.type("Bea")
        await chooser.sees_the_end()
        assert chooser.screen.endswith(f"{TEXTS.login_gone}\n")
        assert not inn.mud.server.sessions


async def test_a_password_that_changes_while_a_link_chooses_shuts_that_link_out(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        thief = await at_the_choice(inn, "Bea")
        account = await inn.accounts.find("Ann")
        assert account is not None
        await inn.accounts.set_password(account, "battery staple")
        await answers(thief, "Bea")
        assert thief.screen.endswith(f"{TEXTS.login_wrong}\n{TEXTS.login_question}")
        assert not inn.mud.server.sessions


async def test_a_name_that_is_taken_while_a_first_character_is_made_is_asked_for_again(
    mud: OpenMud, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_inn(mud) as inn:
        await (await inn.newcomer("Ann")).type("quit")
        account = await inn.accounts.find("Ann")
        assert account is not None
        account.characters = ()

        async def refuse(connection: Connection, account: Account, name: str) -> Record:
            raise Mistake(TEXTS.name_taken)

        with monkeypatch.context() as context:
            context.setattr(inn.accounts, "add_character", refuse)
            ann = await inn.player("Ann", PASSWORD, "Bea")
            assert ann.screen.endswith(f"{TEXTS.name_taken}\n{TEXTS.login_question}")
        await answers(ann, "Ann", PASSWORD, "Bea")
        assert "You are Bea" in ann.screen


async def test_a_database_that_cannot_be_read_ends_the_login_with_a_sentence(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        await inn.newcomer("Ann")

    class Broken(Memory):
        def read(self, family: str, key: str) -> list[Row]:
            raise OSError(5, "Input/output error")

    async with open_inn(mud, backend=Broken(stored)) as inn:
        ann = await inn.login("Ann")
        await ann.sees_the_end()
        assert ann.screen.endswith(f"{TEXTS.login_over}\n")
    assert "cannot be read at present: [Errno 5] Input/output error; try again later" in caplog.text
