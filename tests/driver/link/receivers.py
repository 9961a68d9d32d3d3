"""A receiver that stores its link's reports, and a link without a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NoReturn

from trio_mud import Cause, Limits, Texts
from trio_mud.driver.core.context import Context
from trio_mud.driver.core.dispatcher import Dispatcher
from trio_mud.driver.core.failures import RepeatLimiter
from trio_mud.driver.core.thread import HomeThread
from trio_mud.driver.core.timers import Timers
from trio_mud.driver.link.base import LinkEvent, LinkHost
from trio_mud.driver.link.telnet import TelnetLink
from trio_mud.telnet import Option, TelnetEngine

from ..conftest import FakeTransport


class KeepingReceiver:
    """Takes up to `room` lines and events, and then is full until some are taken."""

    label = "the receiver"

    def __init__(self, room: int) -> None:
        self._room = room
        self.is_full = False
        self.kept: list[str | LinkEvent] = []
        self.on_event: Callable[[LinkEvent], object] = lambda event: None
        self.endings: list[Cause | BaseException] = []

    def received_line(self, line: str, hidden: bool) -> bool:
        self._keep(line)
        return not self.is_full

    def received(self, event: LinkEvent) -> None:
        self._keep(event)
        self.on_event(event)

    def ended(self, cause: Cause, text: str = "") -> None:
        self.endings.append(cause)

    def failed(self, error: BaseException) -> None:
        self.endings.append(error)

    def notify(self) -> None:
        pass

    @property
    def waiting(self) -> int:
        return len(self.kept)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        raise NotImplementedError("nobody waits here")

    def flush(self) -> None:
        pass

    def take(self) -> str | LinkEvent:
        """Take the oldest."""
        taken = self.kept.pop(0)
        self.is_full = len(self.kept) >= self._room
        return taken

    def _keep(self, what: str | LinkEvent) -> None:
        self.kept.append(what)
        self.is_full = len(self.kept) >= self._room


def _start_nothing(work: Callable[[], Awaitable[object]], *, name: str) -> NoReturn:
    raise NotImplementedError("nothing is written here")


def link_to(receiver: KeepingReceiver, options: Iterable[Option], limits: Limits | None = None) -> TelnetLink:
    """A telnet link that reports to this receiver, as if its connection were admitted."""
    limits, options = limits or Limits(protocol_rate=None), tuple(options)
    nothing: Any = None
    timers = Timers(limits.batch_size, HomeThread())
    context = Context(
        limits, Texts(), Counter(), timers, RepeatLimiter(timers, None), Dispatcher(nothing, limits), lambda: 0.0
    )
    host = LinkHost(
        context,
        poller=None,
        mark_dirty=lambda receiver: None,
        start_sibling=_start_nothing,
        make_engine=lambda *, is_secure=False: TelnetEngine(options),
        mssp_variables=dict,
        rendered={},
        after_flush=[],
    )
    link = TelnetLink(host, FakeTransport())
    link.attach(receiver)
    return link
