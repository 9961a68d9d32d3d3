"""A link that is not telnet: lines in, texts out, in memory; and a listener whose peers bring it."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable

import trio

from trio_mud import Cause, Text
from trio_mud.driver.link.base import LinkHost, LinkReceiver, OutOfBand
from trio_mud.driver.link.client import Client
from trio_mud.driver.link.tail import Tail


class MemoryLink:
    """A link in memory: typed input arrives at once; flushed output is in `seen`."""

    address = "memory"
    needs_handshake = may_be_health_check = has_unparsed = can_parse = is_held = hides_input = False

    def __init__(self) -> None:
        self.client = Client()
        self.seen: list[str] = []
        self.calls: list[str] = []
        self._unsent: list[str] = []
        self._hung_up = trio.Event()
        self._is_stopped = False
        self._is_dirty = True
        self._tail: Tail | None = None
        self._host: LinkHost
        self._receiver: LinkReceiver

    def make_link(self, host: LinkHost) -> MemoryLink:
        """The function that the server calls instead of wrapping a transport."""
        self._host = host
        return self

    # The peer

    def type(self, line: str, *, hidden: bool = False) -> bool:
        """Type a line; return True if there is room for more."""
        return self._is_stopped or self._receiver.received_line(line, hidden)

    def tell(self, message: OutOfBand) -> None:
        """Send a message of the peer's program."""
        self._receiver.received(message)

    def hang_up(self) -> None:
        """End the input."""
        self._hung_up.set()

    def vanish(self) -> None:
        """Lose the link."""
        self._receiver.ended(Cause.RESET)

    # What the connection calls

    def attach(self, receiver: LinkReceiver) -> None:
        self._receiver = receiver

    async def locate(self) -> None:
        pass

    async def handshake(self) -> None:
        pass

    def open(self, *, offers: bool = True) -> None:
        if not offers:
            self._unsent.clear()
            self._is_stopped = False
        self._host.mark_dirty(self._receiver)

    async def read(self) -> None:
        await self._hung_up.wait()

    @property
    def is_drained(self) -> bool:
        return not self._is_dirty

    async def drain(self) -> None:
        await self._receiver.wait_until(lambda: self.is_drained)

    def stop(self, *, drop_input: bool) -> None:
        self._is_stopped = True
        self.calls.append("stop, dropping input" if drop_input else "stop")

    def write(self, text: Text, *, is_last: bool = False) -> bool:
        if self._is_stopped:
            return False
        self._unsent.append(str(text))
        self.mark_dirty()
        return True

    def write_shared(self, text: Text, rendered: dict[Hashable, bytes]) -> bool:
        return self.write(text)

    def prompt(self, text: Text) -> bool:
        return self.write(text)

    def prompt_answered(self, hidden: bool) -> None:
        pass

    def send(self, message: OutOfBand) -> bool:
        return self.write(f"{message.protocol}: {message.name}")

    def hide_input(
        self, hidden: bool, *, marks: bool = False, ends_line: bool = True, is_answered: bool = True
    ) -> None:
        self.calls.append("hide" if hidden else "show")

    def offer_return(self, tail: Tail, token: str, waits: float | None, *, seen: int | None = None) -> None:
        self._tail = tail

    def catch_up(self, tail: Tail, seen: int | None) -> None:
        self.write(tail.missing(seen).text.decode())

    def end_tail(self) -> None:
        self._tail = None

    def taken(self) -> None:
        pass

    def drop_input(self) -> None:
        pass

    def discard_input(self) -> bool:
        return False

    def discard(self) -> None:
        self._unsent.clear()
        self._is_dirty = False

    def mark_dirty(self) -> None:
        if not self._is_dirty:
            self._is_dirty = True
            self._host.mark_dirty(self._receiver)

    def flush(self) -> None:
        self._is_dirty = False
        self.seen += self._unsent
        self._unsent.clear()

    async def aclose(self, *, gently: bool, why: Cause) -> None:
        self.calls.append(f"close {'gently' if gently else 'at once'}: {why}")


class MemoryListener:
    """A listener whose peers are connected by the test."""

    def __init__(self) -> None:
        self._to, self._from = trio.open_memory_channel[MemoryLink](math.inf)

    def connect(self) -> MemoryLink:
        """Connect a peer."""
        link = MemoryLink()
        self._to.send_nowait(link)
        return link

    async def accept(self) -> MemoryLink:
        return await self._from.receive()

    async def aclose(self) -> None:
        await self._from.aclose()


Condition = Callable[[], bool]
