"""How a connection begins: what is offered, and what waits for an answer.

A server has one list of options for all its connections, and its offers are a good part of what a connect costs; so
they are made once, and each engine begins with a copy.
"""

from functools import lru_cache
from typing import NamedTuple

from .codes import IAC
from .deadlines import SETTLING, Deadlines
from .negotiation import Negotiation
from .option_set import SharedOptions
from .options.base import Option, Policy


class InitialState(NamedTuple):
    """How every connection begins that speaks the same options."""

    options: SharedOptions
    offers: bytes
    deadlines: Deadlines
    negotiation: Negotiation


@lru_cache(maxsize=8)
def initial_state(options: tuple[Option, ...], settle_within: float | None) -> InitialState:
    """How a connection with these options begins; the parts are to be copied, not used.

    Raises:
        ValueError: Two options have the same code.
        TypeError: The `subnegotiation_limit` of an option is no number.
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
