r"""A recording: a transport that wraps another one, and writes its bytes to a text file.

    trio_mud recording 1
    number 7
    address '192.0.2.7'
    secure False
    began 2026-11-24T20:15:00.250+00:00
    0.000 out b'\xff\xfd\x1f\xff\xfb\xc9Welcome.\r\n'
    0.000 out b'By what name? '
    2.310 in b'Ann\r\n'
    2.311 out b'\xff\xfb\x01Password: '
    5.120 hidden
    5.121 out b'\xff\xfc\x01\r\nYou stand in a tavern.\r\n'
    9.040 eof
    9.041 closed

Each line has the time in seconds since the beginning, the kind of entry, and its bytes as a Python literal.
`in` are bytes from the peer, `out` bytes to it. `eof` and `lost` mean that the peer ended the link, `closed` that the
server did, and `shutdown` that the whole server stopped; the recording ends there.
`hidden` stands for a line that was typed hidden, `left-out` for bytes omitted as secret or too long.
`stopped` means that the file has reached its greatest size.
Entries before the first typed byte stay in memory: a connection that types nothing leaves no file.
The driver has no special case for recordings: a recording takes the place of the transport.
`recorder` creates recordings, and `trio_mud.testing.replay` reads their files.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Final

import trio

from ...transports import MessageChannel, Reader, Transport, listen_by_receiving, receive_exactly_bytes
from ...transports.poller import Poller
from ..connection.connection import Connection
from ..core.events import Cause
from ..link.telnet import TelnetLink
from .journal import HELD, PAYLOAD, Journal

FORMAT: Final = "trio_mud recording 1"
EARLY: Final = 16 * 1024  # bytes of text kept in memory until something is typed; the rest is left out
# Bytes subtracted from `limits.max_output`, so that a recorded connection needs no more memory than another one.
RESERVED: Final = HELD + PAYLOAD + EARLY

_LINES: Final = re.compile(rb"[^\n]*\n|[^\n]+")


class Recording:
    """The transport of a recorded connection. It owns the wrapped transport.

    Args:
        transport: The wrapped transport, which moves the bytes.
        moment: The time when the connection was accepted.
        most: The greatest size of the text in bytes; then the recording stops.
        append: Queues text for the file. Returns False if the recording has ended.
    """

    __slots__ = (
        "_append",
        "_began",
        "_connection",
        "_early",
        "_is_over",
        "_journal",
        "_lacks_early",
        "_link",
        "_moment",
        "_room",
        "_transport",
    )

    def __init__(self, transport: Transport, moment: dt.datetime, most: int, append: Callable[[str], bool]) -> None:
        self._transport = transport
        self._moment = moment
        self._append = append
        self._room = most  # bytes left; negative once the recording has stopped
        self._early = ""  # entries from before the first typed byte
        self._lacks_early = False  # True if some of them exceeded `EARLY`
        self._journal = Journal(self._write, self._is_answering)
        self._connection: Connection | None = None
        self._link: TelnetLink | None = None
        self._began = 0.0
        self._is_over = False

    def attach(self, connection: Connection, link: TelnetLink) -> None:
        """Record this connection from now on."""
        self._connection = connection
        self._began = trio.current_time()
        self._link = link
        connection._inbox.observer = self._journal

    @property
    def address(self) -> str:
        """As the wrapped transport."""
        return self._transport.address

    @property
    def is_secure(self) -> bool:
        """As the wrapped transport."""
        return self._transport.is_secure

    @property
    def channel(self) -> MessageChannel | None:
        """As the wrapped transport."""
        return self._transport.channel

    @property
    def needs_handshake(self) -> bool:
        """Always True: the header of the file needs the address, which is certain only after the handshake."""
        return True

    @property
    def may_be_health_check(self) -> bool:
        """As the wrapped transport."""
        return self._transport.may_be_health_check

    async def locate(self) -> None:
        """As the wrapped transport."""
        await self._transport.locate()

    async def handshake(self) -> None:
        """Shake hands as the wrapped transport does; a peer that fails is not recorded."""
        await self._transport.handshake()
        assert self._connection is not None
        self._add(
            f"{FORMAT}\nnumber {self._connection.number}\naddress {self.address!a}\nsecure {self.is_secure}\n"
            f"began {self._moment.isoformat(timespec='milliseconds')}\n"
        )

    def send_nowait(self, data: bytes) -> int:
        """As the wrapped transport."""
        with self._noticing_loss():
            sent = self._transport.send_nowait(data)
        self._say(data[:sent])
        return sent

    async def send_some(self, data: bytes) -> int:
        """As the wrapped transport."""
        with self._noticing_loss():
            sent = await self._transport.send_some(data)
        self._say(data[:sent])
        return sent

    async def receive(self) -> bytes:
        """As the wrapped transport."""
        with self._noticing_loss():
            data = await receive_exactly_bytes(self._transport)  # the journal's scanner may be compiled
        if not data:
            self._journal.note(self._now, "eof")
            return data
        assert self._connection is not None
        assert self._link is not None
        link = self._link
        if link.engine.inflater is not None or self._connection.ending is not None:
            self._journal.stop_tracking()
        self._journal.hear(self._now, data, is_hidden=link.hides_input)
        return data

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        """Receive each piece in the connection's task: the poller would bypass the journal."""
        await listen_by_receiving(self, reader)

    async def aclose(self) -> None:
        """As the wrapped transport."""
        self._close()
        await self._transport.aclose()

    async def aclose_forcefully(self) -> None:
        """As the wrapped transport."""
        self._close()
        await self._transport.aclose_forcefully()

    @contextlib.contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        try:
            yield
        except trio.BrokenResourceError:
            self._journal.note(self._now, "lost")
            raise

    @property
    def _now(self) -> float:
        return trio.current_time() - self._began

    def _say(self, data: bytes) -> None:
        assert self._connection is not None
        if self._connection.ending is Cause.SHUTDOWN:  # last words for all players do not answer this player's input
            self._close()
        elif data:
            self._journal.say(self._now, data)

    def _is_answering(self) -> bool:
        taker = self._connection._inbox.taker if self._connection is not None else None
        return taker is not None and not taker.is_asking

    def _close(self) -> None:
        if not self._is_over:
            self._is_over = True
            assert self._connection is not None
            is_shutdown = self._connection.ending in (Cause.SHUTDOWN, Cause.CANCELLED)
            self._journal.note(self._now, "shutdown" if is_shutdown else "closed")

    def _write(self, when: float, kind: str, data: bytes) -> None:
        if kind == "out":
            self._add("".join(f"{when:.3f} out {line!r}\n" for line in _LINES.findall(data)))
        elif kind == "in":
            self._add(f"{when:.3f} in {data!r}\n")
        else:
            self._add(f"{when:.3f} {kind} {data.decode()}".rstrip() + "\n")

    def _add(self, text: str) -> None:
        if not self._journal.has_text:
            self._keep(text)
            return
        if self._early:
            early, self._early = self._early, ""
            self._pass_on(early)
        self._pass_on(text)

    def _keep(self, text: str) -> None:
        if self._lacks_early:
            return
        if len(self._early) + len(text) > EARLY:
            self._lacks_early = True
            text = f"{self._now:.3f} left-out early output\n"
        self._early += text

    def _pass_on(self, text: str) -> None:
        if self._room < 0:
            return
        self._room -= len(text)
        if not self._append(text if self._room >= 0 else f"{self._now:.3f} stopped\n"):
            self._room = -1
