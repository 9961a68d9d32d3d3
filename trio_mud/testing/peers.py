"""Misbehaving peers, each named after its behaviour. No peer affects an honest player.

Every peer is `async def peer(stream)`: start it on `mud.connect().client`, or on a TCP stream.
It returns when it is done, or when the server ends the connection, and may be cancelled; it never raises.
The caller owns the stream: after a peer has returned without closing it, it is still open.

    for peer in peers.EVERY:
        tavern.nursery.start_soon(peer, tavern.connect().client)
"""

from __future__ import annotations

import contextlib
import functools
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from ..telnet.codes import AYT, DM, DO, IAC, NAWS, SB, SE, TTYPE, WILL, WONT
from .pipe import PipeEnd

Peer = Callable[[trio.abc.Stream], Awaitable[None]]

EVERY: Final[list[Peer]] = []
"""All peers of this module, in the order of their definition."""

LONG: Final = 50_000  # bytes, far more than the limits of a line or a subnegotiation
QUESTION: Final = b"say are you still there\r\n"
BREATH: Final = 0.05  # seconds between two sends; virtual time stands still while a task always has work


def _until_it_ends() -> contextlib.AbstractContextManager[None]:
    return contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError)


def _peer(play: Peer) -> Peer:
    """Register a peer, and end it when its connection has ended."""

    @functools.wraps(play)
    async def peer(stream: trio.abc.Stream) -> None:
        with _until_it_ends():
            await play(stream)

    EVERY.append(peer)
    return peer


# Disconnects too early


@_peer
async def leaves_at_once(stream: trio.abc.Stream) -> None:
    """Connects and closes at once, like a port scan."""
    await stream.aclose()


@_peer
async def resets_at_once(stream: trio.abc.Stream) -> None:
    """Resets at once, like a fast port scan: it is gone before or while the connect hook runs."""
    await reset(stream)


@_peer
async def leaves_behind_half_a_line(stream: trio.abc.Stream) -> None:
    """Types, is interrupted in the middle of a word, and closes."""
    await stream.send_all(b"look\r\nsay goodb")
    await stream.aclose()


@_peer
async def leaves_inside_a_command(stream: trio.abc.Stream) -> None:
    """Closes inside a telnet command."""
    await stream.send_all(b"look\r\n" + bytes((IAC, SB, NAWS, 0)))
    await stream.aclose()


@_peer
async def half_closes(stream: trio.abc.Stream) -> None:
    r"""Types, ends its sending, and reads to the end, like `printf 'look\nsay bye\n' | nc`."""
    await stream.send_all(b"look\nsay bye\n")
    if isinstance(stream, trio.abc.HalfCloseableStream):
        await stream.send_eof()
    await _reads(stream)


@_peer
async def resets_while_written_to(stream: trio.abc.Stream) -> None:
    """Asks for much output, reads none of it, and resets the connection while it is sent."""
    await stream.send_all(QUESTION * 500)
    await trio.sleep(0.1)
    await reset(stream)


@_peer
async def talks_through_the_farewell(stream: trio.abc.Stream) -> None:
    """Quits and continues typing, so that its input meets a closing connection."""
    await stream.send_all(b"quit\r\n")
    await _sends_for_ever(stream, QUESTION)


# Slow, or silent


@_peer
async def says_nothing(stream: trio.abc.Stream) -> None:
    """Neither types nor reads nor disconnects."""
    await trio.sleep_forever()


@_peer
async def never_reads(stream: trio.abc.Stream) -> None:
    """Types forever and reads nothing, so that its answers accumulate."""
    await _sends_for_ever(stream, QUESTION)


@_peer
async def reads_a_byte_a_second(stream: trio.abc.Stream) -> None:
    """Asks for much output, and reads just enough of it to count as alive."""
    await stream.send_all(QUESTION * 500)
    while await stream.receive_some(1):  # noqa: ASYNC110  it does not wait for a condition
        await trio.sleep(1)


@_peer
async def drips(stream: trio.abc.Stream) -> None:
    """Sends one byte every ten seconds and never ends a line (slowloris)."""
    await _sends_and_reads(stream, b"z", every=10)


@_peer
async def types_a_line_and_drips(stream: trio.abc.Stream) -> None:
    """Sends one line, then continues as slowloris."""
    await stream.send_all(b"look\r\n")
    await _sends_and_reads(stream, b"z", every=10)


@_peer
async def sends_byte_by_byte(stream: trio.abc.Stream) -> None:
    """Sends its window size and lines, one byte per packet."""
    for byte in bytes((IAC, WILL, NAWS, IAC, SB, NAWS, 0, 80, 0, 24, IAC, SE)) + b"say na\xc3\xafve\r\nquit\r\n":
        await stream.send_all(bytes((byte,)))
        await trio.sleep(0.001)
    await _reads(stream)


# Too much


@_peer
async def floods(stream: trio.abc.Stream) -> None:
    """Sends lines as fast as they are accepted, and reads the answers."""
    await _sends_and_reads(stream, b"say buy gold\r\n" * 200)


@_peer
async def types_without_end(stream: trio.abc.Stream) -> None:
    """Sends one line far longer than any limit, and then a short one."""
    await stream.send_all(b"A" * LONG + b"\r\nlook\r\n")


@_peer
async def sends_empty_lines(stream: trio.abc.Stream) -> None:
    """Sends the most lines in the fewest bytes."""
    await stream.send_all(b"\n" * LONG)


@_peer
async def never_ends_a_subnegotiation(stream: trio.abc.Stream) -> None:
    """Begins subnegotiations far over any limit; the bytes after each are not text."""
    for _ in range(8):
        await stream.send_all(bytes((IAC, SB, NAWS)) + b"quit\r\n" * (LONG // 6) + bytes((IAC, SE)))


@_peer
async def negotiates_for_ever(stream: trio.abc.Stream) -> None:
    """Toggles an option without end, and reads none of the answers."""
    await _sends_for_ever(stream, bytes((IAC, WILL, NAWS, IAC, WONT, NAWS)) * 200)


@_peer
async def asks_for_everything(stream: trio.abc.Stream) -> None:
    """Requests every option, in both directions."""
    await stream.send_all(b"".join(bytes((IAC, verb, option)) for option in range(256) for verb in (DO, WILL)))


@_peer
async def asks_are_you_there(stream: trio.abc.Stream) -> None:
    """Sends AYT many times a second."""
    await _sends_and_reads(stream, bytes((IAC, AYT)) * 100)


@_peer
async def resizes_for_ever(stream: trio.abc.Stream) -> None:
    """Sends another window size each time, including the smallest and the largest."""
    await stream.send_all(bytes((IAC, WILL, NAWS)))
    sizes = (b"\0\0\0\0", b"\xff\xff\xff\xff" * 2, b"\0\x50\0\x18", b"\0\x51\0\x18")  # a byte of 255 is sent doubled
    await _sends_for_ever(stream, b"".join(bytes((IAC, SB, NAWS)) + size + bytes((IAC, SE)) for size in sizes))


@_peer
async def names_itself_for_ever(stream: trio.abc.Stream) -> None:
    """Sends another terminal name each time, whether or not it was asked for."""
    await stream.send_all(bytes((IAC, WILL, TTYPE)))
    for number in range(1000):
        await stream.send_all(bytes((IAC, SB, TTYPE, 0)) + b"VT%d" % number + bytes((IAC, SE)))


# Against the protocol


@_peer
async def echoes(stream: trio.abc.Stream) -> None:
    """Sends back every byte it receives."""
    while data := await stream.receive_some():
        await stream.send_all(data)


@_peer
async def sends_noise(stream: trio.abc.Stream) -> None:
    """Sends every byte value, in every pair."""
    await stream.send_all(bytes(byte for first in range(256) for second in range(256) for byte in (first, second)))


@_peer
async def sends_broken_utf8(stream: trio.abc.Stream) -> None:
    """Sends overlong and truncated sequences, surrogates, code points beyond the last, and C1 controls in UTF-8."""
    for broken in (b"\xc0\xaf", b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc2\x9b31m", b"\xfe\xfe"):
        await stream.send_all(b"say " + broken + b"\r\n")
    await _reads(stream)


@_peer
async def sends_urgent_data(stream: trio.abc.Stream) -> None:
    """Sends telnet's Synch: a data mark as TCP urgent data (CVE-2020-10188). On a pipe it is a plain data mark."""
    await stream.send_all(b"say befo")
    if isinstance(stream, trio.SocketStream):
        await stream.socket.send(bytes((IAC, DM)), socket.MSG_OOB)
    else:
        await stream.send_all(bytes((IAC, DM)))
    await stream.send_all(b"re and after\r\n")
    await _reads(stream)


@_peer
async def speaks_http(stream: trio.abc.Stream) -> None:
    """Sends an HTTP request, like a browser directed here by a malicious page."""
    await stream.send_all(b"POST / HTTP/1.1\r\nHost: localhost:4000\r\nContent-Length: 6\r\n\r\nquit\r\n")
    await _reads(stream)


# Shared by the peers


async def reset(stream: trio.abc.Stream) -> None:
    """Reset the connection at once, as a killed client does."""
    if isinstance(stream, trio.SocketStream):
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST instead of FIN
        await stream.aclose()
    elif isinstance(stream, PipeEnd):
        stream.reset()
        await trio.lowlevel.checkpoint()
    else:
        await trio.aclose_forcefully(stream)


async def _sends_for_ever(stream: trio.abc.Stream, data: bytes, *, every: float = BREATH) -> None:
    """Send the same bytes repeatedly until the connection ends."""
    with _until_it_ends():
        while True:
            await stream.send_all(data)
            await trio.sleep(every)


async def _sends_and_reads(stream: trio.abc.Stream, data: bytes, *, every: float = BREATH) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_reads, stream)
        await _sends_for_ever(stream, data, every=every)


async def _reads(stream: trio.abc.Stream) -> None:
    """Read and discard until the connection ends."""
    with _until_it_ends():
        while await stream.receive_some():
            pass
