"""The repertoire: the options one engine speaks, and its own copies of those it has used.

Whether an option is on is negotiation's business; what it does is the option's.  The engine owns one.
"""

import copy
from collections.abc import Iterable, Iterator
from functools import lru_cache

from .options import Option, Policy


class Repertoire:
    """Looks options up by code and forgets those that have failed."""

    __slots__ = ("_prototypes", "_used")

    def __init__(self, options: Iterable[Option]) -> None:
        self._prototypes = _by_code(tuple(options))
        self._used: dict[int, Option | None] = {}  # our copies; None: it has failed

    def __contains__(self, code: int) -> bool:
        """Whether there is such an option, even a failed one."""
        return code in self._prototypes

    def __iter__(self) -> Iterator[Option]:
        """The prototypes in the order given; read them, but call nothing."""
        return iter(self._prototypes.values())

    def get(self, code: int) -> Option | None:
        """This engine's own copy of an option; None if there is none or it has failed."""
        if code in self._used:
            return self._used[code]
        prototype = self._prototypes.get(code)
        if prototype is None:
            return None
        option = self._used[code] = copy.copy(prototype)
        return option

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


@lru_cache(maxsize=64)
def _by_code(options: tuple[Option, ...]) -> dict[int, Option]:
    """Index a list of options, once for all the engines that share it."""
    prototypes = {option.code: option for option in options}
    if len(prototypes) < len(options):
        raise ValueError("two options have the same code; an engine can speak only one of them")
    return prototypes
