"""Output of a connection: in order, in few sends, bounded, and never truncated by a quit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
import trio.testing

from trio_mud import Admitted, Cause, Connect, Hooks, Input, Limits, Reason, Texts
from trio_mud.driver.connection.lifecycle import Lifecycle
from trio_mud.telnet.codes import DO, GA, IAC, MCCP2, WONT
from trio_mud.telnet.options import Eor
from trio_mud.testing import OpenMud

from ..conftest import EventLog, engine_of, feed, first_connection, link_of, open_house, settled, until

QUIET = Limits(first_input_timeout=None, write_stall_timeout=None)


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


# Sends


async def test_all_that_a_batch_writes_to_one_peer_is_one_send(autojump_clock: trio.testing.MockClock) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    def answer(event: Input) -> None:
        for number in range(10):
            event.connection.write(str(number))
        event.connection.prompt("> ")

    async with open_house(hooks, limits=QUIET) as house:
        wire = await house.connect()
        before = len(wire.sent)
        wire.say(b"go\r\n")
        await settled()
        assert len(wire.sent) == before + 1


async def test_offers_and_greeting_leave_in_one_send_after_the_verdict(autojump_clock: trio.testing.MockClock) -> None:
    hooks = Hooks()
    hooks.on(Connect)(lambda event: event.connection.write("Welcome!"))
    async with open_house(hooks) as house:
        wire = await house.connect()
        (sent,) = wire.sent
        assert sent.startswith(bytes((IAC,)))
        assert sent.endswith(b"Welcome!\r\n")


@pytest.mark.parametrize("way", ["write", "quit"])
async def test_what_is_written_behind_the_end_of_compression_is_sent(
    autojump_clock: trio.testing.MockClock, way: str
) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    def end(event: Input) -> None:
        engine_of(event.connection).end_compression()
        if way == "write":
            event.connection.write("PLAIN")
        else:
            event.connection.quit("PLAIN")

    async with open_house(hooks, limits=QUIET) as house:
        wire = await house.connect()
        wire.say(bytes((IAC, DO, MCCP2)))
        await settled()
        wire.say(b"x\r\n")
        await settled()
        assert wire.sent[-1] == b"PLAIN\r\n"


async def test_no_interrupt_comes_between_the_steps_of_the_rest_writer(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_protected: list[bool] = []
    notify = Lifecycle.notify

    def look(self: Lifecycle) -> None:
        is_protected.append(trio.lowlevel.currently_ki_protected())
        notify(self)

    monkeypatch.setattr(Lifecycle, "notify", look)
    async with open_house(Hooks(), limits=QUIET) as house:
        wire = await house.connect(room=4)
        is_protected.clear()
        wire.make_room(1000)
        await settled()
    assert is_protected
    assert all(is_protected)


async def test_an_answer_to_input_parsed_after_the_loss_of_the_link_is_dropped(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Its writer has been cancelled, and still runs: what was left for it was sent by nothing."""
    hooks = Hooks()

    @hooks.on(Input)
    async def wait(event: Input) -> None:
        await trio.sleep(1)

    async with open_house(hooks, limits=replace(QUIET, max_typeahead=1, command_rate=None)) as house:
        wire = await house.connect(room=4)  # so the offers leave a writer waiting
        wire.say(b"one\r\n" * 200 + bytes((IAC, DO, 99)))
        await settled()
        connection = first_connection(house.server)
        link = link_of(connection)
        assert link.has_unparsed or link._incoming._raw
        connection._lifecycle.abort()
        assert link.discard_input()  # lines; the command behind them is answered
        assert link.engine.has_data_to_send
        link.flush()
        await trio.sleep(500)
        assert link.is_drained
        assert wire.is_closed
        assert not house.server._tree.accepted


async def test_what_is_written_outside_a_batch_leaves_soon(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Hooks(), limits=QUIET) as house:
        wire = await house.connect()
        wire.sent.clear()
        first_connection(house.server).write("one")
        first_connection(house.server).write("two")
        await settled()
        assert wire.sent == [b"one\r\ntwo\r\n"]


async def test_a_waiting_function_may_write_at_any_time(mud: OpenMud) -> None:
    hooks = Hooks()

    @hooks.on(Input)
    async def count(event: Input) -> None:
        for number in (1, 2, 3):
            event.connection.write(str(number))
            await trio.sleep(1)

    async with mud(hooks) as place:
        player = await place.player()
        await player.type("go")
        await settled()
        assert await player.catches_up() == "1\n"
        await trio.sleep(1)
        assert await player.catches_up() == "2\n"


async def test_texts_arrive_in_the_order_written_from_wherever(autojump_clock: trio.testing.MockClock) -> None:
    """I-8: across tasks, and for any speed of the peer."""
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.write(event.line))
    async with open_house(hooks, limits=QUIET, options=()) as house:
        wire = await house.connect(room=0)
        connection = first_connection(house.server)
        for number in range(100):
            if number % 3:
                connection.write(f"{number}")
            else:
                feed(connection, f"{number}\r\n".encode())
            await settled()
            wire.make_room(number % 5)
        wire.make_room(10_000)
        await settled()
        assert wire.text.split() == [str(number) for number in range(100)]


# The rest-writer


async def test_the_rest_writer_exists_only_while_there_is_a_rest(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Hooks(), limits=QUIET, options=()) as house:
        wire = await house.connect()
        connection, idle = first_connection(house.server), tasks()
        connection.write("it fits")
        await settled()
        assert tasks() == idle
        wire.room = 3
        connection.write("it does not fit")
        await settled()
        assert tasks() == idle + 1
        connection.write("nor does this")
        await settled()
        assert tasks() == idle + 1  # one writer, whatever comes
        wire.make_room(1000)
        await settled()
        assert tasks() == idle
        assert wire.text == "it fits\r\nit does not fit\r\nnor does this\r\n"


@pytest.mark.unmeasured
@pytest.mark.parametrize("capacity", [1, 2, 3, 5, 8, 13, 64, 1000, 70_000])
async def test_a_quit_never_cuts_a_text_in_half(mud: OpenMud, capacity: int) -> None:
    """The writer runs in the link's scope: a quit cancels only the reader."""
    hooks = Hooks()

    @hooks.on(Input)
    def say_much(event: Input) -> None:
        size = int(event.line)
        event.connection.write("z" * size)
        event.connection.quit("end")

    for size in (0, 1, 2, 7, 60, 500, 16_383, 16_384, 40_000):
        if size > 200 * capacity:
            break
        async with mud(hooks) as place:
            player = await place.player(capacity=capacity)
            await player.type(str(size))
            assert await player.sees_the_end() == "z" * size + "\nend\n"


async def test_a_quit_while_the_rest_is_being_sent_lets_it_finish(autojump_clock: trio.testing.MockClock) -> None:
    for size in range(0, 60, 7):
        async with open_house(Hooks(), limits=QUIET, options=()) as house:
            wire = await house.connect(room=size)
            connection = first_connection(house.server)
            connection.write("x" * 40)
            await settled()
            connection.quit("end")
            for _ in range(70):
                await trio.sleep(0.01)
                wire.make_room(1)
            await settled()
            assert wire.text == "x" * 40 + "\r\nend\r\n"
            assert wire.is_closed


async def test_what_cannot_be_delivered_in_time_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    """I-12."""
    witness = EventLog()
    async with open_house(witness.hooks, limits=Limits(quit_timeout=2), options=()) as house:
        wire = await house.connect(room=3)
        began = trio.current_time()
        first_connection(house.server).quit("farewell")
        await until(witness.disconnects)
        assert trio.current_time() - began == pytest.approx(2, abs=0.11)
        assert wire.text == "far"
        assert wire.is_closed


# The bound


async def test_past_the_limit_whole_messages_are_dropped_and_the_peer_is_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """N7."""
    limits = Limits(max_output=100, first_input_timeout=None, write_stall_timeout=None)
    async with open_house(Hooks(), limits=limits, texts=Texts(output_dropped="(gap)"), options=()) as house:
        wire = await house.connect(room=0)
        connection = first_connection(house.server)
        written = []
        for number in range(30):
            written.append(connection.write(f"message {number:02}"))
            await settled()
        assert written == [True] * 8 + [False] * 22  # 12 bytes each
        wire.make_room(10_000)
        await settled()
        assert wire.text.splitlines() == [f"message {number:02}" for number in range(8)] + ["(gap)"]
        assert house.server.counters["messages dropped"] == 22
        assert connection.write("message 30")
        await settled()
        assert wire.text.endswith("(gap)\r\nmessage 30\r\n")


async def test_who_missed_something_is_told_even_if_everything_else_fitted_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The kernel may take a whole outbox in one send; what was too much for it is missing all the same."""
    hooks = Hooks()
    hooks.on(Input)(lambda event: [event.connection.write("z" * 40) for _ in range(5)])
    limits = Limits(max_output=100, first_input_timeout=None)
    async with open_house(hooks, limits=limits, texts=Texts(output_dropped="(gap)"), options=()) as house:
        wire = await house.connect()
        wire.say(b"go\r\n")
        await settled()
        assert wire.text.splitlines() == ["z" * 40] * 2 + ["(gap)"]


async def test_a_prompt_counts_in_bytes_like_everything(autojump_clock: trio.testing.MockClock) -> None:
    limits = Limits(max_output=100, first_input_timeout=None, write_stall_timeout=None)
    async with open_house(Hooks(), limits=limits, options=()) as house:
        await house.connect(room=0)
        assert not first_connection(house.server).prompt("\N{SNOWMAN}" * 60)  # 180 bytes


async def test_negotiation_is_never_dropped(autojump_clock: trio.testing.MockClock) -> None:
    """An answer that is missing would leave both sides waiting."""
    limits = Limits(max_output=10, first_input_timeout=None, write_stall_timeout=None)
    async with open_house(Hooks(), limits=limits, options=()) as house:
        wire = await house.connect(room=0)
        connection = first_connection(house.server)
        assert connection.write("12345678")
        assert not connection.write("too much")
        wire.say(bytes((IAC, DO, 99)))
        await settled()
        wire.make_room(1000)
        await settled()
        assert bytes((IAC, WONT, 99)) in b"".join(wire.sent)


async def test_a_slow_reader_slows_nobody_else(mud: OpenMud, talkers: EventLog) -> None:
    """N6, N7."""
    async with mud(talkers.hooks) as place:
        slow, honest = await place.player(capacity=10), await place.player()
        slow.stop_reading()
        for number in range(20):
            await slow.type("fill it")
            await honest.type(f"{number}")
            await honest.sees(f"you said {number}\n", within=0.001)


async def test_memory_for_a_peer_that_reads_nothing_is_bounded(autojump_clock: trio.testing.MockClock) -> None:
    """I-11."""
    hooks = Hooks()
    hooks.on(Admitted)(lambda event: event.connection.every(0.01, lambda: event.connection.write("x" * 1000)))
    limits = Limits(max_output=5000, first_input_timeout=None, write_stall_timeout=None)
    async with open_house(hooks, limits=limits, options=()) as house:
        await house.connect(room=0)
        await trio.sleep(5)
        link = link_of(first_connection(house.server))
        assert link.waiting <= 5000


# Stall


async def test_a_stall_is_counted_from_the_last_byte_taken(autojump_clock: trio.testing.MockClock) -> None:
    witness = EventLog()
    async with open_house(
        witness.hooks, limits=Limits(write_stall_timeout=10, first_input_timeout=None), options=()
    ) as house:
        wire = await house.connect(room=1)
        first_connection(house.server).write("four")
        await trio.sleep(9)
        wire.make_room(1)
        await trio.sleep(9.5)
        assert not witness.disconnects()
        await trio.sleep(1)
        assert (witness.last_ending.reason, witness.last_ending.cause) == (Reason.LINKDEATH, Cause.WRITE_STALL)


async def test_no_stall_without_something_to_send(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Hooks(), limits=Limits(write_stall_timeout=10, first_input_timeout=None)) as house:
        await house.connect()
        await trio.sleep(1000)
        assert len(house.server.connections) == 1


# Text


async def test_write_ends_the_line_and_prompt_does_not(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Hooks(), limits=QUIET, options=()) as house:
        wire = await house.connect()
        connection = first_connection(house.server)
        connection.write("two\nlines")
        connection.prompt("> ")
        await settled()
        assert wire.sent == [b"two\r\nlines\r\n> \xff\xf9"]


async def test_no_text_of_a_game_can_carry_a_control_sequence(autojump_clock: trio.testing.MockClock) -> None:
    """P11: a `str` is plain text."""
    async with open_house(Hooks(), limits=QUIET, options=()) as house:
        wire = await house.connect()
        connection = first_connection(house.server)
        connection.write("\x1b]52;c;evil\x07a\x9b31mb\xff\r")
        connection.prompt("\x1b[2J> ")
        await settled()
        assert not {"\x1b", "\x07", "\x9b"} & set(wire.text)


async def test_a_prompt_sent_too_early_gets_its_mark_when_the_client_says_which(mud: OpenMud) -> None:
    """TinyFugue shows no prompt without one."""
    hooks = Hooks()
    hooks.on(Admitted)(lambda event: event.connection.prompt("Name? "))
    async with mud(hooks, options=[Eor()]) as place:
        pipe = place.connect()
        await settled()
        assert (await pipe.client.receive_some()).endswith(b"\xff\xfb\x19Name? ")
        await pipe.client.send_all(b"\xff\xfd\x19")
        await settled()
        assert await pipe.client.receive_some() == b"\xff\xef"
        await pipe.client.aclose()


async def test_a_prompt_that_is_shown_again_has_its_mark_again(mud: OpenMud) -> None:
    hooks = Hooks()
    hooks.on(Admitted)(lambda event: event.connection.after(1, lambda: event.connection.prompt("> ")))
    async with mud(hooks, options=[Eor()]) as place:
        pipe = place.connect()
        await settled()
        await pipe.client.send_all(b"\xff\xfe\x19")
        await trio.sleep(2)
        first_connection(place.server).write("A bell rings.")
        await settled()
        heard = b""
        while not heard.endswith(b"A bell rings.\r\n> \xff\xf9"):
            heard += await pipe.client.receive_some()
        assert heard.endswith(b"> \xff\xf9\r\nA bell rings.\r\n> \xff\xf9")
        await pipe.client.aclose()


async def test_a_text_below_a_prompt_that_finds_no_room_says_so_as_any_other(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_house(Hooks(), limits=Limits(max_output=100, first_input_timeout=None), options=()) as house:
        await house.connect()
        connection = first_connection(house.server)
        assert connection.prompt("> ")
        assert not connection.write("x" * 100)
        assert connection.write("x" * 10)


async def test_every_text_that_comes_before_the_answer_begins_below_the_prompt_and_has_it_shown_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_house(Hooks(), limits=QUIET, options=()) as house:
        wire = await house.connect()
        connection = first_connection(house.server)
        connection.prompt("> ")
        for word in ("One.", "Two.", "Three."):
            connection.write(word)
            await settled()
        shown = b"".join(wire.sent).replace(bytes((IAC, GA)), b"")
        assert shown == b"> \r\nOne.\r\n> \r\nTwo.\r\n> \r\nThree.\r\n> "
