"""Input of a connection: bounded, in order, and no typed line is lost while the connection lives."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
import trio.testing

from trio_mud import Admitted, Cause, Connect, Dialog, HookEvent, Hooks, Input, Limits, Rate, Texts, WindowSize
from trio_mud.driver.connection.events import EchoRefused, GmcpMessage
from trio_mud.telnet.codes import DO, DONT, ECHO, GMCP, IAC, NAWS, SB, SE, WONT
from trio_mud.testing import OpenMud, peers

from ..conftest import EventLog, feed, first_connection, link_of, open_house, settled, until, waits

SLICE = 512  # bytes the engine gets at once


def naws(columns: int, rows: int) -> bytes:
    return bytes((IAC, SB, NAWS, 0, columns, 0, rows, IAC, SE))


def lines_of(witness: EventLog) -> list[str]:
    return [event.line for event in witness.events if isinstance(event, Input)]


def hold(witness: EventLog, seconds: float) -> None:
    """Let every line take this long."""
    witness.hooks.on(Input)(waits(seconds))


# Type-ahead


@pytest.mark.unmeasured
@pytest.mark.parametrize("typeahead", [1, 2, 3, 64])
@pytest.mark.parametrize("size", [1, 7, 511, 512, 513, 4096, 100_000])
async def test_nothing_typed_is_lost_or_turned_round_however_it_is_cut(
    mud: OpenMud, witness: EventLog, typeahead: int, size: int
) -> None:
    """I-7."""
    lines = [f"{number} {'x' * (number % 50)}" for number in range(400 if size > 7 else 40)]
    typed = "".join(f"{line}\n" for line in lines).encode()
    async with mud(
        witness.hooks, limits=Limits(max_typeahead=typeahead, command_rate=None, protocol_rate=None)
    ) as place:
        player = await place.player()
        for start in range(0, len(typed), size):
            await player.send(typed[start : start + size])
        await settled()
    assert lines_of(witness) == lines


async def test_reading_pauses_when_enough_is_typed_ahead_and_goes_on_when_it_is_handled(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A6: full means stop reading; TCP does the rest."""
    witness = EventLog()
    hold(witness, 1)
    async with open_house(witness.hooks, limits=Limits(max_typeahead=4, command_rate=None)) as house:
        wire = await house.connect()
        for number in range(20):
            wire.say(f"{number}\r\n".encode())
        await settled()
        unread = wire._get.statistics().current_buffer_used
        assert 14 <= unread <= 16  # one runs, four wait, one may have been on its way
        await trio.sleep(4.5)
        assert wire._get.statistics().current_buffer_used == unread - 4
        await trio.sleep(100)
        assert lines_of(witness) == [str(number) for number in range(20)]


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_one_read_of_newlines_makes_no_more_lines_than_one_slice_above_the_limit(
    mud: OpenMud, witness: EventLog
) -> None:
    """I-11: the rest stays bytes, which are eighty times smaller."""
    hold(witness, 1)
    async with mud(witness.hooks, limits=Limits(max_typeahead=2)) as place:
        await place.player()
        connection = first_connection(place.server)
        feed(connection, b"\n" * 65536)
        assert link_of(connection)._incoming.is_full
        assert len(connection._inbox.lines) <= 2 + SLICE
        await settled()
        connection.quit()


async def test_a_quit_is_not_stuck_behind_a_full_inbox(mud: OpenMud, witness: EventLog) -> None:
    """A6."""
    hold(witness, 3)
    async with mud(witness.hooks, limits=Limits(max_typeahead=2, hook_timeout=5)) as place:
        player = await place.player()
        await player.send(b"x\n" * 5000)
        await settled()
        began = trio.current_time()
        first_connection(place.server).quit("Enough!")
        await player.sees("Enough!")
        assert trio.current_time() == began


async def test_an_answer_to_negotiation_leaves_even_if_it_was_read_behind_many_lines(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Bytes that wait are parsed when their turn comes, and answered then."""
    witness = EventLog()
    unknown = 99
    async with open_house(witness.hooks, limits=Limits(command_rate=None, max_typeahead=2)) as house:
        wire = await house.connect()
        wire.say(b"look\r\n" * 200 + bytes((IAC, DO, unknown)))
        await settled()
        assert len(lines_of(witness)) == 200
        assert bytes((IAC, WONT, unknown)) in b"".join(wire.sent)


async def test_a_peer_that_never_reads_the_answers_it_causes_is_not_read_either(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """P6: negotiation is never dropped, so it must not pile up."""
    async with open_house(
        Hooks(), limits=Limits(max_output=50, protocol_rate=None, write_stall_timeout=None, first_input_timeout=None)
    ) as house:
        wire = await house.connect()
        wire.room = 0
        for option in range(100, 240):
            wire.say(bytes((IAC, DO, option)))  # each has a refusal of three bytes for an answer
        await settled()
        unread = wire._get.statistics().current_buffer_used
        assert unread > 100
        wire.make_room(1 << 30)
        await settled()
        assert wire._get.statistics().current_buffer_used == 0


# Throttle


@pytest.mark.parametrize(("per_second", "pause"), [(1, 1), (10, 0.25), (20, 0.25), (100, 0.05)])
async def test_lines_over_the_command_rate_wait_and_none_is_lost(mud: OpenMud, per_second: int, pause: float) -> None:
    """Those that wait come some at a time, because a pause costs more than most lines do."""
    hooks, times = Hooks(), []
    hooks.on(Input)(lambda event: times.append(trio.current_time()))
    async with mud(hooks, limits=Limits(command_rate=Rate(per_second, burst=6))) as place:
        player = await place.player()
        await player.send(b"x\n" * 46)
        await trio.sleep(50)
    assert len(times) == 46
    assert times[:6] == [0.0] * 6
    for number, time in enumerate(times[6:], 1):
        assert number / per_second - 1e-6 <= time <= number / per_second + pause + 1e-6
    moments = sorted(set(times))
    assert all(later - sooner >= pause - 1e-6 for sooner, later in pairwise(moments))


async def test_a_burst_is_free_again_after_a_while(mud: OpenMud) -> None:
    hooks, times = Hooks(), []
    hooks.on(Input)(lambda event: times.append(trio.current_time()))
    async with mud(hooks, limits=Limits(command_rate=Rate(1, burst=5), first_input_timeout=None)) as place:
        player = await place.player()
        await player.send(b"x\n" * 5)
        await trio.sleep(60)
        await player.send(b"x\n" * 5)
        await settled()
    assert times == [0.0] * 5 + [60.0] * 5


async def test_a_throttled_player_gets_ticks_and_quits_at_once(mud: OpenMud, talkers: EventLog) -> None:
    ticks = []
    async with mud(talkers.hooks, limits=Limits(command_rate=Rate(0.1, burst=1))) as place:
        player = await place.player()
        connection = first_connection(place.server)
        connection.after(1, lambda: ticks.append(trio.current_time()))
        await player.send(b"a\r\nb\r\nc\r\n")
        await trio.sleep(2)
        assert ticks == [1.0]
        connection.quit("Bye.")
        await player.sees("Bye.")
        assert trio.current_time() == 2.0
    assert lines_of(talkers) == ["a"]


async def test_a_throttled_player_who_hangs_up_is_gone_after_the_flush_time(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks, limits=Limits(command_rate=Rate(1, burst=1), quit_timeout=2)) as place:
        player = await place.player()
        await player.send(b"".join(b"%d\r\n" % number for number in range(10)))
        await player.finish_typing()
        await player.sees_the_end()
        assert trio.current_time() == 2.0
        await settled()
        assert lines_of(talkers) == [str(number) for number in range(10)]


async def test_the_throttle_of_one_slows_nobody_else(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks, limits=Limits(command_rate=Rate(1, burst=1))) as place:
        flooder, honest = await place.player(), await place.player()
        await flooder.send(b"x\n" * 50)
        await honest.type("hello")
        await honest.sees("you said hello")
        assert trio.current_time() == 0.0
        first_connection(place.server).quit()


# First input and idling


async def test_one_line_is_enough_to_stay(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks, limits=Limits(first_input_timeout=60)) as place:
        player = await place.player()
        await trio.sleep(59)
        await player.type("")
        await trio.sleep(10_000)
        assert len(place.server.connections) == 1


async def test_a_line_for_a_dialog_is_a_first_line_too(mud: OpenMud, witness: EventLog) -> None:
    async def login(dialog: Dialog) -> None:
        await dialog.ask("Name? ")
        await dialog.ask("Password? ")

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(login))
    async with mud(witness.hooks, limits=Limits(first_input_timeout=60)) as place:
        player = await place.player()
        await player.type("ann")
        await trio.sleep(10_000)
        assert len(place.server.connections) == 1


@pytest.mark.unmeasured
async def test_dripping_bytes_are_no_line(mud: OpenMud, witness: EventLog) -> None:
    """N8, N9."""
    async with mud(witness.hooks, limits=Limits(first_input_timeout=60)) as place:
        place.nursery.start_soon(peers.drips, place.connect().client)
        await until(witness.disconnects)
        assert witness.last_ending.cause is Cause.LOGIN_DEADLINE
        place.nursery.cancel_scope.cancel()


async def test_a_connect_hook_that_takes_long_does_not_use_up_the_time_for_the_first_line(
    mud: OpenMud, witness: EventLog
) -> None:
    witness.hooks.on(Connect)(waits(4))
    async with mud(witness.hooks, limits=Limits(first_input_timeout=5, linger_timeout=0.1)) as place:
        silent = await place.player()
        await silent.sees_the_end()
        assert trio.current_time() == 9.0


async def test_idle_counts_from_the_last_line(mud: OpenMud, talkers: EventLog) -> None:
    async with mud(talkers.hooks) as place:
        player = await place.player()
        connection = first_connection(place.server)
        await trio.sleep(5)
        assert connection.idle_seconds == 5
        await player.type("hello")
        await settled()
        assert connection.idle_seconds == 0
        await trio.sleep(7)
        assert connection.idle_seconds == 7


# What is no line


async def test_a_resize_waits_behind_no_lines(mud: OpenMud, witness: EventLog) -> None:
    hold(witness, 1)
    async with mud(witness.hooks) as place:
        player = await place.player(columns=80, rows=24)
        await player.catches_up()
        await player.type("1", "2", "3")
        await settled()
        await player.resize(100, 40)
        await trio.sleep(10)
    assert witness.story("guest-1")[3:] == [
        "guest-1: 1",
        "guest-1 100x40",
        "guest-1: 2",
        "guest-1: 3",
        "guest-1 quit: shutdown",
    ]


async def test_of_many_resizes_only_the_last_is_told(mud: OpenMud, witness: EventLog) -> None:
    hold(witness, 1)
    async with mud(witness.hooks) as place:
        player = await place.player(columns=80, rows=24)
        await player.type("wait")
        await settled()
        for columns in range(81, 181):
            await player.resize(columns, 24)
        await trio.sleep(2)
        assert first_connection(place.server).client.size == (180, 24)
    sizes = [event.columns for event in witness.events if isinstance(event, WindowSize)]
    assert sizes == [80, 180]


async def test_a_size_of_nothing_means_the_usual_size(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks) as place:
        player = await place.player(columns=80, rows=24)
        await player.resize(0, 0)
        await settled()
        assert first_connection(place.server).client.size == (80, 24)


async def test_no_resize_comes_before_admitted(mud: OpenMud, witness: EventLog) -> None:
    witness.hooks.on(Connect)(waits(1))
    async with mud(witness.hooks) as place:
        pipe = place.connect()
        await pipe.client.send_all(naws(100, 40) + b"early\r\n")
        await trio.sleep(2)
        await pipe.client.aclose()
        await settled()
    assert witness.story()[:3] == ["guest-1 connect", "guest-1 admitted", "guest-1: early"]


async def test_a_message_that_waits_behind_a_hook_is_dropped_when_the_link_ends(mud: OpenMud) -> None:
    hooks, seen = Hooks(), []
    hooks.on(Input)(lambda event: seen.append(event.line))
    hooks.on(GmcpMessage)(lambda event: seen.append(event.package))

    @hooks.on(Admitted)
    async def wait(event: Admitted) -> None:
        await trio.sleep(1)

    async with mud(hooks) as place:
        pipe = place.connect()
        await settled()
        message = bytes((IAC, SB, GMCP)) + b"Room.Look 1" + bytes((IAC, SE))
        await pipe.client.send_all(bytes((IAC, DO, GMCP)) + message + b"look\r\n")
        await settled()
        pipe.reset()
        await trio.sleep(2)
    assert seen == ["look"]


async def test_a_message_behind_the_answer_to_a_question_comes_once_the_script_has_the_answer(mud: OpenMud) -> None:
    hooks, seen = Hooks(), list[str]()
    hooks.on(GmcpMessage)(lambda event: seen.append(event.package))

    async def talk(dialog: Dialog) -> None:
        seen.append(await dialog.ask("Name? "))

    hooks.on(Admitted)(lambda event: event.connection.start_dialog(talk))
    async with mud(hooks) as place:
        player = await place.player(gmcp=("Room",))
        await player.sees("Name?")
        await player.send(b"Ann\r\n" + bytes((IAC, SB, GMCP)) + b"Room.Look 1" + bytes((IAC, SE)))
        await settled()
    assert seen == ["Ann", "Room.Look"]


async def test_a_refused_echo_is_told_and_never_after_the_ending(mud: OpenMud) -> None:
    hooks, told = Hooks(), []
    hooks.on(EchoRefused)(lambda event: told.append(event.connection.ending))

    @hooks.on(Input)
    def hide(event: Input) -> None:
        event.connection.hide_input(True)
        if event.line == "quit":
            event.connection.quit()

    async with mud(hooks) as place:
        pipe = place.connect()
        await pipe.client.send_all(b"secret\r\n")
        await settled()
        await pipe.client.send_all(bytes((IAC, DONT, ECHO)))
        await settled()
        assert told == [None]
        await pipe.client.send_all(b"quit\r\n")
        await trio.sleep(5)
        await pipe.client.aclose()
    assert set(told) == {None}


async def test_a_line_that_is_too_long_is_cut_and_the_player_told(mud: OpenMud, witness: EventLog) -> None:
    """P15: and the next line is whole again."""
    async with mud(witness.hooks, limits=Limits(max_line=10), texts=Texts(line_cut="Cut.")) as place:
        player = await place.player()
        await player.type("0123456789abcdef", "look")
        await player.sees("Cut.\n")
        await settled()
    assert lines_of(witness) == ["0123456789", "look"]


async def test_what_players_type_has_no_control_characters(mud: OpenMud, witness: EventLog) -> None:
    """P10, P9."""
    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.send("look\x07\x1b[31m at\x9b5m\x00 me\u202e\r\n".encode())
        await settled()
    (line,) = lines_of(witness)
    assert line == "look at me"


# Every misbehaving peer


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "name",
    [
        name
        for name, peer in vars(peers).items()
        if getattr(peer, "__module__", "") == peers.__name__ and name[0] != "_"
    ],
)
async def test_no_misbehaving_peer_costs_an_honest_player_anything(mud: OpenMud, talkers: EventLog, name: str) -> None:
    async with mud(talkers.hooks, limits=Limits(write_stall_timeout=5, first_input_timeout=20)) as place:
        honest = await place.player()
        peer = vars(peers)[name]
        place.nursery.start_soon(peer, place.connect().client)
        for number in range(30):
            await honest.type(f"line {number}")
            await honest.sees(f"you said line {number}\n", within=0.001)
            await trio.sleep(1)
        place.nursery.cancel_scope.cancel()
    honest_lines = [event.line for event in talkers.events if isinstance(event, Input) and event.connection.number == 1]
    assert honest_lines == [f"line {number}" for number in range(30)]
    connects = sum(isinstance(event, Connect) for event in talkers.events)
    assert connects == len(talkers.disconnects()) == 2


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_messages_of_a_clients_program_wait_as_its_lines_do(mud: OpenMud, witness: EventLog) -> None:
    """P22: they share room and rate; Core.Hello may be sent twice."""
    got: list[HookEvent] = []
    witness.hooks.on(GmcpMessage)(got.append)
    hello = bytes((IAC, SB, 201)) + b'Core.Hello {"client":"x"}' + bytes((IAC, SE))
    message = bytes((IAC, SB, 201)) + b"A 1" + bytes((IAC, SE))
    async with mud(witness.hooks, limits=Limits(command_rate=Rate(50, burst=5), first_input_timeout=None)) as place:
        player = await place.player(gmcp=("Room",))
        await settled()
        place.nursery.start_soon(player.send, hello * 2 + message * 500 + b"look\r\n")
        await settled()
        assert len(got) <= 5
        assert link_of(first_connection(place.server))._incoming.is_full
        await trio.sleep(12)
        assert len(got) == 500
    assert lines_of(witness) == ["look"]


async def test_a_message_that_a_pause_of_ours_cuts_in_two_is_not_given_up(mud: OpenMud, witness: EventLog) -> None:
    """Its end was received; the peer is not responsible for a minute in which it was not read."""
    got: list[HookEvent] = []
    witness.hooks.on(GmcpMessage)(got.append)
    message = bytes((IAC, SB, 201)) + b"A 1234" + bytes((IAC, SE))
    async with mud(witness.hooks, limits=Limits(command_rate=Rate(1, burst=5), first_input_timeout=None)) as place:
        player = await place.player(gmcp=("Room",))
        await settled()
        place.nursery.start_soon(player.send, message * 500 + b"look\r\n")
        await trio.sleep(600)
        assert len(got) == 500
        assert not [word for word in place.server.counters if word.startswith("anomaly")]
    assert lines_of(witness) == ["look"]
