"""The effect of time on an engine: deadlines expire, and the initial negotiation settles.

The engine has no clock; its caller passes the time to `tick`, which calls this module.
"""

from __future__ import annotations

from .compression import UNUSED
from .deadlines import ABORT_OUTPUT, ARE_YOU_THERE, COMPRESSION, OPTION, PAYLOAD, SETTLING
from .events import NegotiationSettled
from .interpreter import PAYLOAD_DEADLINE, EngineParts, Interpreter
from .negotiation import Change


def expire(engine: EngineParts, now: float, *, is_read: bool) -> None:
    """Handle each expired deadline, and emit `NegotiationSettled` once, at the end of the initial negotiation."""
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
        engine.emit(NegotiationSettled())


def is_due_to_settle(engine: EngineParts) -> bool:
    """True if `NegotiationSettled` was not reported yet, every question was answered, and no option waits for more."""
    return SETTLING in engine.deadlines and not engine.negotiation.is_asking and engine.option_set.is_settled(engine)


def _pass(engine: EngineParts, key: int) -> None:
    """Handle one expired deadline."""
    if key >= OPTION:
        engine.option_set.expire(engine, key)
    elif key == PAYLOAD:
        Interpreter(engine).give_up_payload()
    elif key == COMPRESSION:
        deflater = engine.outgoing.deflater
        if deflater is not None:
            deflater.free_unused()
            if deflater.holds_memory:
                engine.deadlines.start(COMPRESSION, UNUSED)
    elif key not in (ARE_YOU_THERE, ABORT_OUTPUT):
        unanswered = engine.negotiation.expire(key)
        if unanswered is not None:
            engine.option_set.notify(engine, unanswered, ours=True, change=Change.REFUSED)
