"""The initial state of an engine: offers to send, and the answers it waits for.

All connections of a server share one list of options, and making the offers is a large part of the cost of a connect.
So the state is computed once, and each engine begins with a copy.
"""

from functools import lru_cache
from typing import NamedTuple

from .codes import IAC
from .deadlines import SETTLING, Deadlines
from .negotiation import Negotiation
from .option_set import SharedOptions
from .options.base import Option, Policy


class InitialState(NamedTuple):
    """The initial state of every engine with the same options."""

    options: SharedOptions
    offers: bytes
    deadlines: Deadlines
    negotiation: Negotiation


@lru_cache(maxsize=8)
def initial_state(options: tuple[Option, ...], settle_within: float | None) -> InitialState:
    """Return the initial state for these options; the caller must copy its mutable parts.

    Raises:
        ValueError: Two options have the same code.
        TypeError: The `subnegotiation_limit` of an option is not a number.
    """
    shared = SharedOptions(options)
    offers = bytearray()
    deadlines = Deadlines()
    negotiation = Negotiation(deadlines)
    for option in options:
        for ours in (True, False):
            if (option.ours if ours else option.theirs) is Policy.OFFER:
                verb = negotiation.want(option.code, ours, enabled=True)
                assert verb is not None, "nothing was asked for before"
                offers += bytes((IAC, verb, option.code))
    if settle_within is not None:
        deadlines.start(SETTLING, settle_within)
    return InitialState(shared, bytes(offers), deadlines, negotiation)
