r"""A recording: a transport that writes down what passes through another, as text that people can read and compare.

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

Each line is a moment in seconds since the beginning, what happened, and its bytes as Python writes them.
`in` is what the peer sent, `out` what it was sent; `eof` and `lost` are the peer's end, `closed` is ours,
and `shutdown` that of the whole server, of which nothing more is recorded.
`hidden` stands for a line that was typed hidden, `left-out` for what is not recorded for its secrets or its size;
after `stopped` nothing more is.
What passes before the first typed byte stays in memory: a connection that types nothing leaves no recording.
Nothing in the driver asks whether it is recorded: the recording stands where the transport would.
Who uses it: `recorder` makes them, `trio_mud.testing.replay` reads them.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Final

import trio

from ...transports import Reader, Transport, listen_by_receiving
from ...transports.poller import Poller
from ..connection.connection import Connection
from ..core.events import Cause
from ..link.telnet import TelnetLink
from .journal import HELD, PAYLOAD, Journal

FORMAT: Final = "trio_mud recording 1"
EARLY: Final = 16 * 1024  # bytes of text kept until something is typed; what is beyond is left out
RESERVED: Final = (
    HELD + PAYLOAD + EARLY
)  # bytes to take off `limits.max_output`, so that it takes no more memory than another

_LINES: Final = re.compile(rb"[^\n]*\n|[^\n]+")


class Recording:
    """The transport of a connection that is written down. Owns the other transport.

    Args:
        transport: Which moves the bytes.
        moment: When the connection was accepted.
        most: Bytes of the text; then the recording stops.
        append: Takes the text. Returns False if the recording ends here.
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
        self._room = most  # bytes; below 0 it has stopped
        self._early = ""  # what passed before anything was typed
        self._lacks_early = False  # whether some of that did not fit
        self._journal = Journal(self._write, self._is_answering)
        self._connection: Connection | None = None
        self._link: TelnetLink | None = None
        self._began = 0.0
        self._is_over = False

    def attach(self, connection: Connection, link: TelnetLink) -> None:
        """Write down this connection, from now on."""
        self._connection = connection
        self._began = trio.current_time()
        self._link = link
        connection._inbox.observer = self._journal

    @property
    def address(self) -> str:
        """As the transport below."""
        return self._transport.address

    @property
    def is_secure(self) -> bool:
        """As the transport below."""
        return self._transport.is_secure

    @property
    def needs_handshake(self) -> bool:
        """Always: only behind it is it known who is written down."""
        return True

    @property
    def may_be_health_check(self) -> bool:
        """As the transport below."""
        return self._transport.may_be_health_check

    async def locate(self) -> None:
        """As the transport below."""
        await self._transport.locate()

    async def handshake(self) -> None:
        """As the transport below; who fails in it is not recorded."""
        await self._transport.handshake()
        assert self._connection is not None
        self._add(
            f"{FORMAT}\nnumber {self._connection.number}\naddress {self.address!a}\nsecure {self.is_secure}\n"
            f"began {self._moment.isoformat(timespec='milliseconds')}\n"
        )

    def send_nowait(self, data: bytes) -> int:
        """As the transport below."""
        with self._noticing_loss():
            sent = self._transport.send_nowait(data)
        self._say(data[:sent])
        return sent

    async def send_some(self, data: bytes) -> int:
        """As the transport below."""
        with self._noticing_loss():
            sent = await self._transport.send_some(data)
        self._say(data[:sent])
        return sent

    async def receive(self) -> bytes:
        """As the transport below."""
        with self._noticing_loss():
            data = await self._transport.receive()
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
        """Wait for each piece, to write it down."""
        await listen_by_receiving(self, reader)

    async def aclose(self) -> None:
        """As the transport below."""
        self._close()
        await self._transport.aclose()

    async def aclose_forcefully(self) -> None:
        """As the transport below."""
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
        if self._connection.ending is Cause.SHUTDOWN:  # these are last words to everybody, and no answer
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
