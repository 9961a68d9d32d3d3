"""The sending half of a telnet link: passes text, prompts and messages through the engine to the transport.

Queued bytes wait in the engine until the end of the dispatcher's batch; then they are sent with one call.
If the transport does not accept all of them at once, the writer sends the rest. It is a task that exists only while
bytes are unsent.
Used by `telnet.TelnetLink`, which adds the receiving half.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Hashable
from typing import Any, Final, TypeGuard

import trio

from ...interrupts import protect_task
from ...telnet import TelnetEngine
from ...telnet.codes import ECHO, EOR, IAC
from ...telnet.encoding import is_text
from ...telnet.gmcp_messages import encode_gmcp
from ...telnet.msdp_messages import Sendable
from ...telnet.options import Gmcp, Msdp
from ...telnet.options.mssp import PLAIN_PERIOD, render_plain
from ...text import Text, render
from ...transports import DeadPeer, ProtocolViolation, Transport
from ..core.checks import check_text
from ..core.events import Cause
from ..core.guard import own_cancellation
from ..core.turns import NEVER
from .base import LinkHost, LinkReceiver, OutOfBand
from .client import Client
from .tail import Missing, Tail
from .traffic import door_of

# The key of shared bytes that are the same for all clients but those with narrower windows or markup. Looking up the
# kind of each client takes a tenth of the time of a broadcast.
_PLAIN: Final = "plain"

MOST_RENDERED: Final = 256  # texts that a server keeps rendered during a batch, each for one kind of client
MOST_SHARED: Final = 64 * 1024  # bytes of a rendered text; longer ones are not kept

_END_OF_RECORD = bytes((IAC, EOR))  # the mark for clients that distinguish prompts from other text


class _Prompt(enum.Enum):
    """The state of a prompt on the screen of a client that does not distinguish it from other text."""

    NONE = enum.auto()  # no prompt, or it was answered
    SHOWN = enum.auto()  # the cursor is right after the prompt
    COVERED = enum.auto()  # text was written after it: the next flush shows the prompt again


_NONE, _SHOWN, _COVERED = _Prompt  # read for every line, and the attribute of an enum is slow to look up


class Outgoing:
    """Output to one peer, in order, bounded by `limits.max_output`.

    Attributes:
        client: The known facts about the peer's program; texts are rendered for it.
        engine: Encodes text and answers negotiation.
        has_unparsed: As in `Link`; set by the receiving half.
    """

    __slots__ = (
        "_awaits_line",
        "_dropped",
        "_host",
        "_is_dirty",
        "_is_lost",
        "_is_stopped",
        "_is_unmarked",
        "_limit",
        "_listed_at",
        "_prompt",
        "_prompt_state",
        "_receiver",
        "_tail",
        "_traffic",
        "_transport",
        "_unsent",
        "_waiting",
        "_writer",
        "client",
        "engine",
        "has_unparsed",
    )

    _receiver: LinkReceiver

    def __init__(self, host: LinkHost, transport: Transport, engine: TelnetEngine, reserved: int) -> None:
        self._host = host
        self._transport = transport
        self._traffic = host.traffic[door_of(transport)]
        self.client = Client()
        self.client._attach(engine, host.context.timers.thread)
        self.engine = engine
        self.has_unparsed = False
        limit = host.context.limits.max_output
        self._limit = max(limit - reserved, limit // 2) if reserved else limit
        self._unsent = b""  # bytes that the transport has not accepted
        self._waiting = 0  # their number, and that of the bytes given to the engine since the last flush
        self._tail: Tail | None = None  # while the client may return
        self._is_dirty = True  # so that `mark_dirty` does nothing, and no text is sent, before `open`
        self._is_stopped = False  # the ending is decided
        self._is_lost = False  # nothing more is sent
        self._writer: trio.CancelScope | None = None  # while the writer runs
        self._dropped = 0  # messages since the last notice
        self._awaits_line = host.context.limits.keepalive_interval is not None  # probes begin with the first line
        self._listed_at = NEVER  # when a crawler was last answered
        self._prompt = b""  # the last prompt, encoded, until it is answered
        self._prompt_state = _NONE
        self._is_unmarked = False  # the prompt was sent before the client had agreed on a mark

    def write(self, text: Text, *, is_last: bool = False) -> bool:
        """Queue a text and a line end; return False if it was dropped."""
        # `_is_plain` inlined, as in `prompt`: this runs for every text.
        if type(text) is str and len(text) <= self.client.plain_columns and text.isascii() and text.isprintable():
            data = text.encode() + b"\r\n"
        else:
            data = self._encode(text, "Connection.write()") + b"\r\n"
        if self._prompt_state is not _SHOWN:
            return self._queue_last(data) if is_last else self._queue(data)
        if is_last:
            return self._queue_last(b"\r\n" + data)
        if not self._queue(b"\r\n" + data):
            return False
        self._prompt_state = _COVERED
        return True

    def write_shared(self, text: Text, rendered: dict[Hashable, bytes]) -> bool:
        """Like `write`, and share the encoded bytes among clients of the same kind."""
        data = rendered.get(_PLAIN)
        if data is None or len(data) - 2 > self.client.plain_columns:  # its line end takes no columns
            data = self._encode_shared(text, rendered)
        if self._prompt_state is not _SHOWN:
            return self._queue(data)
        if not self._queue(b"\r\n" + data):
            return False
        self._prompt_state = _COVERED
        return True

    def prompt(self, text: Text) -> bool:
        """Queue a text without a line end, with the prompt mark that was negotiated."""
        mark = self.engine.prompt_mark
        if type(text) is str and len(text) <= self.client.plain_columns and text.isascii() and text.isprintable():
            data = text.encode() + mark
        else:
            data = self._encode(text, "Connection.prompt()") + mark
        if not self._queue(data):
            return False
        self._is_unmarked = not mark
        if mark != _END_OF_RECORD:
            self._prompt = data
            self._prompt_state = _SHOWN
        return True

    def prompt_answered(self, hidden: bool) -> None:
        """Forget the prompt: a line was handled, so the cursor is at the beginning of a line.

        The keepalive starts with the first line.
        """
        if self._awaits_line:
            self._start_keepalive()
        self._prompt = b""  # `_forget_prompt` inlined: this runs for every line
        self._prompt_state = _NONE
        self._is_unmarked = False
        if hidden and self.engine.is_ours(ECHO):
            self._queue(b"\r\n")  # the client did not show the Enter either

    def send(self, message: OutOfBand) -> bool:
        """Queue a GMCP or MSDP message if the client supports it."""
        if message.protocol == "gmcp":
            data = encode_gmcp(message.name, message.data)
            gmcp = self.engine.option(Gmcp)
            return gmcp is not None and gmcp.accepts(self.engine, message.name) and self._queue(data)
        msdp = self.engine.option(Msdp)
        value: Sendable = message.data  # type: ignore[assignment]  # `Connection.msdp` is typed
        size = len(message.name) + len(str(value))
        if msdp is None or self._is_stopped or not self._has_room_for(size):
            return False
        is_sent = msdp.report(self.engine, message.name, value)
        self._note_queued(size if is_sent else 0)
        return is_sent

    def offer_return(self, tail: Tail, token: str, waits: float | None, *, seen: int | None = None) -> None:
        """Send a token for the client's return, and keep all text from here on."""
        self.end_tail()  # so that its number is that of the text before the message
        # Until `Session.Resumed` arrives, the client has not received more than before: the link may die in between.
        lines = tail.lines if seen is None else tail.received(seen)
        self.send(OutOfBand("gmcp", "Session.Token", {"token": token, "grace": waits, "lines": lines}))
        self._start_tail(tail)

    def catch_up(self, tail: Tail, seen: int | None) -> None:
        """Report `Session.Resumed`, and send what the client is missing, even past the limit."""
        missing = tail.missing(seen)
        self.end_tail()  # what is sent again has its numbers
        self._replay(missing)
        self._start_tail(tail)
        self._host.context.counters["lines replayed"] += missing.lines
        self._host.context.counters["lines lost"] += missing.lost or 0
        tail.is_whole = True  # from here on the client counts as it does

    def keep(self, text: Text) -> None:
        """Keep a text that came after the loss of the link, for a client that returns."""
        if self._tail is not None and self._is_stopped:
            self._tail.add(self._encode(text, "Outgoing.keep()") + b"\r\n")

    @property
    def tail(self) -> Tail | None:
        """The tail of a client that may return; None without one."""
        return self._tail

    def end_tail(self) -> None:
        """Stop numbering."""
        self._number()
        self._tail = None

    def answer_crawler(self) -> None:
        """Answer an MSSP-REQUEST line, as crawlers of MUD listings send it, at most once a second."""
        self._forget_prompt()
        now = trio.current_time()
        if now - self._listed_at >= PLAIN_PERIOD:
            self._listed_at = now
            self._queue(self.engine.encode(render_plain(self._host.mssp_variables())))

    def mark_dirty(self) -> None:
        """Mark the receiver dirty, so that it is flushed at the end of the current batch."""
        if not self._is_dirty:
            self._is_dirty = True
            self._host.mark_dirty(self._receiver)

    @property
    def door(self) -> str:
        """The door by which the peer came."""
        return self._traffic.door

    @property
    def waiting(self) -> int:
        """Bytes of output that the transport has not accepted."""
        return self._waiting

    @property
    def is_drained(self) -> bool:
        """True if the transport has accepted all output, and the writer has ended."""
        return not self._is_dirty and not self._unsent and self._writer is None

    async def drain(self) -> None:
        """Wait until `is_drained`."""
        await self._receiver.wait_until(lambda: self.is_drained)

    def discard(self) -> None:
        """Drop all pending output and cancel the writer, because the link is lost."""
        self._number()
        self._drop_queued()
        self._is_dirty, self._is_lost = False, True
        if self._writer is not None:
            self._writer.cancel(reason="the link is lost")

    def flush(self) -> None:
        """Send the output that the transport accepts now, leave the rest to the writer, and schedule the next tick."""
        self._is_dirty = False
        engine = self.engine
        if self._is_lost:  # answers to input that was parsed since; the writer that would send them is cancelled
            engine.outgoing.clear()
            return
        if self._prompt_state is _COVERED and not self._is_stopped:
            engine.send_encoded(self._prompt)
            self._prompt_state = _SHOWN
        if self._tail is not None:
            self._number()
            self._tail.skipped = 0
        transport: Any = self._transport  # a game's may return anything, and an `int` converts True: see `_rest`
        try:
            # In pieces, because the start of a compressed stream must be one segment: see `data_to_send`.
            while data := engine.data_to_send():
                if self._writer is not None:  # it is amid a send, so these bytes must come after its own
                    self._unsent += data
                else:
                    sent = transport.send_nowait(data)
                    if sent < len(data):
                        self._unsent = _rest(data, sent)
                        self._writer = trio.CancelScope()
                        self._host.start_sibling(self._write_unsent, name=f"writer of {self._receiver.label}")
                    self._traffic.sent += sent
                if engine.outgoing.deflater is None and not engine.outgoing.queue:
                    break  # everything was sent, which saves a call of `data_to_send` per flush
        except Exception as error:  # noqa: BLE001 - the boundary of a link
            self._fail(error)
        self._waiting = len(self._unsent)
        if self._dropped:
            self._notify_dropped()
        if not engine.is_quiet:
            self._schedule_tick()

    # Implemented by `telnet.TelnetLink`

    def _schedule_tick(self) -> None:
        """Schedule a tick of the engine at its next deadline."""
        raise NotImplementedError

    def _start_keepalive(self) -> None:
        """Start probing the link while it is idle."""
        raise NotImplementedError

    # Parts

    def _is_plain(self, text: Text) -> TypeGuard[str]:
        """True if the text needs no rendering: all clients whose windows are not narrower receive the same bytes."""
        return type(text) is str and len(text) <= self.client.plain_columns and text.isascii() and text.isprintable()

    def _encode(self, text: Text, where: str) -> bytes:
        """Return a text encoded for the client; `where` names the method that the game called, for an error."""
        if self._is_plain(text):
            return text.encode()
        if type(text) is not str:
            text = check_text(text, where)
        rendered = self._host.rendered
        # Markup is compared by identity: its hash takes a fifth of the time of rendering, and equal ones are rare.
        kind = (text if type(text) is str else id(text), self.engine.lines.charset, self.client.rendering)
        known = rendered.get(kind)
        if known is not None:
            return known[1]
        data = self.engine.encode(render(text, self.client.rendering))
        if len(data) <= MOST_SHARED:
            if len(rendered) >= MOST_RENDERED:
                rendered.clear()
            rendered[kind] = (text, data)  # with the text, so that its id is not reused
        return data

    def _encode_shared(self, text: Text, rendered: dict[Hashable, bytes]) -> bytes:
        kind = (self.engine.encoding, self.client.rendering)
        data = rendered.get(kind)
        if data is None:
            data = rendered[kind] = self._encode(text, "broadcast()") + b"\r\n"
            if self._is_plain(text):
                rendered[_PLAIN] = data
        return data

    def _queue(self, data: bytes) -> bool:
        """Queue encoded bytes if there is room and the link is not stopped."""
        if self._is_stopped:
            return False
        waiting = self._waiting + len(data)
        if waiting > self._limit and not self._has_room_for(len(data)):
            return False
        self.engine.outgoing.queue.append(data)  # `send_encoded` inlined: this runs for every text
        self._waiting = waiting
        if not self._is_dirty:  # `mark_dirty` inlined: this runs for every text
            self._is_dirty = True
            self._host.mark_dirty(self._receiver)
        return True

    def _queue_last(self, data: bytes) -> bool:
        """Queue the last words. They are one text, so they may exceed the limit."""
        if not self._is_stopped:
            self.engine.send_encoded(data)
            self._note_queued(len(data))
        return True

    def _replay(self, missing: Missing) -> None:
        if self._prompt_state is not _NONE:
            self._queue(b"\r\n")
            self._forget_prompt()
        report = {"lines": missing.first, "missed": missing.lines, "lost": missing.lost}
        self.send(OutOfBand("gmcp", "Session.Resumed", report))
        self._queue_last(missing.text)

    def _start_tail(self, tail: Tail) -> None:
        tail.skipped = len(self.engine.outgoing.queue)
        self._tail = tail

    def _number(self) -> None:
        """Give the queued text its numbers."""
        if self._tail is not None:
            queue = self.engine.outgoing.queue
            for data in queue[self._tail.skipped :]:
                if is_text(data):
                    self._tail.add(data)
            self._tail.skipped = len(queue)

    def _note_queued(self, size: int) -> None:
        """Count bytes that were given to the engine, and mark the receiver dirty."""
        self._waiting += size
        self.mark_dirty()

    def _has_room_for(self, size: int) -> bool:
        """Return True if a message of this size may be queued; if not, count it as dropped."""
        if self._waiting + size <= self._limit:
            return True
        self._dropped += 1
        self._host.context.counters["messages dropped"] += 1
        self.mark_dirty()  # the next flush sends the notice
        return False

    def _mark_prompt(self, mark: bytes) -> None:
        """Send the mark of a prompt that was sent before the client had agreed on a mark.

        TinyFugue shows a prompt only after its mark.
        """
        self._is_unmarked = False
        if self._prompt_state is _SHOWN:
            self._queue(mark)
            self._prompt += mark
            if mark == _END_OF_RECORD:
                self._prompt_state = _NONE  # the client redraws the prompt itself

    def _forget_prompt(self) -> None:
        self._prompt, self._prompt_state, self._is_unmarked = b"", _NONE, False

    def _drop_queued(self) -> None:
        self._waiting, self._unsent = 0, b""
        self.engine.outgoing.clear()

    @protect_task
    async def _write_unsent(self) -> None:
        stall = self._host.context.limits.write_stall_timeout
        transport: Any = self._transport  # as in `flush`
        assert self._writer is not None
        try:
            with self._writer:
                while self._unsent:
                    with trio.CancelScope() as patience:
                        if stall is not None:
                            patience.deadline = trio.current_time() + stall
                        unsent = self._unsent
                        rest = _rest(unsent, await transport.send_some(unsent), least=1)
                        self._traffic.sent += len(unsent) - len(rest)
                        # Meanwhile more may have been added, or all dropped because the link was lost.
                        accepted = min(len(unsent) - len(rest), len(self._unsent))
                        self._unsent = self._unsent[accepted:]
                        self._waiting -= accepted
                    if patience.cancelled_caught:
                        self._receiver.ended(Cause.WRITE_STALL)
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary of a link
            if own_cancellation(error) is None:
                self._fail(error)
        finally:
            self._writer = None
            self._notify_dropped()
            self._receiver.notify()

    def _fail(self, error: BaseException) -> None:
        """End the connection after a failed send or parse: the link is lost, or this code or a game's option raised."""
        if isinstance(error, ProtocolViolation):
            self._receiver.ended(Cause.PROTOCOL)
        elif isinstance(error, trio.BrokenResourceError):
            self._receiver.ended(Cause.DEAD_PEER if isinstance(error, DeadPeer) else Cause.RESET)
        else:
            self._receiver.failed(error)

    def _notify_dropped(self) -> None:
        """Send the player a notice of dropped messages once all earlier output was sent."""
        if self._dropped and not self._unsent and not self._is_stopped:
            self._host.context.repeats.log(
                logging.INFO,
                f"{self._receiver.label} reads too slowly: {self._dropped} messages were dropped",
                kind="reads too slowly",
                summary="connections read too slowly",
            )
            self._dropped = 0
            if notice := self._host.context.texts.output_dropped:
                data = self.engine.encode(notice + "\n")
                self.engine.send_encoded(data)  # may exceed the limit by this one line
                self._note_queued(len(data))


def _rest(data: bytes, sent: Any, *, least: int = 0) -> bytes:
    """Return the bytes that the transport has not sent.

    Raises:
        TypeError: Its result is no number of bytes, as that of `send_all`, so the same bytes would be sent for ever.
    """
    if type(sent) is not int or not least <= sent <= len(data):
        raise TypeError(f"a transport returned {sent!r} for {len(data)} bytes: return how many of them were sent")
    return data[sent:]
