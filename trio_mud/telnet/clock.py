"""What time does to an engine: deadlines pass, and what was asked as the connection began is settled.

The engine is told the time by whoever has a clock, and has it counted here.
"""

from __future__ import annotations

from .deadlines import ABORT_OUTPUT, ARE_YOU_THERE, OPTION, PAYLOAD, SETTLING
from .events import Settled
from .interpreter import PAYLOAD_DEADLINE, EngineParts, Interpreter
from .negotiation import Change


def expire(engine: EngineParts, now: float, *, is_read: bool) -> None:
    """Do what is due by now, and report once when nothing is awaited any more or has been for long enough."""
    is_settled = False
    for key in engine.deadlines.expire(now):
        if key == SETTLING:
            is_settled = True
        elif key == PAYLOAD and not is_read:
            engine.deadlines.start(PAYLOAD, PAYLOAD_DEADLINE)
        else:
            _pass(engine, key)
    if engine.inflater is not None:
        engine.inflater.tick(now)
    if is_settled or is_due_to_settle(engine):
        engine.deadlines.stop(SETTLING)
        engine.emit(Settled())


def is_due_to_settle(engine: EngineParts) -> bool:
    """Whether `Settled` is still to be reported, every question answered, and every option content with the answers."""
    return SETTLING in engine.deadlines and not engine.negotiation.is_asking and engine.option_set.is_settled(engine)


def _pass(engine: EngineParts, key: int) -> None:
    """A deadline has passed."""
    if key >= OPTION:
        engine.option_set.expire(engine, key)
    elif key == PAYLOAD:
        Interpreter(engine).give_up_payload()
    elif key not in (ARE_YOU_THERE, ABORT_OUTPUT):
        unanswered = engine.negotiation.expire(key)
        if unanswered is not None:
            engine.option_set.tell(engine, unanswered, ours=True, change=Change.REFUSED)
