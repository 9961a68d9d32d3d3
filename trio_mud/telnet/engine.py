"""The telnet engine: bytes in, events out, bytes back.

It never waits, never logs, has no clock and knows no socket, so it behaves the same under any transport and in any
test.  It is made of a scanner (commands out of the stream), a line assembler, the negotiation table and a repertoire of
options; here they meet.  The driver's connection owns one; so may a client, a bot or a test.
"""

import codecs
import math
from collections.abc import Callable, Iterable
from typing import Final, TypeVarTuple

from .codes import DO, ECHO, GA, IAC, NOP, SB, SE, TIMING_MARK, WILL, command_name, option_name
from .events import (
    Anomaly,
    AnomalyKind,
    Command,
    EchoRefused,
    OptionFailed,
    Subnegotiation,
    TelnetEvent,
)
from .lines import LineAssembler
from .negotiation import Change, Negotiation
from .options import DEFAULT_OPTIONS, Option, Policy
from .repertoire import Repertoire
from .scanner import Scanner, in_text

_IAC: Final = bytes((IAC,))
_IAC_IAC: Final = bytes((IAC, IAC))
_GO_AHEAD: Final = bytes((IAC, GA))
_ASCII: Final = bytes(range(128))

Args = TypeVarTuple("Args")


class TelnetEngine:
    """One connection's telnet, as a machine to be driven.

    Three calls drive it.  Pass what the peer sent to `receive` and act on the events it returns; after that, and
    after any other call, send what `data_to_send` returns; and call `tick` when `next_deadline` has come.

    Whatever the peer sends, nothing raises and nothing grows without bound: its faults come back as `Anomaly`.

    Args:
        options: What this engine speaks; the offers among them are queued at once, in this order.
        line_limit: Bytes of a line that are kept.
        subnegotiation_limit: Bytes of a payload that are collected; an option may name its own limit.

    Source: RFC 854, 855, 1123 3.2-3.3
    """

    __slots__ = (
        "_events",
        "_is_hiding",
        "_lines",
        "_negotiation",
        "_out",
        "_repertoire",
        "_scanner",
        "_subnegotiation_limit",
        "prompt_mark",
    )

    def __init__(
        self,
        options: Iterable[Option] = DEFAULT_OPTIONS,
        *,
        line_limit: int = 4096,  # bytes; Evennia keeps 6000, LDMud 1000
        subnegotiation_limit: int = 8192,  # bytes; libtelnet keeps 16 KiB, Twisted 4
    ) -> None:
        # RFC 854: GA says "your turn" as long as SGA is not agreed.
        self.prompt_mark = _GO_AHEAD  # sent behind each prompt; an option may replace it
        self._events: list[TelnetEvent] = []
        self._out: list[bytes] = []
        self._is_hiding = False
        self._scanner = Scanner()
        self._lines = LineAssembler(line_limit)
        self._negotiation = Negotiation()
        self._subnegotiation_limit = subnegotiation_limit
        self._repertoire = Repertoire(options)
        for option in self._repertoire:
            if option.ours is Policy.OFFER:
                self.enable_ours(option.code)
            if option.theirs is Policy.OFFER:
                self.enable_theirs(option.code)

    # What the connection calls.

    def receive(self, data: bytes) -> list[TelnetEvent]:
        """Take bytes from the peer and return what they mean, in order.

        The events are the same however the bytes are cut into calls.
        """
        if self._scanner.state is in_text and IAC not in data:
            self._lines.receive(data, self._events)
        else:
            self._scanner.receive(data, self)
        return self._take_events()

    @property
    def pending(self) -> bool:
        """Whether bounded work is left from bytes already received: if so, call `receive(b"")` before reading on.

        Always false as long as no option compresses what the peer sends.
        """
        return False

    def data_to_send(self) -> bytes:
        """Take everything queued for the peer; empty if there is nothing.

        Call it until it is empty.  What one call returns must go out in one write: Mudlet looks no further
        than one segment for the start of a compressed stream.
        """
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    @property
    def has_data_to_send(self) -> bool:
        """Whether `data_to_send` would return anything."""
        return bool(self._out)

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
        if hidden == self._is_hiding:
            return
        self._is_hiding = hidden
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
        return self._is_hiding

    def tick(self, now: float) -> list[TelnetEvent]:
        """Tell the time in seconds of any clock that does not go back; return what has happened by it.

        Questions put to the peer since the last tick are counted from now.
        """
        for code in self._negotiation.expire(now):
            option = self._repertoire.get(code)
            if option is not None:
                self._guard(code, option.on_refused, self)
        return self._take_events()

    @property
    def next_deadline(self) -> float | None:
        """When to call `tick`: -inf for as soon as possible, None for not at all as things stand."""
        return -math.inf if self._events else self._negotiation.next_deadline

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
        """Report a command, except those that ask for nothing."""
        if code not in (NOP, GA):
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
            self._repertoire.fail(code)
            self.emit(OptionFailed(code, error))
            self.disable_ours(code)
            self.disable_theirs(code)
