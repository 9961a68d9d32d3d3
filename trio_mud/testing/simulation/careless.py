"""A careless game: adds typical mistakes at the boundary to the driver to the hostile game.

It stores exceptions of other tasks and raises them again, leaves scopes open, returns objects that only look
awaitable, calls from threads, nests dialogs, cancels timers from within themselves, and shares and takes over
sessions. Each mistake may affect only the call that made it; all other invariants still hold.

Used by `games`.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from functools import partial
from random import Random
from typing import Final, NoReturn

import trio

from ...driver.connection.connection import Connection
from ...driver.connection.dialog import Dialog
from ...driver.connection.events import Input
from ...driver.core.timers import Timer
from ...driver.server.events import Started
from ...errors import LocalProtocolError
from ...telnet.options.mssp import PLAIN_REQUEST
from .hostile import KEYS, HostileGame, Posted, Stumble
from .players import SimulatedPlayer
from .trace import Trace

_PLACES: Final = ("hook", "dialog", "work", "session", "server", "timer", "plain")
_LINES: Final = (
    *(f"{misdeed} {place}" for misdeed in ("again", "open", "group", "unreadable") for place in _PLACES),
    *("keep", "keep", "liar", "thread", "thread", "nest", "nest", "nest deep"),
    *("name", "cancel", "cancel late", "cancel each", "due", "fast", "fast"),
    *(PLAIN_REQUEST, "enter ann share", "enter bob take", "enter cid take", "leave"),
)


class Unsplittable(ExceptionGroup[Exception]):
    """An exception group whose own methods raise."""

    def split(self, condition: object) -> NoReturn:
        raise Stumble("in split")

    def derive(self, excs: object) -> NoReturn:
        raise Stumble("in derive")


class Unreadable(Exception):
    """An exception whose attributes raise, including `__class__` and `__traceback__`."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise Stumble("in an attribute")


class Bristly(str):
    """A `str` subclass that raises in methods called by the driver, but not in those called by the invariants later."""

    __slots__ = ()

    def _raise(self, *args: object) -> str:
        if trio.lowlevel.in_trio_run():
            raise Stumble("in a text")
        return str.__str__(self)

    __str__ = __repr__ = __format__ = _raise


class Liar:
    """An object that looks awaitable."""

    def __await__(self) -> Generator[None, None, None]:
        raise Stumble("at the await")

    def __repr__(self) -> NoReturn:
        raise Stumble("in a description")


class CarelessGame(HostileGame):
    """The game of one run."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self._kept: list[BaseException] = []  # cancellations of other tasks
        self._open: list[object] = []  # generators and scopes that are never closed

    def line(self, player: SimulatedPlayer, chance: Random) -> str:
        """Return a mistake, or a line of the hostile game."""
        if chance.random() < 0.4:
            return super().line(player, chance)
        line = chance.choice(_LINES)
        return line if line == PLAIN_REQUEST else self._numbered(player, line)

    def enter(self, who: int, chance: Random) -> Sequence[str]:
        """Return lines that enter the given character's session, shared or by takeover."""
        return [f"enter {KEYS[who % 3]} {chance.choice(('take', 'share'))}"]

    def _wind(self, event: Started) -> None:
        super()._wind(event)
        event.server.mssp.data["LUCK"] = None  # type: ignore[assignment] # set past the check, so that its request fails

    def _obey(self, event: Input) -> Awaitable[object] | None:
        first, *words = event.line.split() or [""]
        action = _ACTIONS.get(first)
        if action is None:
            return super()._obey(event)
        self.say(event.connection)
        return action(self, event.connection, words)

    # Mistakes, and the places in which they are made

    async def raise_again(self) -> None:
        """Raise the exception that ended another task's wait, like a cache that stored it."""
        if not self._kept:
            with trio.CancelScope() as scope:
                scope.cancel()
                await self.keep()
        raise self._kept[-1]

    async def keep(self) -> None:
        """Wait, and store the exception that ends the wait."""
        try:
            await trio.sleep(30)
        except trio.Cancelled as error:
            self._kept.append(error)
            raise

    async def leave_open(self) -> None:
        """Leave a generator that yields inside a scope (PEP 789)."""

        async def rows() -> AsyncGenerator[int, None]:
            with trio.fail_after(0.5):
                for number in range(9):
                    await trio.lowlevel.checkpoint()
                    yield number

        generator = rows()
        self._open.append(generator)
        async for number in generator:
            if number == 2:
                break

    async def raise_group(self) -> None:
        """Raise a group that cannot be split."""
        await trio.lowlevel.checkpoint()
        raise Unsplittable("of two", [Stumble("one"), Stumble("two")])

    async def raise_unreadable(self) -> None:
        """Raise an exception that cannot be logged."""
        await trio.lowlevel.checkpoint()
        raise Unreadable

    def leave_open_plainly(self) -> None:
        """Enter a scope and never leave it."""
        scope = trio.CancelScope(deadline=trio.current_time() + 0.5)
        self._open.append(scope)
        scope.__enter__()

    def raise_again_plainly(self) -> None:
        """Raise another task's cancellation in a plain function."""
        raise self._kept[-1] if self._kept else Stumble("nothing was kept")

    def raise_group_plainly(self) -> None:
        """Raise a group that cannot be split."""
        raise Unsplittable("of two", [Stumble("one"), Stumble("two")])

    def raise_unreadable_plainly(self) -> None:
        """Raise an exception that cannot be logged."""
        raise Unreadable


# Called with the words after the first; the last of them is the line's number, such as #3.7.
Action = Callable[[CarelessGame, Connection, Sequence[str]], "Awaitable[object] | None"]


def _make(
    mistake: Callable[[], Awaitable[object]],
    plainly: Callable[[], object],
    game: CarelessGame,
    connection: Connection,
    words: Sequence[str],
) -> Awaitable[object] | None:
    """Make a mistake in the place named by the line."""
    match words[0] if words else "hook":
        case "hook":
            return mistake()
        case "dialog" if connection.dialog is None:
            game._trace.watch(connection).may_skip = True
            connection.start_dialog(lambda dialog: mistake())
        case "work":
            connection.start_soon(mistake)
        case "session" if connection.session is not None:
            connection.session.start_soon(mistake)
        case "server":
            connection.server.start_soon(mistake)
        case "timer":
            connection.after(0.1, mistake)
        case "plain":
            plainly()
        case _:
            pass
    return None


def _again(game: CarelessGame, connection: Connection, words: Sequence[str]) -> Awaitable[object] | None:
    return _make(game.raise_again, game.raise_again_plainly, game, connection, words)


def _leave_open(game: CarelessGame, connection: Connection, words: Sequence[str]) -> Awaitable[object] | None:
    return _make(game.leave_open, game.leave_open_plainly, game, connection, words)


def _group(game: CarelessGame, connection: Connection, words: Sequence[str]) -> Awaitable[object] | None:
    return _make(game.raise_group, game.raise_group_plainly, game, connection, words)


def _unreadable(game: CarelessGame, connection: Connection, words: Sequence[str]) -> Awaitable[object] | None:
    return _make(game.raise_unreadable, game.raise_unreadable_plainly, game, connection, words)


def _keep(game: CarelessGame, connection: Connection, words: Sequence[str]) -> Awaitable[object] | None:
    connection.start_soon(game.keep)  # cancelled at the end of its connection
    return None


def _lie(game: CarelessGame, connection: Connection, words: Sequence[str]) -> Awaitable[object] | None:
    return Liar()


def _name(game: CarelessGame, connection: Connection, words: Sequence[str]) -> Awaitable[object] | None:
    connection.name = Bristly(connection.name)
    return None


def _thread(game: CarelessGame, connection: Connection, words: Sequence[str]) -> Awaitable[object] | None:
    """Call from a thread, which must have no effect; it is joined, so that nothing depends on real time."""
    faults: list[str] = []

    def call(what: str, function: Callable[[], object]) -> None:
        try:
            function()
        except LocalProtocolError:
            return
        except BaseException as error:  # noqa: BLE001 - any other exception would come too late
            faults.append(f"{what} was called from a thread and raised {error!r}")
        else:
            faults.append(f"{what} was called from a thread, and went through")

    def work() -> None:
        call("post", partial(connection.server.post, Posted(9)))
        call("write", partial(connection.write, "[failed]"))
        call("quit", partial(connection.quit, "[out]"))
        call("name", partial(setattr, connection, "name", "[failed]"))
        call("prefer", partial(connection.client.prefer, charset="ascii"))
        call("mssp", partial(connection.server.mssp.update, NAME="[failed]"))
        call("hooks.on", partial(connection.server.hooks.on, Input))
        call("after", partial(connection.after, 0, lambda: None))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    for fault in faults:
        game._trace.fault("threads", fault)
    return None


def _nest(game: CarelessGame, connection: Connection, words: Sequence[str]) -> Awaitable[object] | None:
    """Run a script inside a script, and start a dialog inside a dialog, which is refused."""

    async def outer(dialog: Dialog) -> None:
        await game._talk(dialog, 3)
        try:
            connection.start_dialog(game._talk)
        except LocalProtocolError:
            game.say(connection)
        else:
            if connection.ending is None:
                game._trace.fault("dialogs", f"{connection.name} is in two dialogs")
        if "deep" in words:
            await outer_once(dialog)

    async def outer_once(dialog: Dialog) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(game._talk, dialog, 1)

    if connection.dialog is None:
        connection.start_dialog(outer)
    return None


def _cancel(game: CarelessGame, connection: Connection, words: Sequence[str]) -> Awaitable[object] | None:
    """Cancel timers from within themselves: at once, after a wait, or together with another one."""
    timers: list[Timer] = []
    ticks: list[int] = []

    def tick() -> Awaitable[object] | None:
        ticks.append(1)
        if len(ticks) > 1:
            game._trace.fault("timers", f"a timer of {connection.name} ticked after it was cancelled")
        if "late" in words:
            return wait_and_cancel()
        for timer in timers:
            timer.cancel()
        return None

    async def wait_and_cancel() -> None:
        await trio.sleep(0.25)
        for timer in timers:
            timer.cancel()

    timers.append(connection.every(0.1, tick))
    if "each" in words:
        timers.append(connection.every(0.1, tick))
    return None


def _due(game: CarelessGame, connection: Connection, words: Sequence[str]) -> Awaitable[object] | None:
    """Start more timers for one moment than a turn may run."""
    for _ in range(100):
        connection.server.after(0.1, lambda: None)
    return None


def _fast(game: CarelessGame, connection: Connection, words: Sequence[str]) -> Awaitable[object] | None:
    """Start a timer whose ticks take longer than its period."""

    async def tick() -> None:
        await trio.sleep(0.2)

    connection.every(0.1, tick)
    return None


_ACTIONS: Final[dict[str, Action]] = {
    "again": _again,
    "open": _leave_open,
    "group": _group,
    "unreadable": _unreadable,
    "keep": _keep,
    "liar": _lie,
    "name": _name,
    "thread": _thread,
    "nest": _nest,
    "cancel": _cancel,
    "due": _due,
    "fast": _fast,
}
