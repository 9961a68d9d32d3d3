"""The telnet engine: bytes in, events out, bytes back.

It never waits, never logs, has no clock and knows no socket, so it behaves the same under any transport and in any
test.  The driver's connection owns one; so may a client, a bot or a test.  Here its parts meet:

    receive ──► scanner ──► interpreter ──► lines · negotiation · option set ──► an option
           └─ plain text ───────────────────┘
    send_text ──► encoding ──► outgoing ──► (compression) ──► data_to_send
"""

import math
from collections.abc import Iterable

from .clock import expire, is_due_to_settle
from .codes import ECHO, MCCP2
from .compression import Inflater, InflationLimits
from .encoding import check_charset, encode
from .events import EchoRefused, TelnetEvent
from .initial_state import initial_state
from .interpreter import Interpreter
from .lines import LineAssembler
from .negotiation import Change
from .option_set import OptionSet
from .options import DEFAULT_OPTIONS, Option
from .options.base import AnOption, Engine
from .options.echo import hide_input
from .options.prompts import prompt_mark
from .outgoing import Outgoing
from .scanner import Scanner, in_text


class TelnetEngine(Engine):
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

    # The parts are for the other modules of this package; whoever drives an engine or writes an option calls methods.
    __slots__ = (
        "_mark",
        "_mark_changes",
        "are_you_there",
        "chosen_charset",
        "deadlines",
        "encoding",
        "events",
        "inflater",
        "lines",
        "negotiation",
        "option_set",
        "outgoing",
        "scanner",
        "subnegotiation_limit",
        "unfinished",
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
        initial = initial_state(tuple(options), settle_within)
        self.are_you_there = are_you_there
        self.subnegotiation_limit = subnegotiation_limit
        self.events: list[TelnetEvent] = []
        self.unfinished: bytearray | None = None  # the payload that a deadline is running for
        self.inflater: Inflater | None = None  # once anything was compressed
        self.scanner = Scanner()
        self.lines = LineAssembler(line_limit)
        self.encoding = "utf-8"  # of text on its way out; `charset` sets it
        self.chosen_charset: str | None = None
        self.outgoing = Outgoing(initial.offers)
        self.deadlines = initial.deadlines.copy()
        self.negotiation = initial.negotiation.copy(self.deadlines)
        self.option_set = OptionSet(initial.options, self.deadlines)
        self._mark = b""
        self._mark_changes = -1  # what the negotiation had counted when it was looked up

    # What the connection calls.

    def receive_line(self, data: bytes) -> str | None:
        """Take bytes that are one short line of printable ASCII, as most are; None leaves them to `receive`.

        Such a line leads to nothing else: there is nothing new to send, and no other moment to wait for.
        """
        if self.scanner.state is not in_text or self.inflater is not None or self.events:
            return None
        return self.lines.receive_line(data)

    def receive(self, data: bytes) -> list[TelnetEvent]:
        """Take bytes from the peer and return what they mean, in order.

        The events are the same however the bytes are cut into calls.
        """
        if self.inflater is not None:
            self.inflater.feed(data)
        else:
            Interpreter(self).read(data)
        if self.inflater is not None:  # perhaps since a moment ago
            Interpreter(self).read_on(self.inflater)
        return self._take_events()

    @property
    def is_amid_line(self) -> bool:
        """Whether the beginning of a line has come and its end has not."""
        return self.lines.is_unfinished

    @property
    def pending(self) -> bool:
        """Whether bounded work is left from bytes already received: if so, call `receive(b"")` before reading on.

        Always false as long as no option compresses what the peer sends.
        """
        return self.inflater is not None and self.inflater.is_full and not self.inflater.is_paused

    @property
    def is_full(self) -> bool:
        """Whether received bytes wait in here, for `receive(b"")` or, past what a peer may make of them, for `tick`.

        If so, read nothing from the peer, for there is no other bound to what waits.
        """
        return self.inflater is not None and self.inflater.is_full

    def take_cost(self) -> int:
        """What `receive` has worked on since the last call, for whoever grants a peer so much and no more.

        A command or a negotiation costs 256, a payload 256 and 1 for each byte; an editing key 256, a doubled ff in
        text 64, and a byte of a compressed stream, or one that a line has no room for, 1.  A byte of a line beyond
        the first 128 costs 8, once the line is whole.  The rest is short lines, which can be counted, and one
        unfinished line.
        """
        scanner, lines, inflater = self.scanner, self.lines, self.inflater
        cost = scanner.cost + lines.cost
        if cost:
            scanner.cost = lines.cost = 0
        if inflater is not None:
            cost += inflater.cost
            inflater.cost = 0
        return cost

    def data_to_send(self) -> bytes:
        """Take everything queued for the peer; empty if there is nothing.

        Call it until it is empty.  What one call returns must go out in one write: Mudlet looks no further
        than one segment for the start of a compressed stream.
        """
        return self.outgoing.take()

    @property
    def has_data_to_send(self) -> bool:
        """Whether `data_to_send` would return anything."""
        return self.outgoing.has_data

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to see to: nothing to send, no moment to wait for, no input left inside.

        While anything is compressed it is not quiet.
        """
        deadlines, outgoing = self.deadlines, self.outgoing
        return (
            deadlines.due is None
            and deadlines.fresh is None
            and not outgoing.queue
            and outgoing.deflater is None
            and self.inflater is None
            and not self.events
        )

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
        return encode(text, self.encoding)

    def send_encoded(self, data: bytes) -> None:
        """Queue bytes made by `encode`, of this engine or of one with the same charset."""
        self.outgoing.queue.append(data)

    def send_text(self, text: str) -> None:
        """Queue text; it does not end the line, so write the newline yourself."""
        self.outgoing.put(encode(text, self.encoding))

    def send_prompt(self, text: str) -> None:
        """Queue text and the mark by which clients know a prompt, so that both leave in one write."""
        self.outgoing.put(encode(text, self.encoding) + self.prompt_mark)

    def hide_input(self, hidden: bool, *, ends_line: bool = True) -> None:
        """Ask the peer not to show what is typed, or to show it again.

        The peer may refuse; `EchoRefused` then says so.  When it did hide the input it did not show the Enter
        either, so showing again begins with a line end of ours; `ends_line` is false if there was one already.
        """
        if hidden == self.lines.hidden:
            return
        self.lines.hidden = hidden
        if hidden and self.option_set.get(ECHO) is None:
            self.emit(EchoRefused())
        else:
            hide_input(self, hidden, ends_line)

    @property
    def input_hidden(self) -> bool:
        """Whether what is typed now is meant to be hidden, if the peer agreed or not: do not log it."""
        return self.lines.hidden

    @property
    def prompt_mark(self) -> bytes:
        """What stands behind each prompt, so that clients know it for one: EOR, GA or nothing, never both.

        EOR if that is agreed.  GA as RFC 854 has it if the peer refused EOR, unless SGA is agreed; but not as long as
        it has not answered, for perhaps it will agree, or knows no telnet and would show the bytes.
        """
        if self._mark_changes != self.negotiation.changes:
            self._mark_changes = self.negotiation.changes
            self._mark = prompt_mark(self.negotiation)
        return self._mark

    def option(self, kind: type[AnOption]) -> AnOption | None:
        """This connection's own copy of an option, to call its methods; None without it, or when it has failed."""
        option = self.option_set.get(kind.code)
        return option if isinstance(option, kind) else None

    def tick(self, now: float, *, is_read: bool = True) -> list[TelnetEvent]:
        """Tell the time in seconds of any clock that does not go back; return what has happened by it.

        Whatever began since the last tick, such as a question put to the peer, is counted from now.

        Args:
            now: The time.
            is_read: Whether all that came was given to `receive`. If not, no unfinished payload is given up,
                for its end may have come.
        """
        expire(self, now, is_read=is_read)
        return self._take_events()

    @property
    def next_deadline(self) -> float | None:
        """When to call `tick`: -inf for as soon as possible, None for not at all as things stand.

        Any other call may change it, `receive` too.
        """
        if self.events:
            return -math.inf
        deadline = self.deadlines.next
        if deadline is not None and is_due_to_settle(self):
            return -math.inf
        if self.inflater is not None and (allowed := self.inflater.next_deadline) is not None:
            deadline = allowed if deadline is None else min(deadline, allowed)
        return deadline

    @property
    def has_answers(self) -> bool:
        """True if the peer has answered anything that it was asked, so that it speaks telnet."""
        return self.negotiation.has_answers

    @property
    def charset(self) -> str:
        """The Python codec, by its canonical name, in which text travels both ways.

        A change holds for text sent and lines finished from now on.  Setting one that is not a superset of ASCII
        raises ValueError, for telnet could not be read in it, and an unknown one LookupError.

        With "ascii", lines are read as UTF-8: a peer that sends more than it claims to know most likely means that.
        """
        return self.encoding

    @charset.setter
    def charset(self, name: str) -> None:
        self.encoding = check_charset(name)
        self.lines.charset = "utf-8" if self.encoding == "ascii" else self.encoding

    def choose_charset(self, name: str | None) -> None:
        """Set the charset by the user's own choice, which no negotiation changes any more; None lets it change again.

        Raises:
            LookupError: The codec is unknown.
            ValueError: It is not a superset of ASCII.
        """
        if name is not None:
            self.charset = name
            name = self.encoding
        self.chosen_charset = name

    def agree_charset(self, name: str) -> None:
        """Use the charset that was agreed with the peer, unless the user has chosen one."""
        if self.chosen_charset is None:
            self.charset = name

    # What options call: `Engine` says what each does.

    def emit(self, event: TelnetEvent) -> None:
        self.events.append(event)

    def send_subnegotiation(self, code: int, payload: bytes) -> None:
        self.outgoing.put_payload(code, payload)

    def start_compression(self) -> None:
        self.outgoing.start_compression()

    def stop_compression(self) -> None:
        self.outgoing.stop_compression()

    def start_inflation(self, limits: InflationLimits) -> None:
        if self.inflater is None:
            self.inflater = Inflater(limits)
        self.inflater.begin()
        self.scanner.stop()

    def set_deadline(self, code: int, seconds: float) -> None:
        self.option_set.start_deadline(code, seconds)

    def enable_ours(self, code: int) -> None:
        self._want(code, ours=True, enabled=True)

    def disable_ours(self, code: int) -> None:
        self._want(code, ours=True, enabled=False)

    def enable_theirs(self, code: int) -> None:
        self._want(code, ours=False, enabled=True)

    def disable_theirs(self, code: int) -> None:
        self._want(code, ours=False, enabled=False)

    def is_ours(self, code: int) -> bool:
        return self.negotiation.is_on(code, ours=True)

    def is_theirs(self, code: int) -> bool:
        return self.negotiation.is_on(code, ours=False)

    # Its own.

    def _want(self, code: int, *, ours: bool, enabled: bool) -> None:
        was_on = self.negotiation.is_on(code, ours)
        verb = self.negotiation.want(code, ours, enabled)
        if verb is not None:
            self.outgoing.put_verb(verb, code)
            if was_on:
                self.option_set.tell(self, code, ours, Change.DISABLED)

    def _take_events(self) -> list[TelnetEvent]:
        events = self.events
        if not events:
            return []
        self.events = []
        return events
