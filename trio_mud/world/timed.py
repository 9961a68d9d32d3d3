"""Due calls: methods of a record that are called in world time, once or again and again.

A call that is set by `after` is kept by the name of its method in the stored field `due`, so it survives a restart and
a crash. A method with `every` is called while its record is in a world; nothing of that is stored.

The clock asks the record when a call is due (`_take_call`), because only the record knows whether it is still wanted.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from trio_mud.storage import Record, live

if TYPE_CHECKING:
    from .world import World

__all__ = ["Timed", "every"]

MethodT = TypeVar("MethodT", bound=Callable[[Any], object])

SHORTEST: Final = 0.01  # seconds between two calls of `every`

logger = logging.getLogger("trio_mud")


def every(seconds: float) -> Callable[[MethodT], MethodT]:
    """Call the method below again and again, in world time, on each thing of its class that is in the world.

    The first call comes that long after the thing has come into the world, or after the start of the server.

    Raises:
        TypeError: The method is async.
        ValueError: The period is shorter than 10 ms.
    """
    if not seconds >= SHORTEST:
        raise ValueError(f"every({seconds!r}): the shortest period is {SHORTEST} seconds")

    def mark(method: MethodT) -> MethodT:
        _check_plain(method, f"@every({seconds:g})")
        method._every = seconds  # type: ignore[attr-defined]
        return method

    return mark


class Timed(Record):
    """A record in a world, with calls that are due; the base of `Thing`.

    Attributes:
        due: Names of its methods, with the world time at which each is called. Set by `after`.
    """

    due: tuple[tuple[str, float], ...] = ()
    _world: Any = live()  # while its calls are made
    _wake: int = live(default=0)  # counts how often it came into a world, to tell old entries of the clock

    _periods: ClassVar[Mapping[str, float]] = MappingProxyType({})  # methods with `every`

    def __init_subclass__(cls, **declared: Any) -> None:
        super().__init_subclass__(**declared)
        found: dict[str, float] = {}
        for base in reversed(cls.__mro__):
            for name, value in vars(base).items():
                if hasattr(value, "_every"):  # an override without one keeps the period
                    found[name] = value._every
        cls._periods = found

    @property
    def world(self) -> World:
        """Return the world that it is in.

        Raises:
            LookupError: It is in none: it was not added, was destroyed, or is away with a traveller.
        """
        if self._world is None:
            raise LookupError(f"{self!r} is in no world: add it with world.add, or wait until its traveller is back")
        world: World = self._world
        return world

    def after(self, seconds: float, method: Callable[[], object]) -> None:
        """Call one of its methods once, in so many seconds of world time; also after a restart or a crash.

        It is kept by its name. A second `after` with the same method replaces the first.

        Raises:
            TypeError: The method is async.
            ValueError: The function is no method of this thing, or the time is no number.
            LookupError: The thing is in no world.
        """
        name = self._name_of(method)
        _check_plain(method, "after()")
        if not 0 <= seconds < 1e12:
            raise ValueError(f"after({seconds!r}): write a number of seconds that is not negative")
        clock = self.world.clock
        at = clock.now + seconds
        if (name, at) in self.due:
            return
        self.due = (*(call for call in self.due if call[0] != name), (name, at))
        clock.schedule(self, name, at)
        clock.store_time()

    def time_left(self, method: Callable[[], object]) -> float | None:
        """Return the seconds until the call that `after` has set for this method; None without one.

        Raises:
            ValueError: The function is no method of this thing.
            LookupError: The thing is in no world.
        """
        at = dict(self.due).get(self._name_of(method))
        return None if at is None else max(0.0, at - self.world.clock.now)

    def cancel(self, method: Callable[[], object]) -> None:
        """Cancel the call that `after` has set for this method; has no effect without one."""
        name = self._name_of(method)
        if any(call[0] == name for call in self.due):
            self.due = tuple(call for call in self.due if call[0] != name)

    # Called by the clock

    def _wants_call(self, name: str, at: float, wake: int) -> bool:
        """Return True if this call is still due."""
        if self._world is None:
            return False
        return wake == self._wake if wake else (name, at) in self.due

    def _take_call(self, name: str, at: float, wake: int) -> Callable[[], object] | None:
        """Return the method to call, and note that it is called."""
        if not self._wants_call(name, at, wake):
            return None
        clock = self._world.clock
        if wake:
            seconds = self._periods.get(name)
            if seconds is None:
                return None
            clock.schedule(self, name, max(at + seconds, clock.now), wake)
        else:
            self.due = tuple(call for call in self.due if call[0] != name)
            clock.store_time()
        method: Callable[[], object] | None = getattr(self, name, None)
        if method is None:
            logger.warning("%r has no method %r any more, and its due call is not made", self, name)
        return method

    # Inside

    def _come(self, world: World) -> None:
        """Begin its time in a world; has no effect if it has begun."""
        if self._world is world:
            return
        self._world = world
        clock = world.clock
        for name, at in self.due:
            clock.schedule(self, name, at)
        if self._periods:
            self._wake += 1
            for name, seconds in self._periods.items():
                clock.schedule(self, name, clock.now + seconds, self._wake)

    def _repeat(self, before: Mapping[str, float], times: Mapping[tuple[Any, str], float]) -> None:
        """Schedule the calls of `every` by its new class: each comes one period after the last call, or after now."""
        clock = self._world.clock
        self._wake += 1
        for name, seconds in self._periods.items():
            # A changed period counts from the last call; otherwise frequent reloads could postpone it forever.
            last = times[self, name] - before[name] if (self, name) in times else clock.now
            clock.schedule(self, name, max(last + seconds, clock.now), self._wake)

    def _shift(self, seconds: float) -> None:
        """Postpone everything that is due."""
        if self.due and seconds:
            self.due = tuple((name, at + seconds) for name, at in self.due)
            if self._tracker is not None and self._tracker.world is not None:
                self._tracker.world.clock.store_time()  # with which the new times are of one moment

    def _name_of(self, method: Callable[[], object]) -> str:
        name = getattr(method, "__name__", "")
        if getattr(method, "__self__", None) is not self or not callable(getattr(type(self), name, None)):
            raise ValueError(f"{method!r} is no method of {self!r}: only a method's name survives a restart")
        return name


def _check_plain(method: Callable[..., object], where: str) -> None:
    if inspect.iscoroutinefunction(method):
        raise TypeError(f"{where}: {method.__qualname__} is async; make it a plain def, which runs between two events")
