"""Interprets the input found by the scanner.

Text goes to the line assembler, negotiation to the table, and payloads to their options. Commands are handled here or
reported.

The engine creates an `Interpreter` for each read that is more than plain text instead of keeping one: two objects that
refer to each other would wait for the cycle collector after the connection has ended.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Protocol

from ..compiled import mypyc_attr
from .codes import (
    ABORT,
    AO,
    AYT,
    BRK,
    DM,
    DO,
    EC,
    EL,
    EOR,
    GA,
    IAC,
    IP,
    MCCP3,
    NOP,
    SUSP,
    TIMING_MARK,
    WILL,
    command_name,
    option_name,
)
from .compression import BrokenStream, Inflater, InflationLimits
from .deadlines import ABORT_OUTPUT, ARE_YOU_THERE, PAYLOAD, Deadlines
from .events import (
    Anomaly,
    AnomalyKind,
    CompressionFailed,
    InterruptKind,
    InterruptReceived,
    Subnegotiation,
    TelnetCommand,
    TelnetEvent,
)
from .lines import LineAssembler
from .negotiation import Negotiation
from .option_set import OptionSet
from .options.base import Engine
from .outgoing import OutputQueue
from .scanner import Scanner, in_text

PAYLOAD_DEADLINE: Final = 30.0  # seconds; no honest peer pauses that long inside a payload
ARE_YOU_THERE_PERIOD: Final = 1.0  # seconds between two answers; a person waits for the first, a flood asks for all
ABORT_OUTPUT_PERIOD: Final = 1.0  # seconds during which AO is obeyed once, because it scans the whole queue

_ASKS_FOR_NOTHING: Final = frozenset((NOP, GA, EOR, DM))
_EDITING_KEYS: Final = {EC: b"\x7f", EL: b"\x15"}  # sent for the same purpose by clients in keystroke mode
_INTERRUPTS: Final = {
    IP: InterruptKind.INTERRUPT,
    BRK: InterruptKind.BREAK,
    SUSP: InterruptKind.SUSPEND,
    ABORT: InterruptKind.ABORT,
}


class EngineParts(Engine, Protocol):
    """The engine as seen by the interpreter and the clock, including its parts."""

    are_you_there: str
    deadlines: Deadlines
    events: list[TelnetEvent]
    inflater: Inflater | None
    lines: LineAssembler
    negotiation: Negotiation
    option_set: OptionSet
    outgoing: OutputQueue
    scanner: Scanner
    subnegotiation_limit: int
    unfinished: bytearray | None


@mypyc_attr(allow_interpreted_subclasses=True)
class Interpreter:
    """The receiver of the scanner's calls, for one read of one engine."""

    __slots__ = ("_engine",)

    def __init__(self, engine: EngineParts) -> None:
        self._engine = engine

    def read(self, data: bytes) -> None:
        """Process bytes, up to the beginning of a compressed stream."""
        engine = self._engine
        if engine.scanner.state is in_text and IAC not in data:
            engine.lines.receive(data, engine.events)
            return
        read = engine.scanner.receive(data, self)
        if engine.scanner.payload is not engine.unfinished:
            self._time_payload()
        # TinTin++ sends the start of its stream and compressed bytes in one write, so the rest is compressed.
        if engine.scanner.is_stopped and engine.inflater is not None:
            engine.inflater.put_back(data[read:])

    def read_on(self, inflater: Inflater) -> None:
        """Process the next piece of input, inflated if a stream is on."""
        try:
            piece = inflater.take()
        except BrokenStream as fault:
            inflater.close()
            self._engine.disable_ours(MCCP3)
            self._engine.emit(CompressionFailed(str(fault)))
        else:
            self.read(piece)

    def give_up_payload(self) -> None:
        """Drop an unfinished payload whose end did not come in time."""
        scanner = self._engine.scanner
        scanner.give_up_payload()
        self._engine.unfinished = None
        self.heard_anomaly(
            AnomalyKind.UNFINISHED_SUBNEGOTIATION, f"after {PAYLOAD_DEADLINE:g} seconds for option {scanner.option}"
        )

    # Called by the scanner (scanner.Receiver).

    def heard_text(self, data: bytes) -> None:
        """Assemble lines."""
        self._engine.lines.receive(data, self._engine.events)

    def heard_command(self, code: int) -> None:
        """Assemble lines."""
        if code in _INTERRUPTS:
            self._engine.emit(InterruptReceived(_INTERRUPTS[code]))
        elif code in _EDITING_KEYS:
            self._engine.lines.edit(_EDITING_KEYS[code])
        elif code == AYT:
            self._say_yes()
        elif code == AO:
            self._abort_output()
        elif code not in _ASKS_FOR_NOTHING:
            self._engine.emit(TelnetCommand(code))

    def heard_negotiation(self, verb: int, code: int) -> None:
        """Answer a negotiation according to the table and notify the option of a change."""
        engine = self._engine
        if verb == DO and code == TIMING_MARK:
            # RFC 860: an event, not a state. Each one is answered by WILL, or not at all once the budget is spent.
            if engine.negotiation.spend():
                engine.outgoing.put_verb(WILL, TIMING_MARK)
            else:
                engine.emit(_flood(verb, code))
            return
        ours = verb >= DO
        outcome = engine.negotiation.hear(verb, code, engine.option_set.is_welcome(code, ours))
        if outcome.verb is not None:
            engine.outgoing.put_verb(outcome.verb, code)
        if outcome.is_flood:
            engine.emit(_flood(verb, code))
        if outcome.change is not None:
            engine.option_set.notify(engine, code, ours, outcome.change)

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        """Pass a payload to its option; report it if the option is unsupported or off."""
        engine = self._engine
        if code not in engine.option_set:
            engine.emit(Subnegotiation(code, payload))
        elif engine.is_ours(code) or engine.is_theirs(code):
            engine.option_set.hand_over(engine, code, payload)
        elif code == MCCP3:
            self._refuse_stream()
        else:
            self.heard_anomaly(AnomalyKind.UNEXPECTED_SUBNEGOTIATION, f"{option_name(code)} is not on")

    def heard_anomaly(self, kind: AnomalyKind, detail: str) -> None:
        """Report a protocol violation."""
        self._engine.emit(Anomaly(kind, detail))

    def payload_limit(self, code: int) -> int:
        """Return the option's own limit if it has one and is agreed, otherwise the engine's limit."""
        engine = self._engine
        limit = engine.option_set.payload_limit(code)
        if limit is not None and (engine.is_ours(code) or engine.is_theirs(code)):
            return limit
        return engine.subnegotiation_limit

    # Internal.

    def _time_payload(self) -> None:
        """Restart the payload deadline for another payload, or stop it if none is unfinished."""
        engine = self._engine
        engine.unfinished = engine.scanner.payload
        if engine.unfinished is None:
            engine.deadlines.stop(PAYLOAD)
        else:
            engine.deadlines.start(PAYLOAD, PAYLOAD_DEADLINE)

    def _refuse_stream(self) -> None:
        """Stop reading: a stream began without agreement, so the following bytes are not text."""
        engine = self._engine
        if engine.inflater is None:
            engine.inflater = Inflater(InflationLimits())
        engine.inflater.break_off("it began without agreement")
        engine.scanner.stop()

    def _say_yes(self) -> None:
        engine = self._engine
        if engine.are_you_there and ARE_YOU_THERE not in engine.deadlines:
            engine.deadlines.start(ARE_YOU_THERE, ARE_YOU_THERE_PERIOD)
            engine.send_text(f"\n{engine.are_you_there}\n")

    def _abort_output(self) -> None:
        engine = self._engine
        if ABORT_OUTPUT not in engine.deadlines:
            engine.deadlines.start(ABORT_OUTPUT, ABORT_OUTPUT_PERIOD)
            engine.outgoing.drop_text()


@lru_cache(maxsize=256)  # messages of one flood are mostly the same
def _flood(verb: int, code: int) -> Anomaly:
    return Anomaly(AnomalyKind.NEGOTIATION_FLOOD, f"{command_name(verb)} {option_name(code)} not answered")
