"""Peers that misbehave, each named for what it does. They end by themselves, or with the nursery they run in.

Every peer is `async def peer(stream)`: start it on `mud.connect().client`, or on a TCP stream.
None of them costs an honest player anything.
"""

from __future__ import annotations

from typing import Final

import trio

from ..telnet.codes import DO, IAC, NAWS, SB, WILL, WONT

LONG: Final = 100_000  # bytes, more than any limit


async def leaves_at_once(stream: trio.abc.Stream) -> None:
    """A port scan: connects and closes."""
    await stream.aclose()


async def never_reads(stream: trio.abc.Stream) -> None:
    """Types for ever and reads nothing, so that its answers pile up."""
    await _sends_for_ever(stream, b"say are you still there\r\n")


async def drips(stream: trio.abc.Stream) -> None:
    """Slowloris: one byte every ten seconds, and never the end of a line."""
    while True:
        await stream.send_all(b"z")
        await trio.sleep(10)


async def floods(stream: trio.abc.Stream) -> None:
    """Sends lines as fast as they are taken."""
    await _sends_for_ever(stream, b"say buy gold\r\n" * 500)


async def types_without_end(stream: trio.abc.Stream) -> None:
    """Sends one line far longer than any limit, and then a short one."""
    await stream.send_all(b"A" * LONG + b"\r\nlook\r\n")


async def sends_empty_lines(stream: trio.abc.Stream) -> None:
    """The most lines in the fewest bytes."""
    await stream.send_all(b"\n" * LONG)


async def never_ends_a_subnegotiation(stream: trio.abc.Stream) -> None:
    """Begins subnegotiations far over any limit; what follows each is no text."""
    for _ in range(8):
        await stream.send_all(bytes((IAC, SB, NAWS)) + b"quit\r\n" * (LONG // 6) + bytes((IAC, 240)))


async def negotiates_for_ever(stream: trio.abc.Stream) -> None:
    """Changes its mind about an option, without end."""
    await _sends_for_ever(stream, bytes((IAC, WILL, NAWS, IAC, WONT, NAWS)) * 200)


async def asks_for_everything(stream: trio.abc.Stream) -> None:
    """Demands every option there is, both ways."""
    await stream.send_all(b"".join(bytes((IAC, verb, option)) for option in range(256) for verb in (DO, WILL)))


async def echoes(stream: trio.abc.Stream) -> None:
    """Sends back every byte it gets."""
    try:
        while data := await stream.receive_some():
            await stream.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def sends_noise(stream: trio.abc.Stream) -> None:
    """Every byte there is, in every pair."""
    await stream.send_all(bytes(byte for first in range(256) for second in range(256) for byte in (first, second)))


async def _sends_for_ever(stream: trio.abc.Stream, data: bytes) -> None:
    try:
        while True:
            await stream.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
