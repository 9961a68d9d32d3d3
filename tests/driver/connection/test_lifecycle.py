"""The ending of a connection: one reason and one cause, decided once, in any race."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import trio

from trio_mud import (
    Admitted,
    Cause,
    Connect,
    Connection,
    Dialog,
    Disconnect,
    Hooks,
    Input,
    Limits,
    MasterServer,
    Reason,
    Texts,
)
from trio_mud.telnet.codes import IAC, NAWS, NOP, SB
from trio_mud.testing import OpenMud

from ..conftest import EventLog, FakeTransport, feed, first_connection, open_house, settled, until, waits

QUIT_CAUSES = [cause for cause in Cause if cause.reason is Reason.QUIT]
BROKEN_FRAME = bytes((IAC, SB, NAWS, 1, IAC, NOP))  # another command before IAC SE


# The table


@pytest.mark.parametrize("cause", QUIT_CAUSES)
async def test_the_game_may_quit_for_every_cause_whose_reason_is_quit(
    mud: OpenMud, witness: EventLog, cause: Cause
) -> None:
    witness.hooks.on(Input)(lambda event: event.connection.quit("Bye.", cause=cause))
    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.type("out")
        assert await player.sees_the_end() == "Bye.\n"
    assert (Reason.QUIT, cause, "Bye.") == _ending(witness)


async def test_the_farewell_is_read_even_where_the_outbox_has_no_room(mud: OpenMud, witness: EventLog) -> None:
    @witness.hooks.on(Input)
    def babble(event: Input) -> None:
        while event.connection.write("blah"):
            pass
        event.connection.quit("Bye.")

    async with mud(witness.hooks, limits=Limits(max_output=100)) as place:
        player = await place.player()
        await player.type("talk")
        assert (await player.sees_the_end()).endswith("blah\nBye.\n")


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause.reason is not Reason.QUIT])
async def test_no_quit_can_pretend_to_be_a_link_death_or_a_refusal(
    mud: OpenMud, witness: EventLog, cause: Cause
) -> None:
    async with mud(witness.hooks) as place:
        await place.player()
        with pytest.raises(ValueError, match=cause.name):
            first_connection(place.server).quit(cause=cause)
        assert first_connection(place.server).ending is None


async def test_end_of_file_is_a_link_death_after_all_lines_were_served(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks) as place:
        player = await place.player()
        await player.type("one", "two")
        await player.hang_up()
        await settled()
        assert talkers.story("guest-1")[-3:] == ["guest-1: one", "guest-1: two", "guest-1 linkdeath: end of file"]


async def test_an_unfinished_line_is_no_line(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks) as place:
        player = await place.player()
        await player.send(b"one\r\ndrop ev")
        await player.hang_up()
        await settled()
        assert talkers.story("guest-1")[-2:] == ["guest-1: one", "guest-1 linkdeath: end of file"]


async def test_a_reset_is_a_link_death_at_once(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks) as place:
        player = await place.player()
        await player.vanish()
        await settled()
        assert _ending(talkers) == (Reason.LINKDEATH, Cause.RESET, "")


async def test_a_reset_found_by_a_write_is_the_same_link_death_once(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks) as place:
        player = await place.player(capacity=8)
        player.stop_reading()
        await player.type("fill the pipe")
        await settled()
        first_connection(place.server).write("more")
        await player.vanish()  # reader and writer both notice
        await settled()
        assert [(ending.reason, ending.cause) for ending in talkers.disconnects()] == [(Reason.LINKDEATH, Cause.RESET)]


async def test_a_peer_that_takes_nothing_for_too_long_is_dead(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks, limits=Limits(write_stall_timeout=30)) as place:
        player = await place.player(capacity=8)
        player.stop_reading()
        began = trio.current_time()
        await player.type("hello")
        await until(talkers.disconnects)
        assert _ending(talkers) == (Reason.LINKDEATH, Cause.WRITE_STALL, "")
        assert 30 <= trio.current_time() - began <= 31


async def test_who_reads_slowly_but_reads_is_not_dead(autojump_clock: trio.testing.MockClock) -> None:
    """N7: only a peer that takes nothing at all stalls."""
    witness = EventLog()
    witness.hooks.on(Admitted)(lambda event: event.connection.write("z" * 20))
    async with open_house(
        witness.hooks, limits=Limits(write_stall_timeout=30, first_input_timeout=None), options=()
    ) as house:
        wire = await house.connect(room=1)
        for _ in range(21):
            await trio.sleep(29)
            wire.make_room(1)
        await settled()
        assert wire.text == "z" * 20 + "\r\n"
        assert not witness.disconnects()


async def test_a_connect_function_that_raises_refuses(mud: OpenMud, witness: EventLog) -> None:
    """A7: it fails closed."""

    @witness.hooks.on(Connect)
    def stumble(event: Connect) -> None:
        raise RuntimeError("no candle")

    async with mud(witness.hooks, texts=Texts(connect_failed="Stuck."), allow_errors=True) as place:
        visitor = await place.player()
        assert await visitor.sees_the_end() == "Stuck.\n"
    assert witness.story() == ["guest-1 connect", "guest-1 refused: hook failed"]


async def test_a_connect_function_that_hangs_refuses(mud: OpenMud, witness: EventLog) -> None:
    """A8: at the deadline of hooks."""

    @witness.hooks.on(Connect)
    async def doze(event: Connect) -> None:
        await trio.sleep_forever()

    async with mud(
        witness.hooks, limits=Limits(hook_timeout=3), texts=Texts(connect_too_slow="Zzz."), allow_errors=True
    ) as place:
        began = trio.current_time()
        visitor = await place.player()
        assert await visitor.sees_the_end() == "Zzz.\n"
        assert trio.current_time() - began == 3
    assert witness.story() == ["guest-1 connect", "guest-1 refused: hook too slow"]


async def test_who_types_nothing_is_asked_to_leave(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=Limits(first_input_timeout=7), texts=Texts(no_input="Hello?")) as place:
        silent = await place.player()
        assert await silent.sees_the_end() == "Hello?\n"
    assert _ending(witness) == (Reason.QUIT, Cause.LOGIN_DEADLINE, "Hello?")


async def test_a_shutdown_quits_everybody_with_its_text(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks) as place:
        player = await place.player()
        place.server.shutdown("Night falls.")
        assert await player.sees_the_end() == "Night falls.\n"
    assert _ending(witness) == (Reason.QUIT, Cause.SHUTDOWN, "Night falls.")


async def test_the_hard_path_is_a_link_death_and_nothing_is_written(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.catches_up()
        place.server.abort()
        assert await player.sees_the_end() == ""
    assert _ending(witness) == (Reason.LINKDEATH, Cause.CANCELLED, "")


async def test_the_last_of_too_many_protocol_faults_ends_the_connection(mud: OpenMud, witness: EventLog) -> None:
    """P1: the third."""
    async with mud(witness.hooks, limits=Limits(max_anomalies=3), texts=Texts(protocol_abuse="Enough.")) as place:
        player = await place.player(columns=80, rows=24)
        await player.send(BROKEN_FRAME * 2)
        await settled()
        assert not witness.disconnects()
        await player.send(BROKEN_FRAME)
        assert (await player.sees_the_end()).endswith("Enough.\n")
    assert _ending(witness) == (Reason.QUIT, Cause.PROTOCOL, "Enough.")


async def test_lines_behind_the_last_protocol_fault_are_dropped_like_all_at_a_quit(
    mud: OpenMud, witness: EventLog
) -> None:
    """Also those that came with the same bytes."""
    async with mud(witness.hooks, limits=Limits(max_anomalies=1)) as place:
        player = await place.player(columns=80, rows=24)
        await settled()
        await player.send(BROKEN_FRAME + b"look\r\n")
        await player.sees_the_end()
    lines = [event.line for event in witness.events if isinstance(event, Input)]
    assert lines == []


async def test_a_fault_that_is_found_while_a_line_is_taken_drops_that_line_too(mud: OpenMud, witness: EventLog) -> None:
    """No `Input` comes once a quit is decided, not even one that is due."""
    endings: list[Cause | None] = []
    witness.hooks.on(Input)(lambda event: endings.append(event.connection.ending))
    async with mud(witness.hooks, limits=Limits(max_anomalies=1, max_typeahead=1)) as place:
        player = await place.player(columns=80, rows=24)
        await settled()
        await player.send(b"one\r\n" + b"x" * 600 + b"\r\n" + BROKEN_FRAME)
        await player.sees_the_end()
    assert set(endings) <= {None}


# End of file


async def test_a_client_that_half_closes_gets_its_answers(mud: OpenMud, talkers: EventLog) -> None:
    """N4: `printf 'one\\ntwo\\n' | nc`."""
    async with mud(talkers.hooks) as place:
        player = await place.player()
        await player.type("one", "two")
        await player.finish_typing()
        assert await player.sees_the_end() == "you said one\nyou said two\n"
    assert _ending(talkers) == (Reason.LINKDEATH, Cause.EOF, "")


async def test_a_quit_typed_before_the_end_of_file_is_a_quit(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks) as place:
        player = await place.player()
        await player.type("one", "quit", "never")
        await player.finish_typing()
        assert await player.sees_the_end() == "you said one\nFarewell.\n"
    assert _ending(talkers) == (Reason.QUIT, Cause.ASKED, "Farewell.")
    assert "guest-1: never" not in talkers.story()


async def test_answers_that_wait_for_something_are_waited_for_at_the_end_of_file(
    mud: OpenMud, witness: EventLog
) -> None:
    @witness.hooks.on(Input)
    async def ponder(event: Input) -> None:
        await trio.sleep(1)
        event.connection.write(f"about {event.line}: yes")

    async with mud(witness.hooks, limits=Limits(quit_timeout=2)) as place:
        player = await place.player()
        await player.type("fate")
        await player.finish_typing()
        assert await player.sees_the_end() == "about fate: yes\n"


async def test_the_end_of_file_waits_no_longer_than_a_quit_would(mud: OpenMud, witness: EventLog) -> None:
    @witness.hooks.on(Input)
    async def ponder(event: Input) -> None:
        await trio.sleep(3)

    async with mud(witness.hooks, limits=Limits(quit_timeout=2)) as place:
        began = trio.current_time()
        player = await place.player()
        await player.type("one", "two")
        await player.finish_typing()
        await player.sees_the_end()
        assert trio.current_time() - began == 2
    assert witness.story() == [
        "guest-1 connect",
        "guest-1 admitted",
        "guest-1: one",
        "guest-1: two",
        "guest-1 linkdeath: end of file",
    ]


async def test_an_end_of_file_behind_a_full_typeahead_is_met_when_all_lines_were_served(
    mud: OpenMud, talkers: EventLog
) -> None:
    """N3: also lines that were still bytes."""
    lines = [f"line {number}" for number in range(300)]
    async with mud(talkers.hooks, limits=Limits(max_typeahead=2, command_rate=None)) as place:
        player = await place.player()
        await player.type(*lines)
        await player.finish_typing()
        await player.sees_the_end()
    assert [event.line for event in talkers.events if isinstance(event, Input)] == lines
    assert _ending(talkers) == (Reason.LINKDEATH, Cause.EOF, "")


async def test_a_throttled_player_loses_nothing_at_the_end_of_file(mud: OpenMud, talkers: EventLog) -> None:
    lines = [f"line {number}" for number in range(200)]
    async with mud(talkers.hooks) as place:  # a burst of 60, then 20 a second
        player = await place.player()
        await player.type(*lines)
        await player.hang_up()
        await trio.sleep(60)
    assert [event.line for event in talkers.events if isinstance(event, Input)] == lines


async def test_a_dialog_is_served_before_the_end_of_file(mud: OpenMud, witness: EventLog) -> None:
    """The last line that a dialog gets counts as served when the dialog has dealt with it."""

    async def login(dialog: Dialog) -> None:
        name = await dialog.ask("Name? ")
        dialog.connection.write(f"Welcome, {name}.")

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(login))
    async with mud(witness.hooks) as place:
        players = [await place.player() for _ in range(20)]
        for player in players:
            await player.type("Ann")
            await player.finish_typing()
        assert [await player.sees_the_end() for player in players] == ["Name? Welcome, Ann.\n"] * 20


async def test_who_half_closes_at_once_still_reads_the_greeting(mud: OpenMud, witness: EventLog) -> None:
    """As `nc host 4000 </dev/null` does; the connect event is followed by `Admitted`, and that is an answer too."""
    witness.hooks.on(Admitted)(lambda event: event.connection.write("The fire crackles."))
    async with mud(witness.hooks) as place:
        screens = []
        for _ in range(20):
            pipe = place.connect()
            await pipe.client.send_eof()
            received = b""
            while data := await pipe.client.receive_some():
                received += data
            screens.append(b"The fire crackles." in received)
        assert screens == [True] * 20


# Link death


async def test_typed_lines_are_still_handled_after_a_reset_and_write_nothing(mud: OpenMud, witness: EventLog) -> None:
    written = []

    @witness.hooks.on(Input)
    async def ponder(event: Input) -> None:
        await trio.sleep(1)
        written.append(event.connection.write("too late"))

    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.type("one", "two", "three")
        await settled()
        await player.vanish()
        await trio.sleep(10)
        assert witness.story("guest-1")[2:] == [
            "guest-1: one",
            "guest-1: two",
            "guest-1: three",
            "guest-1 linkdeath: reset",
        ]
    assert written == [False] * 3


async def test_quit_among_the_lines_left_by_a_dead_link_changes_nothing(mud: OpenMud, talkers: EventLog) -> None:
    talkers.hooks.on(Input, order=-2)(waits(1))
    async with mud(talkers.hooks) as place:
        player = await place.player()
        await player.type("one", "quit", "three")
        await settled()
        await player.vanish()
        await trio.sleep(10)
    assert talkers.story("guest-1")[-2:] == ["guest-1: three", "guest-1 linkdeath: reset"]


async def test_a_throttled_player_loses_nothing_at_a_reset(mud: OpenMud, talkers: EventLog) -> None:
    lines = [f"line {number}" for number in range(100)]
    async with mud(talkers.hooks, limits=Limits(max_typeahead=200)) as place:
        player = await place.player()
        await player.type(*lines)
        await settled()
        await player.vanish()
        await trio.sleep(0.001)
        assert [event.line for event in talkers.events if isinstance(event, Input)] == lines
        assert _ending(talkers)[1] is Cause.RESET


async def test_nothing_is_written_after_a_link_death_is_detected(autojump_clock: trio.testing.MockClock) -> None:
    """I-13."""
    hooks = Hooks()
    hooks.on(Admitted)(lambda event: event.connection.every(0.25, lambda: event.connection.write("tick")))
    async with open_house(hooks) as house:
        wire = await house.connect()
        await trio.sleep(1.1)
        wire.break_()
        await settled()
        sent = len(wire.sent)
        await trio.sleep(5)
        assert len(wire.sent) == sent


async def test_a_cut_link_is_closed_at_once_without_lingering(mud: OpenMud, witness: EventLog) -> None:
    """Nothing more is to reach that peer, so nothing is waited for."""
    async with mud(witness.hooks) as place:
        pipe = place.connect()  # never closes its end
        await settled()
        place.server.abort()
        began = trio.current_time()
        await place.server.closed.wait()
        assert trio.current_time() == began
        await pipe.client.aclose()


# Quit


async def test_lines_typed_but_not_handled_are_dropped_at_a_quit(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks) as place:
        player = await place.player()
        await player.type("one", "quit", "two", "three")
        await player.sees_the_end()
    assert talkers.story()[2:] == ["guest-1: one", "guest-1: quit", "guest-1 quit: asked"]


async def test_what_was_written_before_a_quit_arrives_and_what_is_written_after_it_does_not(
    mud: OpenMud, witness: EventLog
) -> None:
    answers = []

    @witness.hooks.on(Input)
    def leave(event: Input) -> None:
        guest = event.connection
        answers.append(guest.write("before"))
        guest.quit("last")
        answers.append(guest.write("after"))
        answers.append(guest.prompt("after? "))
        guest.hide_input(True)

    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.type("go")
        assert await player.sees_the_end() == "before\nlast\n"
    assert answers == [True, False, False]


async def test_the_first_quit_stands(mud: OpenMud, witness: EventLog) -> None:
    @witness.hooks.on(Input)
    def leave(event: Input) -> None:
        event.connection.quit("first", cause=Cause.IDLE)
        event.connection.quit("second", cause=Cause.BANNED)

    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.type("go")
        assert await player.sees_the_end() == "first\n"
    assert _ending(witness) == (Reason.QUIT, Cause.IDLE, "first")


async def test_a_quit_stays_a_quit_when_the_link_breaks_during_the_last_words(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks) as place:
        player = await place.player(capacity=4)
        player.stop_reading()
        await player.type("quit")
        await settled()
        await player.vanish()
        await settled()
        assert [(ending.reason, ending.cause) for ending in talkers.disconnects()] == [(Reason.QUIT, Cause.ASKED)]


async def test_a_quit_after_the_link_broke_stays_a_link_death(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks) as place:
        player = await place.player()
        connection = first_connection(place.server)
        await player.vanish()
        connection._lifecycle.lose_link(Cause.RESET)
        connection.quit("bye")
        await settled()
        assert _ending(witness) == (Reason.LINKDEATH, Cause.RESET, "")


@pytest.mark.one_process("the gateway sends the last words, and the world does not wait for it")
async def test_last_words_wait_for_a_slow_reader_no_longer_than_allowed(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks, limits=Limits(quit_timeout=2, linger_timeout=1)) as place:
        player = await place.player(capacity=4)
        player.stop_reading()
        began = trio.current_time()
        await player.type("quit")
        await until(talkers.disconnects)
        assert trio.current_time() - began == pytest.approx(2, abs=0.02)


@pytest.mark.one_process("counts the tasks and timers of one server")
async def test_a_quit_never_waits_for_its_own_disconnect(mud: OpenMud, witness: EventLog) -> None:
    """The transport is closed and the task has ended while a disconnect function still waits."""
    witness.hooks.on(Input)(lambda event: event.connection.quit())
    witness.hooks.on(Disconnect)(waits(4))
    async with mud(witness.hooks) as place:
        player = await place.player()
        tasks = trio.lowlevel.current_statistics().tasks_living
        await player.type("go")
        began = trio.current_time()
        await player.sees_the_end()
        await settled()
        assert trio.current_time() == began
        assert trio.lowlevel.current_statistics().tasks_living == tasks - 1  # the waiting hook instead of two tasks


async def test_last_words_survive_what_the_peer_types_meanwhile(mud: OpenMud, talkers: EventLog) -> None:
    """N29."""

    async def type_on() -> None:
        with suppress(trio.BrokenResourceError):
            await player.type("are you still there?")

    async with mud(talkers.hooks) as place:
        player = await place.player(capacity=3)
        await player.type("quit")
        place.nursery.start_soon(type_on)
        assert await player.sees_the_end() == "Farewell.\n"


@pytest.mark.one_process("the gateway sends the last words, and the world does not wait for it")
async def test_the_disconnect_does_not_wait_for_a_peer_that_will_not_close(mud: OpenMud, witness: EventLog) -> None:
    """The transport lingers for what was sent, and its events are over already."""
    async with mud(witness.hooks, limits=Limits(linger_timeout=2)) as place:
        pipe = place.connect()
        await settled()
        first_connection(place.server).quit("Bye.")
        await settled()
        assert trio.current_time() == 0
        assert len(witness.disconnects()) == 1
        assert _guests(place.server) == 1
        await pipe.client.aclose()


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_what_is_received_after_a_link_death_is_dropped(mud: OpenMud, witness: EventLog) -> None:
    """A read may complete in the pass in which the end is decided."""
    async with mud(witness.hooks) as place:
        await place.player()
        connection = first_connection(place.server)
        connection._lifecycle.lose_link(Cause.RESET)
        feed(connection, b"look\r\n")
        await settled()
    assert not [event for event in witness.events if isinstance(event, Input)]


async def test_an_ending_before_admission_leaves_no_deadline_behind(mud: OpenMud, witness: EventLog) -> None:
    witness.hooks.on(Connect)(lambda event: event.connection.quit("Not today."))
    async with mud(witness.hooks) as place:
        visitor = await place.player()
        await visitor.sees_the_end()
        await settled()
        assert len(place.server._context.timers) == 0


async def test_one_may_quit_another_and_each_has_one_ending(mud: OpenMud, witness: EventLog) -> None:
    """A12."""

    @witness.hooks.on(Input)
    def kick_everybody(event: Input) -> None:
        for other in event.connection.server.connections:
            other.quit("Out!", cause=Cause.KICKED)

    async with mud(witness.hooks) as place:
        ann, bob = await place.player(), await place.player()
        await bob.type("me too")
        await ann.type("go")
        assert (await ann.sees_the_end(), await bob.sees_the_end()) == ("Out!\n", "Out!\n")
    assert sorted(words for words in witness.story() if "kicked" in words) == [
        "guest-1 quit: kicked",
        "guest-2 quit: kicked",
    ]


# At the door


async def test_a_quit_in_a_connect_function_is_kept_until_after_the_verdict(mud: OpenMud, witness: EventLog) -> None:
    witness.hooks.on(Connect)(lambda event: event.connection.quit("Not today.", cause=Cause.BANNED))
    on_the_list = []
    witness.hooks.on(Admitted)(
        lambda event: on_the_list.append(event.connection in event.connection.server.connections)
    )
    async with mud(witness.hooks) as place:
        visitor = await place.player()
        assert await visitor.sees_the_end() == "Not today.\n"
    assert on_the_list == [True]
    assert witness.story() == ["guest-1 connect", "guest-1 admitted", "guest-1 quit: banned"]


@pytest.mark.parametrize("first", ["quit", "refuse"])
async def test_a_refusal_beats_a_quit_in_whatever_order(mud: OpenMud, witness: EventLog, first: str) -> None:
    acts: list[Callable[[Connection], None]] = [lambda c: c.quit("quit text"), lambda c: c.refuse("refusal")]
    if first == "refuse":
        acts.reverse()
    witness.hooks.on(Connect)(lambda event: acts[0](event.connection))
    witness.hooks.on(Connect)(lambda event: acts[1](event.connection))
    async with mud(witness.hooks) as place:
        visitor = await place.player()
        assert await visitor.sees_the_end() == "refusal\n"
    assert witness.story() == ["guest-1 connect", "guest-1 refused: vetoed"]


async def test_a_refusal_beats_a_link_death(mud: OpenMud, witness: EventLog) -> None:
    """A9: a peer that disconnects before the verdict is still refused, and reads nothing."""

    @witness.hooks.on(Connect)
    async def ponder(event: Connect) -> None:
        await trio.sleep(1)
        event.connection.refuse("No.")

    async with mud(witness.hooks) as place:
        await place.player()
        place.server.abort()
        await place.server.closed.wait()
    assert witness.story() == ["guest-1 connect", "guest-1 refused: vetoed"]


async def test_who_left_during_the_connect_hook_is_admitted_and_then_gone(mud: OpenMud, witness: EventLog) -> None:
    """A9, A20: the verdict is honoured, then comes the paired disconnect."""
    witness.hooks.on(Connect)(waits(1))
    async with mud(witness.hooks) as place:
        visitor = await place.player()
        await visitor.vanish()
        await trio.sleep(2)
        assert len(place.server.connections) == 0
    assert witness.story() == ["guest-1 connect", "guest-1 admitted", "guest-1 linkdeath: reset"]


async def test_a_hard_stop_during_the_connect_hook_honours_the_verdict(mud: OpenMud, witness: EventLog) -> None:
    """A20: and the list is empty at the end."""
    witness.hooks.on(Connect)(waits(1))
    async with mud(witness.hooks) as place:
        await place.player()
        place.server.abort()
        await place.server.closed.wait()
        assert len(place.server.connections) == 0
    assert witness.story() == ["guest-1 connect", "guest-1 admitted", "guest-1 linkdeath: cancelled"]


async def test_a_refusal_after_the_verdict_is_a_quit(mud: OpenMud, witness: EventLog) -> None:
    witness.hooks.on(Admitted)(lambda event: event.connection.refuse("Changed my mind."))
    async with mud(witness.hooks) as place:
        visitor = await place.player()
        assert await visitor.sees_the_end() == "Changed my mind.\n"
    assert _ending(witness) == (Reason.QUIT, Cause.KICKED, "Changed my mind.")


async def test_a_refused_visitor_reads_nothing_but_the_refusal_not_even_telnet(mud: OpenMud, witness: EventLog) -> None:
    """I-6."""

    @witness.hooks.on(Connect)
    def chatter(event: Connect) -> None:
        guest = event.connection
        guest.write("Welcome!")
        guest.prompt("Name? ")
        guest.hide_input(True)
        guest.start_soon(trio.sleep_forever)
        guest.after(0, lambda: guest.write("tick"))
        guest.refuse("No.")

    async with mud(witness.hooks) as place:
        pipe = place.connect()
        await trio.sleep(1)
        received = b""
        while data := await pipe.client.receive_some():
            received += data
        assert received == b"No.\r\n"
        await pipe.client.aclose()


async def test_an_empty_refusal_text_says_nothing(mud: OpenMud, witness: EventLog) -> None:
    """As `Texts` promises of every text."""
    witness.hooks.on(Connect)(lambda event: event.connection.refuse())
    async with mud(witness.hooks, texts=Texts(refused="")) as place:
        visitor = await place.player()
        assert await visitor.sees_the_end() == ""


async def test_other_empty_texts_say_nothing_either(mud: OpenMud, witness: EventLog) -> None:
    @witness.hooks.on(Input)
    def fail(event: Input) -> None:
        raise RuntimeError

    texts = Texts(command_failed="", line_cut="", output_dropped="")
    async with mud(witness.hooks, texts=texts, limits=Limits(max_line=10), allow_errors=True) as place:
        player = await place.player()
        await player.type("x", "y" * 20)
        assert await player.catches_up() == ""


async def test_a_refused_visitor_is_closed_within_the_deadlines_even_if_it_reads_nothing(
    mud: OpenMud, witness: EventLog
) -> None:
    witness.hooks.on(Connect)(lambda event: event.connection.refuse("No." * 100))
    async with mud(witness.hooks, limits=Limits(quit_timeout=2, linger_timeout=1)) as place:
        place.connect(capacity=4)
        await trio.sleep(3.5)
        assert place.server.counters["refused: vetoed"] == 1
        assert _guests(place.server) == 0


# Dialogs and endings


@pytest.mark.parametrize("ending", ["quit", "vanish", "abort", "hang up"])
async def test_lines_lent_to_a_dialog_are_dropped_when_the_connection_ends(
    mud: OpenMud, witness: EventLog, ending: str
) -> None:
    """A password must not become a command."""

    async def login(dialog: Dialog) -> None:
        await dialog.ask("Name? ")
        await trio.sleep_forever()

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(login))
    async with mud(witness.hooks, limits=Limits(first_input_timeout=None)) as place:
        player = await place.player()
        connection = first_connection(place.server)
        await player.type("ann", "pass word", "quit")
        await settled()
        match ending:
            case "quit":
                connection.quit()
            case "vanish":
                await player.vanish()
            case "abort":
                place.server.abort()
            case "hang up":
                await player.hang_up()
        await trio.sleep(10)
    assert len(witness.disconnects()) == 1
    assert not [event for event in witness.events if isinstance(event, Input)]


# What belongs to it


async def test_no_tick_comes_after_the_ending_is_decided(mud: OpenMud, witness: EventLog) -> None:
    """Only typed lines may still come before `Disconnect`, even while the last output waits for a slow reader."""
    ticks: list[bool] = []
    witness.hooks.on(Admitted)(
        lambda event: event.connection.every(0.5, lambda: ticks.append(event.connection.ending is None))
    )
    async with mud(witness.hooks, limits=Limits(quit_timeout=2)) as place:
        player = await place.player(capacity=4)
        player.stop_reading()
        await trio.sleep(1.1)
        first_connection(place.server).quit("a long farewell that does not fit")
        await trio.sleep(10)
    assert ticks == [True, True]


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_an_ended_connection_takes_no_work_no_dialog_and_no_timer(mud: OpenMud, witness: EventLog) -> None:
    done: list[str] = []

    async def work(*_: object) -> None:
        done.append("work")

    async with mud(witness.hooks) as place:
        player = await place.player()
        connection = first_connection(place.server)
        connection.quit()
        connection.start_soon(work)
        connection.start_dialog(work)
        assert not connection.after(0, lambda: done.append("tick")).is_active
        await player.sees_the_end()
        connection.start_soon(work)
        connection.start_dialog(work)
        connection.every(1, lambda: done.append("tick"))
        feed(connection, b"look\r\n")
        await trio.sleep(10)
    assert done == []
    assert not [event for event in witness.events if isinstance(event, Input)]


async def test_work_of_a_connection_ends_with_it_and_its_failure_costs_nobody(
    mud: OpenMud, witness: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    """A21, I-14."""
    ended: list[str] = []

    async def linger_on() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("work")

    async def break_down() -> None:
        raise RuntimeError("broken work")

    async with mud(witness.hooks, allow_errors=True) as place:
        ann, bob = await place.player(), await place.player()
        connection = first_connection(place.server)
        connection.start_soon(linger_on)
        connection.start_soon(break_down)
        await settled()
        assert "failed for guest-1 (#1)" in caplog.text
        assert connection.ending is None
        await ann.vanish()
        await settled()
        assert ended == ["work"]
        assert len(place.server.connections) == 1
        del bob


async def test_tasks_return_to_what_they_were_when_a_connection_has_ended(mud: OpenMud, talkers: EventLog) -> None:
    """I-14."""
    async with mud(talkers.hooks) as place:
        await trio.sleep(10)  # a gateway has met its world
        before = trio.lowlevel.current_statistics().tasks_living
        for act in ("quit", "vanish", "hang up"):
            player = await place.player(capacity=16)
            connection = first_connection(place.server)
            connection.start_soon(trio.sleep_forever)
            connection.every(1, lambda: None)
            await player.type("hello", *(["quit"] if act == "quit" else []))
            if act == "vanish":
                await player.vanish()
            if act == "hang up":
                await player.hang_up()
            await trio.sleep(5)
            assert trio.lowlevel.current_statistics().tasks_living == before
            assert len(place.server._context.timers) == 0


async def test_a_port_scan_costs_one_connect_and_one_disconnect(mud: OpenMud, witness: EventLog) -> None:
    """N15."""
    async with mud(witness.hooks) as place:
        for _ in range(50):
            await place.connect().client.aclose()
        await settled()
    assert len(witness.disconnects()) == 50
    assert sum(isinstance(event, Connect) for event in witness.events) == 50


async def test_a_bug_in_one_transport_costs_one_connection(autojump_clock: trio.testing.MockClock) -> None:
    """I-16: any exception of a transport: while reading, writing at once, or writing the rest."""

    class Broken(FakeTransport):
        def __init__(self, where: str) -> None:
            super().__init__(room=4 if where == "rest" else 1 << 30)
            self.where = where

        def send_nowait(self, data: bytes) -> int:
            if self.where == "send":
                raise RuntimeError("a bug of the transport")
            return super().send_nowait(data)

        async def send_some(self, data: bytes) -> int:
            await trio.lowlevel.checkpoint()
            raise RuntimeError("a bug of the transport")

        async def receive(self) -> bytes:
            if self.where == "receive":
                raise RuntimeError("a bug of the transport")
            return await super().receive()

        async def aclose(self) -> None:
            if self.where == "close":
                raise RuntimeError("a bug of the transport")
            await super().aclose()

    witness = EventLog()
    witness.hooks.on(Admitted)(lambda event: event.connection.write("Welcome!"))
    async with open_house(witness.hooks) as house:
        honest = await house.connect()
        for where in ("receive", "close", "rest", "send"):
            broken = Broken(where)
            house.listener.connect(broken)
            await settled()
            if where == "close":
                broken.say(b"")
            await trio.sleep(5)
            assert len(house.server.connections) == 1, where
        assert not honest.is_closed
    assert len(witness.disconnects()) == 5


def _ending(witness: EventLog) -> tuple[Reason, Cause, str]:
    (ending,) = witness.disconnects()
    return ending.reason, ending.cause, ending.text


def _guests(server: MasterServer) -> int:
    return len(server._tree.accepted)


async def test_who_hangs_up_while_a_hook_waits_is_gone_as_soon_as_its_answer_is_sent(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """In either order: the task that sends it first, or the connection's own."""
    hooks = Hooks()

    @hooks.on(Input)
    async def think(event: Input) -> None:
        await trio.sleep(1)
        event.connection.write("Done.")

    async with open_house(hooks) as house:
        for _ in range(20):
            wire = await house.connect()
            wire.say(b"think\n")
            wire.say(b"")
            await trio.sleep(1.5)
            assert wire.text.endswith("Done.\r\n")
            assert wire.is_closed


async def test_the_disconnect_event_of_who_was_refused_carries_what_they_were_told(
    mud: OpenMud, witness: EventLog
) -> None:
    witness.hooks.on(Connect)(lambda event: event.connection.refuse("We are full of dragons."))
    async with mud(witness.hooks) as place:
        pipe = place.connect()
        await settled()
        await pipe.client.aclose()
    assert witness.last_ending.text == "We are full of dragons."
