"""Players do what real ones do, and what they expect holds or fails with a message that helps."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_mud import Admitted, Connect, Disconnect, Hooks, Input, WindowSize
from trio_mud.driver.link.telnet import TelnetLink
from trio_mud.telnet.codes import IAC, NAWS, NOP, SB
from trio_mud.testing import OpenMud

# The house these players visit


@pytest.fixture
def inn() -> Hooks:
    """A game that repeats lines, slowly if asked, hides whispers, and reports its events."""
    hooks = Hooks()

    @hooks.on(Admitted)
    def greet(event: Admitted) -> None:
        event.connection.write("Welcome!")

    @hooks.on(Input)
    async def repeat(event: Input) -> None:
        guest, line = event.connection, event.line
        if line == "quit":
            guest.quit("Goodbye!")
        elif line == "slowly":
            guest.server.after(20, lambda: guest.write("You said slowly.") and None)
        elif line in {"hide", "show"}:
            guest.hide_input(line == "hide")
        elif line == "prompt":
            guest.prompt("By what name? ")
        else:
            guest.write(f"You said {line}.")

    @hooks.on(WindowSize)
    def measure(event: WindowSize) -> None:
        event.connection.write(f"{event.columns} by {event.rows}.")

    return hooks


@pytest.fixture
def endings(inn: Hooks) -> list[str]:
    """How each connection ended, in the order they did."""
    found: list[str] = []
    inn.on(Disconnect)(lambda event: found.append(str(event.cause)))
    return found


# What it sees


async def test_it_sees_a_text_and_what_came_before_it(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        assert await ann.sees("come") == "Welcome"
        assert ann.unread == "!\n"
        assert ann.screen == "Welcome!\n"


async def test_each_expectation_looks_behind_the_last_one_met(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.type("one", "two", "one")
        await ann.sees("one.")
        assert "\nYou said two.\nYou said one." == await ann.sees("one.")
        with pytest.raises(AssertionError):
            await ann.sees("one.")


async def test_it_waits_so_long_for_a_text_and_no_longer(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.type("slowly")
        start = trio.current_time()
        with pytest.raises(AssertionError):
            await ann.sees("slowly", within=19)
        assert trio.current_time() == start + 19
        await ann.sees("slowly")
        assert trio.current_time() == start + 20


async def test_a_text_that_does_not_come_fails_with_what_came_instead(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.sees("Welcome!")
        await ann.type("hello")
        with pytest.raises(AssertionError) as failure:
            await ann.sees("goodbye", within=3)
    assert str(failure.value) == (
        "player 1 did not see 'goodbye' within 3 s\n  unread: '\\nYou said hello.\\n'\n  before: 'Welcome!'"
    )


async def test_a_text_that_was_passed_already_fails_with_a_hint(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.type("one", "two")
        await ann.sees("two")
        with pytest.raises(AssertionError, match="expect texts in the order they come"):
            await ann.sees("one")


async def test_a_text_in_other_capitals_fails_with_a_hint(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        with pytest.raises(AssertionError, match="Only capitals differ"):
            await ann.sees("WELCOME")


async def test_of_a_long_screen_a_failure_quotes_the_end(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.type("so " * 1000 + "on")
        with pytest.raises(AssertionError) as failure:
            await ann.sees("goodbye")
    assert len(str(failure.value)) < 1500
    assert "so on." in str(failure.value)


async def test_a_failed_expectation_passes_nothing(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        with pytest.raises(AssertionError):
            await ann.sees("goodbye")
        await ann.sees("Welcome!")


async def test_it_sees_nothing_until_something_comes(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.sees("Welcome!")
        await ann.sees_nothing()
        await ann.type("hello")
        with pytest.raises(AssertionError, match=r"player 1 should have seen nothing more\n  unread: .*You said hello"):
            await ann.sees_nothing()


async def test_of_the_line_seen_last_the_rest_is_nothing(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.type("a long story with an end")
        await ann.sees("long story")
        await ann.sees_nothing()
        await ann.sees("with an end")  # still there for whoever wants it


async def test_it_catches_up_with_everything_that_came(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.type("one", "two")
        assert await ann.catches_up() == "Welcome!\nYou said one.\nYou said two.\n"
        assert await ann.catches_up() == ""
        assert ann.unread == ""


async def test_it_sees_the_end_and_what_came_before_it(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.sees("Welcome!\n")
        await ann.type("quit")
        assert await ann.sees_the_end() == "Goodbye!\n"


async def test_an_end_that_does_not_come_fails_with_what_came_instead(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        with pytest.raises(AssertionError, match=r"player 1 is still connected after 10 s\n  unread: 'Welcome!"):
            await ann.sees_the_end()


async def test_a_text_that_cannot_come_any_more_is_not_waited_for(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        start = trio.current_time()
        await ann.type("quit")
        with pytest.raises(AssertionError, match="before the server closed the connection"):
            await ann.sees("slowly", within=1000)
        assert trio.current_time() - start < 10


async def test_broken_telnet_from_the_server_fails_the_test(mud: OpenMud, inn: Hooks) -> None:
    @inn.on(Admitted)
    def break_the_rules(event: Admitted) -> None:
        link = event.connection._link
        assert isinstance(link, TelnetLink)
        link.engine.send_encoded(bytes((IAC, SB, NAWS, IAC, NOP)))  # it ends with IAC SE only

    with pytest.raises(AssertionError, match="the server sent broken telnet"):  # noqa: PT012  the block is the statement
        async with mud(inn) as place:
            ann = await place.player()
            await ann.sees("You said")


# What it does


async def test_whoever_hangs_up_is_heard_to_the_last_line(mud: OpenMud, inn: Hooks) -> None:
    heard: list[str] = []
    inn.on(Input)(lambda event: heard.append(event.line))
    async with mud(inn) as place:
        ann = await place.player()
        await ann.type("last line")
        await ann.hang_up()
        await wait_all_tasks_blocked()
        assert (heard, len(place.server.connections)) == (["last line"], 0)


async def test_whoever_hangs_up_is_an_end_of_file(mud: OpenMud, inn: Hooks, endings: list[str]) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.hang_up()
        await wait_all_tasks_blocked()
    assert endings == ["end of file"]


async def test_whoever_has_finished_typing_reads_on(mud: OpenMud, inn: Hooks, endings: list[str]) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.type("hello")
        await ann.finish_typing()
        assert await ann.sees_the_end() == "Welcome!\nYou said hello.\n"
    assert endings == ["end of file"]


async def test_whoever_vanishes_is_a_reset_and_sees_no_more(mud: OpenMud, inn: Hooks, endings: list[str]) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.vanish()
        await wait_all_tasks_blocked()
        assert endings == ["reset"]
        with pytest.raises(AssertionError, match="player 1 did not see 'You said' before it vanished"):
            await ann.sees("You said")


@pytest.mark.parametrize("leave", ["hang_up", "vanish"])
async def test_whoever_is_gone_cannot_type_and_is_told_why(mud: OpenMud, inn: Hooks, leave: str) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await getattr(ann, leave)()
        with pytest.raises(
            trio.BrokenResourceError, match=r"player 1 cannot send b'hello\\r\\n': it (hung up|vanished)"
        ):
            await ann.type("hello")


async def test_whoever_goes_silent_is_neither_heard_nor_missed(mud: OpenMud, inn: Hooks, endings: list[str]) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.type("before")
        await ann.sees("before")
        ann.go_silent()
        await ann.type("after")
        await trio.sleep(80_000)
        assert endings == []
        await ann.sees_nothing()
        ann.plug_in()
        await ann.sees("You said after.")


async def test_whoever_stops_reading_fills_the_pipe_and_reading_on_empties_it(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player(capacity=16)
        await ann.sees("Welcome!\n")
        ann.stop_reading()
        await ann.type("something longer than the pipe")
        await ann.sees_nothing()
        with pytest.raises(AssertionError, match="It has stopped reading"):
            await ann.sees("longer")
        ann.read_on()
        await ann.sees("You said something longer than the pipe.\n")


async def test_whoever_stops_reading_too_long_is_lost(mud: OpenMud, inn: Hooks, endings: list[str]) -> None:
    async with mud(inn) as place:
        ann = await place.player(capacity=16)
        ann.stop_reading()
        await ann.type("something longer than the pipe")
        await trio.sleep(31)
        assert endings == ["write stall"]


async def test_it_types_while_its_terminal_answers(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player(capacity=4, columns=80, rows=24)  # so narrow that each sending takes many turns
        async with trio.open_nursery() as nursery:
            for word in ("hide", "show", "hide", "hello"):
                nursery.start_soon(ann.type, word)
        await ann.sees("hello")


async def test_its_bytes_go_out_as_they_are(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.send("caf\N{LATIN SMALL LETTER E WITH ACUTE}\n".encode())
        await ann.sees("You said caf\N{LATIN SMALL LETTER E WITH ACUTE}.")


# What its terminal does


async def test_it_tells_its_windows_size_and_each_change(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player(columns=100, rows=40)
        await ann.sees("100 by 40.")
        await ann.resize(132, 50)
        await ann.sees("132 by 50.")


async def test_it_tells_no_size_if_it_was_given_none(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.resize(132, 50)
        assert await ann.catches_up() == "Welcome!\n"


async def test_it_names_its_terminal_if_it_was_given_one(mud: OpenMud, inn: Hooks) -> None:
    names = ("MUDLET", "XTERM-256COLOR", "MTTS 13")
    async with mud(inn) as place:
        await place.player(terminal=names)
        await place.player()
        assert [connection.client.terminals for connection in place.server.connections] == [names, ()]


async def test_it_hides_what_is_typed_while_the_server_asks_for_it(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        hidden = []
        for line in ("hide", "show"):
            await ann.type(line)
            await ann.catches_up()
            hidden.append(ann.input_hidden)
        assert hidden == [True, False]


async def test_telnet_is_not_on_its_screen(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.player()
        await ann.type("hide", "prompt", "hello")
        await ann.sees("hello.")
        assert ann.screen == "Welcome!\nBy what name? You said hello.\n"


# The house itself


async def test_a_player_is_past_the_connect_hook_when_it_is_there(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        await place.player()
        await place.player()
        assert len(place.server.connections) == 2


async def test_every_player_is_somewhere_else_unless_told(mud: OpenMud) -> None:
    hooks, addresses = Hooks(), []
    hooks.on(Connect)(lambda event: addresses.append(event.connection.address))
    async with mud(hooks) as place:
        for _ in range(260):
            place.connect()
        await place.player(address="192.0.2.1")
        await trio.sleep(10)  # limits.accept_rate lets in only so many a second
    assert len(set(addresses)) == 261
    assert addresses[-1] == "192.0.2.1"


async def test_the_end_of_the_block_is_a_shutdown_in_order(mud: OpenMud, inn: Hooks, endings: list[str]) -> None:
    async with mud(inn) as place:
        await place.player()
    assert endings == ["shutdown"]
    assert place.server.closed.is_set()


async def test_whatever_the_block_raises_comes_out_as_itself(mud: OpenMud, inn: Hooks, endings: list[str]) -> None:
    error = ValueError("a mistake in the test")
    with pytest.raises(ValueError, match="a mistake in the test") as caught:  # noqa: PT012
        async with mud(inn) as place:
            await place.player()
            raise error
    assert caught.value is error
    assert endings == ["cancelled"]


async def test_whatever_a_peer_raises_comes_out_as_itself(mud: OpenMud, inn: Hooks) -> None:
    async def trip() -> None:
        raise ValueError("a mistake in a peer")

    with pytest.raises(ValueError, match="a mistake in a peer"):  # noqa: PT012
        async with mud(inn) as place:
            place.nursery.start_soon(trip)
            await trio.sleep_forever()


async def test_a_server_that_fails_fails_the_block(mud: OpenMud, inn: Hooks) -> None:
    with pytest.raises(OSError, match="the door is off its hinges"):  # noqa: PT012
        async with mud(inn) as place:
            place.listener.fail(OSError("the door is off its hinges"))
            await trio.sleep_forever()
