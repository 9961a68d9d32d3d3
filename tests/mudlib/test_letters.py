"""Mailboxes, and the letters in them."""

from __future__ import annotations

import gc

import pytest
import trio

from trio_mud.commands import Mistake
from trio_mud.mudlib.letters import MOST_LETTERS, Letter, Mailbox, deliver, open_mailbox
from trio_mud.storage import Memory, inline, open_store


def letter(text: str) -> Letter:
    return Letter("Ann", "the 1st day of Thaw", text)


def filled(count: int) -> Mailbox:
    mailbox = Mailbox()
    for number in range(1, count + 1):
        mailbox.put(letter(f"number {number}"))
    return mailbox


def test_a_letter_is_new_until_it_is_opened() -> None:
    mailbox = filled(3)
    assert mailbox.unread == 3
    assert mailbox.open(2).text == "number 2"
    assert mailbox.open(2).text == "number 2"
    assert [letter.is_read for letter in mailbox.letters] == [False, True, False]
    assert mailbox.unread == 2


def test_a_letter_that_is_discarded_makes_room() -> None:
    mailbox = filled(MOST_LETTERS)
    assert mailbox.is_full
    with pytest.raises(ValueError, match="is full"):
        mailbox.put(letter("one more"))
    assert mailbox.discard(1).text == "number 1"
    mailbox.put(letter("one more"))
    assert [mailbox.letters[0].text, mailbox.letters[-1].text] == ["number 2", "one more"]


@pytest.mark.parametrize("number", [0, -1, 3, 10**17])
def test_a_letter_that_is_not_there_is_a_mistake(number: int) -> None:
    for take in (filled(2).open, filled(2).discard):
        with pytest.raises(Mistake, match=f"no letter {number}"):
            take(number)


async def test_letters_are_read_from_the_database_when_they_are_asked_for() -> None:
    stored = Memory().stored
    async with open_store(Memory(stored), Mailbox, executor=inline) as store:
        deliver(store, await open_mailbox(store, "bob"), letter("Dear Bob"))
    async with open_store(Memory(stored), Mailbox, executor=inline) as store:
        assert list(store.all(Mailbox)) == []  # no mailbox is in memory without need
        deliver(store, await open_mailbox(store, "bob"), letter("Dear Bob again"))
        await store.saved()
        gc.collect()
        assert store.get(Mailbox, "bob") is None
        assert [letter.text for letter in (await open_mailbox(store, "bob")).letters] == ["Dear Bob", "Dear Bob again"]


async def test_a_mailbox_without_letters_is_not_stored() -> None:
    stored = Memory().stored
    async with open_store(Memory(stored), Mailbox, executor=inline) as store:
        assert (await open_mailbox(store, "bob")).letters == ()
    assert not stored.rows


async def test_two_letters_at_one_moment_both_arrive_in_a_new_mailbox() -> None:
    async with open_store(Memory(), Mailbox, executor=inline) as store:

        async def write(text: str) -> None:
            deliver(store, await open_mailbox(store, "bob"), letter(text))

        async with trio.open_nursery() as nursery:
            for text in ("one", "two", "three"):
                nursery.start_soon(write, text)
        texts = sorted(letter.text for letter in (await open_mailbox(store, "bob")).letters)
        assert texts == ["one", "three", "two"]
