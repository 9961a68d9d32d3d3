"""A wrong argument is refused at the call, by one sentence, and nothing has changed."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any

import pytest

from trio_mud import Admitted, Connect, Dialog, HookEvent, Hooks, Input, MasterServer, broadcast, run, serve
from trio_mud.driver.core.checks import check_function
from trio_mud.testing import OpenMud

from ..conftest import EventLog, first_connection, settled


def plain(dialog: Dialog) -> None:
    """A function that is no valid script of a dialog."""


async def script(dialog: Dialog) -> None:
    """A valid script of a dialog."""


async def work() -> None:
    """A function that `start_soon` accepts."""


def generator(event: Any) -> Any:
    yield


async def async_generator(event: Any) -> Any:
    yield


@wraps(script)
def wrapper(*args: Any) -> Any:
    return script(*args)


def says_it(dialog: Dialog) -> Awaitable[None]:
    return script(dialog)


class Callables:
    """Functions of an object."""

    async def method(self, event: Any) -> None: ...

    def __call__(self, event: Any) -> None: ...

    @staticmethod
    def two(event: Any, world: Any) -> None: ...

    def alone(self) -> None: ...


ACCEPTED: list[Callable[..., object]] = [
    script,
    Callables().method,
    Callables(),
    partial(Callables.two, world=None),
    partial(lambda world, event: None, None),
    lambda event, volume=3: None,
    lambda *events: None,
    [].append,
    print,
    wrapper,
]


@pytest.mark.parametrize("function", ACCEPTED)
def test_whatever_can_be_called_with_one_event_is_a_hook(function: Callable[..., object]) -> None:
    Hooks().on(Input)(function)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda: None, r"with 1 argument, which <lambda> at .*test_checks.py:\d+ does not .*: write `def function\("),
        (lambda event, world: None, "does not accept"),
        (lambda event, *, world: None, "does not accept"),
        (work, r"work at .* does not accept: write `async def work\(event\)`"),
        (Callables().two, r"write `def two\(event\)`"),
        (partial(Callables.two, None, None), "does not accept"),
        (generator, "contains `yield`"),
        (async_generator, r"async_generator at .*:\d+ contains `yield`"),
        (partial(generator), "contains `yield`"),
        (None, "takes a function, not None"),
        ("talk", "takes a function, not a str"),
        (5, r"takes a function, not an int \(5\)"),
    ],
)
def test_a_function_that_cannot_take_an_event_is_no_hook(function: Any, said: str) -> None:
    """K11: refused when it is registered, not when the first event comes."""
    hooks = Hooks()
    with pytest.raises(TypeError, match=said):
        hooks.on(Input)(function)
    assert hooks.functions_for(Input) == ()


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("first", r"^Hooks.on\(order=\) takes FIRST, LAST or a number, not a str \('first'\)"),
        (None, r"^Hooks.on\(order=\) takes FIRST, LAST or a number"),
        (True, r"^Hooks.on\(order=\) takes FIRST, LAST or a number"),
    ],
)
def test_an_order_is_a_number(order: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        Hooks().on(Input, order=order)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (generator, r"not the function generator at .*test_checks.py:\d+: write .* @hooks.on\(Input\)"),
        ("Admitted", r"not the text 'Admitted': write on\(Admitted\), without quotes"),
        ("on input", r"write on\(Input\), without quotes"),
        (Callables, r"and Callables is not one: write `class Callables\(HookEvent\)`"),
        (HookEvent(), r"not an event: write on\(HookEvent\)"),
        (HookEvent, "register it for each type"),
        (None, "such as Input, not None"),
    ],
)
def test_what_a_hook_is_registered_for_is_a_type_of_event(given: Any, said: str) -> None:
    """K11: also if the decorator has no brackets."""
    with pytest.raises(TypeError, match=said):
        Hooks().on(given)


@pytest.mark.parametrize("method", [Callables.method, Callables.alone, classmethod(Callables.two)])
def test_a_method_without_its_object_is_no_hook(method: Any) -> None:
    """K11: as a decorator inside of a class gets it; even if it would take an event for its object."""
    hooks = Hooks()
    with pytest.raises(TypeError, match=r"Callables\.\w+ at .* without its object: .*\(thing\.\w+\)"):
        hooks.on(Input)(method)
    assert hooks.is_empty


@pytest.mark.parametrize("function", [script, wrapper, says_it, lambda dialog: script(dialog), Callables().method])
def test_whatever_may_return_an_awaitable_is_a_script(function: Callable[..., object]) -> None:
    check_function(function, "start_dialog()", "dialog", waits=True)


FIVE: Any = 5
WRONG: dict[str, tuple[Callable[[Any, Any], object], str]] = {
    "write": (
        lambda guest, session: guest.write(5),
        r"^Connection.write\(\) takes a str or Markup, not an int \(5\): use str\(\)",
    ),
    "prompt": (lambda guest, session: guest.prompt(None), r"^Connection.prompt\(\) takes .* not None"),
    "quit": (lambda guest, session: guest.quit(5), r"^Connection.quit\(\) takes a str, not an int"),
    "quit, cause": (lambda guest, session: guest.quit(cause="kicked"), r"^Connection.quit\(cause=\) takes a Cause"),
    "refuse": (lambda guest, session: guest.refuse(["no"]), r"^Connection.refuse\(\) takes a str, not a list"),
    "broadcast": (
        lambda guest, session: broadcast(FIVE, guest.server.connections),
        r"broadcast\(\) takes a str or Markup",
    ),
    "broadcast to nobody": (lambda guest, session: broadcast(FIVE, []), r"broadcast\(\) takes a str or Markup"),
    "broadcast to one": (lambda guest, session: broadcast("hi", guest), r"write \[connection\]"),
    "broadcast to sessions": (
        lambda guest, session: broadcast("hi", [session]),
        r"broadcast\(to=\) takes connections, .* not a Session: .* session.write\(\)",
    ),
    "broadcast to the server": (
        lambda guest, session: broadcast("hi", guest.server),
        r"broadcast\(to=\) takes several connections, such as server.connections, not a MasterServer",
    ),
    "write, not awaited": (lambda guest, session: guest.write(work()), "not a coroutine: write `await` in front"),
    "after, arguments": (lambda guest, session: guest.after(1, guest.write), "or give it its arguments by functools"),
    "gmcp": (lambda guest, session: guest.gmcp(5), r"^Connection.gmcp\(\) takes a str, not an int"),
    "msdp": (lambda guest, session: guest.msdp(5, "x"), r"^Connection.msdp\(\) takes a str, not an int"),
    "name": (lambda guest, session: setattr(guest, "name", 5), "^Connection.name is a str, not an int"),
    "dialog": (lambda guest, session: guest.start_dialog(plain), r"plain at .* write `async def plain\(dialog\)`"),
    "dialog, called": (lambda guest, session: guest.start_dialog(script(guest)), "write script, without the call"),
    "dialog, arguments": (lambda guest, session: guest.start_dialog(work), "does not accept"),
    "dialog, deadline": (
        lambda guest, session: guest.start_dialog(script, deadline="60"),
        r"^Connection.start_dialog\(deadline=\) takes a number",
    ),
    "dialog, nan": (
        lambda guest, session: guest.start_dialog(script, deadline=math.nan),
        r"^Connection.start_dialog\(deadline=\) takes a number",
    ),
    "work": (lambda guest, session: guest.start_soon(work()), "write work, without the call"),
    "work, plain": (
        lambda guest, session: guest.start_soon(settle_nothing),
        r"^Connection.start_soon\(\) takes an async function",
    ),
    "work of a session": (lambda guest, session: session.start_soon(5), r"^Session.start_soon\(\) takes a function"),
    "work of the server": (lambda guest, session: guest.server.start_soon(work()), "without the call"),
    "after": (
        lambda guest, session: guest.after("1", settle_nothing),
        r"^Connection.after\(\) takes .* seconds.* not a str \('1'\)",
    ),
    "after, called": (lambda guest, session: guest.after(1, None), "takes a function, not None"),
    "every": (
        lambda guest, session: session.every(1, lambda event: None),
        r"^Session.every\(\) calls .* with no arguments",
    ),
    "every, coroutine": (lambda guest, session: guest.server.every(1, work()), "without the call"),
    "daily": (
        lambda guest, session: guest.server.daily("04:30", work),
        r"^MasterServer.daily\(\) takes a datetime.time",
    ),
    "daily, function": (lambda guest, session: guest.server.daily(dt.time(4), 5), "takes a function"),
    "post": (
        lambda guest, session: guest.server.post(Input),
        r"^MasterServer.post\(\) takes an object of a HookEvent",
    ),
    "shutdown": (lambda guest, session: guest.server.shutdown(5), r"^MasterServer.shutdown\(\) takes a str"),
    "shutdown, within": (
        lambda guest, session: guest.server.shutdown(within="now"),
        r"^MasterServer.shutdown\(within=\) takes a number",
    ),
    "session, write": (lambda guest, session: session.write(5), r"^Session.write\(\) takes .* not an int"),
    "session, leave": (lambda guest, session: session.leave(5), r"^Session.leave\(\) takes a str"),
    "token": (
        lambda guest, session: session.resume_token(lifetime="long"),
        r"^Session.resume_token\(lifetime=\) takes a number",
    ),
    "enter, key": (
        lambda guest, session: guest.server.sessions.enter(["ann"], guest),
        r"^Sessions.enter\(\) takes a hashable key.*'list'",
    ),
    "enter, connection": (
        lambda guest, session: guest.server.sessions.enter("ann", "ann"),
        r"^Sessions.enter\(\) takes a connection",
    ),
    "enter, grace": (
        lambda guest, session: guest.server.sessions.enter("bob", guest, grace="1"),
        r"^Sessions.enter\(grace=\) takes",
    ),
    "enter, grace of no float": (
        lambda guest, session: guest.server.sessions.enter("bob", guest, grace=10**400),
        r"^Sessions.enter\(grace=\) takes a number, not an integer of over 300 digits",
    ),
    "ban, seconds of no float": (
        lambda guest, session: guest.server.ban("192.0.2.0/24", seconds=10**400),
        r"^MasterServer.ban\(seconds=\) takes a number of seconds, not an integer of over 300 digits",
    ),
    "enter, policy": (
        lambda guest, session: guest.server.sessions.enter("bob", guest, on_duplicate="refuse"),
        r"^Sessions.enter\(on_duplicate=\) takes a Duplicate",
    ),
}


def settle_nothing() -> None:
    """A plain function without arguments."""


@pytest.mark.parametrize("mistake", WRONG)
async def test_a_mistake_is_refused_by_a_sentence_and_has_changed_nothing(
    mud: OpenMud, talkers: EventLog, mistake: str
) -> None:
    """K11: by a TypeError or ValueError raised in the author's own line."""
    call, said = WRONG[mistake]
    async with mud(talkers.hooks) as place:
        player = await place.player()
        guest = first_connection(place.server)
        session = place.server.sessions.enter("ann", guest)
        await settled()
        with pytest.raises((TypeError, ValueError), match=said) as caught:
            call(guest, session)
        assert "\n" not in str(caught.value)
        await player.type("hello")
        await player.sees("you said hello")
        assert (guest.dialog, guest.ending, guest.session, session.ending) == (None, None, session, None)
        assert not place.server.is_closing


@pytest.mark.parametrize(
    ("question", "within", "said"),
    [(5, None, r"^Dialog.ask_hidden\(\) takes a str or Markup"), ("?", "5", r"^Dialog.ask_hidden\(within=\) takes")],
)
async def test_a_wrong_question_hides_nothing(
    mud: OpenMud, witness: EventLog, question: Any, within: Any, said: str
) -> None:
    async def script(dialog: Dialog) -> None:
        with pytest.raises(TypeError, match=said):
            await dialog.ask_hidden(question, within=within)
        assert not dialog.connection._link.hides_input
        dialog.connection.write("asked")

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(script))
    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.sees("asked")


async def test_a_wrong_text_for_a_dead_link_is_refused_at_once_and_the_return_is_whole(
    mud: OpenMud, witness: EventLog
) -> None:
    async with mud(witness.hooks) as place:
        player = await place.player()
        session = place.server.sessions.enter("ann", first_connection(place.server))
        await player.vanish()
        await settled()
        session.write("before")
        with pytest.raises(TypeError, match="not an int"):
            session.write(5)  # type: ignore[arg-type]
        session.write("behind")
        again = await place.player()
        place.server.sessions.enter("ann", first_connection(place.server))
        await again.sees("before\nbehind\n")


async def test_a_wrong_text_for_a_refusal_does_not_let_anybody_in(mud: OpenMud, witness: EventLog) -> None:
    """The function failed, so the connection is refused."""
    wrong: Any = 5
    witness.hooks.on(Connect)(lambda event: event.connection.refuse(wrong))
    async with mud(witness.hooks, allow_errors=True) as place:
        player = await place.player()
        assert await player.sees_the_end() == f"{place.server.texts.connect_failed}\n"
    assert [words.split()[1] for words in witness.story()] == ["connect", "refused:"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"hooks": "x"}, "takes a Hooks"),
        ({"port": "x"}, "port = 'x': write a number"),
        ({"port": True}, "port = True"),
        ({"port": 70000}, "port = 70000"),
        ({"host": 5}, "host = 5: write a name"),
        ({"host": "\0"}, r"host = '\\x00': write one name"),
        ({"host": "exa mple"}, "write one name"),
        ({"host": "a..b"}, "write one name"),
        ({"limits": 5}, "limits= takes a Limits"),
        ({"texts": "hello"}, "texts= takes a Texts"),
        ({"on_open": 5}, r"run\(on_open=\) takes a function"),
        ({"tls_port": "x"}, "tls_port = 'x'"),
    ],
)
def test_a_program_is_told_at_once_what_run_cannot_take(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        run(**{"hooks": Hooks(), "port": 0, **arguments})


async def test_serve_cannot_take_it_either(autojump_clock: object) -> None:
    with pytest.raises(TypeError, match="port = 'x'"):
        await serve(Hooks(), port="x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes a Hooks"):
        MasterServer(Admitted)  # type: ignore[arg-type]
