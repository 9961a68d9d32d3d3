"""Taps: a copy of what a connection is sent and of what its player types."""

from __future__ import annotations

import pytest
import trio

from trio_mud import (
    Connection,
    Dialog,
    Hooks,
    Input,
    Limits,
    LocalProtocolError,
    Markup,
    Sent,
    Tap,
    Texts,
    Typed,
    broadcast,
    markup,
)
from trio_mud.testing import OpenMud

from ..conftest import first_connection, settled

LOUD = markup("<b>Boo!</b>")


async def log_in(dialog: Dialog) -> None:
    await dialog.ask("Name? ")
    await dialog.ask_hidden("Password? ")
    dialog.connection.write("Welcome.")


async def test_a_tap_gets_each_text_before_it_is_rendered_and_each_line(mud: OpenMud) -> None:
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.write(f"You say {event.line}."))
    async with mud(hooks) as place:
        player = await place.player()
        connection = first_connection(place.server)
        seen: list[Sent | Typed] = []
        connection.tap(seen.append)
        await player.type("hello")
        await player.sees("You say hello.")
        connection.write(LOUD)
        connection.prompt("> ")
        broadcast("All hear this.", to=place.server.connections)
        connection.quit("Goodbye.")
        await player.sees_the_end()
        assert seen == [
            Typed("hello"),
            Sent("You say hello."),
            Sent(LOUD),
            Sent("> "),
            Sent("All hear this."),
            Sent("Goodbye."),
        ]
        sent = seen[2]
        assert isinstance(sent, Sent)
        assert isinstance(sent.text, Markup)


async def test_a_tap_gets_the_lines_of_dialogs_but_none_typed_hidden(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        player = await place.player()
        connection = first_connection(place.server)
        seen: list[Sent | Typed] = []
        connection.tap(seen.append)
        connection.start_dialog(log_in)
        await player.sees("Name? ")
        await player.type("ann")
        await player.sees("Password? ")
        await player.type("sesame")
        await player.sees("Welcome.")
        connection.hide_input(True)
        await player.type("a secret of the game")
        await settled()
        assert seen == [Sent("Name? "), Typed("ann"), Sent("Password? "), Sent("Welcome.")]


async def test_texts_of_the_driver_are_reported_and_dropped_texts_are_not(mud: OpenMud) -> None:
    texts = Texts(idle_warning="Still there?", idle="Asleep.")
    limits = Limits(idle_timeout=600, first_input_timeout=None, max_output=4096)
    async with mud(Hooks(), limits=limits, texts=texts) as place:
        player = await place.player()
        connection = first_connection(place.server)
        seen: list[Sent | Typed] = []
        connection.tap(seen.append)
        assert not connection.write("x" * 5000)
        await player.sees_the_end(within=700)
        assert seen == [Sent("Still there?"), Sent("Asleep.")]


async def test_a_closed_tap_gets_nothing_more_and_the_others_go_on(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        await place.player()
        connection = first_connection(place.server)
        first: list[Sent | Typed] = []
        second: list[Sent | Typed] = []
        tap = connection.tap(first.append)
        connection.tap(second.append)
        connection.write("one")
        tap.close()
        tap.close()
        connection.write("two")
        assert first == [Sent("one")]
        assert second == [Sent("one"), Sent("two")]


async def test_what_a_tap_sends_does_not_come_back_to_it(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        ann, bob = await place.player(), await place.player()
        one, other = place.server.connections
        one.tap(lambda event: other.write("ann reads something"))
        other.tap(lambda event: one.write("bob reads something"))
        one.write("hello")  # ann's tap writes to bob, whose tap writes to ann, whose tap is running
        await bob.sees("ann reads something")
        await ann.sees("hello")
        await ann.sees("bob reads something")
        assert (await ann.catches_up()).strip() == ""
        assert (await bob.catches_up()).strip() == ""


async def test_a_tap_that_raises_is_logged_and_closed(mud: OpenMud, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Sent | Typed] = []

    def break_down(event: Sent | Typed) -> None:
        seen.append(event)
        raise RuntimeError("the tap is broken")

    async with mud(Hooks(), allow_errors=True) as place:
        player = await place.player()
        connection = first_connection(place.server)
        connection.tap(break_down)
        assert connection.write("one")
        assert connection.write("two")
        await player.sees("two")
    assert seen == [Sent("one")]
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "break_down" in record.getMessage()
    assert "for guest-1 (#1)" in record.getMessage()


async def test_a_tap_takes_a_function_of_one_argument(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        await place.player()
        connection: Connection = first_connection(place.server)
        with pytest.raises(TypeError, match=r"^Connection.tap\(\) calls its function with 1 argument"):
            connection.tap(lambda: None)  # type: ignore[arg-type, misc]
        assert isinstance(connection.tap(print), Tap)


async def test_a_tap_takes_no_async_function(mud: OpenMud, caplog: pytest.LogCaptureFixture) -> None:
    async def look_on(event: Sent | Typed) -> None:
        raise NotImplementedError("it is never awaited")

    async with mud(Hooks(), allow_errors=True) as place:
        await place.player()
        connection = first_connection(place.server)
        with pytest.raises(TypeError, match=r"look_on at .* is async, so calling it runs nothing: write `def look_on"):
            connection.tap(look_on)
        connection.tap(lambda event: look_on(event))  # which shows only when it is called
        connection.write("one")
        connection.write("two")
        assert [str(error).startswith("it returned look_on(…)") for error in place.errors] == [True]


async def test_a_tap_is_closed_in_the_servers_thread_only(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        await place.player()
        seen: list[Sent | Typed] = []
        tap = first_connection(place.server).tap(seen.append)
        with pytest.raises(LocalProtocolError, match=r"Tap\.close was called in the thread"):
            await trio.to_thread.run_sync(tap.close)
        first_connection(place.server).write("one")
        assert seen == [Sent("one")]
