"""Players in a browser, for tests: clients of the web port, over a WebSocket in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import trio

from .pipe import Pipe
from .player import Player
from .terminal import Terminal
from .web_wire import WebWire

GOING_AWAY: Final = 1001  # sent by a browser whose tab is closed


class WebPlayer(Player):
    """A client of the web port of the server under test. Created by `Mud.web_player`.

    It types and reads as any `Player`. By default it is the page of this package: it speaks the same subprotocol, and
    keeps its token and its count of lines, with which `come_back` continues the session.
    """

    def __init__(
        self,
        pipe: Pipe,
        terminal: Terminal,
        nursery: trio.Nursery,
        name: str,
        again: Callable[..., Awaitable[Player]],
        wire: WebWire,
    ) -> None:
        self._wire = wire
        terminal.receive(wire.greeting)
        wire.send(terminal.data_to_send())
        super().__init__(pipe, terminal, nursery, name, again)

    # Actions

    async def send(self, data: bytes) -> None:
        """Send a binary message, unchanged.

        Raises:
            trio.BrokenResourceError: The connection has ended.
        """
        self._check_open(data)
        self._wire.send_message(data)
        await self._flush()

    async def send_text(self, text: str) -> None:
        """Send a text message, unchanged.

        Raises:
            trio.BrokenResourceError: The connection has ended.
        """
        self._check_open(text)
        self._wire.send_message(text.encode(), is_text=True)
        await self._flush()

    async def close(self, code: int = GOING_AWAY) -> None:
        """Send a close frame, and keep reading: the server reads an end of file, answers, and closes the link.

        Args:
            code: Its code; by default that of a browser whose tab is closed.
        """
        self._wire.close(code)
        await self._flush()

    async def hang_up(self) -> None:
        """Send a close frame and close the link: the server reads an end of file."""
        self._wire.close(GOING_AWAY)
        await self._flush()
        await super().hang_up()

    async def come_back(self) -> WebPlayer:
        """Connect again from the same address, and present the token, as the page does when its link is lost.

        Returns:
            The player on the new connection; this one is not changed.
        """
        back = await super().come_back()
        assert isinstance(back, WebPlayer)
        return back

    # Expectations

    @property
    def subprotocol(self) -> str:
        """The subprotocol that the server has confirmed; "" if none."""
        return self._wire.subprotocol

    @property
    def status(self) -> int:
        """The HTTP status of the answer to its request, 101 if it was accepted; 0 as long as there is none."""
        return self._wire.status

    @property
    def close_code(self) -> int | None:
        """The code of the server's close frame, such as 1000 after a quit; None if it has sent none."""
        return self._wire.close_code

    # Internal

    async def _say(self, data: bytes) -> None:
        self._check_open(data)
        self._wire.send(data)
        await self._flush()

    async def _answer(self, data: bytes) -> None:
        self._wire.send(data)  # sends nothing once it is closed
        await self._flush()

    def _check_open(self, data: bytes | str) -> None:
        if self._wire.status and not self._wire.is_open:
            why = self._end or "it has closed the WebSocket"
            raise trio.BrokenResourceError(f"{self._name} cannot send {data[:80]!r}: {why}")

    async def _flush(self) -> None:
        await self._transmit(self._wire.data_to_send())

    async def _hear(self, data: bytes) -> bytes:
        heard = self._wire.receive(data)
        if self._wire.status not in (0, HTTPStatus.SWITCHING_PROTOCOLS):
            self._over(f"the server answered with status {self._wire.status}")
        elif self._wire.close_code is not None:
            self._over(f"the server closed the WebSocket with code {self._wire.close_code}")
        if answer := self._wire.data_to_send():
            await self._transmit(answer)
        return heard

    async def _read(self) -> None:
        await self._flush()  # its request
        await super()._read()
