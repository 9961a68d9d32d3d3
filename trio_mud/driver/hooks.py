"""The hooks: for each type of event, the functions that run for it, in order.

A registry is plain data. It runs nothing; the dispatcher does.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from .checks import article, check_function, check_number
from .events import HookEvent
from .guard import allow_interrupts

FIRST: Final = -math.inf
"""The order of a function that runs before all others."""
LAST: Final = math.inf
"""The order of a function that runs after all others."""

E = TypeVar("E", bound=HookEvent)
R = TypeVar("R")
HookFunction = Callable[[Any], object]  # which event it takes is checked where it is registered


class _Registration(NamedTuple):
    order: float
    number: int  # breaks ties, so that functions are never compared
    function: HookFunction


class Hooks:
    """The functions of a game, by the type of event they run for.

    What a function returns says what it did:
    a plain function is one atomic step of the world;
    a returned awaitable (so, an `async def`) may wait, holds up only the source of its event,
    and is cut at `limits.hook_deadline`.
    A function that raises is logged and costs one call.
    """

    def __init__(self) -> None:
        self._registered: dict[type[HookEvent], list[_Registration]] = {}
        self._in_order: dict[type[HookEvent], tuple[HookFunction, ...]] = {}
        self._numbers = itertools.count()

    def on(self, event_type: type[E], *, order: float = 0) -> Callable[[Callable[[E], R]], Callable[[E], R]]:
        """Run the decorated function for every event of exactly this type.

        Args:
            event_type: A `HookEvent` subclass. Its own subclasses are other types.
            order: `FIRST`, `LAST` or a number; among equals the earlier registration runs first.
                The network's own steps lie outside even `FIRST` and `LAST`.

        A change takes effect with the next event: one that has begun keeps its functions.

        Raises:
            TypeError: That is no type of event, the order is no number, or the function cannot be called with an event
                as its only argument, or is a generator.
        """
        if not (isinstance(event_type, type) and issubclass(event_type, HookEvent)):
            raise TypeError(f"a hook is registered for a type of HookEvent, not for {event_type!r}")
        check_number(order, "order=")

        def register(function: Callable[[E], R]) -> Callable[[E], R]:
            check_function(function, f"the hook for {event_type.__name__}", "event")
            allow_interrupts(function)
            self._add(event_type, order, function)
            return function

        return register

    def include(self, other: Hooks) -> None:
        """Add all functions that another registry has now, in its order among equals."""
        if not isinstance(other, Hooks):
            raise TypeError(f"include() takes a Hooks, not {article(other)}")
        for event_type, registered in list(other._registered.items()):
            for registration in list(registered):
                self._add(event_type, registration.order, registration.function)

    def remove(self, function: Callable[..., object]) -> None:
        """Take every registration of this function back; it runs for the next event no more.

        Raises:
            ValueError: It was not registered here.
        """
        found = False
        for event_type, registered in self._registered.items():
            kept = [registration for registration in registered if registration.function != function]
            if len(kept) != len(registered):
                found = True
                registered[:] = kept
                self._in_order.pop(event_type, None)
        if not found:
            raise ValueError(f"{function!r} is on none of these hooks")

    def functions_for(self, event_type: type[HookEvent]) -> tuple[HookFunction, ...]:
        """The functions for this type as they stand now, in the order they run."""
        functions = self._in_order.get(event_type)
        if functions is None:
            functions = tuple(registration.function for registration in self._registered.get(event_type, ()))
            self._in_order[event_type] = functions
        return functions

    def _add(self, event_type: type[HookEvent], order: float, function: HookFunction) -> None:
        registered = self._registered.setdefault(event_type, [])
        registered.append(_Registration(order, next(self._numbers), function))
        registered.sort(key=lambda registration: registration[:2])
        self._in_order.pop(event_type, None)
