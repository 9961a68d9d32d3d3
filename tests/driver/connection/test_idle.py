"""Deadlines for the silence of a player."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from trio_mud import Cause, Dialog, Hooks, Input, Limits, Texts
from trio_mud.telnet.codes import DO, DONT, END_OF_RECORD, IAC, NAWS, NOP, SB, SE
from trio_mud.telnet.gmcp_messages import encode_gmcp
from trio_mud.testing import OpenMud

from ..conftest import EventLog, first_connection, settled, waits

IDLE = Limits(idle_timeout=600, first_input_timeout=30)
WORDS = Texts(idle_warning="Still there?", idle="Asleep.", no_input="Mute.")
NO_OP = bytes((IAC, NOP))


async def test_who_is_silent_is_warned_a_minute_before_and_then_shown_out(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=IDLE, texts=WORDS) as place:
        player = await place.player()
        await player.type("look")
        began = trio.current_time()
        await player.sees("Still there?\n", within=601)
        assert trio.current_time() == began + 540
        await player.sees("Asleep.\n", within=601)
        assert trio.current_time() == began + 600
        await player.sees_the_end()
        assert witness.last_ending.cause is Cause.IDLE
        assert witness.last_ending.text == "Asleep."


async def test_a_line_after_the_warning_is_as_good_as_before(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=IDLE, texts=WORDS) as place:
        player = await place.player()
        await player.type("look")
        for _ in range(5):
            await player.sees("Still there?\n", within=601)
            await trio.sleep(59)
            await player.type("yes")
        began = trio.current_time()
        await player.sees("Still there?\n", within=601)
        assert trio.current_time() == began + 540
        await player.sees("Asleep.\n", within=601)
        assert trio.current_time() == began + 600


async def test_who_types_now_and_then_is_never_asked(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks, limits=IDLE, texts=WORDS) as place:
        player = await place.player()
        for _ in range(100):
            await player.type("hm")
            await trio.sleep(539)
        assert "Still there?" not in await player.catches_up()


@pytest.mark.parametrize("patience", [0.5, 2, 30, 119, 121])
async def test_of_a_short_patience_half_is_left_at_the_warning(
    mud: OpenMud, witness: EventLog, patience: float
) -> None:
    async with mud(witness.hooks, limits=Limits(idle_timeout=patience), texts=WORDS) as place:
        player = await place.player()
        await player.type("look")
        began = trio.current_time()
        await player.sees("Still there?\n", within=601)
        assert trio.current_time() == pytest.approx(began + patience - min(60, patience / 2))
        await player.sees("Asleep.\n", within=601)
        assert trio.current_time() == pytest.approx(began + patience)


@pytest.mark.parametrize(
    "noise",
    [
        NO_OP,
        bytes((IAC, DO, 99)),
        bytes((IAC, DONT, END_OF_RECORD)),
        bytes((IAC, SB, NAWS, 0, 80, 0, 24, IAC, SE)),
        encode_gmcp("Core.KeepAlive"),
        encode_gmcp("Core.Ping"),
        encode_gmcp("Char.Items.Inv"),
        b"half a line",
    ],
    ids=["NOP", "DO", "DONT", "NAWS", "KeepAlive", "Ping", "another message", "an unfinished line"],
)
async def test_what_programs_send_by_themselves_does_not_count(mud: OpenMud, witness: EventLog, noise: bytes) -> None:
    async with mud(witness.hooks, limits=Limits(idle_timeout=600, max_anomalies=None), texts=WORDS) as place:
        player = await place.player(columns=80, rows=24, gmcp=("Char",))
        await player.type("look")
        began = trio.current_time()
        for _ in range(59):
            await trio.sleep(10)
            await player.send(noise)
        await player.sees("Asleep.\n", within=20)
        assert trio.current_time() == began + 600


async def test_who_never_said_a_word_is_told_that_and_nothing_else(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=Limits(idle_timeout=10, first_input_timeout=30), texts=WORDS) as place:
        player = await place.player()
        assert await player.sees_the_end(within=31) == "Mute.\n"
        assert witness.last_ending.cause is Cause.LOGIN_DEADLINE


async def test_without_a_deadline_for_the_first_line_silence_counts_from_admission(
    mud: OpenMud, witness: EventLog
) -> None:
    async with mud(witness.hooks, limits=Limits(idle_timeout=100, first_input_timeout=None), texts=WORDS) as place:
        player = await place.player()
        began = trio.current_time()
        await player.sees("Asleep.\n", within=101)
        assert trio.current_time() == began + 100


async def test_an_answer_to_a_dialog_counts_as_a_line(mud: OpenMud, witness: EventLog) -> None:
    async def talk(dialog: Dialog) -> None:
        while True:
            await dialog.ask("And then? ")

    async with mud(witness.hooks, limits=IDLE, texts=WORDS) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(talk)
        for _ in range(5):
            await player.type("well")
            await trio.sleep(500)
        assert first_connection(place.server).ending is None
        await player.sees("Asleep.\n", within=101)


async def test_who_waits_for_the_game_is_not_idle(mud: OpenMud, witness: EventLog) -> None:
    """A line that the game has not taken yet is not silence."""

    async def tell_a_long_story(dialog: Dialog) -> None:
        await trio.sleep(5000)

    async with mud(witness.hooks, limits=IDLE, texts=WORDS) as place:
        player = await place.player()
        await player.type("look")
        await settled()
        first_connection(place.server).start_dialog(tell_a_long_story)
        await player.type("is it over?")
        await trio.sleep(5000)
        assert first_connection(place.server).ending is None
        await player.sees("Asleep.\n", within=601)


async def test_nobody_is_idle_where_it_is_switched_off(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks) as place:
        player = await place.player()
        await player.type("look")
        await trio.sleep(86_000)
        await player.type("still here")
        await player.sees("you said still here")
        assert len(place.server._context.timers) == 0


async def test_a_busy_typist_costs_one_entry_in_the_heap_that_moves_now_and_then(mud: OpenMud) -> None:
    limits = Limits(idle_timeout=600, command_rate=None)
    async with mud(Hooks(), limits=limits) as place:
        player = await place.player()
        await player.type("look")
        await trio.sleep(30)  # those of the negotiation are over
        timers, moved, at = place.server._context.timers, [], place.server._context.timers.at
        timers.at = lambda when, *rest: moved.append(when) or at(when, *rest)  # type: ignore[func-returns-value,method-assign]
        for _ in range(1000):
            await player.type("kill rat")
            await trio.sleep(1)
            assert len(timers) == 1
        assert len(timers._heap) <= 2
        assert len(moved) <= 3


@pytest.mark.parametrize("ending", ["quit", "vanish", "hang up"])
@pytest.mark.one_process("counts the tasks and timers of one server")
async def test_the_entries_go_with_the_connection(mud: OpenMud, witness: EventLog, ending: str) -> None:
    async with mud(witness.hooks, limits=Limits(idle_timeout=600, keepalive_interval=60)) as place:
        player = await place.player()
        await player.type("look")
        await trio.sleep(30)  # those of the negotiation are over
        assert len(place.server._context.timers) == 2
        if ending == "quit":
            first_connection(place.server).quit()
        elif ending == "vanish":
            await player.vanish()
        else:
            await player.hang_up()
        await settled()
        assert len(place.server._context.timers) == 0


async def test_a_hook_that_waits_is_not_the_players_silence(mud: OpenMud, witness: EventLog) -> None:
    """Its next line waits with it, and counts when it is typed, not when it is taken."""
    witness.hooks.on(Input)(waits(4))
    async with mud(witness.hooks, limits=Limits(idle_timeout=3), texts=WORDS) as place:
        player = await place.player()
        await player.type("one", "two")
        await trio.sleep(5)
        assert first_connection(place.server).ending is None


async def test_where_patience_is_short_the_warning_comes_at_half_of_it(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=Limits(idle_timeout=20), texts=WORDS) as place:
        player = await place.player()
        await player.type("look")
        await trio.sleep(5)
        await player.type("look again")
        await trio.sleep(9.9)
        assert "Still there?" not in player.screen
        await player.sees("Still there?", within=0.2)
        await player.sees("Asleep.", within=10.1)


async def test_a_connection_may_have_an_idle_timeout_of_its_own(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=IDLE, texts=WORDS) as place:
        player = await place.player()
        await player.type("look")
        connection = first_connection(place.server)
        assert connection.idle_timeout == 600
        connection.idle_timeout = 1200
        began = trio.current_time()
        await player.sees("Still there?\n", within=1201)
        assert trio.current_time() == began + 1140
        await player.sees("Asleep.\n", within=61)
        assert trio.current_time() == began + 1200


async def test_an_idle_timeout_can_be_switched_off_and_on(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=IDLE, texts=WORDS) as place:
        player = await place.player()
        await player.type("look")
        connection = first_connection(place.server)
        connection.idle_timeout = None
        await trio.sleep(10_000)
        assert await player.catches_up() == ""
        began = trio.current_time()
        connection.idle_timeout = 100  # has passed already: the warning comes at once, and half of the time is left
        await player.sees("Still there?\n")
        assert trio.current_time() == began
        await player.sees_the_end(within=51)
        assert trio.current_time() == began + 50
        assert witness.last_ending.cause is Cause.IDLE


async def test_an_idle_timeout_set_before_the_first_line_counts_from_that_line(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=Limits(first_input_timeout=500), texts=WORDS) as place:
        player = await place.player()
        first_connection(place.server).idle_timeout = 100
        await trio.sleep(400)
        await player.type("look")
        began = trio.current_time()
        await player.sees_the_end(within=101)
        assert trio.current_time() == began + 100


@pytest.mark.parametrize(("wrong", "error"), [("600", TypeError), (0.5, ValueError), (float("inf"), ValueError)])
async def test_an_idle_timeout_is_seconds_or_none(mud: OpenMud, wrong: object, error: type[Exception]) -> None:
    async with mud(Hooks()) as place:
        await place.player()
        connection = first_connection(place.server)
        with pytest.raises(error, match=r"^Connection.idle_timeout takes a number of seconds"):
            connection.idle_timeout = wrong  # type: ignore[assignment]
        assert connection.idle_timeout is None
