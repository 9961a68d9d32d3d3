"""The timers of the functions that a game declares with `Hooks.every` and `Hooks.daily`.

They begin when all functions on `Started` have run. A change of the hooks, or an exchange of the whole registry,
ends the timers of functions that are no longer declared and begins those of new ones. A function of the same name and
schedule keeps its timer, with the phase and a tick that waits, so reloaded code goes on where the old one was.
Used by `MasterServer`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from .describing import unwrap
from .guard import attribute_of
from .hooks import Hooks
from .schedule import Schedule
from .timers import Timer, TimerFunction

_Name = tuple[object, object, Schedule, int]  # module, function, schedule, and the number among equals


class ScheduledTimers:
    """The timers of one server's declared functions.

    Args:
        hooks: Returns the hooks that the server has now.
        start: Starts a timer of the server.
        argument: Passed to each function: the server.
    """

    def __init__(
        self, hooks: Callable[[], Hooks], start: Callable[[Schedule, TimerFunction], Timer], argument: object
    ) -> None:
        self._hooks = hooks
        self._start = start
        self._argument = argument
        self._timers: dict[_Name, Timer] = {}
        self._have_begun = False

    def begin(self) -> None:
        """Start the timers; called once, when the functions on `Started` have run."""
        self._have_begun = True
        self.update()

    def update(self) -> None:
        """Make the timers those of the present hooks; has no effect before `begin`."""
        if not self._have_begun:
            return
        numbers: Counter[tuple[object, object, Schedule]] = Counter()
        kept: dict[_Name, Timer] = {}
        for schedule, function in self._hooks()._scheduled:
            inner = unwrap(function)
            name = (attribute_of(inner, "__module__"), attribute_of(inner, "__qualname__"), schedule)
            numbers[name] += 1
            numbered = (*name, numbers[name])
            call = partial(function, self._argument)
            timer = self._timers.pop(numbered, None)
            if timer is None:
                timer = self._start(schedule, call)
            else:
                timer._exchange(call)
            kept[numbered] = timer
        for timer in self._timers.values():
            timer.cancel()
        self._timers = kept
