"""The repertoire: the options one engine speaks, and its own copies of those it has used.

Whether an option is on is negotiation's business; what it does is the option's.  The engine owns one.
"""

import copy
from collections.abc import Iterable, Iterator

from .options import Option, Policy


class Prototypes:
    """A list of options, looked through once for all the engines that share it."""

    __slots__ = ("by_code", "with_state")

    def __init__(self, options: Iterable[Option]) -> None:
        self.by_code: dict[int, Option] = {}
        for option in options:
            if option.code in self.by_code:
                raise ValueError("two options have the same code; an engine can speak only one of them")
            self.by_code[option.code] = option
        # An option without attributes, as several are, may be shared by all engines.
        self.with_state = frozenset(code for code, option in self.by_code.items() if _keeps_state(type(option)))


def _keeps_state(kind: type[Option]) -> bool:
    slots = any(vars(base).get("__slots__", ("__dict__",)) for base in kind.__mro__ if base is not object)
    return slots or kind.is_settled is not Option.is_settled


class Repertoire:
    """Looks options up by code and forgets those that have failed."""

    __slots__ = ("_prototypes", "_used", "_with_state")

    def __init__(self, prototypes: Prototypes) -> None:
        self._prototypes = prototypes.by_code
        self._with_state = prototypes.with_state
        self._used: dict[int, Option | None] = {}  # our copies; None: it has failed

    def __contains__(self, code: int) -> bool:
        """Whether there is such an option, even a failed one."""
        return code in self._prototypes

    def get(self, code: int) -> Option | None:
        """This engine's own copy of an option; None if there is none or it has failed."""
        if code in self._used:
            return self._used[code]
        prototype = self._prototypes.get(code)
        if prototype is None or code not in self._with_state:
            return prototype
        option = self._used[code] = copy.copy(prototype)
        return option

    def in_use(self) -> Iterator[tuple[int, Option]]:
        """Our copies made so far, by code."""
        for code, option in list(self._used.items()):
            if option is not None:
                yield code, option

    def minds_refusal(self, code: int) -> bool:
        """Whether a refusal means anything to the option: most are refused by someone, and need no copy for that."""
        option = self._prototypes.get(code)
        return option is not None and type(option).on_refused is not Option.on_refused

    def fail(self, code: int) -> None:
        """Use this option no more."""
        self._used[code] = None

    def is_welcome(self, code: int, ours: bool) -> bool:
        """Whether a peer's request for this side would be accepted."""
        option = self._prototypes.get(code)
        if option is None or self._used.get(code, option) is None:
            return False
        return (option.ours if ours else option.theirs) is not Policy.REFUSE

    def payload_limit(self, code: int) -> int | None:
        """The option's own limit on payloads, if it names one."""
        option = self._prototypes.get(code)
        return None if option is None else option.subnegotiation_limit
