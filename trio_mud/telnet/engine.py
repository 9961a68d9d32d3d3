"""The telnet engine: received bytes in, events out, bytes to send back.

It never waits, never logs, and has no clock and no socket, so it behaves the same under any transport and in any test.
The driver's link owns one; a client, a bot or a test can own one as well. Data flows through its parts like this:

    receive ──► scanner ──► interpreter ──► lines · negotiation · option set ──► an option
           └─ plain text ───────────────────┘
    send_text ──► encoding ──► outgoing ──► (compression) ──► data_to_send
"""

import math
from collections.abc import Iterable

from ..compiled import mypyc_attr
from .clock import expire, is_due_to_settle
from .codes import ECHO, MCCP2
from .compression import UNUSED, Inflater, InflationLimits
from .deadlines import COMPRESSION
from .encoding import check_charset, encode
from .events import EchoRejected, TelnetEvent
from .first_answers import adopt_first_answers
from .initial_state import initial_state
from .interpreter import Interpreter
from .lines import LineAssembler
from .negotiation import Change
from .option_set import OptionSet
from .options import DEFAULT_OPTIONS, Option
from .options.base import AnOption
from .options.echo import hide_input
from .options.prompts import prompt_mark
from .outgoing import OutputQueue
from .scanner import Scanner, in_text


@mypyc_attr(allow_interpreted_subclasses=True)
class TelnetEngine:
    """The telnet state machine of one connection.

    The caller makes three calls. Pass received bytes to `receive` and handle the events it returns. After that and
    after any other call, send the bytes that `data_to_send` returns. Call `tick` when `next_deadline` has come.

    No input from the peer raises an exception or makes the engine grow without bound. Faults of the peer are returned
    as `Anomaly` events.

    Args:
        options: The supported options; the offers among them are queued at once, in this order.
        line_limit: Maximum bytes of a line; the rest is discarded.
        subnegotiation_limit: Maximum bytes of a payload; an option may set its own limit.
        settle_within: Seconds from the first tick after which `NegotiationSettled` is reported even if answers are
            missing; None: it is never reported.
        are_you_there: The answer to AYT, sent at most once a second; empty for no answer.

    Source: RFC 854, 855, 1123 3.2-3.3
    """

    # The attributes are for the other modules of this package; users of an engine and authors of options call methods.
    __slots__ = (
        "_mark",
        "_mark_changes",
        "are_you_there",
        "chosen_charset",
        "deadlines",
        "encoding",
        "events",
        "inflater",
        "initial",
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
        line_limit: int = 4096,  # bytes; Evennia allows 6000, LDMud 1000
        subnegotiation_limit: int = 8192,  # bytes; libtelnet allows 16 KiB, Twisted 4
        settle_within: float | None = 1.0,  # seconds
        are_you_there: str = "[Yes]",
    ) -> None:
        self.initial = initial = initial_state(tuple(options), settle_within)
        self.are_you_there = are_you_there
        self.subnegotiation_limit = subnegotiation_limit
        self.events: list[TelnetEvent] = []
        self.unfinished: bytearray | None = None  # the payload that the PAYLOAD deadline counts for
        self.inflater: Inflater | None = None  # created at the first compressed stream
        self.scanner = Scanner()
        self.lines = LineAssembler(line_limit)
        self.encoding = "utf-8"  # of output; set by `charset`
        self.chosen_charset: str | None = None
        self.outgoing = OutputQueue(initial.offers)
        self.deadlines = initial.deadlines.copy()
        self.negotiation = initial.negotiation.copy(self.deadlines)
        self.option_set = OptionSet(initial.options, self.deadlines)
        self._mark = b""
        self._mark_changes = -1  # `negotiation.changes` when the mark was computed

    # Called by the connection.

    def receive_line(self, data: bytes) -> str | None:
        """Return the text of bytes that are one short line of printable ASCII; None leaves them to `receive`.

        This is the fast path for typed lines. Such a line changes nothing else: no output is queued and no deadline
        starts.
        """
        if self.scanner.state is not in_text or self.inflater is not None or self.events:
            return None
        return self.lines.receive_line(data)

    def receive(self, data: bytes) -> list[TelnetEvent]:
        """Process bytes from the peer and return their events in order.

        The events do not depend on how the bytes are split into calls.
        """
        if self.inflater is not None:
            self.inflater.feed(data)
        elif not adopt_first_answers(self, data):
            Interpreter(self).read(data)
        if self.inflater is not None:  # a stream may have begun in this call
            Interpreter(self).read_on(self.inflater)
        return self._take_events()

    @property
    def has_partial_line(self) -> bool:
        """True if the beginning of a line was received and its end was not."""
        return self.lines.is_unfinished

    @property
    def pending(self) -> bool:
        """True if received bytes remain to be processed: call `receive(b"")` before reading on.

        It is always False as long as no option inflates the peer's bytes.
        """
        return self.inflater is not None and self.inflater.is_full and not self.inflater.is_paused

    @property
    def is_full(self) -> bool:
        """True if received bytes wait here, either for `receive(b"")` or, above the inflation limits, for `tick`.

        While it is True, do not read from the peer: the waiting bytes have no other bound.
        """
        return self.inflater is not None and self.inflater.is_full

    def take_cost(self) -> int:
        """Return the cost of the work done by `receive` since the last call, for a caller with a budget for each peer.

        A command or a negotiation costs 256, and a payload 256 plus 1 for each byte. An editing key costs 256, a
        doubled ff in text 64. A compressed byte costs 1, as does a byte beyond the limit of a line. In a finished line
        each byte after the first 128 costs 8. Short lines cost nothing here, because the caller can count them, nor
        does the one unfinished line.
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
        """Return the bytes queued for the peer and remove them; b"" if there are none.

        Call it until it returns b"". Send the result of each call in one write: Mudlet looks for the start of a
        compressed stream in one segment only.
        """
        data = self.outgoing.take()
        deflater = self.outgoing.deflater
        if deflater is not None and deflater.holds_memory and COMPRESSION not in self.deadlines:
            self.deadlines.start(COMPRESSION, UNUSED)
        return data

    @property
    def has_data_to_send(self) -> bool:
        """True if `data_to_send` would return anything."""
        return self.outgoing.has_data

    @property
    def is_quiet(self) -> bool:
        """True if nothing is left to do: nothing to send, no deadline, no unprocessed input.

        It is False as long as anything is compressed.
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
        """Send plain bytes from here on, so that another process can take over the socket.

        Output queued so far is sent as it was.

        It also withdraws an offer of MCCP2. `enable_ours` offers it again.
        """
        self.disable_ours(MCCP2)

    def encode(self, text: str) -> bytes:
        """Encode text for the peer, with newlines as CR LF and ff doubled.

        It queues nothing and changes nothing, so engines with the same `charset` can share the result. A character
        that is missing in the charset becomes a question mark. A lone CR becomes CR NUL (RFC 854), and NUL is removed.
        """
        return encode(text, self.encoding)

    def send_encoded(self, data: bytes) -> None:
        """Queue bytes returned by `encode` of this engine or of one with the same charset."""
        self.outgoing.queue.append(data)

    def send_text(self, text: str) -> None:
        """Queue text. The line is not ended: include the newline."""
        self.outgoing.put(encode(text, self.encoding))

    def send_prompt(self, text: str) -> None:
        """Queue text and the prompt mark as one chunk, so that both are sent in one write."""
        self.outgoing.put(encode(text, self.encoding) + self.prompt_mark)

    def hide_input(self, hidden: bool, *, ends_line: bool = True) -> None:
        """Ask the peer to stop showing typed input, or to show it again.

        The peer may refuse, which is reported as `EchoRejected`. A peer that hid its input did not show the Enter
        either, so a line end is sent before input shows again. Pass `ends_line=False` if one was sent already.
        """
        if hidden == self.lines.hidden:
            return
        self.lines.hidden = hidden
        if hidden and self.option_set.get(ECHO) is None:
            self.emit(EchoRejected())
        else:
            hide_input(self, hidden, ends_line)

    @property
    def input_hidden(self) -> bool:
        """True if input typed now should be hidden, whether or not the peer agreed. Do not log it."""
        return self.lines.hidden

    @property
    def may_still_hide(self) -> bool:
        """True if the peer was asked to show input again and has not confirmed it. Some clients never do."""
        return self.negotiation.is_unconfirmed(ECHO, ours=True)

    @property
    def prompt_mark(self) -> bytes:
        """The mark after each prompt, by which clients recognise it: EOR, GA or nothing.

        EOR if it is agreed. GA as in RFC 854 if the peer refused EOR, unless SGA is agreed. Nothing until the peer has
        answered: it may still agree, or it may not speak telnet and would show the bytes.
        """
        if self._mark_changes != self.negotiation.changes:
            self._mark_changes = self.negotiation.changes
            self._mark = prompt_mark(self.negotiation)
        return self._mark

    def option(self, kind: type[AnOption]) -> AnOption | None:
        """Return this connection's copy of an option; None if the option is not supported or has failed."""
        option = self.option_set.get(kind.code)
        return option if isinstance(option, kind) else None

    def tick(self, now: float, *, is_read: bool = True) -> list[TelnetEvent]:
        """Advance the time, and return the events of deadlines that have expired.

        A deadline started since the last tick, such as that of a question to the peer, counts from now.

        Args:
            now: The time in seconds, from any clock that does not go back.
            is_read: True if all received bytes were passed to `receive`. If False, an unfinished payload does not time
                out, because its end may have been received.
        """
        expire(self, now, is_read=is_read)
        return self._take_events()

    @property
    def next_deadline(self) -> float | None:
        """The time at which to call `tick`: -inf for as soon as possible, None if no call is needed.

        Any other call may change it, including `receive`.
        """
        if self.events:
            return -math.inf
        deadline = self.deadlines.next
        if deadline is not None and (deadline == -math.inf or is_due_to_settle(self)):
            return -math.inf
        if self.inflater is not None and (allowed := self.inflater.next_deadline) is not None:
            deadline = allowed if deadline is None else min(deadline, allowed)
        return deadline

    @property
    def has_answers(self) -> bool:
        """True if the peer has answered any question, and therefore speaks telnet."""
        return self.negotiation.has_answers

    @property
    def charset(self) -> str:
        """The charset of text in both directions, as the canonical name of a Python codec.

        A change applies to text sent and lines finished from now on. Setting a charset that is not a superset of ASCII
        raises ValueError, because telnet cannot be read in it; an unknown one raises LookupError.

        With "ascii", lines are read as UTF-8: a peer that sends more than ASCII most likely sends UTF-8.
        """
        return self.encoding

    @charset.setter
    def charset(self, name: str) -> None:
        self.encoding = check_charset(name)
        self.lines.charset = "utf-8" if self.encoding == "ascii" else self.encoding

    def choose_charset(self, name: str | None) -> None:
        """Set the charset chosen by the user; negotiation does not change it. None allows negotiation again.

        Raises:
            LookupError: The codec is unknown.
            ValueError: It is not a superset of ASCII.
        """
        if name is not None:
            self.charset = name
            name = self.encoding
        self.chosen_charset = name

    def agree_charset(self, name: str) -> None:
        """Use the charset agreed with the peer, unless the user has chosen one."""
        if self.chosen_charset is None:
            self.charset = name

    # Called by options; documented in `Engine`.

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

    # Internal.

    def _want(self, code: int, *, ours: bool, enabled: bool) -> None:
        was_on = self.negotiation.is_on(code, ours)
        verb = self.negotiation.want(code, ours, enabled)
        if verb is not None:
            self.outgoing.put_verb(verb, code)
            if was_on:
                self.option_set.notify(self, code, ours, Change.DISABLED)

    def _take_events(self) -> list[TelnetEvent]:
        events = self.events
        if not events:
            return []
        self.events = []
        return events
