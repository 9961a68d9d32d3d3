"""The options of one engine, and its own copies of those in use.

Negotiation decides whether an option is on; the option decides what it does. This module passes events to options, and
drops an option that raises. Each engine owns one set and passes itself to each call.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar, TypeVarTuple

from .deadlines import OPTION, SHORTEST_DEADLINE, Deadlines
from .events import OptionFailed
from .negotiation import Change
from .options.base import Engine, Option, Policy

Args = TypeVarTuple("Args")
AnOption = TypeVar("AnOption", bound=Option | None)

_NOTHING: Final[Mapping[int, Option | None]] = MappingProxyType({})

_REFUSED: Final = Change.REFUSED  # compared at each answer; an attribute of an enum is slow to look up


class SharedOptions:
    """A list of options, inspected once for all engines that share it."""

    __slots__ = ("by_code", "mind_refusal", "payload_limits", "welcome", "with_state")

    def __init__(self, options: Iterable[Option]) -> None:
        self.by_code: dict[int, Option] = {}
        for option in options:
            if option.code in self.by_code:
                raise ValueError("two options have the same code: use only one of them")
            self.by_code[option.code] = option
        self.payload_limits: dict[int, int] = {}
        for code, option in self.by_code.items():
            limit = option.subnegotiation_limit
            if limit is not None and type(limit) is not int:
                raise TypeError(f"option {code} has {limit!r} as subnegotiation_limit: use bytes as an int, or None")
            if limit is not None:
                self.payload_limits[code] = limit
        # Options without attributes, of which there are several, are shared by all engines.
        self.with_state = frozenset(code for code, option in self.by_code.items() if _keeps_state(type(option)))
        # Most options are refused by some clients, and need no copy if they do not override `on_refused`.
        self.mind_refusal = frozenset(
            code for code, option in self.by_code.items() if type(option).on_refused is not Option.on_refused
        )
        # Options whose requests are accepted, for our side (True) and theirs (False).
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
    """Looks up options by code, calls their handlers, and drops those that have failed."""

    __slots__ = ("_deadlines", "_shared", "_used")

    def __init__(self, shared: SharedOptions, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._shared = shared
        self._used = _NOTHING  # our copies, by code; None for an option that has failed

    def __contains__(self, code: int) -> bool:
        """True if the option is supported, even if it has failed."""
        return code in self._shared.by_code

    def get(self, code: int) -> Option | None:
        """Return this engine's copy of an option; None if it is not supported or has failed."""
        if code in self._used:
            return self._used[code]
        shared = self._shared.by_code.get(code)
        if shared is None or code not in self._shared.with_state:
            return shared
        return self._use(code, copy.copy(shared))

    def _use(self, code: int, option: AnOption) -> AnOption:
        used = self._used
        self._used = {**used, code: option}  # a copy: few options keep a state, and most engines use none of these
        return option

    @property
    def is_unused(self) -> bool:
        """True if no copy was made and no option has failed."""
        return self._used is _NOTHING

    def in_use(self) -> list[tuple[int, Option]]:
        """Return the copies made so far, with their codes."""
        return [(code, option) for code, option in self._used.items() if option is not None]

    def is_welcome(self, code: int, ours: bool) -> bool:
        """True if a peer's request for this side would be accepted."""
        return code in self._shared.welcome[ours] and self._used.get(code, self) is not None

    def payload_limit(self, code: int) -> int | None:
        """Return the option's own limit on payloads, if it has one."""
        return self._shared.payload_limits.get(code)

    # Calls to the options' handlers.

    def notify(self, engine: Engine, code: int, ours: bool, change: Change) -> None:
        """Notify an option that one of its sides has changed."""
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
        """Pass a payload to an option that is on."""
        option = self.get(code)
        if option is not None:
            self._guard(engine, code, option.on_subnegotiation, engine, payload)

    def start_deadline(self, code: int, seconds: float) -> None:
        """Start or restart the deadline of an option.

        Raises:
            ValueError: It is shorter than `SHORTEST_DEADLINE`.
        """
        if not seconds >= SHORTEST_DEADLINE:  # NaN is not, either
            raise ValueError(f"a deadline of {seconds} s: set {SHORTEST_DEADLINE:g} s or more")
        self._deadlines.start(OPTION | code, seconds)

    def expire(self, engine: Engine, key: int) -> None:
        """Notify an option that its deadline has passed."""
        option = self.get(key - OPTION)
        if option is not None:
            self._guard(engine, key - OPTION, option.on_deadline, engine)

    def is_settled(self, engine: Engine) -> bool:
        """True if no option waits for an answer. An option without a copy was never asked."""
        if self._used is _NOTHING:  # as in most engines, and this is called at each read until negotiation settles
            return True
        for code, option in self.in_use():
            try:
                if not option.is_settled(engine):
                    return False
            except BaseException as error:  # noqa: BLE001 - as in `_guard`
                self._give_up(engine, code, error)
        return True

    # Internal.

    def _guard(self, engine: Engine, code: int, step: Callable[[*Args], None], *args: *Args) -> None:
        """Call a handler of an option; if it raises, only that option is dropped."""
        try:
            step(*args)
        except BaseException as error:  # noqa: BLE001 - the event carries it to the driver, which logs it
            self._give_up(engine, code, error)

    def _give_up(self, engine: Engine, code: int, error: BaseException) -> None:
        # Tested by type: an exception can have a `__class__` that raises. GeneratorExit counts as a failure here.
        if issubclass(type(error), KeyboardInterrupt | SystemExit):
            raise error
        self._use(code, None)
        self._deadlines.stop(OPTION | code)
        engine.emit(OptionFailed(code, error))
        engine.disable_ours(code)
        engine.disable_theirs(code)
