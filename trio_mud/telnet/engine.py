"""The telnet engine: bytes in, events out, bytes back.

It never waits, never logs, has no clock and knows no socket, so it behaves the same under any transport and in any
test.  It is made of a scanner (commands out of the stream), a line assembler, the negotiation table and a repertoire of
options; here they meet.  The driver's connection owns one; so may a client, a bot or a test.
"""

import codecs
import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar, TypeVarTuple

from .codes import (
    ABORT,
    AO,
    AYT,
    BRK,
    DM,
    DO,
    EC,
    ECHO,
    EL,
    END_OF_RECORD,
    EOR,
    GA,
    IAC,
    IP,
    MCCP2,
    MCCP3,
    NOP,
    SB,
    SE,
    SGA,
    SUSP,
    TIMING_MARK,
    WILL,
    command_name,
    option_name,
)
from .compression import BrokenStream, Deflater, Inflater, InflationLimits
from .deadlines import Deadlines
from .events import (
    Anomaly,
    AnomalyKind,
    Command,
    CompressionFailed,
    EchoRefused,
    Interrupt,
    InterruptKind,
    OptionFailed,
    Settled,
    Subnegotiation,
    TelnetEvent,
)
from .lines import LineAssembler
from .negotiation import Change, Negotiation
from .options import DEFAULT_OPTIONS, Option, Policy
from .repertoire import Prototypes, Repertoire
from .scanner import Scanner, in_text

PAYLOAD_DEADLINE: Final = 30.0  # seconds; no honest peer pauses as long within one
ARE_YOU_THERE_PERIOD: Final = 1.0  # seconds between two answers; someone waits for the first, a flood for all

_IAC: Final = bytes((IAC,))
_IAC_IAC: Final = bytes((IAC, IAC))
_GO_AHEAD: Final = bytes((IAC, GA))
_END_OF_RECORD: Final = bytes((IAC, EOR))
_DATA_MARK: Final = bytes((IAC, DM))
_START_OF_STREAM: Final = bytes((IAC, SB, MCCP2, IAC, SE))
_ASCII: Final = bytes(range(128))

_ASKS_FOR_NOTHING: Final = frozenset((NOP, GA, EOR, DM))
_EDITING_KEYS: Final = {EC: b"\x7f", EL: b"\x15"}  # what clients in keystroke mode send for the same
_INTERRUPTS: Final = {
    IP: InterruptKind.INTERRUPT,
    BRK: InterruptKind.BREAK,
    SUSP: InterruptKind.SUSPEND,
    ABORT: InterruptKind.ABORT,
}

# Keys of deadlines, behind those of negotiation.
_SETTLING: Final = 0x201
_PAYLOAD: Final = 0x202
_ARE_YOU_THERE: Final = 0x203
_OPTION: Final = 0x300  # and its code

Args = TypeVarTuple("Args")
AnOption = TypeVar("AnOption", bound=Option)


class TelnetEngine:
    """One connection's telnet, as a machine to be driven.

    Three calls drive it.  Pass what the peer sent to `receive` and act on the events it returns; after that, and
    after any other call, send what `data_to_send` returns; and call `tick` when `next_deadline` has come.

    Whatever the peer sends, nothing raises and nothing grows without bound: its faults come back as `Anomaly`.

    Args:
        options: What this engine speaks; the offers among them are queued at once, in this order.
        line_limit: Bytes of a line that are kept.
        subnegotiation_limit: Bytes of a payload that are collected; an option may name its own limit.
        settle_within: Seconds after the first tick until `Settled` is reported, if the answers do not come earlier;
            None: it is not reported.
        are_you_there: The answer to AYT, given at most once a second; none if empty.

    Source: RFC 854, 855, 1123 3.2-3.3
    """

    __slots__ = (
        "_deadlines",
        "_deflater",
        "_events",
        "_inflater",
        "_lines",
        "_negotiation",
        "_out",
        "_repertoire",
        "_scanner",
        "_subnegotiation_limit",
        "_unfinished",
        "are_you_there",
    )

    def __init__(
        self,
        options: Iterable[Option] = DEFAULT_OPTIONS,
        *,
        line_limit: int = 4096,  # bytes; Evennia keeps 6000, LDMud 1000
        subnegotiation_limit: int = 8192,  # bytes; libtelnet keeps 16 KiB, Twisted 4
        settle_within: float | None = 1.0,  # seconds
        are_you_there: str = "[Yes]",
    ) -> None:
        opening = _open(tuple(options), settle_within)
        self.are_you_there = are_you_there
        self._events: list[TelnetEvent] = []
        self._out: list[bytes] = [opening.offers] if opening.offers else []
        self._unfinished: bytearray | None = None  # the payload that a deadline is running for
        self._deflater: Deflater | None = None  # as long as anything is compressed
        self._inflater: Inflater | None = None  # once anything was
        self._scanner = Scanner()
        self._lines = LineAssembler(line_limit)
        self._deadlines = opening.deadlines.copy()
        self._negotiation = opening.negotiation.copy(self._deadlines)
        self._subnegotiation_limit = subnegotiation_limit
        self._repertoire = Repertoire(opening.prototypes)

    # What the connection calls.

    def receive(self, data: bytes) -> list[TelnetEvent]:
        """Take bytes from the peer and return what they mean, in order.

        The events are the same however the bytes are cut into calls.
        """
        if self._inflater is not None:
            self._inflater.feed(data)
        elif self._scanner.state is in_text and IAC not in data:
            self._lines.receive(data, self._events)
        else:
            self._scan(data)
        if self._inflater is not None:  # perhaps since a moment ago
            self._read_on(self._inflater)
        return self._take_events()

    @property
    def pending(self) -> bool:
        """Whether bounded work is left from bytes already received: if so, call `receive(b"")` before reading on.

        Always false as long as no option compresses what the peer sends.
        """
        return self._inflater is not None and self._inflater.is_full and not self._inflater.is_paused

    @property
    def is_full(self) -> bool:
        """Whether received bytes wait in here, for `receive(b"")` or, past what a peer may make of them, for `tick`.

        If so, read nothing from the peer, for there is no other bound to what waits.
        """
        return self._inflater is not None and self._inflater.is_full

    def data_to_send(self) -> bytes:
        """Take everything queued for the peer; empty if there is nothing.

        Call it until it is empty.  What one call returns must go out in one write: Mudlet looks no further
        than one segment for the start of a compressed stream.
        """
        out = self._out
        if self._deflater is not None:
            data = self._deflater.take(out)
            if self._deflater.is_over:
                self._deflater = None
            return data
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    @property
    def has_data_to_send(self) -> bool:
        """Whether `data_to_send` would return anything."""
        return bool(self._out) or (self._deflater is not None and self._deflater.has_chunks)

    def end_compression(self) -> None:
        """Send plain bytes from here on, as whoever takes over the socket will; what is queued is sent as it was.

        It also takes back an offer of MCCP2.  `enable_ours` makes a new one.
        """
        self.disable_ours(MCCP2)

    def encode(self, text: str) -> bytes:
        """Turn text into bytes for the peer: charset, newline to CR LF, ff doubled.

        It queues nothing and changes nothing: engines with equal `charset` may share the result.  What the charset
        does not have becomes a question mark; a lone CR becomes CR NUL (RFC 854) and NUL is left out.
        """
        data = text.encode(self._lines.charset, "replace")
        if 0x0D in data or 0x00 in data:  # CR or NUL; on asking for a number see lines.py
            data = data.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\r\0")
        if 0x0A in data:
            data = data.replace(b"\n", b"\r\n")
        if IAC in data:  # ff cannot occur in UTF-8
            data = data.replace(_IAC, _IAC_IAC)
        return data

    def send_encoded(self, data: bytes) -> None:
        """Queue bytes made by `encode`, of this engine or of one with the same charset."""
        self._out.append(data)

    def send_text(self, text: str) -> None:
        """Queue text; it does not end the line, so write the newline yourself."""
        self._out.append(self.encode(text))

    def send_prompt(self, text: str) -> None:
        """Queue text and the mark by which clients know a prompt, so that both leave in one write."""
        self._out.append(self.encode(text) + self.prompt_mark)

    def hide_input(self, hidden: bool) -> None:
        """Ask the peer not to show what is typed, or to show it again.

        The peer may refuse; `EchoRefused` then says so.  When it did hide the input it did not show the Enter
        either, so showing again begins with a line end of ours.
        """
        if hidden == self._lines.hidden:
            return
        self._lines.hidden = hidden
        if not hidden:
            was_agreed = self.is_ours(ECHO)
            self.disable_ours(ECHO)
            if was_agreed:
                self._out.append(b"\r\n")
        elif self._repertoire.get(ECHO) is None:
            self.emit(EchoRefused())
        else:
            self.enable_ours(ECHO)

    @property
    def input_hidden(self) -> bool:
        """Whether what is typed now is meant to be hidden, if the peer agreed or not: do not log it."""
        return self._lines.hidden

    @property
    def prompt_mark(self) -> bytes:
        """What stands behind each prompt, so that clients know it for one: EOR, GA or nothing, never both.

        EOR if that is agreed.  GA as RFC 854 has it if the peer refused EOR, unless SGA is agreed; but not as long as
        it has not answered, for perhaps it will agree, or knows no telnet and would show the bytes.
        """
        if self.is_ours(END_OF_RECORD):
            return _END_OF_RECORD
        if self.is_ours(SGA) or self._negotiation.is_unanswered(END_OF_RECORD, ours=True):
            return b""
        return _GO_AHEAD

    def option(self, kind: type[AnOption]) -> AnOption | None:
        """This connection's own copy of an option, to call its methods; None without it, or when it has failed."""
        option = self._repertoire.get(kind.code)
        return option if isinstance(option, kind) else None

    def tick(self, now: float) -> list[TelnetEvent]:
        """Tell the time in seconds of any clock that does not go back; return what has happened by it.

        Whatever began since the last tick, such as a question put to the peer, is counted from now.
        """
        is_settled = False
        for key in self._deadlines.expire(now):
            if key == _SETTLING:
                is_settled = True
            else:
                self._pass(key)
        if self._inflater is not None:
            self._inflater.tick(now)
        if not is_settled and _SETTLING in self._deadlines and self._awaits_nothing():
            self._deadlines.stop(_SETTLING)
            is_settled = True
        if is_settled:
            self.emit(Settled())
        return self._take_events()

    @property
    def next_deadline(self) -> float | None:
        """When to call `tick`: -inf for as soon as possible, None for not at all as things stand.

        Any other call may change it, `receive` too.
        """
        if self._events:
            return -math.inf
        deadline = self._deadlines.next
        if deadline is not None and _SETTLING in self._deadlines and self._awaits_nothing():
            return -math.inf
        if self._inflater is not None and (allowed := self._inflater.next_deadline) is not None:
            deadline = allowed if deadline is None else min(deadline, allowed)
        return deadline

    @property
    def charset(self) -> str:
        """The Python codec, by its canonical name, in which text travels both ways.

        A change holds for text sent and lines finished from now on.  Setting one that is not a superset of ASCII
        raises ValueError, for telnet could not be read in it, and an unknown one LookupError.
        """
        return self._lines.charset

    @charset.setter
    def charset(self, name: str) -> None:
        canonical = codecs.lookup(name).name
        text = _ASCII.decode("ascii")
        if (_ASCII.decode(canonical, "replace"), text.encode(canonical, "replace")) != (text, _ASCII):
            raise ValueError(f"charset {name!r} is not a superset of ASCII; choose one that is, such as 'utf-8'")
        self._lines.charset = canonical

    # What options call.

    def emit(self, event: TelnetEvent) -> None:
        """Report an event with those of the current `receive` or `tick`, or else of the next."""
        self._events.append(event)

    def send_subnegotiation(self, code: int, payload: bytes) -> None:
        """Queue a payload for the peer's side of an option, ff doubled."""
        self._out.append(bytes((IAC, SB, code)) + payload.replace(_IAC, _IAC_IAC) + bytes((IAC, SE)))

    def start_compression(self) -> None:
        """Compress what is queued after this, behind a marker that tells the peer."""
        if self._deflater is None:
            self._deflater = Deflater()
        self._deflater.start(self._out, _START_OF_STREAM)

    def stop_compression(self) -> None:
        """Compress what is queued already, and nothing after it."""
        if self._deflater is not None:
            self._deflater.stop(self._out)

    def start_inflation(self, limits: InflationLimits) -> None:
        """Inflate what follows the payload that is being reported; the limits stand from the first time on."""
        if self._inflater is None:
            self._inflater = Inflater(limits)
        self._inflater.begin()
        self._scanner.stop()

    def set_deadline(self, code: int, seconds: float) -> None:
        """Have the option's `on_deadline` called after so many seconds from the next tick; it has one at a time."""
        self._deadlines.start(_OPTION | code, seconds)

    def enable_ours(self, code: int) -> None:
        """Ask to switch our side of an option on, unless it is or is being asked for."""
        self._want(code, ours=True, enabled=True)

    def disable_ours(self, code: int) -> None:
        """Switch our side of an option off, at once; the peer has no say."""
        self._want(code, ours=True, enabled=False)

    def enable_theirs(self, code: int) -> None:
        """Ask the peer to switch its side of an option on, unless it is or is being asked for."""
        self._want(code, ours=False, enabled=True)

    def disable_theirs(self, code: int) -> None:
        """Tell the peer to switch its side of an option off; it counts as off at once."""
        self._want(code, ours=False, enabled=False)

    def is_ours(self, code: int) -> bool:
        """Whether our side of an option is agreed on."""
        return self._negotiation.is_on(code, ours=True)

    def is_theirs(self, code: int) -> bool:
        """Whether the peer's side of an option is agreed on."""
        return self._negotiation.is_on(code, ours=False)

    # What the scanner calls (scanner.Receiver).

    def heard_text(self, data: bytes) -> None:
        """Assemble lines."""
        self._lines.receive(data, self._events)

    def heard_command(self, code: int) -> None:
        """Do what a command asks for, or report it."""
        if code in _INTERRUPTS:
            self.emit(Interrupt(_INTERRUPTS[code]))
        elif code in _EDITING_KEYS:
            self.heard_text(_EDITING_KEYS[code])
        elif code == AYT:
            self._say_yes()
        elif code == AO:
            self._drop_text()
        elif code not in _ASKS_FOR_NOTHING:
            self.emit(Command(code))

    def heard_negotiation(self, verb: int, code: int) -> None:
        """Answer as the table says and tell the option what has changed."""
        if verb == DO and code == TIMING_MARK:
            # RFC 860: an event, not a state; each one is answered, by a WILL or by nothing at all.
            if self._negotiation.spend():
                self._out.append(bytes((IAC, WILL, TIMING_MARK)))
            else:
                self._report_flood(verb, code)
            return
        ours = verb >= DO
        outcome = self._negotiation.hear(verb, code, self._repertoire.is_welcome(code, ours))
        if outcome.verb is not None:
            self._out.append(bytes((IAC, outcome.verb, code)))
        if outcome.is_flood:
            self._report_flood(verb, code)
        if outcome.change is not None:
            self._tell(code, ours, outcome.change)

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        """Hand a payload to its option, or report it if there is none or it is off."""
        if code not in self._repertoire:
            self.emit(Subnegotiation(code, payload))
        elif not (self.is_ours(code) or self.is_theirs(code)):
            if code == MCCP3:
                self._refuse_stream()
            else:
                self.heard_anomaly(AnomalyKind.UNEXPECTED_SUBNEGOTIATION, f"{option_name(code)} is not on")
        elif (option := self._repertoire.get(code)) is not None:
            self._guard(code, option.on_subnegotiation, self, payload)

    def heard_anomaly(self, kind: AnomalyKind, detail: str) -> None:
        """Report a fault of the peer."""
        self.emit(Anomaly(kind, detail))

    def payload_limit(self, code: int) -> int:
        """The most bytes that a payload for this option may have now: the option's own limit once it is agreed."""
        limit = self._repertoire.payload_limit(code)
        if limit is not None and (self.is_ours(code) or self.is_theirs(code)):
            return limit
        return self._subnegotiation_limit

    # Our own.

    def _scan(self, data: bytes) -> None:
        """Read bytes, up to the beginning of a compressed stream."""
        if self._scanner.state is in_text and IAC not in data:
            self._lines.receive(data, self._events)
            return
        read = self._scanner.receive(data, self)
        if self._scanner.payload is not self._unfinished:
            self._time_payload()
        if self._scanner.is_stopped and self._inflater is not None:
            self._inflater.put_back(data[read:])

    def _read_on(self, inflater: Inflater) -> None:
        """Read the next piece of what was received."""
        try:
            piece = inflater.take()
        except BrokenStream as fault:
            inflater.close()
            self.disable_ours(MCCP3)
            self.emit(CompressionFailed(str(fault)))
        else:
            self._scan(piece)

    def _refuse_stream(self) -> None:
        """A stream began that was not agreed on, so what follows is no text."""
        if self._inflater is None:
            self._inflater = Inflater(InflationLimits())
        self._inflater.break_off("it began without agreement")
        self._scanner.stop()

    def _take_events(self) -> list[TelnetEvent]:
        events = self._events
        if not events:
            return []
        self._events = []
        return events

    def _report_flood(self, verb: int, code: int) -> None:
        self.heard_anomaly(AnomalyKind.NEGOTIATION_FLOOD, f"{command_name(verb)} {option_name(code)} not answered")

    def _want(self, code: int, *, ours: bool, enabled: bool) -> None:
        was_on = self._negotiation.is_on(code, ours)
        verb = self._negotiation.want(code, ours, enabled)
        if verb is not None:
            self._out.append(bytes((IAC, verb, code)))
            if was_on:
                self._tell(code, ours, Change.DISABLED)

    def _tell(self, code: int, ours: bool, change: Change) -> None:
        if change is Change.REFUSED and not self._repertoire.minds_refusal(code):
            return
        option = self._repertoire.get(code)
        if option is None:
            return
        if change is Change.REFUSED:
            self._guard(code, option.on_refused, self)
        elif ours:
            self._guard(code, option.on_ours, self, change is Change.ENABLED)
        else:
            self._guard(code, option.on_theirs, self, change is Change.ENABLED)

    def _guard(self, code: int, step: Callable[[*Args], None], *args: *Args) -> None:
        """Run a step of an option; if it raises, that option is over and nothing else."""
        try:
            step(*args)
        except Exception as error:  # noqa: BLE001 - the event carries it to the driver, which logs it
            self._give_up(code, error)

    def _give_up(self, code: int, error: Exception) -> None:
        self._repertoire.fail(code)
        self._deadlines.stop(_OPTION | code)
        self.emit(OptionFailed(code, error))
        self.disable_ours(code)
        self.disable_theirs(code)

    def _pass(self, key: int) -> None:
        """A deadline has passed."""
        if key >= _OPTION:
            option = self._repertoire.get(key - _OPTION)
            if option is not None:
                self._guard(key - _OPTION, option.on_deadline, self)
        elif key == _PAYLOAD:
            self._scanner.give_up_payload()
            self._unfinished = None
            self.heard_anomaly(
                AnomalyKind.UNFINISHED_SUBNEGOTIATION,
                f"after {PAYLOAD_DEADLINE:g} seconds for option {self._scanner.option}",
            )
        elif key != _ARE_YOU_THERE:
            unanswered = self._negotiation.expire(key)
            if unanswered is not None:
                self._tell(unanswered, ours=True, change=Change.REFUSED)

    def _awaits_nothing(self) -> bool:
        """Whether every question is answered, and every option content with the answers."""
        if self._negotiation.is_asking:
            return False
        for code, option in self._repertoire.in_use():
            try:
                if not option.is_settled(self):
                    return False
            except Exception as error:  # noqa: BLE001 - as in `_guard`
                self._give_up(code, error)
        return True

    def _time_payload(self) -> None:
        """Another payload is unfinished than before, or none."""
        self._unfinished = self._scanner.payload
        if self._unfinished is None:
            self._deadlines.stop(_PAYLOAD)
        else:
            self._deadlines.start(_PAYLOAD, PAYLOAD_DEADLINE)

    def _say_yes(self) -> None:
        if self.are_you_there and _ARE_YOU_THERE not in self._deadlines:
            self._deadlines.start(_ARE_YOU_THERE, ARE_YOU_THERE_PERIOD)
            self.send_text(f"\n{self.are_you_there}\n")

    def _drop_text(self) -> None:
        """Drop the text that is queued; what telnet itself has to say must be said all the same.

        The mark tells the peer where output begins again (RFC 854).
        """
        self._out[:] = [data for data in self._out if data[:1] == _IAC and data[:2] != _IAC_IAC]
        self._out.append(_DATA_MARK)


class _Opening(NamedTuple):
    """How every connection begins that speaks the same options."""

    prototypes: Prototypes
    offers: bytes
    deadlines: Deadlines
    negotiation: Negotiation


# A server has one list of options for all its connections, and its offers are a good part of what a connect costs.
@lru_cache(maxsize=8)
def _open(options: tuple[Option, ...], settle_within: float | None) -> _Opening:
    prototypes = Prototypes(options)
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
        deadlines.start(_SETTLING, settle_within)
    return _Opening(prototypes, bytes(offers), deadlines, negotiation)
