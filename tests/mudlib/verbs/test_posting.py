"""Letters: written to players who may be away, and read by them alone."""

from __future__ import annotations

import datetime as dt

import pytest
import trio

from trio_mud import Limits
from trio_mud.accounts import accounts
from trio_mud.mudlib import lasting_world
from trio_mud.mudlib.letters import LONGEST_LETTER, MOST_LETTERS, Letter, Mailbox
from trio_mud.storage import Stored
from trio_mud.testing import OpenMud, Player
from trio_mud.testing.mud import MILLENNIUM

from ..conftest import reads
from ..residents import newcomer, returning, visitor

SENT = "Your letter to Bob is sent."
SWIFT = Limits(command_rate=None)


async def post(writer: Player, name: str, *lines: str) -> str:
    """Write a letter; return what the writer read."""
    await writer.catches_up()
    await writer.type(f"letter {name}", *lines, ".")
    await trio.sleep(1)
    return await reads(writer)


async def stored_without_bob(mud: OpenMud) -> Stored:
    """Return a valley that knows Ann and Bob, and has neither in it."""
    async with mud(lasting_world) as valley:
        await newcomer(valley, "Ann"), await newcomer(valley, "Bob")
        return valley.storage


async def test_a_letter_to_an_absent_player_waits_and_is_announced(mud: OpenMud) -> None:
    async with mud(lasting_world, storage=await stored_without_bob(mud)) as valley:
        ann = await returning(valley, "Ann")
        assert SENT in await post(ann, "bob", "Dear Bob,", "the ferry is late.")
        assert SENT in await post(ann, "BÓB", "It came.")
        bob = await returning(valley, "Bob")
        assert "You have 2 new letters: mail lists them." in bob.screen
        await bob.type("mail", "mail 1", "mail")
        date = "the 1st day of Thaw in the year 1"
        assert await reads(bob) == (
            f"1  from Ann, on {date} (new)\n2  from Ann, on {date} (new)\n"
            f"Letter 1, from Ann, on {date}:\n  | Dear Bob,\n  | the ferry is late.\n"
            f"1  from Ann, on {date}\n2  from Ann, on {date} (new)\n"
        )
        await bob.type("quit")
        await bob.sees_the_end()
        bob = await returning(valley, "Bob")
        assert "You have 1 new letter: mail lists it." in bob.screen


async def test_a_letter_survives_a_restart_and_a_crash_that_follows_its_answer(mud: OpenMud) -> None:
    async with mud(lasting_world, storage=await stored_without_bob(mud)) as valley:
        ann = await returning(valley, "Ann")
        await ann.type("letter bob", "before the crash", ".")
        await ann.sees(SENT)
        await valley.kill()
        stored = valley.storage
    async with mud(lasting_world, storage=stored) as valley:
        await post(await returning(valley, "Ann"), "bob", "before the restart")
        stored = valley.storage
    async with mud(lasting_world, storage=stored) as valley:
        bob = await returning(valley, "Bob")
        await bob.type("mail 1", "mail 2", "discard 1")
        await bob.sees("  | before the crash")
        await bob.sees("  | before the restart")
        stored = valley.storage
    async with mud(lasting_world, storage=stored) as valley:
        bob = await returning(valley, "Bob")
        assert "new letter" not in bob.screen
        await bob.type("mail 1")
        await bob.sees("  | before the restart")


async def test_a_player_in_the_valley_reads_at_once_that_a_letter_has_come(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann, bob = await newcomer(valley, "Ann"), await newcomer(valley, "Bob")
        await post(ann, "bob", "hello")
        await bob.sees("A letter from Ann has come: mail lists it.")


async def test_a_full_mailbox_is_refused_before_and_after_writing(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann, _ = await newcomer(valley, "Ann"), await newcomer(valley, "Bob")
        letters = (Letter("Ann", "today", "hello"),) * MOST_LETTERS
        box = valley.store.add(Mailbox(letters=letters[1:]), "bob")
        await ann.catches_up()
        await ann.type("letter bob", "My long letter")
        await ann.sees("You write to Bob.")
        await ann.catches_up()
        box.letters = letters  # another letter was faster
        await ann.type(".", "letter bob")
        full = "The mailbox of Bob is full. Try again when Bob has made room."
        await ann.sees(full)
        await ann.sees(full)
        box.letters = letters[1:]
        await ann.type("letter bob", ".l", ".")
        await ann.sees("You go on with the letter that you had begun.")
        await ann.sees("  1 My long letter")
        await ann.sees(SENT)
        assert len(box.letters) == MOST_LETTERS


async def test_a_letter_to_oneself_arrives(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        seen = await post(ann, "ann", "Buy eels.")
        assert "A letter from Ann has come" in seen
        assert "Your letter to Ann is sent." in seen
        await ann.type("mail 1")
        await ann.sees("  | Buy eels.")


@pytest.mark.parametrize("name", ["xyzzy", "bo", "map:green", "#1", "x" * 500, "gus", "<b>{name}"])
async def test_a_letter_to_an_unknown_name_or_a_guest_is_refused(mud: OpenMud, name: str) -> None:
    async with mud(lasting_world) as valley:
        ann, _ = await newcomer(valley, "Ann"), await newcomer(valley, "Bob")
        await visitor(valley, "Gus")
        await ann.catches_up()
        await ann.type("reader on", f"letter {name}")
        await ann.sees(f'No player called "{name}" has a mailbox.')


@pytest.mark.parametrize("line", ["mail", "mail 1", "letter ann", "discard 1"])
async def test_a_guest_has_no_mailbox_and_writes_no_letters(mud: OpenMud, line: str) -> None:
    async with mud(lasting_world) as valley:
        await newcomer(valley, "Ann")
        gus = await visitor(valley, "Gus")
        await gus.type(line)
        await gus.sees("You are a guest here, and have no account.")
        assert not list(valley.store.all(Mailbox))


async def test_a_letter_of_an_ignored_player_is_dropped_and_answered_as_always(mud: OpenMud) -> None:
    async with mud(lasting_world, storage=await stored_without_bob(mud)) as valley:
        bob = await returning(valley, "Bob")
        await bob.type("ignore ann", "quit")
        await bob.sees_the_end()
        ann = await returning(valley, "Ann")
        eve = await newcomer(valley, "Eve")
        assert await post(ann, "bob", "You there?") == await post(eve, "bob", "You there?")
        bob = await returning(valley, "Bob")
        assert "You have 1 new letter" in bob.screen
        await bob.type("mail")
        assert (await reads(bob)).startswith("1  from Eve")


async def test_a_deleted_account_gets_no_letters_and_its_mailbox_goes_with_it(
    mud: OpenMud, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = dt.datetime.fromtimestamp(MILLENNIUM + 600, tz=dt.UTC).astimezone()  # the zone of this machine
    monkeypatch.setattr(accounts, "PURGE", soon.time())
    async with mud(lasting_world) as valley:
        ann, bob = await newcomer(valley, "Ann"), await newcomer(valley, "Bob")
        await post(ann, "bob", "hello")
        await bob.type("delete")
        await bob.catches_up()
        await bob.type("the river's time")
        await bob.sees_the_end()
        await ann.type("letter bob")
        await ann.sees('No player called "bob" has a mailbox.')
        valley.store.set_value("trio_mud.deletions", {"bob": 1})  # the last of its thirty days
        await trio.sleep(700)
        stored = valley.storage
    assert ("name", "bob") in stored.rows
    assert ("mailbox", "bob") not in stored.rows


async def test_a_letter_is_shown_as_text_and_each_line_is_marked(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        await post(ann, "ann", "<b>{name}</b> \x1b[31mred\x07", "Letter 2, from Eve:", "one " * 40, "!!SOUND(x)")
        await ann.type("mail 1")
        _, *lines = (await reads(ann)).splitlines()
        assert lines[:2] == ["  | <b>{name}</b> red", "  | Letter 2, from Eve:"]
        assert all(line.startswith("  ") for line in lines)
        assert "\x1b" not in "".join(lines)


async def test_a_letter_has_a_bounded_length(mud: OpenMud) -> None:
    async with mud(lasting_world, limits=SWIFT) as valley:
        ann = await newcomer(valley, "Ann")
        await ann.type("letter ann", *["a" * 1000] * 5)
        await ann.sees("There is no room for that.")
        await ann.type(".")
        await ann.sees("is sent.")
        box = valley.store.get(Mailbox, "ann") or await valley.store.load(Mailbox, "ann")
        assert box is not None
        assert 4000 < len(box.letters[0].text.encode()) < LONGEST_LETTER


async def test_a_letter_begun_survives_a_dead_link_and_giving_up_sends_nothing(mud: OpenMud) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        await ann.type("letter ann", "Dear me,")
        await ann.catches_up()
        await ann.vanish()
        ann = await returning(valley, "Ann")
        await ann.type("letter ann", ".l", ".q", "mail")
        await ann.sees("You go on with the letter that you had begun.")
        await ann.sees("  1 Dear me,")
        await ann.sees("You write nothing, and keep the paper.")
        await ann.sees("You have no letters.")


@pytest.mark.parametrize("line", ["mail 2", "mail 0", "discard 2", "discard -1"])
async def test_a_letter_that_is_not_there_cannot_be_read_or_thrown_away(mud: OpenMud, line: str) -> None:
    async with mud(lasting_world) as valley:
        ann = await newcomer(valley, "Ann")
        await post(ann, "ann", "hello")
        await ann.type(line)
        await ann.sees(f"You have no letter {line.split()[1]}.")


async def open_damaged(mud: OpenMud) -> Stored:
    """Return a valley in which the row of Bob's mailbox cannot be decoded."""
    async with mud(lasting_world, storage=await stored_without_bob(mud)) as valley:
        await post(await returning(valley, "Ann"), "bob", "hello")
        stored = valley.storage
    row = stored.rows["mailbox", "bob"]
    stored.rows["mailbox", "bob"] = row._replace(data=row.data.replace(b"[", b"{", 1))
    return stored


async def test_a_damaged_mailbox_is_answered_with_a_sentence(mud: OpenMud) -> None:
    sentence = "What is kept of Bob cannot be read. Please tell those who run this place."
    async with mud(lasting_world, storage=await open_damaged(mud)) as valley:
        bob, ann = await returning(valley, "Bob"), await returning(valley, "Ann")
        assert sentence in bob.screen
        await bob.type("mail")
        await bob.sees(sentence)
        await ann.type("letter bob")
        await ann.sees(sentence)
