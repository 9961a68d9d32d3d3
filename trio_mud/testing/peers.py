"""Peers that misbehave, each named for what it does. None of them costs an honest player anything.

Every peer is `async def peer(stream)`: start it on `mud.connect().client`, or on a TCP stream.
It ends by itself, when the server ends the connection, or with the nursery it runs in; it never raises.
The stream stays the caller's: one that has no more to send and is not said to leave is still there.

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
"""All the peers of this module, in the order they stand in it."""

LONG: Final = 50_000  # bytes, far more than a line or a subnegotiation may have
QUESTION: Final = b"say are you still there\r\n"
BREATH: Final = 0.05  # seconds between two sendings; if somebody always had work, virtual time would stand still


def _until_it_ends() -> contextlib.AbstractContextManager[None]:
    return contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError)


def _peer(play: Peer) -> Peer:
    """List it, and let its part be over when the connection is."""

    @functools.wraps(play)
    async def peer(stream: trio.abc.Stream) -> None:
        with _until_it_ends():
            await play(stream)

    EVERY.append(peer)
    return peer


# Gone too soon


@_peer
async def leaves_at_once(stream: trio.abc.Stream) -> None:
    """A port scan: connects and closes."""
    await stream.aclose()


@_peer
async def resets_at_once(stream: trio.abc.Stream) -> None:
    """A faster port scan: it is gone while the connect hook runs, if not before."""
    await reset(stream)


@_peer
async def leaves_behind_half_a_line(stream: trio.abc.Stream) -> None:
    """Types, is interrupted in the middle of a word, and closes."""
    await stream.send_all(b"look\r\nsay goodb")
    await stream.aclose()


@_peer
async def leaves_inside_a_command(stream: trio.abc.Stream) -> None:
    """Closes where telnet promises that something follows."""
    await stream.send_all(b"look\r\n" + bytes((IAC, SB, NAWS, 0)))
    await stream.aclose()


@_peer
async def half_closes(stream: trio.abc.Stream) -> None:
    r"""`printf 'look\nsay bye\n' | nc`: types, ends its sending, and reads to the end."""
    await stream.send_all(b"look\nsay bye\n")
    if isinstance(stream, trio.abc.HalfCloseableStream):
        await stream.send_eof()
    await _reads(stream)


@_peer
async def resets_while_written_to(stream: trio.abc.Stream) -> None:
    """Asks for much, reads none of it, and breaks the connection while it comes."""
    await stream.send_all(QUESTION * 500)
    await trio.sleep(0.1)
    await reset(stream)


@_peer
async def talks_through_the_farewell(stream: trio.abc.Stream) -> None:
    """Quits and types on, so that its input meets a connection that is being closed."""
    await stream.send_all(b"quit\r\n")
    await _sends_for_ever(stream, QUESTION)


# Slow, or silent


@_peer
async def says_nothing(stream: trio.abc.Stream) -> None:
    """Neither types nor reads nor leaves."""
    await trio.sleep_forever()


@_peer
async def never_reads(stream: trio.abc.Stream) -> None:
    """Types for ever and reads nothing, so that its answers pile up."""
    await _sends_for_ever(stream, QUESTION)


@_peer
async def reads_a_byte_a_second(stream: trio.abc.Stream) -> None:
    """Asks for much, and reads just enough of it to be there."""
    await stream.send_all(QUESTION * 500)
    while await stream.receive_some(1):  # noqa: ASYNC110  it is not waiting for anything
        await trio.sleep(1)


@_peer
async def drips(stream: trio.abc.Stream) -> None:
    """Slowloris: one byte every ten seconds, and never the end of a line."""
    await _sends_and_reads(stream, b"z", every=10)


@_peer
async def types_a_line_and_drips(stream: trio.abc.Stream) -> None:
    """Slowloris, past the first line."""
    await stream.send_all(b"look\r\n")
    await _sends_and_reads(stream, b"z", every=10)


@_peer
async def sends_byte_by_byte(stream: trio.abc.Stream) -> None:
    """Tells its window's size and speaks, one byte a packet."""
    for byte in bytes((IAC, WILL, NAWS, IAC, SB, NAWS, 0, 80, 0, 24, IAC, SE)) + b"say na\xc3\xafve\r\nquit\r\n":
        await stream.send_all(bytes((byte,)))
        await trio.sleep(0.001)
    await _reads(stream)


# Too much


@_peer
async def floods(stream: trio.abc.Stream) -> None:
    """Sends lines as fast as they are taken, and reads the answers."""
    await _sends_and_reads(stream, b"say buy gold\r\n" * 200)


@_peer
async def types_without_end(stream: trio.abc.Stream) -> None:
    """Sends one line far longer than any limit, and then a short one."""
    await stream.send_all(b"A" * LONG + b"\r\nlook\r\n")


@_peer
async def sends_empty_lines(stream: trio.abc.Stream) -> None:
    """The most lines in the fewest bytes."""
    await stream.send_all(b"\n" * LONG)


@_peer
async def never_ends_a_subnegotiation(stream: trio.abc.Stream) -> None:
    """Begins subnegotiations far over any limit; what follows each is no text."""
    for _ in range(8):
        await stream.send_all(bytes((IAC, SB, NAWS)) + b"quit\r\n" * (LONG // 6) + bytes((IAC, SE)))


@_peer
async def negotiates_for_ever(stream: trio.abc.Stream) -> None:
    """Changes its mind about an option, without end, and reads none of the answers."""
    await _sends_for_ever(stream, bytes((IAC, WILL, NAWS, IAC, WONT, NAWS)) * 200)


@_peer
async def asks_for_everything(stream: trio.abc.Stream) -> None:
    """Demands every option there is, both ways."""
    await stream.send_all(b"".join(bytes((IAC, verb, option)) for option in range(256) for verb in (DO, WILL)))


@_peer
async def asks_are_you_there(stream: trio.abc.Stream) -> None:
    """Wants a sign of life, many times a second."""
    await _sends_and_reads(stream, bytes((IAC, AYT)) * 100)


@_peer
async def resizes_for_ever(stream: trio.abc.Stream) -> None:
    """Tells another size of its window each time, the smallest and the largest among them."""
    await stream.send_all(bytes((IAC, WILL, NAWS)))
    sizes = (b"\0\0\0\0", b"\xff\xff\xff\xff" * 2, b"\0\x50\0\x18", b"\0\x51\0\x18")  # a byte of 255 is sent twice
    await _sends_for_ever(stream, b"".join(bytes((IAC, SB, NAWS)) + size + bytes((IAC, SE)) for size in sizes))


@_peer
async def names_itself_for_ever(stream: trio.abc.Stream) -> None:
    """Has another name for its terminal each time, asked or not."""
    await stream.send_all(bytes((IAC, WILL, TTYPE)))
    for number in range(1000):
        await stream.send_all(bytes((IAC, SB, TTYPE, 0)) + b"VT%d" % number + bytes((IAC, SE)))


# Not what was agreed


@_peer
async def echoes(stream: trio.abc.Stream) -> None:
    """Sends back every byte it gets."""
    while data := await stream.receive_some():
        await stream.send_all(data)


@_peer
async def sends_noise(stream: trio.abc.Stream) -> None:
    """Every byte there is, in every pair."""
    await stream.send_all(bytes(byte for first in range(256) for second in range(256) for byte in (first, second)))


@_peer
async def sends_broken_utf8(stream: trio.abc.Stream) -> None:
    """Overlong, cut short, surrogates, beyond the last character, and control characters in two bytes."""
    for broken in (b"\xc0\xaf", b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc2\x9b31m", b"\xfe\xfe"):
        await stream.send_all(b"say " + broken + b"\r\n")
    await _reads(stream)


@_peer
async def sends_urgent_data(stream: trio.abc.Stream) -> None:
    """Telnet's Synch: a data mark that TCP calls urgent (CVE-2020-10188). On a pipe it is no more than a data mark."""
    await stream.send_all(b"say befo")
    if isinstance(stream, trio.SocketStream):
        await stream.socket.send(bytes((IAC, DM)), socket.MSG_OOB)
    else:
        await stream.send_all(bytes((IAC, DM)))
    await stream.send_all(b"re and after\r\n")
    await _reads(stream)


@_peer
async def speaks_http(stream: trio.abc.Stream) -> None:
    """A browser sent here by a page that means no good."""
    await stream.send_all(b"POST / HTTP/1.1\r\nHost: localhost:4000\r\nContent-Length: 6\r\n\r\nquit\r\n")
    await _reads(stream)


# What they share


async def reset(stream: trio.abc.Stream) -> None:
    """Break the connection at once, as a killed client does: the server sees a reset."""
    if isinstance(stream, trio.SocketStream):
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST instead of FIN
        await stream.aclose()
    elif isinstance(stream, PipeEnd):
        stream.reset()
        await trio.lowlevel.checkpoint()
    else:
        await trio.aclose_forcefully(stream)


async def _sends_for_ever(stream: trio.abc.Stream, data: bytes, *, every: float = BREATH) -> None:
    """Send the same again and again, until the connection ends."""
    with _until_it_ends():
        while True:
            await stream.send_all(data)
            await trio.sleep(every)


async def _sends_and_reads(stream: trio.abc.Stream, data: bytes, *, every: float = BREATH) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_reads, stream)
        await _sends_for_ever(stream, data, every=every)


async def _reads(stream: trio.abc.Stream) -> None:
    """Read and forget, until the connection ends."""
    with _until_it_ends():
        while await stream.receive_some():
            pass
