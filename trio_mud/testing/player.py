"""Players for tests: they type and read, and can go wrong in the ways that players do."""

from __future__ import annotations

import trio
import trio.testing

from ..telnet.codes import ECHO
from .pipe import Pipe
from .terminal import Terminal

PATIENCE = 10.0  # seconds of virtual time until an expectation fails


class Player:
    """One client of the server under test. Made by `Mud.player`.

    Reads all the time, so that nothing waits for it, until `stop_reading`.
    Its expectations go through what it read in order: each looks behind the last one met.
    """

    def __init__(self, pipe: Pipe, terminal: Terminal, nursery: trio.Nursery, name: str) -> None:
        self._pipe = pipe
        self._terminal = terminal
        self._name = name
        self._seen = 0  # characters of the screen that expectations have passed
        self._news = trio.Event()
        self._is_over = False
        self._reading = trio.CancelScope()
        nursery.start_soon(self._read, name=f"{name} reads")

    # What it does

    async def type(self, *lines: str) -> None:
        """Type lines, each ended by Enter."""
        await self.send("".join(f"{line}\r\n" for line in lines).encode())

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self._pipe.client.send_all(data)

    async def hang_up(self) -> None:
        """Close the connection in the orderly way: the server reads an end of file."""
        self._reading.cancel()
        await self._pipe.client.aclose()

    async def finish_typing(self) -> None:
        """Send the end of file and read on, as `printf 'quit\\n' | nc` does."""
        await self._pipe.client.send_eof()

    async def vanish(self) -> None:
        """Break the connection, as a killed client or a rebooted router does: the server sees a reset."""
        self._reading.cancel()
        self._pipe.reset()
        await trio.lowlevel.checkpoint()

    def go_silent(self) -> None:
        """Be gone without a word, as when a cable is pulled: nothing arrives either way, and no end."""
        self._pipe.client.stall()

    def stop_reading(self) -> None:
        """Leave what the server sends where it is; the pipe between fills."""
        self._reading.cancel()

    async def resize(self, columns: int, rows: int) -> None:
        """Change the window's size, and tell the server if it asked to be told."""
        self._terminal.resize(columns, rows)
        await self.send(self._terminal.data_to_send())

    # What it expects

    @property
    def screen(self) -> str:
        """Everything it read so far, as text: line ends are newlines, telnet is left out, colours are not."""
        return self._terminal.text

    @property
    def unread(self) -> str:
        """What no expectation has passed yet."""
        return self.screen[self._seen :]

    @property
    def input_hidden(self) -> bool:
        """Whether the server asked to hide what is typed, and this client does."""
        return self._terminal.engine.is_theirs(ECHO)

    async def sees(self, text: str, *, within: float = PATIENCE) -> str:
        """Wait for a text, and pass it.

        Args:
            text: Part of what is to be read, newlines included.
            within: Seconds of virtual time to wait.

        Returns:
            What was passed, the text included.

        Raises:
            AssertionError: It did not come in time, or the connection ended without it.
        """
        with trio.move_on_after(within):
            while text not in self.unread and not self._is_over:
                self._news = trio.Event()
                await self._news.wait()
        found = self.screen.find(text, self._seen)
        if found < 0:
            why = "before the connection ended" if self._is_over else f"within {within:g} s"
            raise AssertionError(f"{self._name} did not see {text!r} {why}; unread: {self.unread!r}")
        start, self._seen = self._seen, found + len(text)
        return self.screen[start : self._seen]

    async def sees_nothing(self) -> None:
        """Nothing more has come, nor comes until every task waits; the rest of the line seen last does not count.

        Raises:
            AssertionError: Something came.
        """
        await trio.testing.wait_all_tasks_blocked()
        at_line_start = self._seen == 0 or self.screen[self._seen - 1] == "\n"
        rest = self.unread if at_line_start else self.unread.partition("\n")[2]
        if rest:
            raise AssertionError(f"{self._name} should have seen nothing, but saw {rest!r}")

    async def catches_up(self) -> str:
        """Read until every task waits, and pass everything; returns it."""
        await trio.testing.wait_all_tasks_blocked()
        start, self._seen = self._seen, len(self.screen)
        return self.screen[start:]

    async def sees_the_end(self, *, within: float = PATIENCE) -> str:
        """Wait until the server closes the connection, and pass everything before; returns it.

        Raises:
            AssertionError: It stayed open.
        """
        with trio.move_on_after(within):
            while not self._is_over:
                self._news = trio.Event()
                await self._news.wait()
        if not self._is_over:
            raise AssertionError(f"{self._name} is still connected after {within:g} s; unread: {self.unread!r}")
        start, self._seen = self._seen, len(self.screen)
        return self.screen[start:]

    async def _read(self) -> None:
        client = self._pipe.client
        with self._reading:
            try:
                while data := await client.receive_some():
                    self._terminal.receive(data)
                    if answer := self._terminal.data_to_send():
                        await client.send_all(answer)
                    self._news.set()
                await client.aclose()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            self._is_over = True
            self._news.set()


