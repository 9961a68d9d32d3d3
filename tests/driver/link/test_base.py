"""The seam: a link of another kind than telnet needs no line of the driver changed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio
import trio.testing

from trio_mud import Admitted, Cause, Connection, Disconnect, GmcpMessage, Hooks, Input, Limits, MasterServer, broadcast
from trio_mud.driver.connection.dialog import Dialog
from trio_mud.driver.link.base import OutOfBand

from .memory_link import MemoryLink, MemoryListener


class Place:
    """A server of memory links that echoes, and what it saw."""

    def __init__(self) -> None:
        self.hooks = Hooks()
        self.happened: list[str] = []
        self.hooks.on(Admitted)(lambda event: self.greet(event.connection))
        self.hooks.on(Input)(self.echo)
        self.hooks.on(GmcpMessage)(lambda event: self.happened.append(f"gmcp {event.package}"))
        self.hooks.on(Disconnect)(lambda event: self.happened.append(str(event.cause)))
        self.server = MasterServer(self.hooks, limits=Limits(first_input_timeout=None))
        self.listener = MemoryListener()

    def greet(self, connection: Connection) -> None:
        connection.write("Welcome")

    def echo(self, event: Input) -> None:
        self.happened.append(event.line)
        event.connection.write(f"you said {event.line}")

    async def peer(self) -> tuple[MemoryLink, Connection]:
        """A new peer, and its connection."""
        link = self.listener.connect()
        await trio.testing.wait_all_tasks_blocked()
        return link, list(self.server.connections)[-1]


@asynccontextmanager
async def open_place() -> AsyncGenerator[Place, None]:
    place = Place()
    async with trio.open_nursery() as nursery:
        await nursery.start(place.server.serve, [place.listener])
        yield place
        place.server.shutdown()


async def test_lines_messages_and_texts_pass_through_any_link(autojump_clock: trio.testing.MockClock) -> None:
    async with open_place() as place:
        link, _ = await place.peer()
        assert link.type("look")
        link.tell(OutOfBand("gmcp", "Core.Ping", None))
        await trio.testing.wait_all_tasks_blocked()
        broadcast("a bell rings", to=place.server.connections)
        await trio.testing.wait_all_tasks_blocked()
        assert place.happened == ["look", "gmcp Core.Ping"]
        assert link.seen == ["Welcome", "you said look", "a bell rings"]


async def test_a_dialog_asks_through_any_link(autojump_clock: trio.testing.MockClock) -> None:
    answers: list[str] = []

    async def login(dialog: Dialog) -> None:
        answers.append(await dialog.ask_hidden("Password: "))

    async with open_place() as place:
        link, connection = await place.peer()
        connection.start_dialog(login)
        await trio.testing.wait_all_tasks_blocked()
        link.type("sesame", hidden=True)
        await trio.testing.wait_all_tasks_blocked()
        assert answers == ["sesame"]
        assert link.calls == ["hide", "show"]


async def test_the_end_of_file_serves_what_was_typed_on_any_link(autojump_clock: trio.testing.MockClock) -> None:
    async with open_place() as place:
        link, _ = await place.peer()
        link.type("last")
        link.hang_up()
        await trio.testing.wait_all_tasks_blocked()
        assert place.happened == ["last", str(Cause.EOF)]
        assert link.seen[-1] == "you said last"
        assert link.calls == ["stop", f"close gently: {Cause.EOF}"]


async def test_a_quit_cancels_the_active_scope_and_a_link_death_the_link_scope_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """S13. Of two nested scopes that are both cancelled, trio lets only the outermost catch."""
    async with open_place() as place:
        quitter_link, quitter = await place.peer()
        quitter.quit("Farewell.")
        await trio.testing.wait_all_tasks_blocked()
        active, link_scope = quitter._lifecycle.active_scope, quitter._lifecycle.link_scope
        assert active is not None
        assert (active.cancelled_caught, link_scope.cancel_called) == (True, False)
        assert quitter_link.seen[-1] == "Farewell."

        lost_link, lost = await place.peer()
        lost_link.vanish()
        await trio.testing.wait_all_tasks_blocked()
        active, link_scope = lost._lifecycle.active_scope, lost._lifecycle.link_scope
        assert active is not None
        assert active.cancel_called
        assert (active.cancelled_caught, link_scope.cancelled_caught) == (False, True)
        assert lost_link.calls[-1] == f"close at once: {Cause.RESET}"
