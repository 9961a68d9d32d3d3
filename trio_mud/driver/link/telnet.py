"""The link of a telnet peer: the only class that holds both an engine (telnet, without I/O) and a transport (bytes).

Its receiving half is `incoming`, its sending half `outgoing`; here they meet with time: the deadlines of the engine,
and probes that keep an idle link open. It knows no game, no hook and no connection.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable

import trio

from ...telnet import TelnetEngine
from ...telnet.codes import END_OF_RECORD, GMCP, IAC, NOP
from ...telnet.gmcp_messages import encode_gmcp
from ...transports import Transport
from ..core.events import Cause
from ..core.timers import Deadline
from .base import LinkHost, LinkReceiver
from .client import FactSource
from .incoming import Incoming
from .outgoing import Outgoing

_NOP = bytes((IAC, NOP))
_KEEPALIVE = encode_gmcp("Core.KeepAlive")


class TelnetLink(Outgoing):
    """One telnet peer's wire. Owns the transport.

    Args:
        host: What the server gives to every link.
        transport: Moves the bytes; closed by `aclose`.
        is_compressible: False if compression must not be offered, since the bytes are recorded.
        reserved: Bytes to take off `limits.outbox`, at most half of it, since they are needed elsewhere.
    """

    __slots__ = ("_first", "_incoming", "_probe_at", "_tick_at")

    def __init__(
        self, host: LinkHost, transport: Transport, *, is_compressible: bool = True, reserved: int = 0
    ) -> None:
        super().__init__(host, transport, host.make_engine(is_secure=not is_compressible), reserved)
        self._first = b""  # bytes received in the handshake
        self._incoming = Incoming(self)
        self._tick_at: Deadline | None = None  # when the engine wants the time
        self._probe_at: Deadline | None = None  # when an idle link is probed

    # The peer

    @property
    def address(self) -> str:
        """The peer's host."""
        return self._transport.address

    @property
    def needs_handshake(self) -> bool:
        """True if the transport asks something of the peer first: a PROXY header, TLS."""
        return self._transport.shakes_hands

    @property
    def may_be_health_check(self) -> bool:
        """True if a proxy opened the link for itself, or cannot say for whom."""
        return self._transport.may_be_health_check

    def attach(self, receiver: LinkReceiver) -> None:
        """Set the receiver."""
        self._receiver = self._incoming.receiver = receiver

    async def locate(self) -> None:
        """Learn the peer's address."""
        await self._transport.locate()

    async def handshake(self) -> None:
        """Complete what the transport asks of the peer; then it is known whether the link is encrypted."""
        if self._transport.shakes_hands:
            await self._transport.handshake()
        if self._transport.may_be_health_check and not await self._receive_first():
            raise trio.BrokenResourceError("it ended before its first byte, as health checks do")
        if self._transport.is_secure:
            self.engine = self._host.make_engine(is_secure=True)
            self.client.attach(self.engine, self._host.context.timers.thread)
            self.client.learn("is_secure", True, FactSource.TRANSPORT)

    def open(self, *, offers: bool = True) -> None:
        """Act on the verdict of the connect hook: offers and greeting leave together, or only a refusal."""
        if not offers:
            self._drop_queued()
            self.engine = TelnetEngine(())
            self._forget_prompt()
            self._is_stopped = False  # a refusal outweighs an ending decided during the connect hook
        elif self._awaits_line and self._host.context.limits.first_input is None and not self._is_stopped:
            self._start_keepalive()
        self._host.mark_dirty(self._receiver)

    def read(self) -> Awaitable[None]:
        """Receive until the end of file.

        A plain function: a coroutine of its own would cost some 300 bytes for as long as the connection lives.
        """
        if self._first:
            return self._read_first()
        return self._transport.listen(self._incoming, self._host.poller)

    def stop(self, *, drop_input: bool) -> None:
        """The ending is decided."""
        self._is_stopped = True
        self._awaits_line = False
        self._incoming.stop()
        for deadline in (self._tick_at, self._probe_at):
            if deadline is not None:
                deadline.cancel()
        if drop_input:
            self._incoming.drop()

    async def aclose(self, *, gently: bool, why: Cause) -> None:
        """Close the transport."""
        await (self._transport.aclose() if gently else self._transport.aclose_forcefully())

    # Input

    @property
    def hides_input(self) -> bool:
        """True if what is typed now must not be recorded."""
        return self._incoming.hides_input or self.engine.input_hidden

    def hide_input(self, hidden: bool, *, marks: bool = False, ends_line: bool = True) -> None:
        """Ask the client to hide or show what is typed; `marks` it for a dialog's question."""
        if marks:
            self._incoming.hides_input = hidden
        if not self._is_stopped:
            self.engine.hide_input(hidden, ends_line=ends_line)
            self.mark_dirty()

    @property
    def can_parse(self) -> bool:
        """True if the engine would get further in what it holds."""
        return self._incoming.can_parse

    def taken(self) -> None:
        """Parse further: a line left the receiver, or a turn is to spare."""
        if self.has_unparsed:
            self._incoming.parse_on()

    def drop_input(self) -> None:
        """Drop what is unparsed, and all that comes later."""
        self._incoming.drop()

    def discard_input(self) -> bool:
        """Drop what was typed so far; return True if bytes were lost that were never parsed."""
        return self._incoming.discard()

    # Time

    def _schedule_tick(self) -> None:
        incoming, engine = self._incoming, self.engine
        if self._tick_at is not None and not incoming.is_stale and engine.deadlines.fresh is None and not engine.events:
            return  # it is in the timers' heap already
        incoming.is_stale = False
        if engine.next_deadline == -math.inf:
            self._tick()
        due = engine.next_deadline
        if due is None or self._is_stopped:
            return
        if self._tick_at is not None:
            if self._tick_at.when <= due:
                return
            self._tick_at.cancel()
        self._tick_at = self._host.context.timers.at(due, self._tick_is_due, self._receiver)

    def _tick_is_due(self) -> None:
        self._tick_at = None
        self._incoming.is_stale = True
        if not self.engine.is_quiet:  # it is, if the answer came in time
            self._tick()
            self.mark_dirty()

    def _tick(self) -> None:
        try:
            for event in self.engine.tick(trio.current_time(), is_read=not self._incoming.is_full):
                self._incoming.report(event)
            self._incoming.report_size()
        except BaseException as error:  # noqa: BLE001 - an option of the game's
            self._fail(error)
        self._receiver.notify()  # the engine may read on, if it waited for the time

    async def _receive_first(self) -> bytes:
        self._first = await self._transport.receive()
        return self._first

    async def _read_first(self) -> None:
        first, self._first = self._first, b""
        if not self._incoming.feed(first):
            await self._incoming.room()
        await self._transport.listen(self._incoming, self._host.poller)

    def _start_keepalive(self) -> None:
        self._awaits_line = False
        interval = self._host.context.limits.keepalive
        assert interval is not None, "it is why a line was awaited"
        self._probe_at = self._host.context.timers.at(trio.current_time() + interval, self._send_probe, self._receiver)

    def _send_probe(self) -> None:
        """Send something that asks for nothing and shows nothing.

        `Core.KeepAlive` where GMCP is agreed, since MegaMUD chokes on NOP. Nothing to a peer that did not answer the
        offer of END-OF-RECORD: it may know no telnet and would show the bytes. Unsent bytes serve as a probe, too.
        """
        if self.is_drained:
            if self.engine.is_ours(GMCP):
                self._queue(_KEEPALIVE)
            elif not self.engine.negotiation.is_unanswered(END_OF_RECORD, ours=True):
                self._queue(_NOP)
        self._start_keepalive()
