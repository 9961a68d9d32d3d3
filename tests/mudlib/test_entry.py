"""Arriving, losing the link, returning and leaving, as seen by all players."""

import pytest
import trio

from trio_mud import Cause, Disconnect, Reason, SessionEnded, Texts
from trio_mud.mudlib import world
from trio_mud.mudlib.entry import GRACE, PATIENCE, TRIES
from trio_mud.testing import OpenMud

from .conftest import ComeIn, reads, reads_no_more

QUESTION = "By what name are you known? "
QUIT_SEEN = "takes the valley road"
LOSS_SEEN = "stops in the middle of a breath, like a clock that nobody wound."
RETURN_SEEN = "draws the other half of a breath, and is back."
FADING_SEEN = ", whom nobody has wound again"


async def test_a_newcomer_is_asked_for_a_name_and_shown_where_they_are(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await valley.player()
        await ann.sees("The Valley of the Slow Water")
        await ann.sees(QUESTION)
        await ann.type("aNN")
        await ann.sees("Welcome to the Valley of the Slow Water, Ann.")
        await ann.sees("Toll Green")
        await ann.sees("You can go north, east or west.")


async def test_a_name_that_looks_like_another_guests_is_refused(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        await come_in(valley, "Capa")
        sara = await valley.player()
        await sara.type("\u0421\u0430\u0440\u0430")  # in Cyrillic letters
        await sara.sees("has a name that looks just like this one")
        await sara.type("Sara")
        await sara.sees("Welcome to the Valley of the Slow Water, Sara.")


async def test_the_first_screen_is_right_for_the_program_that_shows_it(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await valley.player(columns=40, rows=24, terminal=("XTERM-256COLOR",), latency=0.1)
        await ann.sees("\x1b[1mThe Valley of the Slow Water\x1b[0m")
        await ann.sees(QUESTION)
        assert max(map(len, ann.screen.splitlines()[2:])) <= 39


async def test_a_program_that_answers_nothing_is_greeted_within_0_3_seconds(mud: OpenMud) -> None:
    async with mud(world) as valley:
        silent, came = valley.connect(), trio.current_time()
        seen = b""
        while QUESTION.encode() not in seen:
            seen += await silent.client.receive_some()
        assert trio.current_time() <= came + 0.3


async def test_a_program_that_has_begun_to_answer_is_waited_for_a_second(mud: OpenMud) -> None:
    async with mud(world) as valley:
        slow, came = valley.connect(), trio.current_time()
        await slow.client.send_all(b"\xff\xfb\x18")  # WILL TTYPE, and then no name
        seen = b""
        while QUESTION.encode() not in seen:
            seen += await slow.client.receive_some()
        assert trio.current_time() == came + 1.0


async def test_a_name_given_before_the_question_is_the_answer_to_it(mud: OpenMud) -> None:
    async with mud(world) as valley:
        hasty = valley.connect()
        await hasty.client.send_all(b"Ann\r\nsay here I am\r\n")
        seen = b""
        while b"here I am" not in seen:
            seen += await hasty.client.receive_some()
        text = seen.decode("utf-8", "ignore")
        assert 0 < text.index(QUESTION) < text.index("Welcome") < text.index("here I am")
        assert text.count(QUESTION) == 1


async def test_the_others_see_who_comes(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await come_in(valley, "Bob")
        await ann.sees("Bob comes down the valley road.")


async def test_nobody_is_seen_before_they_have_a_name(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, stranger = await come_in(valley, "Ann"), await valley.player()
        await stranger.vanish()
        await ann.sees_nothing()
        await ann.type("who")
        assert await reads(ann) == "Ann  Toll Green\n"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("", "2 to 16 letters"),
        ("x", "2 to 16 letters"),
        ("Ann Lee", "letters only"),
        ("board", "Nobody can be called that"),
        ("North", "Nobody can be called that"),
        ("nobody", "Nobody can be called that"),
        ("INFO", "Nobody can be called that"),
        ("mssp", "Nobody can be called that"),
        ("PuebloClient", "Nobody can be called that"),
        ("\u0430nn", "could be misread"),
    ],
)
async def test_a_refused_name_is_asked_for_again(mud: OpenMud, typed: str, answer: str) -> None:
    async with mud(world) as valley:
        ann = await valley.player()
        await ann.sees(QUESTION)
        await ann.type(typed)
        await ann.sees(answer)
        await ann.sees(QUESTION)
        await ann.type("Ann")
        await ann.sees("Welcome")


async def test_who_has_no_name_after_some_tries_is_sent_away(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await valley.player()
        await ann.type(*["?"] * TRIES)
        assert (await ann.sees_the_end()).endswith("Come back when you know who you are.\n")
        assert len(valley.server.connections) == 0


async def test_who_says_nothing_at_the_door_is_sent_away(mud: OpenMud) -> None:
    async with mud(world, texts=Texts(no_input="Too late.")) as valley:
        ann = await valley.player()
        await ann.type("?")
        await ann.sees_the_end(within=PATIENCE + 1)
        assert ann.screen.endswith("Too late.\n")


@pytest.mark.parametrize("name", ["Ann", "ann", "\u00c5nn"])
async def test_who_gives_a_name_that_somebody_has_is_asked_and_may_say_no(
    mud: OpenMud, come_in: ComeIn, name: str
) -> None:
    async with mud(world) as valley:
        ann, other = await come_in(valley, "Ann"), await valley.player()
        await other.type(name)
        await other.sees("Ann is in the valley already. Is that you? (yes/no) ")
        await other.type("no")
        await other.sees(QUESTION)
        await other.type("Anna")
        await other.sees("Welcome to the Valley of the Slow Water, Anna.")
        await ann.sees("Anna comes down the valley road.")


async def test_who_says_neither_yes_nor_no_is_asked_for_another_name(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, other = await come_in(valley, "Ann"), await valley.player()
        await other.type("Ann", *["perhaps"] * 5)
        await other.sees("Is that you?")
        await other.sees(QUESTION)
        await ann.sees_nothing()


@pytest.mark.parametrize("lines", [["quit"], ["?", " Quit "], ["Ann", "quit"], ["Ann", "perhaps", "QUIT", "yes"]])
async def test_quit_leaves_at_every_question(mud: OpenMud, come_in: ComeIn, lines: list[str]) -> None:
    async with mud(world) as valley:
        ann, other = await come_in(valley, "Ann"), await valley.player()
        await other.type(*lines)
        assert (await other.sees_the_end()).endswith("The road takes you back over the rise.\n")
        await ann.sees_nothing()


async def test_who_says_yes_takes_over_where_they_are_and_only_the_first_is_told(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        bob, ann = await come_in(valley, "Bob"), await come_in(valley, "Ann")
        for player in (bob, ann):
            await player.type("north")
            await player.sees("Drip Bridge")
        await bob.sees("Ann comes from the south.")
        again = await valley.player()
        await again.type("ann", "yes", "say still me")
        assert Texts().taken_over in await ann.sees_the_end()
        await again.sees("You are yourself again.")
        await again.sees("Drip Bridge")
        await again.sees("Bob is here.")
        await again.sees('You say, "still me"')
        assert (await reads(bob)) == 'Ann says, "still me"\n'
        await again.type("who")
        await again.sees("Ann  Drip Bridge\nBob  Drip Bridge\n")


async def test_of_two_who_give_the_same_name_at_once_one_is_asked(mud: OpenMud) -> None:
    async with mud(world) as valley:
        rivals = [await valley.player() for _ in range(2)]
        async with trio.open_nursery() as nursery:
            for rival in rivals:
                nursery.start_soon(rival.type, "Ann")
        screens = [await rival.catches_up() for rival in rivals]
        assert ["Welcome" in screen for screen in screens].count(True) == 1
        assert ["already" in screen for screen in screens].count(True) == 1


async def test_who_quits_and_returns_begins_again(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("north", "quit")
        await ann.sees_the_end()
        again = await come_in(valley, "Ann")
        assert "Welcome" in again.screen
        assert "Toll Green" in again.screen


async def test_who_quits_is_seen_to_walk_away(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.catches_up()
        await bob.type("quit")
        assert "the clock goes on counting" in await bob.sees_the_end()
        await ann.sees(f"Bob {QUIT_SEEN}")
        await reads_no_more(ann)


@pytest.mark.parametrize("goes", ["vanish", "hang_up"])
async def test_who_loses_the_link_stays_as_a_body_until_the_grace_is_over(
    mud: OpenMud, come_in: ComeIn, goes: str
) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.catches_up()
        await getattr(bob, goes)()
        assert QUIT_SEEN not in await ann.sees(f"Bob {LOSS_SEEN}")
        await reads_no_more(ann)
        await ann.type("look", "look bob", "who")
        await ann.sees("\nBob is here, absent in mind.\n")
        await ann.sees("Bob stands like a clock that nobody wound: absent in mind")
        await ann.sees("Bob  Toll Green, only a body\n")
        await ann.catches_up()
        await trio.sleep(GRACE)
        assert QUIT_SEEN not in await ann.sees(f"Bob{FADING_SEEN}")
        await ann.catches_up()
        await ann.type("who")
        assert "Bob" not in await ann.catches_up()
        assert len(valley.server.sessions) == 1


async def test_who_returns_in_time_is_seen_to_and_reads_what_was_missed(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        for player in (ann, bob):
            await player.type("north")
            await player.sees("Drip Bridge")
        await bob.vanish()
        await ann.sees(LOSS_SEEN)
        await ann.type("tell bob psst", "say poor Bob")
        await ann.sees("Bob is absent in mind, and will hear it on coming back.")
        await ann.sees("poor Bob")
        await trio.sleep(GRACE - 10)
        await ann.catches_up()
        again = await valley.player()
        await again.type("bob", "say what?")
        await again.sees(QUESTION)
        seen = await again.sees('You ask, "what?"')
        told = ("Bob's body", 'Ann tells you, "psst"', 'Ann says, "poor Bob"', "again", "Drip Bridge", "Ann is here.")
        assert sorted(told, key=seen.index) == list(told)
        assert "Welcome" not in seen
        await ann.sees(f"Bob {RETURN_SEEN}")
        await ann.sees('Bob asks, "what?"')
        await ann.type("look bob")
        await ann.sees("Bob is wide awake")
        await trio.sleep(GRACE)
        assert "fades" not in await ann.catches_up()


async def test_who_returns_too_late_begins_again(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann = await come_in(valley, "Ann")
        await ann.type("north")
        await ann.catches_up()
        await ann.vanish()
        await trio.sleep(GRACE + 1)
        again = await come_in(valley, "Ann")
        assert "Welcome" in again.screen


async def test_whose_link_is_dead_and_who_is_not_yet_known_to_be_lost_is_asked_for(
    mud: OpenMud, come_in: ComeIn
) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.catches_up()
        bob.go_silent()
        again = await valley.player()
        await again.type("Bob", "y")
        await again.sees("You are yourself again.")
        assert await reads(ann) == ""


async def test_who_is_lost_in_the_moment_of_coming_in_is_a_body_too(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await valley.player()
        await bob.sees(QUESTION)
        await bob.type("Bob")
        await bob.hang_up()
        await ann.sees("Bob comes down the valley road.")
        await ann.sees(f"Bob {LOSS_SEEN}")
        again = await valley.player()
        await again.type("Bob")
        await again.sees("Bob's body still stands where it was left.")
        await again.sees("You are yourself again.")


async def test_a_shutdown_takes_the_bodies_too(mud: OpenMud, come_in: ComeIn) -> None:
    ends = list[tuple[Reason, Cause]]()
    async with mud(world) as valley:
        valley.server.hooks.on(SessionEnded)(lambda event: ends.append((event.reason, event.cause)))
        ann = await come_in(valley, "Ann")
        await ann.vanish()
        await come_in(valley, "Bob")
    assert ends == [(Reason.QUIT, Cause.SHUTDOWN)] * 2


async def test_a_loss_is_seen_only_in_the_room_where_the_body_is(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.type("north")
        await ann.catches_up()
        await bob.vanish()
        await trio.sleep(GRACE + 1)
        assert "Bob" not in await ann.catches_up()


async def test_what_is_typed_ahead_of_the_question_is_done_after_it(mud: OpenMud) -> None:
    async with mud(world) as valley:
        ann = await valley.player()
        await ann.type("Ann", "north", "look")
        await ann.sees("Toll Green")
        await ann.sees("Drip Bridge")
        await ann.sees("Drip Bridge")


async def test_a_shutdown_lets_everybody_out(mud: OpenMud, come_in: ComeIn) -> None:
    ends = list[tuple[Reason, Cause]]()
    async with mud(world) as valley:
        valley.server.hooks.on(Disconnect)(lambda event: ends.append((event.reason, event.cause)))
        await come_in(valley, "Ann")
        await come_in(valley, "Bob")
        await valley.player()
    assert ends == [(Reason.QUIT, Cause.SHUTDOWN)] * 3
