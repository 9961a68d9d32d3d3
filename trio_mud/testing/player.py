"""Players for tests: they type and read, and can fail in the ways that real clients do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from ..telnet.codes import ECHO
from ..telnet.gmcp_messages import NO_DATA, encode_gmcp
from .gmcp import Message, Return
from .pipe import Pipe
from .terminal import Terminal
from .threads import settle

PATIENCE = 10.0  # seconds of virtual time until an expectation fails
EXCERPT = 1000  # characters of the screen quoted by a failure


class Player:
    """A client of the server under test. Created by `Mud.player`.

    It reads all the time, so that the server never waits for it, until `stop_reading`. Its expectations follow the
    received text in order: each one searches after the previous match.
    """

    def __init__(
        self,
        pipe: Pipe,
        terminal: Terminal,
        nursery: trio.Nursery,
        name: str,
        again: Callable[..., Awaitable[Player]] | None = None,
    ) -> None:
        self._pipe = pipe
        self._again = again
        self._terminal = terminal
        self._name = name
        self._seen = 0  # characters of the screen already matched by expectations
        self._news = trio.Event()
        self._end = ""  # how the connection ended, in words
        self._sending = trio.StrictFIFOLock()  # typed lines and the terminal's answers share one stream
        self._may_read = trio.Event()
        self._may_read.set()
        self._receiving: trio.CancelScope | None = None
        nursery.start_soon(self._read, name=f"{name} reads")

    # Actions

    async def type(self, *lines: str) -> None:
        """Type lines, each ended by Enter.

        Raises:
            trio.BrokenResourceError: The connection has ended.
        """
        await self._say("".join(f"{line}\r\n" for line in lines).encode())

    async def send(self, data: bytes) -> None:
        """Send bytes unchanged.

        Raises:
            trio.BrokenResourceError: The connection has ended.
        """
        await self._transmit(data)

    async def hang_up(self) -> None:
        """Close the connection in order: the server reads an end of file."""
        self._over("it hung up")
        await self._pipe.client.aclose()

    async def finish_typing(self) -> None:
        r"""Send the end of file and keep reading, as `printf 'quit\n' | nc` does."""
        async with self._sending:
            await self._pipe.client.send_eof()

    async def vanish(self) -> None:
        """Reset the connection, as a killed client or a rebooted router does."""
        self._over("it vanished")
        self._pipe.reset()
        await trio.lowlevel.checkpoint()

    def go_silent(self) -> None:
        """Stop all delivery, as when a cable is pulled: nothing arrives in either direction, and no end."""
        self._pipe.client.stall()

    def plug_in(self) -> None:
        """Resume delivery: bytes in transit arrive."""
        self._pipe.client.resume()

    async def come_back(self) -> Player:
        """Connect again with the same program from the same address, in any state of this connection.

        A program that takes the GMCP package `Session` presents the token that it has, as a browser does.

        Returns:
            The player on the new connection; this one is not changed.
        """
        if self._again is None:
            raise RuntimeError(f"{self._name} does not know its way back: only those of `Mud.player` do")
        return await self._again(returns=self.returns)

    def stop_reading(self) -> None:
        """Stop reading; the pipe between server and client fills."""
        self._may_read = trio.Event()
        if self._receiving is not None:
            self._receiving.cancel(reason=f"{self._name} has stopped reading")

    def read_on(self) -> None:
        """Read again, beginning with the bytes in the pipe."""
        self._may_read.set()

    async def resize(self, columns: int, rows: int) -> None:
        """Change the window's size, and send it to the server if NAWS is agreed."""
        self._terminal.resize(columns, rows)
        await self._say(self._terminal.data_to_send())

    async def send_gmcp(self, package: str, data: object = NO_DATA) -> None:
        """Send a GMCP message, even if the server has not agreed to GMCP."""
        await self._say(encode_gmcp(package, data))

    # Expectations

    @property
    def screen(self) -> str:
        """All text received so far: line endings are newlines, telnet commands are removed, colours are not."""
        return self._terminal.text

    @property
    def unread(self) -> str:
        """The text after the last match."""
        return self.screen[self._seen :]

    @property
    def gmcp(self) -> list[Message]:
        """Every GMCP message received so far, as package and data; empty unless the player was created with `gmcp=`."""
        return self._terminal.gmcp

    @property
    def returns(self) -> Return | None:
        """The token for a return and the line ends received, if its program takes the GMCP package `Session`."""
        return self._terminal.returns

    @property
    def input_hidden(self) -> bool:
        """True if the server asked to hide input and this client agreed."""
        return self._terminal.engine.is_theirs(ECHO)

    async def sees(self, text: str, *, within: float = PATIENCE) -> str:
        """Wait for a text, and continue after it.

        Args:
            text: Part of the expected output, including newlines.
            within: Seconds of virtual time to wait.

        Returns:
            The output up to and including the text.

        Raises:
            AssertionError: It did not come in time, or the connection ended without it.
        """
        __tracebackhide__ = True
        with trio.move_on_after(within):
            while text not in self.unread and not self._end:
                await self._something_new()
        found = self.screen.find(text, self._seen)
        if found < 0:
            why = f"before {self._end}" if self._end else f"within {within:g} s"
            raise AssertionError(f"{self._name} did not see {text!r} {why}{self._what_it_saw(text)}")
        return self._pass(found + len(text))

    async def sees_nothing(self) -> None:
        """Assert that no further output comes until every task waits; the rest of the last line seen is ignored.

        Raises:
            AssertionError: There was further output.
        """
        __tracebackhide__ = True
        await settle()
        at_line_start = self._seen == 0 or self.screen[self._seen - 1] == "\n"
        rest = self.unread if at_line_start else self.unread.partition("\n")[2]
        if rest:
            raise AssertionError(f"{self._name} should have seen nothing more{self._what_it_saw()}")

    async def catches_up(self) -> str:
        """Read until every task waits; return all output and continue after it."""
        await settle()
        return self._pass(len(self.screen))

    async def sees_the_end(self, *, within: float = PATIENCE) -> str:
        """Wait until the server closes the connection; return all output before that.

        Raises:
            AssertionError: The connection is still open.
        """
        __tracebackhide__ = True
        with trio.move_on_after(within):
            while not self._end:
                await self._something_new()
        if not self._end:
            raise AssertionError(f"{self._name} is still connected after {within:g} s{self._what_it_saw()}")
        return self._pass(len(self.screen))

    def _pass(self, until: int) -> str:
        start, self._seen = self._seen, until
        return self.screen[start:until]

    def _what_it_saw(self, missing: str = "") -> str:
        """Return the details of a failure: the output before and after the last match."""
        passed, unread = self.screen[: self._seen], self.unread
        lines = ["", f"  unread: {_excerpt(unread)}", f"  before: {_excerpt(passed)}"]
        if missing and missing in passed:
            lines.append("  It came, but an earlier expectation has passed it: expect texts in the order they come.")
        elif missing and missing.lower() in unread.lower():
            lines.append("  Only capitals differ.")
        if not self._may_read.is_set():
            lines.append("  It has stopped reading.")
        return "\n".join(lines)

    # Internal

    async def _something_new(self) -> None:
        self._news = trio.Event()
        await self._news.wait()

    def _over(self, how: str) -> None:
        if not self._end:
            self._end = how
            self._news.set()

    async def _say(self, data: bytes) -> None:
        """Send telnet bytes of its program."""
        await self._transmit(data)

    async def _answer(self, data: bytes) -> None:
        """Send what its program answers by itself."""
        await self._transmit(data)

    async def _transmit(self, data: bytes) -> None:
        try:
            async with self._sending:
                await self._pipe.client.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            why = self._end or str(error)
            raise trio.BrokenResourceError(f"{self._name} cannot send {data[:80]!r}: {why}") from error

    async def _hear(self, data: bytes) -> bytes:
        """Return the telnet bytes in received bytes."""
        return data

    async def _read(self) -> None:
        try:
            while data := await self._receive():
                self._terminal.receive(await self._hear(data))
                self._news.set()
                if answer := self._terminal.data_to_send():
                    await self._answer(answer)
            self._over("the server closed the connection")
            await self._pipe.client.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._over("the connection broke")

    async def _receive(self) -> bytes:
        while True:
            await self._may_read.wait()
            with trio.CancelScope() as self._receiving:
                return await self._pipe.client.receive_some()


def _excerpt(text: str) -> str:
    """Return the end of a text, which usually shows the cause."""
    return repr(text) if len(text) <= EXCERPT else f"... {text[-EXCERPT:]!r}"
