"""The poller: one task that receives for many sockets, where the system has epoll.

A task that waits for its own socket costs trio a registration, a wake-up and a switch for each read, and they cost
most of what a line costs at all (docs/topics/performance.md).
Here the sockets stand in a set of the poller's own, whose descriptor alone is registered with trio;
whoever listens to a socket is called with what came, and its task sleeps until the link pauses or ends.

At most `turn` sockets are read before everybody else has a turn, so that timers stay on time: fewer than the
dispatcher serves in a batch, or lines would queue up before it, and what a timer does behind them.
Endings are cheap to notice and dear to handle, so they are told in slices, and those who play on are found first.

A server owns one; `TcpTransport.listen` uses it.
"""

from __future__ import annotations

import logging
import os
import select
import socket
from collections import deque
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import Abort, Task, current_task, enable_ki_protection, reschedule, wait_task_rescheduled

from . import broken

if TYPE_CHECKING:
    from . import Reader

logger = logging.getLogger("trio_mud")

RECEIVE: Final = 4096  # bytes a read
TURN: Final = 32  # sockets; by 64 of 10,000 busy ones, as many as the dispatcher's, a 10 ms timer is 5 ms late, not 1
ENDINGS: Final = 16  # links whose end is told in one turn; 64 would hold up the others for 20 ms


class Watch:
    """One socket in the poller's set, and the task that listens to it."""

    __slots__ = (
        "_feed",
        "_pause",
        "_poller",
        "_reader",
        "_receive",
        "_socket",
        "_task",
        "error",
        "fileno",
        "is_over",
        "is_paused",
    )

    def __init__(self, poller: Poller, sock: socket.socket, reader: Reader) -> None:
        self._poller = poller
        self._reader = reader
        self._socket = sock
        self._receive = sock.recv
        self._task: Task | None = None  # while it sleeps
        self._pause: trio.CancelScope | None = None  # while it waits for room
        self._feed = reader.feed
        self.fileno = sock.fileno()
        self.is_paused = False
        self.is_over = False
        self.error: Exception | None = None  # why it is over, or will be; None at the end of file

    async def listen(self) -> None:
        """Sleep until the end of file; what comes goes to the reader meanwhile.

        Raises:
            trio.BrokenResourceError: The link is gone.
        """
        try:
            while not self.is_over:
                self._task = current_task()
                await wait_task_rescheduled(self._forget_task)
                if self.is_paused and not self.is_over:
                    with trio.CancelScope() as self._pause:
                        await self._reader.room()
                    self._pause = None
                    self._poller.resume(self)
        finally:
            self._poller.forget(self)
        if (loss := self._loss()) is not None:
            raise loss from self.error
        if self.error is not None:
            raise self.error

    def read(self) -> None:
        """There is something: hand it on, or notice the end."""
        receive, feed = self._receive, self._feed  # called from a slot it would be looked up the slow way
        try:
            data = receive(RECEIVE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._poller.end(self, error)
            return
        if not data:
            self._poller.end(self, self.error)
            return
        try:
            if not feed(data):
                self._poller.pause(self)
        except Exception as error:  # noqa: BLE001 - the boundary of a link: raised again in its own task
            self._poller.end(self, error)

    def read_error(self) -> None:
        """Nothing is read now, and yet the kernel has something to say: the link is gone."""
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        error = OSError(number, os.strerror(number)) if number else ConnectionResetError("both ends are shut down")
        self._poller.end(self, self.error or error)

    def note(self, error: OSError) -> None:
        """Sending has failed: that is why it will end, for the kernel tells the reason only once."""
        if self.error is None:
            self.error = error

    def close(self) -> None:
        """The socket is about to be closed: whoever still listens is told so."""
        if not self.is_over:
            self.error = trio.ClosedResourceError("it was closed here")
            self._poller.forget(self)
            self.wake()

    def tell_end(self) -> None:
        """Tell the reader of a loss, and let the listening task go on, if the reader has not cancelled it."""
        if (loss := self._loss()) is not None:
            self._reader.lost(loss)
        self.wake()

    def wake(self) -> None:
        """Let the listening task see what has become of its link."""
        if self._pause is not None:
            self._pause.cancel(reason="the link is over")
        if self._task is not None:
            task, self._task = self._task, None
            reschedule(task)

    def _loss(self) -> trio.BrokenResourceError | None:
        if isinstance(self.error, OSError | trio.ClosedResourceError):
            return broken(self.error, "the link is gone")
        return None

    def _forget_task(self, _: object) -> Abort:
        self._task = None
        return Abort.SUCCEEDED


class Poller:
    """The sockets of one server that are read without a task of their own being woken.

    The set and its descriptor exist from the first socket on, until `run` ends.

    Args:
        turn: How many sockets are read before all other tasks have a turn.
    """

    def __init__(self, turn: int = TURN) -> None:
        self._turn = turn
        self._epoll: select.epoll | None = None
        self._is_wanted = trio.Event()
        self._watched: dict[int, Watch] = {}  # by descriptor
        self._ended: deque[Watch] = deque()  # to be told, a slice a turn

    @staticmethod
    def is_possible() -> bool:
        """Whether this system has epoll."""
        return hasattr(select, "epoll")

    def __len__(self) -> int:
        """How many sockets are in the set."""
        return len(self._watched)

    def watch(self, sock: socket.socket, reader: Reader) -> Watch:
        """Read this socket from now on, until `forget`. The caller keeps the socket.

        Raises:
            OSError: The kernel watches no more of them for this user.
        """
        if self._epoll is None:
            self._epoll = select.epoll()
            self._is_wanted.set()
        watch = Watch(self, sock, reader)
        self._epoll.register(watch.fileno, select.EPOLLIN)
        self._watched[watch.fileno] = watch
        return watch

    def pause(self, watch: Watch) -> None:
        """Read no more of it for now. Its reset is still noticed: without being asked the kernel tells of that."""
        watch.is_paused = True
        assert self._epoll is not None
        self._epoll.modify(watch.fileno, 0)
        watch.wake()

    def resume(self, watch: Watch) -> None:
        """Read it again."""
        watch.is_paused = False
        if not watch.is_over and self._epoll is not None:
            self._epoll.modify(watch.fileno, select.EPOLLIN)

    def end(self, watch: Watch, error: Exception | None = None) -> None:
        """It is over: take it out of the set at once, or the kernel would tell at every turn; and tell soon."""
        watch.error = error
        self.forget(watch)
        self._ended.append(watch)

    def forget(self, watch: Watch) -> None:
        """Read it no more. Before its descriptor is closed, for the next socket may get the same number."""
        watch.is_over = True
        if self._watched.get(watch.fileno) is watch:
            del self._watched[watch.fileno]
            if self._epoll is not None:
                try:
                    self._epoll.unregister(watch.fileno)
                except OSError:  # somebody else has closed it
                    logger.exception("a socket was closed behind the poller's back")

    @enable_ki_protection
    async def run(self) -> None:
        """Serve until cancelled."""
        await self._is_wanted.wait()
        assert self._epoll is not None
        try:
            while True:
                if self._ended:
                    await trio.lowlevel.checkpoint()
                else:
                    await trio.lowlevel.wait_readable(self._epoll.fileno())
                self._take_turn(self._epoll)
        finally:
            epoll, self._epoll = self._epoll, None
            epoll.close()

    def _take_turn(self, epoll: select.epoll) -> None:
        watched = self._watched
        found = epoll.poll(0, self._turn)
        for fileno, _ in found:
            watch = watched.get(fileno)  # looked up at each event: the one before may have ended it
            if watch is None:
                continue
            if watch.is_paused:
                watch.read_error()
            else:
                watch.read()
        # A full turn: somebody who plays on may stand behind a thousand who are gone, and be found in the next.
        slice_ = 1 if len(found) == self._turn else ENDINGS
        for _ in range(min(slice_, len(self._ended))):
            self._ended.popleft().tell_end()
