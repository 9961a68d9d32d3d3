"""The hooks: for each type of event, the functions that run for it, in order.

A registry is plain data. The dispatcher runs the functions.
Functions that are declared by `every` and `daily` are kept here as well; `ScheduledTimers` runs them.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import weakref
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from .checks import article, check_function, check_number
from .describing import describe
from .events import HookEvent
from .guard import allow_interrupts
from .schedule import Schedule, daily_at, every_period
from .thread import HomeThread

FIRST: Final = -math.inf
"""The order of a function that runs before all others."""
LAST: Final = math.inf
"""The order of a function that runs after all others."""

E = TypeVar("E", bound=HookEvent)
R = TypeVar("R")
F = TypeVar("F", bound=Callable[[Any], object])
HookFunction = Callable[[Any], object]  # the type of its event is checked where it is registered


class _Registration(NamedTuple):
    order: float
    number: int  # breaks ties, so that functions are never compared
    function: HookFunction


class _Schedules(Protocol):
    """The timers of a server that uses the hooks."""

    def update(self) -> None:
        """Called after a declaration of `every` or `daily` was added or removed."""


class Hooks:
    """The functions of a game, by the type of event they run for.

    A plain function is one atomic step of the world.
    An `async def`, or any function that returns an awaitable, may wait. It blocks only the source of its event
    and is cancelled at `limits.hook_timeout`.
    A function that raises is logged; the failure costs one call.
    """

    def __init__(self) -> None:
        self._registered: dict[type[HookEvent], list[_Registration]] = {}
        self._in_order: dict[type[HookEvent], tuple[HookFunction, ...]] = {}
        self._numbers = itertools.count()
        self._scheduled: list[tuple[Schedule, HookFunction]] = []  # in the order of declaration
        self._homes: weakref.WeakSet[HomeThread] = weakref.WeakSet()  # the threads of the servers that use it
        self._timers: weakref.WeakSet[_Schedules] = weakref.WeakSet()  # their timers

    def on(self, event_type: type[E], *, order: float = 0) -> Callable[[Callable[[E], R]], Callable[[E], R]]:
        """Run the decorated function for every event of exactly this type.

        Args:
            event_type: A `HookEvent` subclass. Its own subclasses are other types.
            order: `FIRST`, `LAST` or a number; among equals the earlier registration runs first.
                The network's own steps lie outside even `FIRST` and `LAST`.

        A change takes effect with the next event: one that has begun keeps its functions.

        Raises:
            TypeError: `event_type` is not a type of event, `order` is not a number, or the function cannot be called
                with an event as its only argument or is a generator.
            LocalProtocolError: A server that uses these hooks runs in another thread.
        """
        for home in self._homes:
            home.check()
        if not (isinstance(event_type, type) and issubclass(event_type, HookEvent) and event_type is not HookEvent):
            raise TypeError(_no_event_type(event_type))
        check_number(order, "Hooks.on(order=)", "FIRST, LAST or a number")

        def register(function: Callable[[E], R]) -> Callable[[E], R]:
            for home in self._homes:
                home.check()
            _check_declared(function, f"the hook for {event_type.__name__}", "event", "on")
            self._add(event_type, order, function)
            return function

        return register

    def every(self, seconds: float) -> Callable[[F], F]:
        """Call the decorated function every so many seconds, with the server as its only argument.

            @hooks.every(900)
            def change_the_weather(server: MasterServer) -> None: ...

        The first call is due that long after all functions on `Started` have run. Each call is an event of its own
        and of the server, as with `MasterServer.every`; a failure costs one call. Missed calls are skipped.

        Args:
            seconds: The period, 0.01 or more.

        Raises:
            ValueError: The period is shorter or not finite.
            TypeError: The period is not a number, or the function cannot be called with a server as its only argument
                or is a generator.
            LocalProtocolError: A server that uses these hooks runs in another thread.
        """
        for home in self._homes:
            home.check()
        return self._scheduling(every_period(seconds, "Hooks.every()"), "every")

    def daily(self, time: dt.time, tz: dt.tzinfo | str | None = None) -> Callable[[F], F]:
        """Call the decorated function every day at a local time, with the server as its only argument.

            @hooks.daily(time(4, 30), tz="Europe/Berlin")
            def sweep_the_streets(server: MasterServer) -> None: ...

        It is due once for each date, as with `MasterServer.daily`, from when all functions on `Started` have run.

        Args:
            time: The time of day.
            tz: The time zone or its name; None is the machine's own.

        Raises:
            ValueError: There is no such zone, or `time` has a zone itself.
            TypeError: `time` is not a `datetime.time`, or the function is wrong as with `every`.
            LocalProtocolError: A server that uses these hooks runs in another thread.
        """
        for home in self._homes:
            home.check()
        return self._scheduling(daily_at(time, tz, "Hooks.daily()"), "daily")

    @property
    def is_empty(self) -> bool:
        """True if no function is registered."""
        return not any(self._registered.values()) and not self._scheduled

    def include(self, other: Hooks) -> None:
        """Add all functions that another registry holds now. Among equal orders, its registration order is kept."""
        for home in self._homes:
            home.check()
        if not isinstance(other, Hooks):
            raise TypeError(f"Hooks.include() takes a Hooks, not {article(other)}")
        for event_type, registered in list(other._registered.items()):
            for registration in list(registered):
                self._add(event_type, registration.order, registration.function)
        self._reschedule([*self._scheduled, *other._scheduled])

    def remove(self, function: Callable[..., object]) -> None:
        """Remove every registration of this function. A change takes effect with the next event.

        Raises:
            ValueError: The function was not registered here.
        """
        for home in self._homes:
            home.check()
        scheduled = [declared for declared in self._scheduled if declared[1] != function]
        found = len(scheduled) != len(self._scheduled)
        self._reschedule(scheduled)
        for event_type, registered in self._registered.items():
            kept = [registration for registration in registered if registration.function != function]
            if len(kept) != len(registered):
                found = True
                registered[:] = kept
                self._in_order.pop(event_type, None)
        if not found:
            raise ValueError(f"{function!r} is not registered on these hooks: pass the function itself")

    def _serve_in(self, home: HomeThread, timers: _Schedules) -> None:
        """Accept changes only in the thread of this server, once it serves; report those to its timers."""
        self._homes.add(home)
        self._timers.add(timers)

    def functions_for(self, event_type: type[HookEvent]) -> tuple[HookFunction, ...]:
        """Return the functions for this type in the order they run; a later change makes a new tuple."""
        try:
            return self._in_order[event_type]  # a subscript, since a call of `get` takes longer than the rest
        except KeyError:
            functions = tuple(registration.function for registration in self._registered.get(event_type, ()))
            self._in_order[event_type] = functions
            return functions

    def _scheduling(self, schedule: Schedule, method: str) -> Callable[[F], F]:
        def register(function: F) -> F:
            for home in self._homes:
                home.check()
            _check_declared(function, f"Hooks.{method}()", "server", method)
            self._reschedule([*self._scheduled, (schedule, function)])
            return function

        return register

    def _reschedule(self, scheduled: list[tuple[Schedule, HookFunction]]) -> None:
        if len(scheduled) != len(self._scheduled):
            self._scheduled = scheduled
            for timers in list(self._timers):
                timers.update()

    def _add(self, event_type: type[HookEvent], order: float, function: HookFunction) -> None:
        registered = self._registered.setdefault(event_type, [])
        registered.append(_Registration(order, next(self._numbers), function))
        registered.sort(key=lambda registration: registration[:2])
        self._in_order.pop(event_type, None)


def _no_event_type(given: object) -> str:
    """Return the error text for an argument of `on` that is not a type of event."""
    if isinstance(given, str):
        name = given if given.isidentifier() else "Input"
        return f"Hooks.on() takes a type of event, not the text {given!r}: write on({name}), without quotes"
    if isinstance(given, HookEvent):
        return f"Hooks.on() takes a type of event, not an event: write on({type(given).__name__})"
    if given is HookEvent:
        return "Hooks.on() takes one type of event, and no event is exactly a HookEvent: register it for each type"
    if isinstance(given, type):
        return (
            f"Hooks.on() takes a type of event, and {given.__name__} is not one: "
            f"write `class {given.__name__}(HookEvent)`"
        )
    if callable(given):
        return (
            f"Hooks.on() takes a type of event, not the function {describe(given)}: "
            "write the type in brackets, such as @hooks.on(Input), above the function"
        )
    return f"Hooks.on() takes a type of event, such as Input, not {article(given)}"


def _check_declared(function: Callable[..., object], where: str, argument: str, method: str) -> None:
    """Raise unless this is a function that can be called with this argument alone, and let Ctrl-C interrupt it."""
    _check_bound(function, where, argument, method)
    check_function(function, where, argument)
    allow_interrupts(function)


def _check_bound(function: object, where: str, argument: str, decorator: str) -> None:
    """Raise if this is a method without its object, such as one decorated inside a class.

    Raises:
        TypeError: The first parameter is `self`, or the function is a classmethod.
    """
    if isinstance(function, FunctionType):
        code = function.__code__
        if not code.co_argcount or code.co_varnames[0] != "self":
            return
    elif not isinstance(function, classmethod):
        return
    method = getattr(function, "__func__", function)
    raise TypeError(
        f"{where} takes a function that needs only the {argument}, but {describe(method)} is a method without its "
        f"object: make the object first and write hooks.{decorator}(...)(thing.{method.__name__}), or use a function "
        "outside the class"
    )
