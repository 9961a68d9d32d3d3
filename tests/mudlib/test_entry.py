"""Coming in and going away, as everybody sees it."""

import pytest
import trio

from trio_mud import Cause, Disconnect, Reason, Texts
from trio_mud.mudlib import world
from trio_mud.mudlib.entry import PATIENCE, TRIES
from trio_mud.testing import OpenMud

from .conftest import ComeIn, reads, reads_no_more

QUESTION = "By what name are you known? "
QUIT_SEEN = "takes the valley road"
LOSS_SEEN = "like a clock that nobody wound"


async def test_a_newcomer_is_asked_for_a_name_and_shown_where_they_are(mud: OpenMud) -> None:
    async with mud(world()) as valley:
        ann = await valley.player()
        await ann.sees("The Valley of the Slow Water")
        await ann.sees(QUESTION)
        await ann.type("aNN")
        await ann.sees("Welcome to the Valley of the Slow Water, Ann.")
        await ann.sees("Toll Green")
        await ann.sees("You can go north, east or west.")


async def test_the_first_screen_is_right_for_the_program_that_shows_it(mud: OpenMud) -> None:
    async with mud(world()) as valley:
        ann = await valley.player(columns=40, rows=24, terminal=("XTERM-256COLOR",), latency=0.1)
        await ann.sees("\x1b[1mThe Valley of the Slow Water\x1b[0m")
        await ann.sees(QUESTION)
        assert max(map(len, ann.screen.splitlines()[2:])) <= 39


async def test_a_program_that_tells_nothing_is_not_waited_for_long(mud: OpenMud) -> None:
    async with mud(world()) as valley:
        silent, came = valley.connect(), trio.current_time()
        seen = b""
        while QUESTION.encode() not in seen:
            seen += await silent.client.receive_some()
        assert trio.current_time() == came + 1.0


async def test_a_name_given_before_the_question_is_the_answer_to_it(mud: OpenMud) -> None:
    async with mud(world()) as valley:
        hasty = valley.connect()
        await hasty.client.send_all(b"Ann\r\nsay here I am\r\n")
        seen = b""
        while b"here I am" not in seen:
            seen += await hasty.client.receive_some()
        text = seen.decode("utf-8", "ignore")
        assert 0 < text.index(QUESTION) < text.index("Welcome") < text.index("here I am")
        assert text.count(QUESTION) == 1


async def test_the_others_see_who_comes(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world()) as valley:
        ann = await come_in(valley, "Ann")
        await come_in(valley, "Bob")
        await ann.sees("Bob comes down the valley road.")


async def test_nobody_is_seen_before_they_have_a_name(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world()) as valley:
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
        ("quit", "Nobody can be called that"),
        ("North", "Nobody can be called that"),
        ("nobody", "Nobody can be called that"),
        ("\u0430nn", "could be misread"),
    ],
)
async def test_a_refused_name_is_asked_for_again(mud: OpenMud, typed: str, answer: str) -> None:
    async with mud(world()) as valley:
        ann = await valley.player()
        await ann.sees(QUESTION)
        await ann.type(typed)
        await ann.sees(answer)
        await ann.sees(QUESTION)
        await ann.type("Ann")
        await ann.sees("Welcome")


async def test_who_has_no_name_after_some_tries_is_sent_away(mud: OpenMud) -> None:
    async with mud(world()) as valley:
        ann = await valley.player()
        await ann.type(*["?"] * TRIES)
        assert (await ann.sees_the_end()).endswith("Come back when you know who you are.\n")
        assert len(valley.server.connections) == 0


async def test_who_says_nothing_at_the_door_is_sent_away(mud: OpenMud) -> None:
    async with mud(world(), texts=Texts(no_input="Too late.")) as valley:
        ann = await valley.player()
        await ann.type("?")
        await ann.sees_the_end(within=PATIENCE + 1)
        assert ann.screen.endswith("Too late.\n")


@pytest.mark.parametrize("name", ["Ann", "ann", "\u00c5nn"])
async def test_a_name_that_somebody_has_is_refused(mud: OpenMud, come_in: ComeIn, name: str) -> None:
    async with mud(world()) as valley:
        await come_in(valley, "Ann")
        other = await valley.player()
        await other.type(name)
        await other.sees("Ann is in the valley already.")
        await other.sees(QUESTION)


async def test_of_two_who_give_the_same_name_at_once_one_gets_it(mud: OpenMud) -> None:
    async with mud(world()) as valley:
        rivals = [await valley.player() for _ in range(2)]
        async with trio.open_nursery() as nursery:
            for rival in rivals:
                nursery.start_soon(rival.type, "Ann")
        screens = [await rival.catches_up() for rival in rivals]
        assert ["Welcome" in screen for screen in screens].count(True) == 1
        assert ["already" in screen for screen in screens].count(True) == 1


@pytest.mark.parametrize("goes", ["quit", "vanish"])
async def test_a_name_is_free_again_when_its_owner_is_gone(mud: OpenMud, come_in: ComeIn, goes: str) -> None:
    async with mud(world()) as valley:
        ann = await come_in(valley, "Ann")
        await (ann.vanish() if goes == "vanish" else ann.type("quit"))
        await ann.catches_up()
        await come_in(valley, "Ann")


async def test_who_quits_is_seen_to_walk_away(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world()) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.catches_up()
        await bob.type("quit")
        assert "the clock goes on counting" in await bob.sees_the_end()
        await ann.sees(f"Bob {QUIT_SEEN}")
        await reads_no_more(ann)


@pytest.mark.parametrize("goes", ["vanish", "hang_up"])
async def test_who_loses_the_link_is_seen_to_run_down(mud: OpenMud, come_in: ComeIn, goes: str) -> None:
    async with mud(world()) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.catches_up()
        await getattr(bob, goes)()
        assert QUIT_SEEN not in await ann.sees(LOSS_SEEN)
        await reads_no_more(ann)


async def test_who_is_gone_is_seen_only_in_the_room_where_they_were(mud: OpenMud, come_in: ComeIn) -> None:
    async with mud(world()) as valley:
        ann, bob = await come_in(valley, "Ann"), await come_in(valley, "Bob")
        await ann.type("north")
        await ann.catches_up()
        await bob.vanish()
        await ann.sees_nothing()
        await ann.type("who")
        assert "Bob" not in await ann.catches_up()


async def test_what_is_typed_ahead_of_the_question_is_done_after_it(mud: OpenMud) -> None:
    async with mud(world()) as valley:
        ann = await valley.player()
        await ann.type("Ann", "north", "look")
        await ann.sees("Toll Green")
        await ann.sees("Drip Bridge")
        await ann.sees("Drip Bridge")


async def test_a_shutdown_lets_everybody_out(mud: OpenMud, come_in: ComeIn) -> None:
    hooks, ends = world(), list[tuple[Reason, Cause]]()
    hooks.on(Disconnect)(lambda event: ends.append((event.reason, event.cause)))
    async with mud(hooks) as valley:
        await come_in(valley, "Ann")
        await come_in(valley, "Bob")
        await valley.player()
    assert ends == [(Reason.QUIT, Cause.SHUTDOWN)] * 3
