"""Waiting input: the reader stops and resumes in time, and no line outlives its use."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from trio_mud import Admitted, Connect, Dialog, Hooks, Input, Limits, Rate
from trio_mud.telnet.codes import DO, ECHO, IAC, NAWS, SB, SE, WILL
from trio_mud.testing import OpenMud

from ..conftest import EventLog, feed, first_connection, open_house, settled, until, waits


def witness_of_a_hidden_question() -> EventLog:
    """Return a witness whose game asks each player for a password."""
    witness = EventLog()

    async def login(dialog: Dialog) -> None:
        await dialog.ask_hidden("Password: ")

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(login))
    return witness


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_feed_says_with_the_very_line_that_fills_the_room_that_reading_must_wait(
    mud: OpenMud, witness: EventLog
) -> None:
    witness.hooks.on(Input)(waits(10))
    async with mud(
        witness.hooks, limits=Limits(max_typeahead=3, command_rate=None, hook_timeout=None), allow_errors=True
    ) as place:
        player = await place.player()
        await player.send(b"handled now\n")
        await settled()
        connection = first_connection(place.server)
        assert [feed(connection, b"typed ahead\n") for _ in range(4)] == [True, True, False, False]


async def test_feed_says_so_also_of_the_very_first_bytes(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Hooks(), limits=Limits(max_typeahead=3, command_rate=None)) as house:
        for typed, has_room in ((b"look\n", True), (b"look\n" * 3, False)):
            await house.connect()
            *_, connection = house.server.connections
            assert feed(connection, typed) is has_room
        await settled()


async def test_who_waits_for_room_reads_on_when_what_filled_it_was_dropped(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Hidden lines without a question are dropped silently, and no other event wakes the reader."""
    witness = witness_of_a_hidden_question()

    async with open_house(witness.hooks, limits=Limits(max_typeahead=2, command_rate=None, batch_size=1)) as house:
        wire = await house.connect()
        wire.say(b"secret\nsecret\nsecret\nsecret\n")
        await settled()
        wire.say(b"look\n")
        await settled()
        assert witness.story()[-1] == "guest-1: look"


async def test_lines_of_a_dead_link_wait_for_no_rate_and_leave_no_deadline(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, limits=Limits(command_rate=Rate(1, burst=1))) as place:
        player = await place.player()
        await player.send(b"look\n" * 5)
        await settled()
        await player.vanish()
        await settled()
        assert witness.story()[-6:-1] == ["guest-1: look"] * 5
        assert len(place.server._context.timers) == 0


async def test_what_is_no_line_is_heard_also_when_a_failed_dialog_forgets_the_lines_around_it(
    mud: OpenMud, witness: EventLog
) -> None:
    hooks = Hooks()

    @hooks.on(Admitted)
    def greet(event: Admitted) -> None:
        async def login(dialog: Dialog) -> None:
            await dialog.ask("Name? ")
            raise LookupError("a bug of the game's")

        event.connection.start_dialog(login)

    hooks.include(witness.hooks)
    async with mud(hooks, limits=Limits(max_typeahead=1), allow_errors=True) as place:
        player = await place.player()
        await player.send(bytes((IAC, WILL, NAWS)))
        await player.send(b"Ann\n" + b"x\n" * 400 + bytes((IAC, SB, NAWS, 0, 50, 0, 60, IAC, SE)))
        await settled()
        assert first_connection(place.server).client.size == (50, 60)
        assert not any(isinstance(event, Input) for event in witness.events)


async def test_who_hangs_up_is_gone_as_soon_as_the_last_line_is_handled_though_nothing_was_answered(
    mud: OpenMud, witness: EventLog
) -> None:
    witness.hooks.on(Input)(waits(0.5))
    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.send(b"look\n")
        await player.hang_up()
        began = trio.current_time()
        await until(witness.disconnects)
        assert 0.5 <= trio.current_time() - began < 0.6  # and not after limits.quit_timeout


async def test_a_visitor_at_the_door_is_idle_since_it_came(mud: OpenMud) -> None:
    hooks, idle = Hooks(), []
    hooks.on(Connect, order=-1)(waits(3))
    hooks.on(Connect)(lambda event: idle.append(event.connection.idle_seconds))
    async with mud(hooks) as place:
        await place.player()
    assert idle == [3]


@pytest.mark.parametrize(
    "typed",
    [bytes((IAC, DO, ECHO)) + b"secret\r\nsecret\r\n", (b"secret " * 8 + b"\r\n") * 20],
    ids=["with the answer to our wish to hide it", "more than is read at once"],
)
async def test_what_was_typed_hidden_becomes_no_input_however_it_came(
    autojump_clock: trio.testing.MockClock, typed: bytes
) -> None:
    witness = witness_of_a_hidden_question()

    async with open_house(witness.hooks, limits=Limits(command_rate=None)) as house:
        wire = await house.connect()
        wire.say(typed)
        await settled()
        wire.say(b"look\r\n")
        await settled()
        assert witness.story() == ["guest-1 connect", "guest-1 admitted", "guest-1: look"]
