"""The boundary around a link of a game's own: a failure costs its connection and nothing else.

A telnet link contains its failures itself, since its methods run for every line. Any other link is called through
`GuardedLink`. When a method or an attribute of the link raises, the connection ends with that error in the log.
From then on every answer is the one with which the connection can end: nothing is unparsed, nothing is unsent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from types import CoroutineType

import trio

from ...text import Text
from ..core.checks import check_text
from ..core.events import Cause
from ..core.guard import not_awaited
from .base import Link, LinkReceiver, OutOfBand
from .tail import Tail


class GuardedLink:
    """A link that never raises where `Link` says so.

    Args:
        link: The link of the game.
        cleanup_timeout: Seconds until a link that was discarded, and whose `drain` does not end, counts as failed.

    Attributes:
        client: The known facts about the peer's program.
        needs_handshake: True, so that `locate` and `handshake` have a deadline, whatever the link says of them.
    """

    needs_handshake = True

    __slots__ = ("_cleanup_timeout", "_has_failed", "_is_discarded", "_link", "_receiver", "client")

    _receiver: LinkReceiver

    def __init__(self, link: Link, cleanup_timeout: float) -> None:
        self._link = link
        self._cleanup_timeout = cleanup_timeout
        self._has_failed = False
        self._is_discarded = False
        self.client = link.client

    def attach(self, receiver: LinkReceiver) -> None:
        """Set the receiver. May raise: nothing depends on the connection yet."""
        self._receiver = receiver
        self._link.attach(receiver)

    # Attributes

    @property
    def address(self) -> str:
        """The peer's host; "" if it cannot be read."""
        return str(self._guard(lambda: self._link.address, ""))

    @property
    def may_be_health_check(self) -> bool:
        """True if a proxy opened the link for itself."""
        return self._is(lambda: self._link.may_be_health_check, otherwise=False)

    @property
    def has_unparsed(self) -> bool:
        """True if received bytes are not parsed yet."""
        return self._is(lambda: self._link.has_unparsed, otherwise=False)

    @property
    def can_parse(self) -> bool:
        """True if `taken` would make progress now."""
        return self._is(lambda: self._link.can_parse, otherwise=False)

    @property
    def is_held(self) -> bool:
        """True if received input waits for the game."""
        return self._is(lambda: self._link.is_held, otherwise=False)

    @property
    def is_drained(self) -> bool:
        """True if all output was accepted."""
        return self._is(lambda: self._link.is_drained, otherwise=True)

    @property
    def hides_input(self) -> bool:
        """True if typed input is secret now, or that is unknown."""
        return self._is(lambda: self._link.hides_input, otherwise=True)

    # The connection's task, which contains what these raise

    async def locate(self) -> None:
        """Wait until the peer's address is known."""
        await self._link.locate()

    async def handshake(self) -> None:
        """Complete the handshake."""
        await self._link.handshake()

    def read(self) -> Awaitable[None]:
        """Receive until the end of file."""
        return self._link.read()

    async def aclose(self, *, gently: bool, why: Cause) -> None:
        """Close the link, also after a failure, since it may hold a socket."""
        await self._link.aclose(gently=gently, why=why)

    async def drain(self) -> None:
        """Wait until `is_drained`; after `discard`, for a limited time."""
        if not self._is_discarded:
            await self._link.drain()
            return
        try:
            with trio.fail_after(self._cleanup_timeout):
                await self._link.drain()
        except Exception as error:  # noqa: BLE001 - the boundary; this wait is shielded, so it is not cancelled
            self._fail(error)

    # Steps of the connection

    def open(self, *, offers: bool = True) -> None:
        """Allow output."""
        self._guard(lambda: self._link.open(offers=offers), None)

    def stop(self, *, drop_input: bool) -> None:
        """Ignore further input and output."""
        self._guard(lambda: self._link.stop(drop_input=drop_input), None)

    def prompt_answered(self, hidden: bool) -> None:
        """Forget the prompt."""
        self._guard(lambda: self._link.prompt_answered(hidden), None)

    def hide_input(
        self, hidden: bool, *, marks: bool = False, ends_line: bool = True, is_answered: bool = True
    ) -> None:
        """Ask the client to hide or show typed input."""
        self._guard(
            lambda: self._link.hide_input(hidden, marks=marks, ends_line=ends_line, is_answered=is_answered), None
        )

    def offer_return(self, tail: Tail, token: str, waits: float | None, *, seen: int | None = None) -> None:
        """Send a token for the client's return, and keep all text from here on."""
        self._guard(lambda: self._link.offer_return(tail, token, waits, seen=seen), None)

    def catch_up(self, tail: Tail, seen: int | None) -> None:
        """Send what a client that has returned is missing."""
        self._guard(lambda: self._link.catch_up(tail, seen), None)

    def end_tail(self) -> None:
        """Stop numbering."""
        self._guard(lambda: self._link.end_tail(), None)

    def taken(self) -> None:
        """Continue parsing."""
        self._guard(lambda: self._link.taken(), None)

    def drop_input(self) -> None:
        """Drop input that is not parsed yet, and all later input."""
        self._guard(lambda: self._link.drop_input(), None)

    def discard_input(self) -> bool:
        """Drop the input received so far."""
        return self._is(lambda: self._link.discard_input(), otherwise=True)

    def discard(self) -> None:
        """Drop all pending output."""
        self._is_discarded = True
        self._guard(lambda: self._link.discard(), None)

    def mark_dirty(self) -> None:
        """Mark the receiver dirty."""
        self._guard(lambda: self._link.mark_dirty(), None)

    def flush(self) -> None:
        """Send all pending output."""
        self._guard(lambda: self._link.flush(), None)

    # Output: a wrong argument is the mistake of the caller, and raises there

    def write(self, text: Text, *, is_last: bool = False) -> bool:
        """Queue a text and a line end."""
        text = check_text(text, "Connection.write()")
        return self._is(lambda: self._link.write(text, is_last=is_last), otherwise=False)

    def write_shared(self, text: Text, rendered: dict[Hashable, bytes]) -> bool:
        """Queue a text and a line end; share the encoded bytes."""
        return self._is(lambda: self._link.write_shared(text, rendered), otherwise=False)

    def prompt(self, text: Text) -> bool:
        """Queue a text without a line end."""
        text = check_text(text, "Connection.prompt()")
        return self._is(lambda: self._link.prompt(text), otherwise=False)

    def send(self, message: OutOfBand) -> bool:
        """Queue a message for the peer's program."""
        refusals: list[ValueError | TypeError] = []

        def send() -> bool:
            try:
                return self._link.send(message)
            except (ValueError, TypeError) as error:
                refusals.append(error)
                return False

        is_sent = self._is(send, otherwise=False)
        if refusals:
            raise refusals[0]
        return is_sent

    # The boundary

    def _is(self, ask: Callable[[], object], *, otherwise: bool) -> bool:
        return bool(self._guard(ask, otherwise))

    def _guard(self, call: Callable[[], object], otherwise: object) -> object:
        """Call the link; return `otherwise` if it raises or has failed before."""
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - the boundary
            self._fail(error)
        else:
            if type(result) is CoroutineType:
                self._fail(not_awaited(result))
            elif not self._has_failed:
                return result
        return otherwise

    def _fail(self, error: BaseException) -> None:
        """End the connection at the first failure. Later ones are its consequence, and are not logged."""
        if not self._has_failed:
            self._has_failed = True
            self._receiver.failed(error)
