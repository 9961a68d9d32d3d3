"""The boundary around a game's own code: a failure affects only the call, the event or the link that it ran for."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import trio
import trio.testing

from trio_mud import (
    Admitted,
    Cause,
    Connect,
    Connection,
    Disconnect,
    HookEvent,
    Hooks,
    Input,
    Limits,
    MasterServer,
    Texts,
    markup,
)
from trio_mud.driver.core.guard import describe_value, interrupt_in, log_error, run_guarded
from trio_mud.telnet import DEFAULT_OPTIONS, Engine, Option, Policy, WindowResized
from trio_mud.telnet.codes import IAC, SB, SE, WILL
from trio_mud.transports import Reader
from trio_mud.transports.poller import Poller

from ..conftest import EventLog, FakeTransport, TestServer, first_connection, open_house, settled

Clock = trio.testing.MockClock
Call = Callable[[], Awaitable[object]]


async def foreign_cancelled() -> BaseException:
    """Return a `Cancelled` whose scope has ended, as stored by a cache whose task was cancelled."""
    kept: list[BaseException] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.sleep_forever()
        except trio.Cancelled as error:
            kept.append(error)
            raise
    return kept[0]


async def raise_foreign() -> None:
    raise await foreign_cancelled()


async def raise_foreign_in_group() -> None:
    raise BaseExceptionGroup("two", [ValueError("one"), await foreign_cancelled()])


async def leave_scope_open() -> None:
    """Do what `break` does to an async generator that yields within a scope (PEP 789)."""

    async def rows() -> AsyncGenerator[int, None]:
        with trio.fail_after(5):
            for number in range(9):
                await trio.lowlevel.checkpoint()
                yield number

    generator = rows()
    KEPT.append(generator)
    async for number in generator:
        if number == 2:
            break


async def leave_nursery_open() -> None:
    manager = trio.open_nursery()
    KEPT.append(manager)
    nursery = await manager.__aenter__()
    nursery.start_soon(trio.sleep_forever)


async def leave_nursery_open_in_generator() -> None:
    """The garbage collector closes this generator, in a task of trio's own."""

    async def rows() -> AsyncGenerator[int, None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            yield 1

    async for _ in rows():
        break


KEPT: list[object] = []  # so that nothing is closed by the garbage collector


class Unsplittable(BaseExceptionGroup[BaseException]):
    def split(self, condition: object) -> NoReturn:
        raise LookupError("it cannot be split")

    def derive(self, excs: object) -> NoReturn:
        raise LookupError("it cannot be derived from")


async def raise_unsplittable() -> None:
    raise Unsplittable("a group", [ValueError("one"), KeyError("two")])


class Unreadable(Exception):
    """Every attribute of it raises, `__class__` and `__traceback__` too."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise LookupError(name)


class Unlistable(ExceptionGroup[Exception]):
    @property
    def exceptions(self) -> NoReturn:
        raise LookupError("which?")


class Unspoken(Exception):
    def __str__(self) -> NoReturn:
        raise LookupError("no words")

    __repr__ = __str__


class Untraceable(Exception):
    @property
    def __traceback__(self) -> NoReturn:  # type: ignore[override]
        raise LookupError("from nowhere")

    @property
    def __notes__(self) -> NoReturn:  # type: ignore[override]
        raise LookupError("no notes")


def raising(error: Callable[[], BaseException]) -> Call:
    async def misdeed() -> None:
        await trio.lowlevel.checkpoint()
        raise error()

    misdeed.__name__ = f"raise_{error.__name__}"
    return misdeed


def unlistable() -> BaseException:
    return Unlistable("of one", [ValueError("one")])


def many_unreadable() -> BaseException:
    return ExceptionGroup("of two", [Unreadable(), Unlistable("within", [Untraceable(), Unspoken()])])


def made_by_unreadable() -> BaseException:
    error = ValueError("a cause that cannot be read")
    error.__cause__ = Unreadable()
    return error


UNREADABLE = (Unreadable, unlistable, Unspoken, Untraceable, many_unreadable, made_by_unreadable)
MISDEEDS = (
    *(raise_foreign, raise_foreign_in_group, leave_scope_open, leave_nursery_open, raise_unsplittable),
    *map(raising, UNREADABLE),
)


def _in_hook(connection: Connection, misdeed: Call) -> object:
    return misdeed()


def _in_dialog(connection: Connection, misdeed: Call) -> object:
    return connection.start_dialog(lambda dialog: misdeed())


def _in_work(connection: Connection, misdeed: Call) -> object:
    return connection.start_soon(misdeed)


def _in_session_work(connection: Connection, misdeed: Call) -> object:
    return connection.server.sessions.enter("ann", connection).start_soon(misdeed)


def _in_server_work(connection: Connection, misdeed: Call) -> object:
    return connection.server.start_soon(misdeed)


def _in_timer(connection: Connection, misdeed: Call) -> object:
    return connection.after(0, misdeed)


PLACES = (_in_hook, _in_dialog, _in_work, _in_session_work, _in_server_work, _in_timer)


def echoing(obey: Callable[[Input], object]) -> EventLog:
    """A game that echoes, and obeys `hit`."""
    witness = EventLog()

    @witness.hooks.on(Input)
    def answer(event: Input) -> object:
        if event.line == "hit":
            return obey(event)
        event.connection.write(f"you said {event.line}")
        return None

    return witness


async def answers(wire: FakeTransport, line: str = "look") -> bool:
    """Whether the server still serves this peer."""
    before = wire.text.count(f"you said {line}")
    wire.say(f"{line}\r\n".encode())
    await settled()
    return wire.text.count(f"you said {line}") == before + 1


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("misdeed", MISDEEDS)
async def test_a_failure_costs_the_call_that_failed(
    autojump_clock: Clock, misdeed: Call, place: Callable[[Connection, Call], object], caplog: pytest.LogCaptureFixture
) -> None:
    witness = echoing(lambda event: place(event.connection, misdeed))
    async with open_house(witness.hooks) as house:
        ann, bob = await house.connect(), await house.connect()
        tasks = trio.lowlevel.current_statistics().tasks_living
        ann.say(b"hit\r\n")
        await trio.sleep(10)
        assert await answers(ann)
        assert await answers(bob)
        assert await answers(await house.connect())
        assert len(house.server.connections) == 3
        assert trio.lowlevel.current_statistics().tasks_living == tasks + 1  # the third
    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == ["ERROR"]


@pytest.mark.parametrize("error", UNREADABLE)
async def test_the_log_names_the_function_whose_exception_cannot_be_read(
    autojump_clock: Clock, error: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: Input) -> NoReturn:
        raise error()

    async with open_house(echoing(fail).hooks) as house:
        ann = await house.connect()
        ann.say(b"hit\r\n")
        await settled()
        assert await answers(ann)
    (record,) = [record for record in caplog.records if record.levelno > logging.INFO]
    assert "failed for Input of guest-1 (#1), typed 'hit'" in record.getMessage()
    assert record.exc_text is not None, "the handler of pytest has formatted it"
    assert "in fail\n    raise error()" in record.exc_text


@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
async def test_a_generator_that_is_dropped_with_a_nursery_in_it_does_not_crash_trio(autojump_clock: Clock) -> None:
    async with open_house(echoing(lambda event: leave_nursery_open_in_generator()).hooks) as house:
        ann = await house.connect()
        for _ in range(8):  # whether the task runs on depends on the order in which trio takes those that are ready
            ann.say(b"hit\r\n")
            await trio.sleep(1)
        assert await answers(ann)
    assert house.server.counters["hooks failed"] == 8


async def test_a_task_that_is_cancelled_passes_its_own_cancellation_on(autojump_clock: Clock) -> None:
    """Also if what it raises then is another task's: its scope takes any."""
    failures: list[BaseException] = []
    foreign = await foreign_cancelled()

    async def wait() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise BaseExceptionGroup("both", [foreign, ValueError("and this")])

    with trio.move_on_after(1) as scope:
        await run_guarded(wait, failures.append)
    assert scope.cancelled_caught
    (failure,) = failures
    assert isinstance(failure, ExceptionGroup)
    assert [type(error) for error in failure.exceptions] == [ValueError]


async def test_a_coroutine_may_raise_what_python_itself_raises_to_end_it(autojump_clock: Clock) -> None:
    failures: list[BaseException] = []

    async def leave() -> None:
        raise GeneratorExit

    await run_guarded(leave, failures.append)
    assert [type(error) for error in failures] == [GeneratorExit]


def test_an_interrupt_is_found_in_a_group_that_cannot_be_split() -> None:
    error = Unsplittable("a group", [ValueError(), Unsplittable("within", [KeyboardInterrupt()])])
    found = interrupt_in(error)
    assert isinstance(found, BaseExceptionGroup)
    assert [type(part) for part in found.exceptions] == [KeyboardInterrupt]


# Plain functions


@pytest.mark.parametrize("settings", [{"deadline": 3.0}, {"deadline": 3.0, "shield": True}, {"shield": True}])
async def test_a_scope_that_a_plain_function_leaves_open_does_not_end_the_dispatcher(
    autojump_clock: Clock, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    def enter(event: Input) -> None:
        scope = trio.CancelScope(**settings)
        KEPT.append(scope)
        scope.__enter__()

    async with open_house(echoing(enter).hooks) as house:
        ann, bob = await house.connect(), await house.connect()
        ann.say(b"hit\r\n")
        for _ in range(10):
            await trio.sleep(1)
            assert await answers(bob)
        assert await answers(ann)
    assert house.server.closed.is_set()
    assert "left a cancel scope open" in caplog.text


async def test_a_plain_function_that_raises_a_foreign_cancellation_fails_like_any_other(autojump_clock: Clock) -> None:
    foreign = await foreign_cancelled()

    def fail(event: Input) -> None:
        raise foreign

    async with open_house(echoing(fail).hooks) as house:
        ann = await house.connect()
        ann.say(b"hit\r\n")
        assert await answers(ann)


class RaisesAtOnce:
    def __await__(self) -> Generator[None, None, None]:
        raise LookupError("it is no awaitable after all")


class IsNoIterator:
    def __await__(self) -> Any:
        return 5


class YieldsJunk:
    def __await__(self) -> Iterator[object]:
        yield "junk"


class CanBeCalledToo:
    def __await__(self) -> Generator[None, None, None]:
        raise LookupError("awaited")
        yield

    def __call__(self) -> NoReturn:
        raise AssertionError("nobody asked for that")


class LiesAboutItsClass:
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise LookupError("it has no class")


@pytest.mark.parametrize("liar", [RaisesAtOnce, IsNoIterator, YieldsJunk, CanBeCalledToo, LiesAboutItsClass])
async def test_a_result_that_lies_about_being_awaitable_costs_that_call(
    autojump_clock: Clock, liar: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    async with open_house(echoing(lambda event: liar()).hooks) as house:
        ann = await house.connect()
        ann.say(b"hit\r\n")
        await settled()
        assert await answers(ann)
    assert "failed for Input of guest-1" in caplog.text
    assert "nobody asked" not in caplog.text


# What a game sets


@pytest.mark.parametrize("wrong", [None, Hooks, lambda event: None])
async def test_what_is_no_registry_of_hooks_is_refused(autojump_clock: Clock, wrong: Any) -> None:
    with pytest.raises(TypeError, match="takes a Hooks"):
        MasterServer(wrong)
    async with open_house(echoing(lambda event: setattr(event.connection.server, "hooks", wrong)).hooks) as house:
        ann = await house.connect()
        ann.say(b"hit\r\n")
        assert await answers(ann)


async def test_a_registry_that_raises_costs_each_event_and_the_networks_own_steps_run(autojump_clock: Clock) -> None:
    class Broken(Hooks):
        def functions_for(self, event_type: type[HookEvent]) -> NoReturn:
            raise LookupError("no functions today")

    witness = echoing(lambda event: None)
    async with open_house(witness.hooks) as house:
        ann = await house.connect()
        house.server.hooks = Broken()
        ann.say(b"look\r\n")
        bob = await house.connect()  # whom nobody can let in
        assert bob.is_closed
        house.server.hooks = witness.hooks
        assert await answers(ann)
        house.server.hooks = Broken()
        ann.say(b"")
        await trio.sleep(5)
        assert len(house.server.connections) == 0
    assert house.server.counters["refused: hook failed"] == 1


@pytest.mark.parametrize("wrong", [5, None, b"bytes"])
async def test_a_name_that_is_no_text_is_refused(autojump_clock: Clock, wrong: Any) -> None:
    async with open_house(Hooks()) as house:
        await house.connect()
        with pytest.raises(TypeError, match=r"^Connection\.name is a str"):
            first_connection(house.server).name = wrong


class Stubborn(str):
    """A text of a game with methods of its own, which raise once they are `armed`."""

    __slots__ = ()
    armed = False

    def _raise(self, *args: object, **settings: object) -> Any:
        if self.armed:
            raise LookupError("it is not loaded")
        return str.__str__(self)

    __str__ = __repr__ = __format__ = __add__ = encode = replace = translate = casefold = isascii = _raise

    def __bool__(self) -> bool:
        return bool(self._raise())

    def __eq__(self, other: object) -> bool:
        return bool(self._raise()) and str.__eq__(self, str(other))

    def __hash__(self) -> int:
        self._raise()
        return str.__hash__(self)


def _name(connection: Connection, text: str) -> None:
    connection.name = text
    assert type(connection.name) is str


def _enter_and_write(connection: Connection, text: str) -> None:
    connection.server.sessions.enter(text, connection).write(text)


def _write_to_no_one(connection: Connection, text: str) -> None:
    session = connection.server.sessions.enter("ann", connection)
    connection._lifecycle.abort()
    session.write(text)


def _list(connection: Connection, text: str) -> None:
    connection.server.mssp[text] = [text, text]
    assert [type(name) for name in connection.server.mssp if name == "word"] == [str]
    assert type(connection.server.mssp["word"][0]) is str  # type: ignore[index]
    connection.server.mssp = {"NAME": text}
    assert type(connection.server.mssp["NAME"]) is str


def _say(connection: Connection, text: str) -> None:
    connection.write(text)
    connection.prompt(text)
    connection.write(markup("{word}", word=text))
    connection.gmcp(f"Core.{text}")
    connection.msdp(text, text)


@pytest.mark.parametrize(
    "use",
    [
        *(_name, _enter_and_write, _write_to_no_one, _list, _say),
        lambda connection, text: connection.quit(text),
        lambda connection, text: connection.server.shutdown(text),
        lambda connection, text: connection.server.sessions.enter("ann", connection).leave(text),
    ],
)
async def test_a_text_is_kept_without_the_methods_of_its_class(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch, use: Callable[[Connection, str], object]
) -> None:
    """A name, a key or last words of a subclass of `str` whose methods raise later end no server."""
    fail: list[Input] = []

    def obey(event: Input) -> None:
        use(event.connection, Stubborn("word"))
        fail.append(event)
        monkeypatch.setattr(Stubborn, "armed", True)
        raise ValueError("so that its name is logged")

    witness = echoing(obey)
    async with open_house(witness.hooks) as house:
        ann, bob = await house.connect(), await house.connect()
        ann.say(b"hit\r\nMSSP-REQUEST\r\n")
        await settled()
        if not house.server.is_closing:
            assert await answers(bob)
            assert await answers(await house.connect())
            ann.say(b"")
            await trio.sleep(5)
            house.server.shutdown()
    assert fail
    assert house.server.counters["hooks failed"] == 1
    assert "quit: error" not in house.server.counters


def test_the_texts_of_a_server_are_kept_without_the_methods_of_their_class() -> None:
    assert type(Texts(command_failed=Stubborn("failed")).command_failed) is str


async def test_mssp_takes_numbers_and_refuses_what_has_no_text(autojump_clock: Clock) -> None:
    async with open_house(echoing(lambda event: None).hooks) as house:
        mssp = house.server.mssp
        mssp.update(PORT=4000, SSL=True, GAMEPLAY=["Roleplaying", 2])
        for wrong in (None, object(), [None], {"a": 1}):
            with pytest.raises(TypeError, match="WRONG"):
                mssp["WRONG"] = wrong  # type: ignore[assignment]
        with pytest.raises(TypeError, match="name"):
            mssp[5] = "five"  # type: ignore[index]
        with pytest.raises(TypeError, match="WRONG"):
            house.server.mssp |= {"WRONG": None}  # type: ignore[dict-item]
        assert "WRONG" not in mssp
        with pytest.raises(TypeError, match="NAME"):
            house.server.mssp = {"NAME": None}  # type: ignore[dict-item]
        ann = await house.connect()
        ann.say(b"MSSP-REQUEST\r\n")
        await settled()
        assert "PORT\t4000\r\n" in ann.text
        assert "SSL\t1\r\n" in ann.text
        assert "GAMEPLAY\tRoleplaying\t2\r\n" in ann.text
        assert await answers(ann)


async def test_what_a_listing_cannot_be_told_costs_who_asked(autojump_clock: Clock) -> None:
    async with open_house(echoing(lambda event: None).hooks) as house:
        house.server.mssp.data["PORT"] = None  # type: ignore[assignment]
        ann, bob = await house.connect(), await house.connect()
        ann.say(b"MSSP-REQUEST\r\nlook\r\n")
        await trio.sleep(5)
        assert ann.is_closed
        assert await answers(bob)
    assert house.server.counters["quit: error"] == 1


# Descriptions


class Unspeakable:
    def __repr__(self) -> str:
        raise AttributeError("not loaded yet")


def test_a_description_never_raises() -> None:
    assert describe_value(Unspeakable()) == "<Unspeakable whose repr raises AttributeError>"
    assert describe_value("ann") == "'ann'"


async def test_a_session_is_described_even_if_its_key_is_not(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise LookupError("at work")

    def enter(event: Input) -> None:
        session = event.connection.server.sessions.enter(Unspeakable(), event.connection)
        session.start_soon(fail)
        event.connection.server.sessions.enter("other", event.connection)  # it is refused by a sentence with the key

    async with open_house(echoing(enter).hooks) as house:
        ann = await house.connect()
        ann.say(b"hit\r\n")
        await settled()
        assert await answers(ann)
    assert "failed for <Session <Unspeakable whose repr raises AttributeError>>" in caplog.text


async def test_an_event_whose_attributes_raise_may_fail(autojump_clock: Clock) -> None:
    @dataclass(frozen=True)
    class Omen(HookEvent):
        @property
        def connection(self) -> NoReturn:
            raise LookupError("whose?")

    witness = echoing(lambda event: event.connection.server.post(Omen()))

    @witness.hooks.on(Omen)
    def fail(event: Omen) -> None:
        raise ValueError

    async with open_house(witness.hooks) as house:
        ann = await house.connect()
        ann.say(b"hit\r\n")
        await settled()
        assert await answers(ann)
    assert house.server.counters["hooks failed"] == 1


@contextmanager
def broken_log() -> Iterator[None]:
    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise OSError("the log is broken")

    handler = Broken(logging.ERROR)
    logging.getLogger("trio_mud").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("trio_mud").removeHandler(handler)


async def test_a_log_that_raises_costs_a_failure_nothing_more(
    autojump_clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(event: Input) -> None:
        raise ValueError("in the hook")

    with broken_log():
        async with open_house(echoing(fail).hooks) as house:
            ann = await house.connect()
            ann.say(b"hit\r\n")
            await settled()
            assert await answers(ann)
        log_error(None, "and this")
    assert capsys.readouterr().err.count("OSError: the log is broken") == 2


# Telnet options of the game's own

CODE = 200


class Careless(Option):
    """An option whose behaviour the payload selects."""

    __slots__ = ()
    code = CODE
    theirs = Policy.ACCEPT

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        if payload == b"later":
            engine.set_deadline(CODE, 3)
        elif payload == b"exit":
            raise SystemExit(9)
        else:
            self.on_deadline(engine)

    def on_deadline(self, engine: Engine) -> None:
        engine.emit(WindowResized("wide", None))  # type: ignore[arg-type]


def payload(text: bytes) -> bytes:
    return bytes((IAC, WILL, CODE, IAC, SB, CODE)) + text + bytes((IAC, SE))


@pytest.mark.parametrize(
    "data",
    [
        payload(b"now"),  # parsed when it is received
        b"look\r\n" * 100 + payload(b"now"),  # parsed in a later turn of the dispatcher
        payload(b"later"),  # by a timer
    ],
)
async def test_an_option_that_emits_a_bad_event_costs_its_link(autojump_clock: Clock, data: bytes) -> None:
    witness = echoing(lambda event: None)
    limits = Limits(command_rate=None, max_typeahead=2)
    async with open_house(witness.hooks, options=[*DEFAULT_OPTIONS, Careless()], limits=limits) as house:
        ann, bob = await house.connect(), await house.connect()
        ann.say(data)
        await trio.sleep(10)
        assert ann.is_closed
        assert len(house.server.connections) == 1
        assert await answers(bob)
        assert await answers(await house.connect())
    assert [event.cause for event in witness.disconnects() if event.connection.number == 1] == [Cause.ERROR]


async def test_an_option_that_exits_stops_the_server_in_order(autojump_clock: Clock) -> None:
    witness = echoing(lambda event: None)
    with pytest.raises(SystemExit):  # noqa: PT012 - the block is the server
        async with open_house(witness.hooks, options=[*DEFAULT_OPTIONS, Careless()]) as house:
            ann = await house.connect()
            await house.connect()
            ann.say(payload(b"exit"))
            await trio.sleep(10)
    assert len(witness.disconnects()) == 2


async def test_options_that_cannot_be_copied_cost_each_visitor_and_not_the_door(autojump_clock: Clock) -> None:
    class Rigid(Careless):
        __slots__ = ("state",)

        def __copy__(self) -> NoReturn:
            raise LookupError("there is only one")

    async with open_house(echoing(lambda event: None).hooks, options=[Rigid()]) as house:
        ann, bob = await house.connect(), await house.connect()
        ann.say(payload(b"now"))
        await trio.sleep(5)
        assert ann.is_closed
        assert await answers(bob)


# Transports and clocks


class Unreliable(FakeTransport):
    """A transport with one method that raises an exception no transport should raise."""

    needs_handshake = True

    def __init__(self, fails_in: str, error: BaseException) -> None:
        super().__init__()
        self._fails_in = fails_in
        self._error = error

    def _may_fail(self, where: str) -> None:
        if where == self._fails_in:
            raise self._error

    async def handshake(self) -> None:
        self._may_fail("handshake")

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        self._may_fail("listen")
        await super().listen(reader, poller)

    def send_nowait(self, data: bytes) -> int:
        self._may_fail("send")
        return super().send_nowait(data)

    async def aclose(self) -> None:
        await super().aclose_forcefully()
        self._may_fail("close")

    aclose_forcefully = aclose


@pytest.mark.parametrize("where", ["handshake", "listen", "send", "close"])
async def test_a_transport_that_raises_a_foreign_cancellation_costs_its_link(autojump_clock: Clock, where: str) -> None:
    witness = echoing(lambda event: None)
    async with open_house(witness.hooks) as house:
        bob = await house.connect()
        wire = Unreliable(where, await foreign_cancelled())
        house.listener.connect(wire)
        await settled()
        wire.say(b"look\r\n")
        wire.say(b"")
        await trio.sleep(10)
        assert wire.is_closed
        assert await answers(bob)
        assert len(house.server.connections) == 1
    if where == "handshake":
        assert house.server.counters["handshakes failed"] == 1
    story = [type(event) for event in witness.events if getattr(event, "connection").number == 2]  # noqa: B009
    assert story in ([], [Connect, Admitted, Disconnect], [Connect, Admitted, Input, Disconnect])


async def test_a_clock_that_raises_costs_the_timer_that_asked(autojump_clock: Clock, tmp_path: Path) -> None:
    times = iter([0.0, 0.0])
    witness = echoing(lambda event: None)
    async with open_house(witness.hooks) as house:
        house.server.wall_clock = lambda: next(times)
        timer = house.server.daily(dt.time(12), lambda: None, tz=dt.UTC)
        ann = await house.connect()
        assert await answers(ann)
        await trio.sleep(10_000)
        assert not timer.is_active
        house.server.record(tmp_path)
        bob = await house.connect()
        assert bob.is_closed
        assert await answers(ann)
        assert house.server.counters["handshakes failed"] == 1


# Nothing ends in silence


def _cancel_the_hooks(house: TestServer) -> None:
    @house.server.hooks.on(Input)
    async def cancel(event: Input) -> None:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        nursery.cancel_scope.cancel()


def _cancel_the_services(house: TestServer) -> None:
    @house.server.hooks.on(Input)
    def cancel(event: Input) -> None:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        nursery.cancel_scope.cancel()


def _cancel_the_connections(house: TestServer) -> None:
    async def cancel() -> None:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        nursery.cancel_scope.cancel()

    first_connection(house.server).start_soon(cancel)


@pytest.mark.parametrize("act", [_cancel_the_hooks, _cancel_the_services, _cancel_the_connections])
async def test_a_server_whose_own_tasks_are_cancelled_stops_with_an_error_and_a_log_line(
    autojump_clock: Clock, act: Callable[[TestServer], None], caplog: pytest.LogCaptureFixture
) -> None:
    wire = None
    with pytest.raises(RuntimeError, match=r"cancelled|returned"):  # noqa: PT012 - the block is the server
        async with open_house(Hooks()) as house:
            wire = await house.connect()
            act(house)
            wire.say(b"look\r\n")
            await trio.sleep(100)
    assert wire is not None
    assert wire.is_closed
    assert house.server.closed.is_set()
    assert "CRITICAL" in {record.levelname for record in caplog.records}


@pytest.mark.parametrize("service", ["timers", "_flush", "_reap", "dispatcher"])
async def test_a_service_that_returns_counts_as_dead(
    autojump_clock: Clock, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = EventLog()
    wire = None
    with pytest.raises(RuntimeError, match="returned"):  # noqa: PT012 - the block is the server
        server = MasterServer(witness.hooks)
        may_return = trio.Event()
        owner, name = (server._tree, service) if service.startswith("_") else (getattr(server._context, service), "run")
        true = getattr(owner, name)

        async def run() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(true)
                await may_return.wait()
                nursery.cancel_scope.cancel()

        run.__name__ = name
        monkeypatch.setattr(owner, name, run)
        monkeypatch.setattr("tests.driver.conftest.MasterServer", lambda *_, **__: server)
        async with open_house(witness.hooks) as house:
            wire = await house.connect()
            may_return.set()
            await trio.sleep(100)
    assert wire is not None
    assert wire.is_closed


async def test_listeners_that_end_in_silence_stop_the_server(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match="cancelled"):  # noqa: PT012 - the block is the server
        async with open_house(Hooks()) as house:
            house.listener.fail(await foreign_cancelled())
            await trio.sleep(100)


def nested(depth: int) -> BaseException:
    error: BaseException = ValueError("innermost")
    for _ in range(depth):
        error = BaseExceptionGroup("again", [error])
    return error


async def test_a_group_deeper_than_python_may_recurse_costs_that_call(autojump_clock: Clock) -> None:
    async def fail() -> None:
        raise nested(3000)

    def obey(event: Input) -> object:
        event.connection.server.start_soon(fail)
        return fail()

    async with open_house(echoing(obey).hooks) as house:
        ann = await house.connect()
        ann.say(b"hit\r\n")
        await trio.sleep(1)
        assert await answers(ann)
        assert len(house.server.connections) == 1
