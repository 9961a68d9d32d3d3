"""The link of a telnet peer: the only class that holds both an engine (telnet without I/O) and a transport (bytes).

Its receiving half is `incoming`, its sending half `outgoing`. This module adds time: the deadlines of the engine,
and the keepalive that probes an idle link. It knows no game, no hook and no connection.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Mapping
from typing import Final

import trio

from ...telnet import TelnetEngine
from ...telnet.codes import END_OF_RECORD, GMCP, IAC, NOP
from ...telnet.gmcp_messages import encode_gmcp
from ...transports import Transport, receive_exactly_bytes
from ..core.events import Cause
from ..core.timers import Deadline
from .base import LinkHost, LinkReceiver
from .client import FactSource
from .incoming import Incoming
from .outgoing import Outgoing

_NOP = bytes((IAC, NOP))

# The code of the close frame for each cause; 1000 (normal closure) for all others. A page reconnects by itself unless
# the code is 1000, 1008 or 4001. RFC 6455, section 7.4.1; from 4000 on, the codes are free for applications.
_CLOSE_CODES: Final[Mapping[Cause, int]] = {
    Cause.SHUTDOWN: 1001,
    Cause.FLOOD: 1008,
    Cause.PROTOCOL: 1008,
    Cause.ERROR: 1011,
    Cause.HOOK_FAILED: 1011,
    Cause.HOOK_TOO_SLOW: 1011,
    Cause.FULL: 1013,
    Cause.TOO_MANY: 1013,
    Cause.TAKEOVER: 4001,
}
_NORMAL: Final = 1000
_KEEPALIVE = encode_gmcp("Core.KeepAlive")


class TelnetLink(Outgoing):
    """The link to one telnet peer. Owns the transport.

    Args:
        host: The parts of the server that links need.
        transport: Moves the bytes; closed by `aclose`.
        is_compressible: False if compression must not be offered, since the bytes are recorded.
        reserved: Bytes to subtract from `limits.max_output`, at most half of it, since a recording needs them.
    """

    __slots__ = ("_first", "_incoming", "_probe_at", "_tick_at")

    def __init__(
        self, host: LinkHost, transport: Transport, *, is_compressible: bool = True, reserved: int = 0
    ) -> None:
        super().__init__(host, transport, host.make_engine(is_secure=not is_compressible), reserved)
        self._first = b""  # bytes received in the handshake
        self._incoming = Incoming(self)
        self._tick_at: Deadline | None = None  # when the engine's next deadline is due
        self._probe_at: Deadline | None = None  # when an idle link is probed

    # The peer

    @property
    def address(self) -> str:
        """The peer's host."""
        return self._transport.address

    @property
    def needs_handshake(self) -> bool:
        """True if the transport waits for the peer first: for a PROXY header, TLS, or a first byte."""
        return self._transport.needs_handshake or self._transport.may_be_health_check

    @property
    def may_be_health_check(self) -> bool:
        """True if a proxy opened the link for itself, or names no client."""
        return self._transport.may_be_health_check

    def attach(self, receiver: LinkReceiver) -> None:
        """Set the receiver."""
        self._receiver = self._incoming.receiver = receiver

    async def locate(self) -> None:
        """Wait until the peer's address is known."""
        await self._transport.locate()

    async def handshake(self) -> None:
        """Complete the transport's handshake; afterwards it is certain whether the link is encrypted."""
        if self._transport.needs_handshake:
            await self._transport.handshake()
        if self._transport.may_be_health_check:
            self._first = await receive_exactly_bytes(self._transport)
            if not self._first:
                raise trio.BrokenResourceError("the peer closed before its first byte, as health checks do")
        channel = self._transport.channel
        if self._transport.is_secure or channel is not None:  # a client expects no compression inside of messages
            self.engine = self._host.make_engine(is_secure=True)
            self.client._attach(self.engine, self._host.context.timers.thread)
        if self._transport.is_secure:
            self.client._learn("is_secure", True, FactSource.TRANSPORT)
        if channel is not None:
            self._awaits_line = False  # pings are understood by every client, so they begin in `open`
            if channel.colours is not None:
                self.client._learn("colours", channel.colours, FactSource.TRANSPORT)

    def open(self, *, offers: bool = True) -> None:
        """Allow output after the verdict of the connect hook: offers and greeting together, or only a refusal."""
        if not offers:
            # A new engine drops everything that was written or offered, so no list of held texts is needed.
            self._drop_queued()
            self.engine = TelnetEngine(())
            self._forget_prompt()
            self._is_stopped = False  # a refusal outweighs an ending decided during the connect hook
        elif self._is_probed_at_once and not self._is_stopped:
            self._start_keepalive()
        self._host.mark_dirty(self._receiver)

    def read(self) -> Awaitable[None]:
        """Receive until the end of file.

        A plain function: a coroutine of its own would cost about 300 bytes as long as the connection lives.
        """
        if self._first:
            return self._read_first()
        return self._transport.listen(self._incoming, self._host.poller)

    def stop(self, *, drop_input: bool) -> None:
        """Ignore further input and output, because the ending is decided."""
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
        if (channel := self._transport.channel) is not None:
            channel.close_code = _CLOSE_CODES.get(why, _NORMAL)
        await (self._transport.aclose() if gently else self._transport.aclose_forcefully())

    # Input

    @property
    def anomalies(self) -> int:
        """The number of framing faults and floods by the peer so far."""
        return self._incoming.anomalies

    @property
    def hides_input(self) -> bool:
        """True if typed input is secret now and must not be recorded."""
        return bool(self._incoming.hides_input) or self.engine.input_hidden

    def hide_input(
        self, hidden: bool, *, marks: bool = False, ends_line: bool = True, is_answered: bool = True
    ) -> None:
        """Ask the client to hide or show typed input; `marks` also marks lines, for a dialog's question."""
        was_hidden = self.hides_input
        if not self._is_stopped:
            self.engine.hide_input(hidden, ends_line=ends_line)
            self.mark_dirty()
        if marks:
            self._incoming.mark_lines(hidden, was_hidden=was_hidden, is_answered=is_answered)

    @property
    def can_parse(self) -> bool:
        """True if parsing would make progress now."""
        return self._incoming.can_parse

    @property
    def is_held(self) -> bool:
        """False: nothing here waits for the game."""
        return False

    def taken(self) -> None:
        """Continue parsing: a line left the receiver, or its source has a turn without an event."""
        if self.has_unparsed:
            self._incoming.parse_on()

    def drop_input(self) -> None:
        """Drop unparsed input, and all later input."""
        self._incoming.drop()

    def discard_input(self) -> bool:
        """Drop the input received so far; return True if unparsed bytes were lost."""
        return self._incoming.discard()

    # Time

    def _schedule_tick(self) -> None:
        incoming, engine = self._incoming, self.engine
        if self._tick_at is not None and not incoming.is_stale and engine.deadlines.fresh is None and not engine.events:
            return  # nothing has changed since the deadline was set; this is read at every flush
        incoming.is_stale = False
        due = engine.next_deadline
        if due == -math.inf:
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
        self._incoming.drop_full_meter()  # here, because the first tick comes soon after the first answers
        if not self.engine.is_quiet:  # quiet if the client has answered in time
            self._tick()
            self.mark_dirty()

    def _tick(self) -> None:
        try:
            for event in self.engine.tick(trio.current_time(), is_read=not self._incoming.is_full):
                self._incoming.report(event)
            self._incoming.report_size()
        except BaseException as error:  # noqa: BLE001 - an option of the game
            self._fail(error)
        if self.has_unparsed:
            self._receiver.notify()  # the engine may have waited for this tick before it parses further

    async def _read_first(self) -> None:
        first, self._first = self._first, b""
        if not self._incoming.feed(first):
            await self._incoming.room()
        await self._transport.listen(self._incoming, self._host.poller)

    @property
    def _probe_interval(self) -> float | None:
        limits = self._host.context.limits
        return limits.keepalive_interval if self._transport.channel is None else limits.web_keepalive_interval

    @property
    def _is_probed_at_once(self) -> bool:
        """True if probes begin with the connection, and not with its first line."""
        if self._transport.channel is not None:
            return self._probe_interval is not None
        return self._awaits_line and self._host.context.limits.first_input_timeout is None

    def _start_keepalive(self) -> None:
        self._awaits_line = False
        interval = self._probe_interval
        assert interval is not None, "it is checked before probes begin"
        self._probe_at = self._host.context.timers.at(trio.current_time() + interval, self._send_probe, self._receiver)

    def _send_probe(self) -> None:
        """Send bytes that need no answer by the player, and show nothing.

        A ping in a WebSocket. In telnet, `Core.KeepAlive` if GMCP was negotiated, since MegaMUD mishandles NOP;
        otherwise NOP. Nothing is sent to a telnet peer that did not answer the offer of END-OF-RECORD: it may not
        support telnet and would show the bytes. Unsent output serves as a probe too.
        """
        if self.is_drained:
            if (channel := self._transport.channel) is not None:
                try:
                    channel.ping(is_read=not self._incoming.is_full)
                except Exception as error:  # noqa: BLE001 - the boundary of a link
                    self._fail(error)
                    return
            elif self.engine.is_ours(GMCP):
                self._queue(_KEEPALIVE)
            elif not self.engine.negotiation.is_unanswered(END_OF_RECORD, ours=True):
                self._queue(_NOP)
        self._start_keepalive()
