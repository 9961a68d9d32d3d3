"""The first answers of a client, whose effect is computed once for all clients that answer the same.

All clients of one kind answer the offers of a server by the same bytes. Reading them is the most expensive step of a
new connection, and the table of sides that results is the largest part of an engine.

Only answers that cause nothing besides a change of the table are known here: refusals that no option handles. Such an
effect is a function of the initial state and the bytes. All other input goes through the scanner and the interpreter.
`TelnetEngine.receive` calls this module.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from .codes import DO, IAC, TIMING_MARK
from .deadlines import Deadlines
from .initial_state import InitialState
from .negotiation import Change, Negotiation
from .option_set import OptionSet
from .scanner import COMMAND_COST, Scanner, in_text

MOST_BYTES: Final = 128  # of known answers; every option of this package is refused by fewer
MOST_KNOWN: Final = 64

_IAC: Final = bytes((IAC,))
_NEGOTIATION: Final = re.compile(rb"\xff([\xfb-\xfe])(.)", re.DOTALL)  # IAC, a verb and an option
_ONLY_NEGOTIATION: Final = re.compile(rb"(?:\xff[\xfb-\xfe].)+", re.DOTALL)


class _FirstAnswers(NamedTuple):
    negotiation: Negotiation  # the table after them
    deadlines: Deadlines  # those that they do not stop
    cost: int


class _Untouched(Protocol):
    """The engine, as far as first answers change it."""

    deadlines: Deadlines
    initial: InitialState
    negotiation: Negotiation
    option_set: OptionSet
    scanner: Scanner


def adopt_first_answers(engine: _Untouched, data: bytes) -> bool:
    """Process received bytes if they are first answers whose effect is known; return False if they are not."""
    if (
        not data.startswith(_IAC)
        or len(data) > MOST_BYTES
        or not engine.negotiation.has_sides_of(engine.initial.negotiation)
        or not engine.option_set.is_unused
        or engine.scanner.state is not in_text
        or not _ONLY_NEGOTIATION.fullmatch(data)  # not inside the cached function, which text would fill
    ):
        return False
    known = _first_answers(engine.initial, data)
    if known is None:
        return False
    engine.negotiation.adopt(known.negotiation)
    engine.deadlines.follow(engine.initial.deadlines, known.deadlines)
    engine.scanner.cost += known.cost
    return True


@lru_cache(maxsize=MOST_KNOWN)
def _first_answers(initial: InitialState, data: bytes) -> _FirstAnswers | None:
    """Return the effect of first answers; None if they cause anything besides a change of the table."""
    deadlines = initial.deadlines.copy()
    negotiation = initial.negotiation.copy(deadlines)
    messages = [(match[1][0], match[2][0]) for match in _NEGOTIATION.finditer(data)]
    for verb, code in messages:
        if verb == DO and code == TIMING_MARK:
            return None
        outcome = negotiation.hear(verb, code, code in initial.options.welcome[verb >= DO])
        is_ignored = outcome.change is None or (
            outcome.change is Change.REFUSED and code not in initial.options.mind_refusal
        )
        if outcome.verb is not None or outcome.is_flood or not is_ignored:
            return None
    return _FirstAnswers(negotiation, deadlines, COMMAND_COST * len(messages))
