"""The options that one engine speaks, and its own copies of those it has used.

Whether an option is on is negotiation's business; what it does is the option's.  Here it is told what has happened,
and here it ends if it raises.  The engine owns one, and lends itself at each call for the option to speak through.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Final, TypeVarTuple

from .deadlines import OPTION, Deadlines
from .events import OptionFailed
from .negotiation import Change
from .options.base import Engine, Option, Policy

Args = TypeVarTuple("Args")

_REFUSED: Final = Change.REFUSED  # asked for at each answer, and an attribute of an enum is slow to find


class SharedOptions:
    """A list of options, looked through once for all the engines that share it."""

    __slots__ = ("by_code", "mind_refusal", "payload_limits", "welcome", "with_state")

    def __init__(self, options: Iterable[Option]) -> None:
        self.by_code: dict[int, Option] = {}
        for option in options:
            if option.code in self.by_code:
                raise ValueError("two options have the same code; an engine can speak only one of them")
            self.by_code[option.code] = option
        self.payload_limits: dict[int, int] = {}
        for code, option in self.by_code.items():
            limit = option.subnegotiation_limit
            if limit is not None and type(limit) is not int:
                raise TypeError(f"option {code} has {limit!r} as subnegotiation_limit: use bytes as an int, or None")
            if limit is not None:
                self.payload_limits[code] = limit
        # An option without attributes, as several are, may be shared by all engines.
        self.with_state = frozenset(code for code, option in self.by_code.items() if _keeps_state(type(option)))
        # Most options are refused by someone, and need no copy to be told of it.
        self.mind_refusal = frozenset(
            code for code, option in self.by_code.items() if type(option).on_refused is not Option.on_refused
        )
        # Whose requests are accepted, for ours and for theirs.
        self.welcome = {
            ours: frozenset(
                code
                for code, option in self.by_code.items()
                if (option.ours if ours else option.theirs) is not Policy.REFUSE
            )
            for ours in (True, False)
        }


def _keeps_state(kind: type[Option]) -> bool:
    slots = any(vars(base).get("__slots__", ("__dict__",)) for base in kind.__mro__ if base is not object)
    return slots or kind.is_settled is not Option.is_settled


class OptionSet:
    """Looks options up by code, tells them what concerns them and forgets those that have failed."""

    __slots__ = ("_deadlines", "_shared", "_used")

    def __init__(self, shared: SharedOptions, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._shared = shared
        self._used: dict[int, Option | None] = {}  # our copies; None: it has failed

    def __contains__(self, code: int) -> bool:
        """Whether there is such an option, even a failed one."""
        return code in self._shared.by_code

    def get(self, code: int) -> Option | None:
        """This engine's own copy of an option; None if there is none or it has failed."""
        if code in self._used:
            return self._used[code]
        shared = self._shared.by_code.get(code)
        if shared is None or code not in self._shared.with_state:
            return shared
        option = self._used[code] = copy.copy(shared)
        return option

    def in_use(self) -> list[tuple[int, Option]]:
        """Our copies made so far, by code."""
        return [(code, option) for code, option in self._used.items() if option is not None]

    def is_welcome(self, code: int, ours: bool) -> bool:
        """Whether a peer's request for this side would be accepted."""
        return code in self._shared.welcome[ours] and self._used.get(code, self) is not None

    def payload_limit(self, code: int) -> int | None:
        """The option's own limit on payloads, if it names one."""
        return self._shared.payload_limits.get(code)

    # What the options are told.

    def tell(self, engine: Engine, code: int, ours: bool, change: Change) -> None:
        """One side of an option has changed."""
        if change is _REFUSED and code not in self._shared.mind_refusal:
            return
        option = self.get(code)
        if option is None:
            return
        if change is _REFUSED:
            self._guard(engine, code, option.on_refused, engine)
        elif ours:
            self._guard(engine, code, option.on_ours, engine, change is Change.ENABLED)
        else:
            self._guard(engine, code, option.on_theirs, engine, change is Change.ENABLED)

    def hand_over(self, engine: Engine, code: int, payload: bytes) -> None:
        """A payload for an option that is on."""
        option = self.get(code)
        if option is not None:
            self._guard(engine, code, option.on_subnegotiation, engine, payload)

    def start_deadline(self, code: int, seconds: float) -> None:
        """Count for an option, from the beginning if it is counting."""
        self._deadlines.start(OPTION | code, seconds)

    def expire(self, engine: Engine, key: int) -> None:
        """The time has passed that an option counted."""
        option = self.get(key - OPTION)
        if option is not None:
            self._guard(engine, key - OPTION, option.on_deadline, engine)

    def is_settled(self, engine: Engine) -> bool:
        """Whether every option is content with the answers; one of which we have no copy was never asked."""
        for code, option in self.in_use():
            try:
                if not option.is_settled(engine):
                    return False
            except BaseException as error:  # noqa: BLE001 - as in `_guard`
                self._give_up(engine, code, error)
        return True

    # Its own.

    def _guard(self, engine: Engine, code: int, step: Callable[[*Args], None], *args: *Args) -> None:
        """Run a step of an option; if it raises, that option is over and nothing else."""
        try:
            step(*args)
        except BaseException as error:  # noqa: BLE001 - the event carries it to the driver, which logs it
            self._give_up(engine, code, error)

    def _give_up(self, engine: Engine, code: int, error: BaseException) -> None:
        # By its type: an exception can have a `__class__` that raises. GeneratorExit is a failure like any other here.
        if issubclass(type(error), KeyboardInterrupt | SystemExit):
            raise error
        self._used[code] = None
        self._deadlines.stop(OPTION | code)
        engine.emit(OptionFailed(code, error))
        engine.disable_ours(code)
        engine.disable_theirs(code)
