"""The receiving half of a telnet link: converts bytes into lines for the receiver, facts about the client, and events.

Theory of operation
-------------------
`feed` is synchronous: the poller or the connection's own task calls it with received bytes.
The engine is given slices of at most 512 bytes, and only while the receiver has room,
because one read of newlines could produce thousands of lines. The rest waits as bytes.
Compressed bytes wait in the engine instead and are inflated one piece per turn, since their inflated size is unknown.
While any bytes are unparsed the link is full: reading pauses, and TCP slows the sender (backpressure). No input is
dropped.

Bytes are parsed on several occasions: when they are received, when the receiver took a line (`parse_on`),
and when a deadline of the engine passed. A failure in any of them costs this link and nothing else.

Parsing is metered: when a peer exceeds its budget (`core.metering`), the rest waits as bytes for a while.
A slice that costs more than its lines ends the turn, so that the bursts of several peers interleave.

A line typed while a dialog hides input is marked hidden. `_shown` counts the unparsed bytes that came before the
hiding. `_hides_partial` is True if part of an unfinished line came during it. When a question ends without an answer,
one may be on its way: the next line is hidden, too, if it comes before the client confirms that it shows input again.

Used by `telnet.TelnetLink`, whose transport calls `feed` and `room`.
"""

from __future__ import annotations

import logging
import math
from enum import IntEnum
from typing import Final

import trio

from ... import telnet
from ...telnet import Line
from ...telnet.options.mssp import PLAIN_REQUEST
from ...telnet.scanner import COMMAND_COST
from ...text import clean_line
from ...text.cleaning import break_triggers
from ..core.describing import innermost
from ..core.events import Cause
from ..core.guard import interrupt_in
from ..core.metering import Meter
from ..core.timers import Deadline
from .base import ClientKnown, HidingRefused, Interrupted, LineCut, LinkReceiver, OutOfBand, PackagesNamed, Resized
from .client import FactSource, Size
from .outgoing import Outgoing
from .sniffing import ForeignProtocol, answer, detect

logger = logging.getLogger("trio_mud")

SLICE: Final = 512  # bytes given to the engine at once; the receiver can exceed its limit by as many lines
# The least cost of a slice that ends no line: a read costs 90 us, and a held key sends 40 of them a second.
LEAST_COST: Final = 4 * COMMAND_COST
_REQUEST_LENGTH: Final = len(PLAIN_REQUEST)
LATE_ANSWER: Final = 2.0  # seconds that an answer may be on its way; clients confirm within one round trip, if ever


class Hiding(IntEnum):
    """Whether typed lines are marked hidden, for a dialog's question; false if they are not."""

    NO = 0
    YES = 1
    LATE = 2  # the next line only: a question has ended without its answer


class Incoming:
    """The input of one peer, from the transport to the receiver.

    Attributes:
        anomalies: The number of framing faults and floods by the peer so far.
        hides_input: Whether typed lines are marked hidden, for a dialog's question.
        drops_input: True once all further input is dropped.
        is_paused: True while the peer has exceeded its budget: nothing more is parsed or read.
        is_stale: True if bytes were parsed since the engine's deadline was last read.
        receiver: Receives the lines and events.
    """

    __slots__ = (
        "_first",
        "_has_unparsed",
        "_hides_partial",
        "_is_sure",
        "_late",
        "_link",
        "_meter",
        "_raw",
        "_shown",
        "_size",
        "_skips_line",
        "anomalies",
        "drops_input",
        "hides_input",
        "is_paused",
        "is_stale",
        "receiver",
    )

    receiver: LinkReceiver

    def __init__(self, link: Outgoing) -> None:
        self._link = link
        self._first = b""  # the first bytes, until it is certain that they are not a foreign protocol
        self._is_sure = False
        self._raw: bytearray | None = None  # bytes not given to the engine yet
        self._shown = 0  # how many of them came before input was hidden
        self._has_unparsed = False  # the engine holds unparsed bytes
        self._hides_partial = False  # part of the unfinished line came while input was hidden
        self._skips_line = False  # the unfinished line was discarded
        self._late: Deadline | None = None  # the end of `Hiding.LATE`
        self._meter: Meter | None = None  # once the peer has sent anything other than lines
        self._size: Size | None = None  # the last window size in the bytes being parsed
        self.hides_input = Hiding.NO
        self.drops_input = False
        self.is_paused = False
        self.is_stale = True
        self.anomalies = 0

    # Called by the transport

    def feed(self, data: bytes) -> bool:
        """Take received bytes; return True if there is room for more. Never raises."""
        link = self._link
        link._traffic.received += len(data)
        if link._is_stopped:
            return True
        try:
            if not self._is_sure:
                if not (data := self._sniff(data)):
                    return True
            elif not (
                self.hides_input or link.has_unparsed or self.drops_input or self.is_paused or self.receiver.is_full
            ):
                line = link.engine.receive_line(data)
                if line is not None:  # fast path: one whole line of printable ASCII, as most reads are
                    if len(line) == _REQUEST_LENGTH and line.upper() == PLAIN_REQUEST:
                        link.answer_crawler()
                        return True
                    return self.receiver.received_line(break_triggers(line), False)
            self._take(data)
            self._after_parsing()
        except BaseException as error:  # noqa: BLE001 - an option of the game; the poller's task reads for all
            link._fail(error)
            return True
        return not self.is_full

    async def room(self) -> None:
        """Wait until there is room for more."""
        await self.receiver.wait_until(lambda: not self.is_full)

    def lost(self, error: trio.BrokenResourceError) -> None:
        """End the connection, because the link is lost."""
        self._link._fail(error)

    @property
    def is_full(self) -> bool:
        """True if reading must pause: too much input waits, the budget is spent, or the peer does not read."""
        # The last one: a peer that sends and never reads would otherwise cause answers without bound.
        link = self._link
        return link.has_unparsed or self.receiver.is_full or self.is_paused or len(link._unsent) > link._limit

    # Called by the link

    @property
    def can_parse(self) -> bool:
        """True if `parse_on` would make progress now."""
        if self.is_paused:
            return False
        return self._link.engine.pending if self._has_unparsed else self._raw is not None

    def parse_on(self) -> None:
        """Parse waiting bytes, as far as the receiver has room."""
        try:
            self._parse()
            self._after_parsing()
        except BaseException as error:  # noqa: BLE001 - as in `feed`
            self._link._fail(error)

    def stop(self) -> None:
        """Stop metering, because the ending is decided, so that every line before an end of file is handled."""
        self.is_paused = False
        if self._meter is not None:
            self._meter.end()
            self._meter = None

    def drop_full_meter(self) -> None:
        """Free the meter if its bucket is full again, as that of most clients is after their first answers."""
        if self._meter is not None and self._meter.is_full:
            self._meter = None

    def drop(self) -> None:
        """Drop unparsed bytes, and all later ones."""
        self.drops_input = True
        self._raw = None
        self._has_unparsed = self._link.has_unparsed = self.is_paused = False

    def discard(self) -> bool:
        """Drop the unparsed lines; return True if bytes were lost.

        Telnet commands among them are still handled: a lost answer would leave an option half negotiated.
        """
        link = self._link
        raw, self._raw, self._shown = self._raw, None, 0
        loses_bytes = raw is not None or link.engine.has_partial_line
        link.has_unparsed = self._has_unparsed
        try:
            if raw is not None and not self._has_unparsed:
                self._receive(bytes(raw), False, drops_lines=True)
            self._skips_line = link.engine.has_partial_line
            self._after_parsing()
        except BaseException as error:  # noqa: BLE001 - as in `feed`
            link._fail(error)
        return loses_bytes

    def report(self, event: telnet.TelnetEvent) -> None:
        """Act on one engine event that is not a whole line."""
        receiver, client, context = self.receiver, self._link.client, self._link._host.context
        match event:  # the most frequent first, since each case takes time
            case telnet.NegotiationSettled():
                client.is_ready = True
                receiver.received(ClientKnown())
            case telnet.GmcpReceived(package, data):
                receiver.received(OutOfBand("gmcp", package, data))
            case telnet.MsdpReceived(variable, value):
                receiver.received(OutOfBand("msdp", variable, value))
            case telnet.InterruptReceived(kind):
                receiver.received(Interrupted(kind))
            case telnet.WindowResized(columns, rows):
                self._size = Size(columns or 80, rows or 24)
            case telnet.TerminalType(name):
                client._learn_terminal_name(name)
            case telnet.ClientVariable(name, str() as value):
                client._learn_variable(name, value)
            case telnet.CharsetAgreed(name):
                client._learn_charset(name, FactSource.CHARSET)
            case telnet.CharsetRejected(names):
                client._learn_rejected(names)
            case telnet.FeatureAgreed(feature, agreed):
                client._learn(feature, agreed, FactSource.NEGOTIATION)
            case telnet.ClientHello(program, version):
                client._learn("program", program, FactSource.GMCP)
                client._learn("version", version, FactSource.GMCP)
            case telnet.GmcpSupports(packages):
                client.packages = packages
                receiver.received(PackagesNamed())
            case telnet.EchoRejected():
                receiver.received(HidingRefused())
            case telnet.Anomaly():
                self._count(event)
            case telnet.CompressionFailed(detail):
                context.repeats.log(
                    logging.INFO,
                    f"{receiver.label} sent malformed compressed bytes: {detail}",
                    kind="compression",
                    summary="connections sent malformed compressed bytes",
                )
                context.counters["compression failed"] += 1
                receiver.ended(Cause.PROTOCOL, context.texts.protocol_abuse)
            case telnet.OptionFailed(code, error):
                named = f"telnet option {code} failed"
                context.repeats.log(
                    logging.ERROR,
                    f"{named} for {receiver.label}",
                    kind=(named, type(error), innermost(error)),
                    summary=f"{named} with {type(error).__name__}",
                    error=error,
                )
                if (interrupt := interrupt_in(error)) is not None:  # in a group
                    receiver.failed(interrupt)

    def report_size(self) -> None:
        """Report only the last of the parsed sizes: a client whose window is dragged sends dozens."""
        if self._size is not None:
            client = self._link.client
            client._learn("size", self._size, FactSource.NAWS)
            self._size = None
            self.receiver.received(Resized(*client.size))

    def mark_lines(self, hidden: bool, *, was_hidden: bool, is_answered: bool) -> None:
        """Mark lines as hidden from now on, or no longer; without an answer perhaps the next one, too.

        Args:
            hidden: True to mark them.
            was_hidden: True if input was hidden, for a question or by the game itself.
            is_answered: True if the line that was to be hidden has come.
        """
        before = self.hides_input
        self.hides_input = Hiding.YES if hidden else Hiding.NO
        if was_hidden and not hidden and not is_answered and self._link.engine.may_still_hide:
            self.hides_input = Hiding.LATE
            if before is not Hiding.LATE:  # otherwise the answer is on its way already, and no longer than before
                if self._late is not None:
                    self._late.cancel()
                ends_at = trio.current_time() + LATE_ANSWER
                self._late = self._link._host.context.timers.at(ends_at, self._end_late)

    # Steps

    def _end_late(self) -> None:
        if self.hides_input is Hiding.LATE:
            self.hides_input = Hiding.NO

    def _sniff(self, data: bytes) -> bytes:
        """Return the bytes received so far, but b"" while they may be a foreign protocol; end the link if they are."""
        first = self._first + data
        protocol = detect(first)
        self._first = first if protocol is ForeignProtocol.UNDECIDED else b""
        self._is_sure = protocol is None
        if protocol is None:
            return first
        if protocol is not ForeignProtocol.UNDECIDED:
            link, context = self._link, self._link._host.context
            logger.debug("%s speaks %s, not telnet", self.receiver.label, protocol.value)
            context.counters[f"foreign protocol: {protocol.value}"] += 1
            link._queue(answer(protocol, context.texts.not_http))
            self.receiver.ended(Cause.PROTOCOL)
        return b""

    def _take(self, data: bytes) -> None:
        link = self._link
        if len(data) <= SLICE and not link.has_unparsed and not self.is_full:
            self._receive(data, bool(self.hides_input))  # the usual case: nothing waits, so no buffer is needed
            return
        if self._raw is None:
            self._raw = bytearray()
            link.has_unparsed = True
        self._raw += data
        if not self.hides_input:
            self._shown = len(self._raw)
        self._parse()

    def _parse(self) -> None:
        """Parse while there is room and budget, until a slice costs more than its lines.

        A whole read of telnet commands would delay the other players by milliseconds, and the burst of ten peers by 60.
        """
        receiver, is_costly = self.receiver, False
        if self._has_unparsed and self.can_parse and not receiver.is_full:
            is_costly = self._receive(b"", bool(self.hides_input))
        while not (is_costly or self._raw is None or self._has_unparsed or self.is_paused or receiver.is_full):
            # Bytes that came before input was hidden were typed visibly, and must be parsed as a slice of their own.
            is_hidden = bool(self.hides_input) and not self._shown
            piece = bytes(self._raw[: min(SLICE, self._shown or SLICE)])
            del self._raw[: len(piece)]
            self._shown = max(0, self._shown - len(piece))
            if not self._raw:
                self._raw = None
            is_costly = self._receive(piece, is_hidden)

    def _receive(self, data: bytes, is_hidden: bool, *, drops_lines: bool = False) -> bool:
        """Parse these bytes; return True if they cost anything besides their lines."""
        link = self._link
        if link._tail is not None:
            link.flush()  # before a command drops or compresses queued text
        events = link.engine.receive(data)
        cost = link.engine.take_cost()
        if cost < LEAST_COST and Line not in map(type, events):
            cost = LEAST_COST
        if cost:
            self.is_paused = not self._spend(cost)  # before an event can end the connection and its meter
        self._report([event for event in events if type(event) is not Line] if drops_lines else events, is_hidden)
        if self.hides_input is Hiding.LATE and not link.engine.may_still_hide:
            self.hides_input = Hiding.NO
        self._has_unparsed = link.engine.is_full and not self.drops_input
        link.has_unparsed = self._has_unparsed or self._raw is not None
        return bool(cost)

    def _spend(self, cost: int) -> bool:
        """Take the cost of a slice from the budget of `limits.protocol_rate`; return False if parsing must pause.

        Once the ending is decided there are no pauses: the rest of the last read, 4 KiB, is parsed at once, so that
        every line before an end of file is handled. Compressed bytes, which can inflate to much more, get one more
        burst.
        """
        link, context = self._link, self._link._host.context
        rate = context.limits.protocol_rate
        if rate is None or (link._is_stopped and not link.engine.is_full):
            return True
        if self._meter is None:
            self._meter = Meter(rate, context.timers)
        may_go_on = self._meter.spend(cost, self._resume)
        if link._is_stopped:
            self._meter.end()
        return may_go_on

    def _resume(self) -> None:
        self.is_paused = False
        self.receiver.notify()

    def _report(self, events: list[telnet.TelnetEvent], is_hidden: bool) -> None:
        receiver = self.receiver
        for event in events:
            if self.drops_input:
                return  # an earlier event has ended the connection
            if type(event) is not Line:
                self.report(event)
                continue
            if self._skips_line:
                self._skips_line = False
                continue
            line, is_marked = clean_line(event.text), is_hidden or self._hides_partial
            if len(line) == _REQUEST_LENGTH and line.upper() == PLAIN_REQUEST and not is_marked:
                self._link.answer_crawler()
            else:
                receiver.received_line(line, is_marked)
            self._hides_partial = False
            if is_hidden and self.hides_input is Hiding.LATE:
                self.hides_input, is_hidden = Hiding.NO, False
            if event.cut:
                receiver.received(LineCut())
        if is_hidden:  # the line stays hidden even if its rest is typed after the hiding
            self._hides_partial = self._link.engine.has_partial_line

    def _after_parsing(self) -> None:
        """Report and flush after bytes were parsed: the engine may have answers, a deadline, or room for more."""
        self.is_stale = True
        self.report_size()
        link, engine = self._link, self._link.engine
        if link.client._observer is not None:  # an answer that is no fact, such as the agreement on GMCP
            link.client._observer()
        if link._is_unmarked and (mark := engine.prompt_mark):  # the client has just agreed on a prompt mark
            link._mark_prompt(mark)
        if not engine.is_quiet and (engine.has_data_to_send or engine.is_full or engine.next_deadline == -math.inf):
            link.mark_dirty()
        self.receiver.notify()

    def _count(self, anomaly: telnet.Anomaly) -> None:
        """Count a protocol fault by the peer.

        After `limits.max_anomalies` framing faults or floods the connection ends. A harmless fault never ends it.
        """
        context, label = self._link._host.context, self.receiver.label
        logger.debug("%s: %s, %s", label, anomaly.kind, anomaly.detail)
        context.counters[f"anomaly: {anomaly.kind}"] += 1
        if anomaly.kind.is_harmless:
            return
        self.anomalies += 1
        if context.limits.max_anomalies is not None and self.anomalies >= context.limits.max_anomalies:
            self.receiver.ended(Cause.PROTOCOL, context.texts.protocol_abuse)
