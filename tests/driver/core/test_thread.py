"""Calls from a thread: refused before they change anything, with the way that works."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

import trio_mud
from trio_mud import Connection, Dialog, HookEvent, Hooks, Input, MasterServer, Timer, broadcast
from trio_mud.driver.connection.connection import Connections
from trio_mud.driver.server.mssp import MsspVariables
from trio_mud.driver.sessions.registry import Sessions
from trio_mud.errors import LocalProtocolError
from trio_mud.renamed import RENAMED
from trio_mud.telnet.codes import DO, GMCP, IAC

from ..conftest import EventLog, first_connection, open_house, settled


class Mine(HookEvent):
    """An event of the game."""


def in_thread(call: Callable[[], object]) -> BaseException | None:
    """Make a call in a thread of its own, and return what it raised; the loop waits, so that nothing else happens."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - it is returned
            raised.append(error)

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()
    return raised[0] if raised else None


async def script(dialog: Dialog) -> None:
    await trio.sleep_forever()


CALLS: dict[str, Callable[[Connection, Timer, Dialog], object]] = {
    "MasterServer.post": lambda ann, timer, dialog: ann.server.post(Mine()),
    "MasterServer.after": lambda ann, timer, dialog: ann.server.after(1, print),
    "MasterServer.every": lambda ann, timer, dialog: ann.server.every(1, print),
    "MasterServer.daily": lambda ann, timer, dialog: ann.server.daily(None, print),  # type: ignore[arg-type]
    "MasterServer.reload": lambda ann, timer, dialog: ann.server.reload().__await__().send(None),
    "MasterServer.record": lambda ann, timer, dialog: ann.server.record(None),
    "MasterServer.start_soon": lambda ann, timer, dialog: ann.server.start_soon(trio.sleep_forever),
    "MasterServer.shutdown": lambda ann, timer, dialog: ann.server.shutdown("from a thread"),
    "MasterServer.abort": lambda ann, timer, dialog: ann.server.abort(),
    "MasterServer.ban": lambda ann, timer, dialog: ann.server.ban("192.0.2.0/24"),
    "MasterServer.unban": lambda ann, timer, dialog: ann.server.unban("192.0.2.0/24"),
    "MasterServer.hooks": lambda ann, timer, dialog: setattr(ann.server, "hooks", Hooks()),
    "Connection.write": lambda ann, timer, dialog: ann.write("from a thread"),
    "Connection.prompt": lambda ann, timer, dialog: ann.prompt("from a thread"),
    "Connection.gmcp": lambda ann, timer, dialog: ann.gmcp("From.A.Thread"),
    "Connection.msdp": lambda ann, timer, dialog: ann.msdp("FROM", "a thread"),
    "Connection.hide_input": lambda ann, timer, dialog: ann.hide_input(True),
    "Connection.idle_timeout": lambda ann, timer, dialog: setattr(ann, "idle_timeout", 60),
    "Connection.tap": lambda ann, timer, dialog: ann.tap(print),
    "Connection.quit": lambda ann, timer, dialog: ann.quit("from a thread"),
    "Connection.refuse": lambda ann, timer, dialog: ann.refuse("from a thread"),
    "Connection.start_dialog": lambda ann, timer, dialog: ann.start_dialog(script),
    "Connection.start_soon": lambda ann, timer, dialog: ann.start_soon(trio.sleep_forever),
    "Connection.after": lambda ann, timer, dialog: ann.after(1, print),
    "Connection.every": lambda ann, timer, dialog: ann.every(1, print),
    "Session.write": lambda ann, timer, dialog: session_of(ann).write("from a thread"),
    "Session.leave": lambda ann, timer, dialog: session_of(ann).leave("from a thread"),
    "Session.resume_token": lambda ann, timer, dialog: session_of(ann).resume_token(),
    "Session.offer_token": lambda ann, timer, dialog: session_of(ann).offer_token("a token", 60),
    "Session.void_tokens": lambda ann, timer, dialog: session_of(ann).void_tokens(),
    "Session.start_soon": lambda ann, timer, dialog: session_of(ann).start_soon(trio.sleep_forever),
    "Session.after": lambda ann, timer, dialog: session_of(ann).after(1, print),
    "Session.every": lambda ann, timer, dialog: session_of(ann).every(1, print),
    "Sessions.enter": lambda ann, timer, dialog: ann.server.sessions.enter("bob", ann),
    "Sessions.resume": lambda ann, timer, dialog: ann.server.sessions.resume("token", ann),
    "Timer.cancel": lambda ann, timer, dialog: timer.cancel(),
    "Dialog.ask": lambda ann, timer, dialog: dialog.ask("from a thread? ").__await__().send(None),
    "Connection.name": lambda ann, timer, dialog: setattr(ann, "name", "from a thread"),
    "MasterServer.mssp": lambda ann, timer, dialog: setattr(ann.server, "mssp", {"NAME": "from a thread"}),
    "MsspVariables.__setitem__": lambda ann, timer, dialog: ann.server.mssp.update(NAME="from a thread"),
    "MsspVariables.__delitem__": lambda ann, timer, dialog: ann.server.mssp.pop("NAME"),
    "Client.prefer": lambda ann, timer, dialog: ann.client.prefer(colours=256),
    "Client.clear_preference": lambda ann, timer, dialog: ann.client.clear_preference("colours"),
    "Hooks.on": lambda ann, timer, dialog: ann.server.hooks.on(Mine),
    "Hooks.every": lambda ann, timer, dialog: ann.server.hooks.every(1),
    "Hooks.daily": lambda ann, timer, dialog: ann.server.hooks.daily(dt.time(4)),
    "Hooks.include": lambda ann, timer, dialog: ann.server.hooks.include(Hooks()),
    "Hooks.remove": lambda ann, timer, dialog: ann.server.hooks.remove(print),
    "broadcast": lambda ann, timer, dialog: broadcast("from a thread", [ann]),
}


# Public names that change nothing, or nothing but one attribute of the game's own.
READING = {
    "Client": "charset colours is_ready is_secure links mxp packages plain_columns program rendering "
    "screen_reader size sound_files sounds source_of terminal terminals version",
    "Connection": "address body client dialog ending idle_seconds is_refused number server session",
    "Connections": "",
    "Dialog": "client_ready connection hiding_refused",
    "Hooks": "functions_for is_empty",
    "MasterServer": "closed connections counters is_closing limits sessions texts wall_clock world operator_commands",
    "MsspVariables": "as_text copy data fromkeys get items keys values",
    "Session": "body connection connections ending key server",
    "Sessions": "get new_secret",
    "Tap": "close",
    "Timer": "is_active is_pending skipped",
}
# Each of these is a step or two of calls that are in the table above.
COMPOSED = {
    "Dialog": "ask_hidden choose confirm edit page",
    "MsspVariables": "clear pop popitem setdefault update",
}
# The driver's own, for its other modules: they are called in its thread, by what is called there.
INTERNAL = {
    "Connection": "take_lines",
    "MasterServer": "serve",
    "Timer": "failed",
}


def test_every_public_name_that_changes_anything_is_in_the_table() -> None:
    """A new name needs a decision here whether a thread may call it."""
    missing = []
    server = MasterServer(Hooks())
    found = [getattr(trio_mud, name) for name in trio_mud.__all__]
    kinds = {kind for kind in found if isinstance(kind, type) and kind.__name__ in READING}
    kinds |= {Connections, MsspVariables, Sessions}
    assert {kind.__name__ for kind in kinds} == set(READING)
    for kind in kinds:
        table = {name.partition(".")[2] for name in CALLS if name.startswith(f"{kind.__name__}.")}
        known = table.union(*(names.get(kind.__name__, "").split() for names in (READING, COMPOSED, INTERNAL)))
        old = {name.partition(".")[2] for name in RENAMED if name.startswith(f"{kind.__name__}.")}
        own = {*dir(kind), *(vars(server) if kind is MasterServer else ())} - old
        missing += [f"{kind.__name__}.{name}" for name in own if not name.startswith("_") and name not in known]
    assert missing == []


def test_every_class_with_a_public_method_is_looked_at() -> None:
    """The front door also has immutable values, and names that need no server."""
    values = {
        "Certificate",
        "ConsoleOperator",  # holds text; threads of the console and the event loop write to it in turn
        "Duplicate",
        "Limits",
        "Markup",
        "Rate",
        "Rendering",
        "Secret",
        "Sent",
        "Size",
        "Texts",
        "Typed",
    }
    kinds = {name for name in trio_mud.__all__ if isinstance(getattr(trio_mud, name), type)}
    for name in ("Cause", "Reason", *values, *READING):
        kinds.discard(name)
    assert [name for name in kinds if not issubclass(getattr(trio_mud, name), HookEvent | BaseException)] == []


def session_of(connection: Connection) -> Any:
    return connection.session


@pytest.mark.parametrize("name", CALLS)
async def test_a_public_call_from_a_thread_changes_nothing_and_names_the_way_that_works(
    autojump_clock: trio.testing.MockClock, talkers: EventLog, name: str
) -> None:
    ticks: list[int] = []
    talkers.hooks.on(Mine)(lambda event: ticks.append(0))
    async with open_house(talkers.hooks) as house:
        ann, bob = await house.connect(), await house.connect()
        ann.say(bytes((IAC, DO, GMCP)))
        await settled()
        server, connection = house.server, first_connection(house.server)
        server.sessions.enter("ann", connection)
        timer = server.after(5, lambda: ticks.append(1))
        connection.start_dialog(script)
        await settled()
        assert connection.dialog is not None
        before, dialog, hooks, timers = ann.text, connection.dialog, server.hooks, len(server._context.timers)
        tasks = trio.lowlevel.current_statistics().tasks_living

        error = in_thread(lambda: CALLS[name](connection, timer, dialog))

        assert isinstance(error, LocalProtocolError)
        assert str(error).startswith(f"{name} was called in the thread 'worker'")
        assert "trio.from_thread.run_sync" in str(error)
        assert (server.hooks, len(server._context.timers)) == (hooks, timers)
        assert (connection.name, connection.client.colours, server.mssp["NAME"]) == ("guest-1", 0, "A trio_mud")
        assert len(hooks.functions_for(Mine)) == 1
        await settled()
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        assert ann.text == before
        await trio.sleep(6)  # time goes on, and the others play on
        assert ticks == [1]
        bob.say(b"look\r\n")
        await settled()
        assert "you said look" in bob.text
        assert connection.ending is None
        assert not server.is_closing
        cat = await house.connect()
        cat.say(b"look\r\n")
        await settled()
        assert "you said look" in cat.text


async def test_a_thread_may_have_the_loop_call(talkers: EventLog) -> None:
    done = trio.Event()

    @talkers.hooks.on(Input)
    async def work(event: Input) -> None:
        await trio.to_thread.run_sync(lambda: trio.from_thread.run_sync(event.connection.write, "from a thread"))
        done.set()

    async with open_house(talkers.hooks) as house:
        ann = await house.connect()
        ann.say(b"look\r\n")
        with trio.fail_after(10):
            await done.wait()
        await settled()
        assert "from a thread" in ann.text


async def test_a_hook_is_not_registered_in_another_thread_than_its_decorator(
    autojump_clock: trio.testing.MockClock, talkers: EventLog
) -> None:
    async with open_house(talkers.hooks):
        register = talkers.hooks.on(Mine)
        error = in_thread(lambda: register(lambda event: None))
        assert isinstance(error, LocalProtocolError)
        assert talkers.hooks.functions_for(Mine) == ()


def test_before_it_serves_a_server_takes_calls_from_any_thread() -> None:
    server = MasterServer(Hooks())
    assert in_thread(lambda: setattr(server, "hooks", Hooks())) is None
    assert in_thread(lambda: server.record(None)) is None
