"""How a connection hears: what the engine makes of a peer's bytes, and what becomes of it.

Facts about the peer's program go into `connection.client`; faults are counted; the rest becomes hook events.
What the very first bytes of a stranger say, such as a browser's, is no player's and goes nowhere.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import trio

from ... import telnet
from ..core.describing import innermost
from ..core.events import Cause
from ..core.guard import interrupt_in
from ..core.timers import Deadline
from ..link.client import FactSource, Size
from ..link.sniffing import Stranger, answer, recognise
from .events import EchoRefused, GmcpMessage, Interrupt, MsdpMessage, Settled, WindowSize
from .typeahead import Heard, Payload

if TYPE_CHECKING:
    from .connection import Connection

logger = logging.getLogger("trio_mud")


class Hearing:
    """One connection's ear.

    Attributes:
        anomalies: Faults of framing and floods of the peer so far.
        is_sure: Whether it began like a player: `take` is for what comes before that.
        is_settled: Whether the client has told what it is, or has had time enough to.
    """

    __slots__ = ("_connection", "_due", "_first", "_has_news", "_size", "anomalies", "is_settled", "is_sure")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._first = b""  # what came first, until it is sure that no stranger speaks
        self.is_sure = False
        self._due: Deadline | None = None  # when the engine wants to know the time
        self._has_news = True  # since it was last asked when that is
        self._size: Size | None = None  # the last one of those that are being parsed
        self.anomalies = 0
        self.is_settled = False

    def take(self, data: bytes) -> None:
        """Give the first bytes to the inbox, as soon as it is sure whose they are."""
        if data := self._recognise(data):
            self._connection.inbox.feed(data)

    def has_parsed(self) -> None:
        """The engine was given bytes: perhaps it has answers, or asks for the time, or there is room to read on."""
        self._has_news = True
        if self._size is not None:
            self._learn_size(self._size)
        engine, outbox = self._connection.engine, self._connection.outbox
        if outbox.is_unmarked and engine.prompt_mark:
            outbox.mark_prompt(engine.prompt_mark)
        if not engine.is_quiet and (engine.has_data_to_send or engine.is_full or engine.next_deadline == -math.inf):
            outbox.soil(0)
        self._connection.life.stir()

    def hear(self, event: telnet.TelnetEvent) -> Heard | None:
        """Act on one engine event other than a whole line.

        Returns:
            An event of the game's, if it is to wait in turn with the lines, and count as one.
        """
        connection, client = self._connection, self._connection.client
        match event:
            case telnet.GmcpReceived(package, data):
                return Payload(GmcpMessage, connection, package, data)
            case telnet.MsdpReceived(variable, value):
                return Payload(MsdpMessage, connection, variable, value)
            case telnet.Interrupt(kind):
                return Interrupt(connection, kind)
            case telnet.Line():
                connection.tell(connection.server.texts.line_cut)
            case telnet.Resized(columns, rows):
                self._size = Size(columns or 80, rows or 24)
            case telnet.TerminalType(name):
                client.learn_terminal(name)
            case telnet.ClientVariable(name, str() as told):
                client.learn_variable(name, told)
            case telnet.CharsetAgreed(name):
                client.learn_charset(name, FactSource.CHARSET)
            case telnet.CharsetRejected(names):
                client.learn_rejected(names)
            case telnet.FeatureAgreed(feature, agreed):
                client.learn(feature, agreed, FactSource.NEGOTIATION)
            case telnet.ClientHello(program, version):
                client.learn("program", program, FactSource.GMCP)
                client.learn("version", version, FactSource.GMCP)
            case telnet.GmcpSupports(packages):
                client.packages = packages
            case telnet.Settled():
                self._settle()
            case telnet.EchoRefused():
                if connection.dialog is not None:
                    connection.dialog.hiding_refused = True
                connection.inbox.replace_signal(EchoRefused(connection))
            case telnet.Anomaly():
                self._count(event)
            case telnet.CompressionFailed(detail):
                connection.server.repeats.log(
                    logging.INFO,
                    f"{connection.name} (#{connection.number}) sends compressed bytes that cannot be read: {detail}",
                    kind="compression",
                    summary="connections sent compressed bytes that cannot be read",
                )
                connection.server.counters["compression failed"] += 1
                connection.quit(connection.server.texts.protocol_abuse, cause=Cause.PROTOCOL)
            case telnet.OptionFailed(code, error):
                named = f"telnet option {code} failed"
                connection.server.repeats.log(
                    logging.ERROR,
                    f"{named} for {connection.name} (#{connection.number})",
                    kind=(named, type(error), innermost(error)),
                    summary=f"{named} with {type(error).__name__}",
                    error=error,
                )
                if (interrupt := interrupt_in(error)) is not None:  # in a group
                    connection.server.hook_interrupted(interrupt)
        return None

    def _learn_size(self, size: Size) -> None:
        """Only the last of many sizes counts: a window that is dragged tells dozens."""
        self._size = None
        connection = self._connection
        connection.client.learn("size", size, FactSource.NAWS)
        connection.inbox.replace_signal(WindowSize(connection, *connection.client.size))

    def mind_time(self) -> None:
        """Tell the engine the time when it asks to: for answers that never come."""
        connection = self._connection
        engine = connection.engine
        if self._due is not None and not self._has_news and engine.deadlines.fresh is None and not engine.events:
            return  # what it waits for is in the heap
        self._has_news = False
        if engine.next_deadline == -math.inf:
            self._tick()
        due = engine.next_deadline
        if due is None or connection.ending is not None:
            return
        if self._due is not None:
            if self._due.when <= due:
                return
            self._due.cancel()
        self._due = connection.server.timers.at(due, self._is_due, connection.inbox)

    def end(self) -> None:
        """The ending is decided: the time matters no more."""
        if self._due is not None:
            self._due.cancel()

    def _is_due(self) -> None:
        self._due = None
        self._has_news = True
        if not self._connection.engine.is_quiet:  # as it is if the answer came in time
            self._tick()
            self._connection.outbox.soil(0)

    def _tick(self) -> None:
        connection = self._connection
        for event in connection.engine.tick(trio.current_time(), is_read=not connection.is_full):
            self.hear(event)
        if self._size is not None:
            self._learn_size(self._size)
        connection.inbox.wake()  # the engine may read on, if it waited for the time

    def _settle(self) -> None:
        self.is_settled = True
        connection = self._connection
        connection.inbox.replace_signal(Settled(connection))
        if connection.dialog is not None:
            connection.dialog.wake()

    def _recognise(self, data: bytes) -> bytes:
        """What of these bytes is a player's, as soon as that is sure; a stranger's connection ends at once."""
        first = self._first + data
        stranger = recognise(first)
        self._first = first if stranger is Stranger.UNDECIDED else b""
        self.is_sure = stranger is None
        if stranger is None:
            return first
        if stranger is not Stranger.UNDECIDED:
            connection = self._connection
            logger.debug("%s speaks %s, not telnet", connection.name, stranger.value)
            connection.server.counters[f"strangers: {stranger.value}"] += 1
            connection.outbox.write(answer(stranger, connection.server.texts.not_http))
            connection.quit(cause=Cause.PROTOCOL)
        return b""

    def _count(self, anomaly: telnet.Anomaly) -> None:
        """Count a fault of the peer.

        After `limits.anomalies` faults of framing or floods the connection ends.  A harmless fault never ends it.
        """
        server, name = self._connection.server, self._connection.name
        logger.debug("%s: %s, %s", name, anomaly.kind, anomaly.detail)
        server.counters[f"anomaly: {anomaly.kind}"] += 1
        if anomaly.kind.is_harmless:
            return
        self.anomalies += 1
        if server.limits.anomalies is not None and self.anomalies >= server.limits.anomalies:
            self._connection.quit(server.texts.protocol_abuse, cause=Cause.PROTOCOL)
